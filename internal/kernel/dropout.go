package kernel

import (
	"fmt"
	"math"
)

// DropoutMask fills dst with the factors of inverted dropout: 0 with
// probability p, else 1/(1−p). dst[i] depends on seed and offset+i alone, so
// any part of a mask can be made by anyone: element e takes the low (e even) or
// high (e odd) half of splitmix64's output for the state seed' + (e/2)·γ, where
// seed' is the mixed seed (Steele, Lea and Flood, "Fast splittable pseudorandom
// number generators", OOPSLA 2014).
func DropoutMask(dst []float32, seed, offset uint64, p float32) {
	if !(p >= 0 && p < 1) {
		panic(fmt.Sprintf("kernel: DropoutMask: p = %v, want 0 ≤ p < 1", p))
	}
	drop := uint64(float64(p) * (1 << 32))
	kept := math.Float32bits(1 / (1 - p))
	seed = mix64(seed + gamma64)
	if offset%2 == 1 && len(dst) > 0 {
		dst[0] = dropoutFactor(mix64(seed+offset/2*gamma64)>>32, drop, kept)
		dst, offset = dst[1:], offset+1
	}
	state := seed + offset/2*gamma64
	for ; len(dst) >= 2; dst = dst[2:] {
		bits := mix64(state)
		dst[0] = dropoutFactor(bits&(1<<32-1), drop, kept)
		dst[1] = dropoutFactor(bits>>32, drop, kept)
		state += gamma64
	}
	if len(dst) > 0 {
		dst[0] = dropoutFactor(mix64(state)&(1<<32-1), drop, kept)
	}
}

// dropoutFactor is 0 if bits < drop, both under 2³³, else kept: without a
// branch, which nobody could predict.
func dropoutFactor(bits, drop uint64, kept uint32) float32 {
	return math.Float32frombits(kept & (uint32((bits-drop)>>63) - 1))
}

const gamma64 = 0x9e3779b97f4a7c15

// mix64 is the output function of splitmix64.
func mix64(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
