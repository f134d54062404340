//go:build !purego

package parallel

// pause tells the processor n times that this is a spin loop. n must be
// positive.
//
//go:noescape
func pause(n int)
