package kernel

import "fmt"

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
	kept := 1 / (1 - p)
	seed = mix64(seed + gamma64)
	for i := 0; i < len(dst); {
		element := offset + uint64(i)
		bits := mix64(seed + element/2*gamma64)
		if element%2 == 0 {
			dst[i] = dropoutFactor(bits&(1<<32-1), drop, kept)
			i++
		}
		if i < len(dst) {
			dst[i] = dropoutFactor(bits>>32, drop, kept)
			i++
		}
	}
}

func dropoutFactor(bits, drop uint64, kept float32) float32 {
	if bits < drop {
		return 0
	}
	return kept
}

const gamma64 = 0x9e3779b97f4a7c15

// mix64 is the output function of splitmix64.
func mix64(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
