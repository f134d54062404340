package cpu

// vectorPaths has NEON, which every arm64 processor has.
func vectorPaths() []Path { return []Path{NEON} }

// brand has no portable source outside amd64.
func brand() string { return "" }

func features() []string { return []string{"neon"} }

// AVX512VNNI is about amd64.
func AVX512VNNI() bool { return false }

// FastBFloat16 is about AVX-512.
func FastBFloat16() bool { return false }
