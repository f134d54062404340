package cpu

// vectorPaths has NEON, which every arm64 processor has.
func vectorPaths() []Path { return []Path{NEON} }

// brand has no portable source outside amd64.
func brand() string { return "" }

func features() []string { return []string{"neon"} }

// VNNI is about AVX-512.
func VNNI() bool { return false }

// FastBFloat16 is about AVX-512.
func FastBFloat16() bool { return false }
