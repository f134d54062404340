package kernel_test

import (
	"math"
	"testing"

	"github.com/refrain-lm/refrain/internal/kernel"
)

func TestDropoutMask(t *testing.T) {
	const n = 100_000
	for _, p := range []float32{0, 0.1, 0.5, 0.9} {
		mask := make([]float32, n)
		kernel.DropoutMask(mask, 42, 1000, p)
		dropped := 0
		for _, v := range mask {
			switch v {
			case 0:
				dropped++
			case 1 / (1 - p):
			default:
				t.Fatalf("p=%v: factor %v", p, v)
			}
		}
		// Five standard deviations of a binomial distribution.
		if diff := math.Abs(float64(dropped) - float64(p)*n); diff > 5*math.Sqrt(n*float64(p)*(1-float64(p))) {
			t.Errorf("p=%v: %d of %d dropped", p, dropped, n)
		}
		// Any part of the mask is the same mask.
		for _, cut := range []struct{ from, to int }{{0, 1}, {1, 2}, {3, 50}, {4, 51}, {777, n}} {
			part := make([]float32, cut.to-cut.from)
			kernel.DropoutMask(part, 42, 1000+uint64(cut.from), p)
			wantSame(t, "part", part, mask[cut.from:cut.to])
		}
	}
}

// TestDropoutMaskSeeds: neighbouring seeds and offsets are unrelated.
func TestDropoutMaskSeeds(t *testing.T) {
	const n = 10_000
	a, b := make([]float32, n), make([]float32, n)
	kernel.DropoutMask(a, 1, 0, 0.5)
	for _, other := range []struct{ seed, offset uint64 }{{2, 0}, {1, 1}, {1, n}, {1 << 32, 0}} {
		kernel.DropoutMask(b, other.seed, other.offset, 0.5)
		equal := 0
		for i := range a {
			if a[i] == b[i] {
				equal++
			}
		}
		if math.Abs(float64(equal)-n/2) > 5*math.Sqrt(n)/2 {
			t.Errorf("seed %d, offset %d: %d of %d equal", other.seed, other.offset, equal, n)
		}
	}
}

// TestDropoutMaskPinned pins the generator: a change would change every
// training run.
func TestDropoutMaskPinned(t *testing.T) {
	mask := make([]float32, 32)
	kernel.DropoutMask(mask, 7, 3, 0.5)
	var bits uint32
	for i, v := range mask {
		if v != 0 {
			bits |= 1 << i
		}
	}
	const want = 0xf231d25d
	if bits != want {
		t.Errorf("mask %#x, want %#x", bits, want)
	}
}
