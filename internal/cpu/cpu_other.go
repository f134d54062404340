//go:build !amd64 && !arm64

package cpu

func vectorPaths() []Path { return nil }

// brand has no portable source outside amd64.
func brand() string { return "" }

func features() []string { return nil }

// AVX512VNNI is about amd64.
func AVX512VNNI() bool { return false }

// FastBFloat16 is about AVX-512.
func FastBFloat16() bool { return false }
