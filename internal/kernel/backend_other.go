//go:build !amd64 || purego

package kernel

// useAVX2 is a constant here, so that the assembly branches vanish.
const useAVX2 = false
