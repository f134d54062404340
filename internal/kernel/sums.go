package kernel

import (
	"math"

	"github.com/refrain-lm/refrain/internal/parallel"
)

// sumChunk is the length whose squares are summed by one tree; the sums of
// chunks are added from front to back, whoever computed them.
const sumChunk = 1 << 16

// SumSquares returns Σ x[i]² in float64. Within a chunk of 65,536 elements,
// element i is added to sum i mod 16, and the sixteen sums are added pairwise:
// s[j]+s[j+8], then +4, +2, +1. Squares of float32 are exact in float64, so all
// implementations give the same bits.
func SumSquares(x []float32) float64 {
	var sum float64
	for len(x) > sumChunk {
		sum += sumSquares(x[:sumChunk])
		x = x[sumChunk:]
	}
	return sum + sumSquares(x)
}

// SumSquaresPool is [SumSquares], to the bit, on all workers of the pool.
func SumSquaresPool(pool *parallel.Pool, x []float32) float64 {
	chunks := (len(x) + sumChunk - 1) / sumChunk
	if pool.Size() == 1 || chunks < 2 {
		return SumSquares(x)
	}
	sums := make([]float64, chunks)
	pool.For(chunks, 1, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			sums[i] = sumSquares(x[i*sumChunk : min((i+1)*sumChunk, len(x))])
		}
	})
	var sum float64
	for _, s := range sums {
		sum += s
	}
	return sum
}

func sumSquares(x []float32) float64 {
	var s [16]float64
	if useAsm {
		blocks := len(x) / 16
		sumSquaresAsm(blocks, first(x), &s)
		x = x[blocks*16:]
	}
	return sumSquaresGeneric(&s, x)
}

// sumSquaresGeneric continues the sixteen sums with x and adds them up.
func sumSquaresGeneric(s *[16]float64, x []float32) float64 {
	for ; len(x) >= 16; x = x[16:] {
		for j, v := range x[:16] {
			s[j] += float64(v) * float64(v)
		}
	}
	for j, v := range x {
		s[j] += float64(v) * float64(v)
	}
	for half := 8; half > 0; half /= 2 {
		for j := range half {
			s[j] += s[j+half]
		}
	}
	return s[0]
}

// AllFinite reports whether x holds neither NaN nor an infinity.
func AllFinite(x []float32) bool {
	if useAsm {
		for ; len(x) >= callLimit; x = x[callLimit:] {
			if anyNonFiniteAsm(callLimit/8, first(x)) {
				return false
			}
		}
		blocks := len(x) / 8
		if anyNonFiniteAsm(blocks, first(x)) {
			return false
		}
		x = x[blocks*8:]
	}
	return allFiniteGeneric(x)
}

func allFiniteGeneric(x []float32) bool {
	const exponent = 0x7f800000
	for _, v := range x {
		if math.Float32bits(v)&exponent == exponent {
			return false
		}
	}
	return true
}
