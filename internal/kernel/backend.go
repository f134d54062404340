package kernel

import "unsafe"

// Name is the implementation that was chosen at start: generic, avx2, avxvnni,
// avx512, amx or neon.
func Name() string { return string(path) }

// callLimit is how many elements one call of an elementwise assembly routine
// gets. The collector cannot stop a goroutine inside assembly, so that calls
// stay well under a millisecond. It is a multiple of 8.
const callLimit = 1 << 15

// first is the address that assembly takes for a slice.
func first(x []float32) *float32 { return unsafe.SliceData(x) }
