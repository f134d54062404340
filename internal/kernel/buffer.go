package kernel

import "unsafe"

// largeBuffer is from where on large pages pay: a hundred of them would else be
// fifty thousand small ones, more than a processor remembers the places of.
const largeBuffer = 4 << 20

// Buffer returns n zeros that begin at a cache line, for weights, gradients,
// moments and activations. Large ones lie on large pages where the system has
// them; that costs at most a few MiB more.
func Buffer(n int) []float32 { return buffer[float32](n) }

// buffer is Buffer, of any numbers.
func buffer[T float32 | uint16 | uint8](n int) []T {
	const line = 64
	size := int(unsafe.Sizeof(*new(T)))
	x := make([]T, n+line/size-1)
	skip := -int(uintptr(unsafe.Pointer(unsafe.SliceData(x)))) & (line - 1) / size
	x = x[skip : skip+n : skip+n]
	if n*size >= largeBuffer {
		adviseLargePages(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), n*size))
	}
	return x
}

// grow returns a slice of n elements, the old one where it is large enough, else
// a new [Buffer]. The contents are unspecified.
func grow(old []float32, n int) []float32 {
	if cap(old) >= n {
		return old[:n]
	}
	return Buffer(n)
}
