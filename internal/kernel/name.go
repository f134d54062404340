package kernel

// Name is the chosen implementation: "generic".
func Name() string { return "generic" }
