//go:build !amd64

package cpu

func hasAVX2() bool { return false }

// brand has no portable source outside amd64.
func brand() string { return "" }

func features() []string { return nil }
