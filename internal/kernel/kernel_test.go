package kernel_test

import (
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/refrain-lm/refrain/internal/kernel"
)

// TestRequired fails where continuous integration promised an implementation
// that was not chosen, so that none goes untested unnoticed.
func TestRequired(t *testing.T) {
	want := os.Getenv("REFRAIN_REQUIRE_CPU")
	if want == "" {
		t.Skip("REFRAIN_REQUIRE_CPU is not set")
	}
	if got := kernel.Name(); got != want {
		t.Errorf("kernels are %s, want %s", got, want)
	}
}

var backends = []string{"generic", "avx2", "avxvnni", "avx512", "amx", "neon"}

// eachBackend runs a test body with every implementation this machine has.
func eachBackend(t *testing.T, body func(t *testing.T)) {
	for _, name := range backends {
		t.Run(name, func(t *testing.T) {
			restore := kernel.SetBackend(name)
			if restore == nil {
				t.Skip("not on this machine or in this build")
			}
			defer restore()
			body(t)
		})
	}
}

// with runs f with the named implementation, and reports whether it could.
func with(name string, f func()) bool {
	restore := kernel.SetBackend(name)
	if restore == nil {
		return false
	}
	defer restore()
	f()
	return true
}

// lengths are those where something changes: nothing, less and more than one
// vector, blocks of 16 and 32, and a real width.
var lengths = []int{0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 650}

const (
	canary = float32(-12345.5)
	guard  = 16 // canaries on each side
)

// guarded is a slice between canaries. It begins at the given number of
// elements after an address that is a multiple of a vector's.
type guarded struct {
	all []float32
	x   []float32
}

func newGuarded(n, offset int) guarded {
	all := make([]float32, n+offset+2*guard)
	for i := range all {
		all[i] = canary
	}
	return guarded{all, all[guard+offset : guard+offset+n : guard+offset+n]}
}

func (g guarded) fill(r *rand.Rand, scale float64) guarded {
	for i := range g.x {
		g.x[i] = float32((r.Float64()*2 - 1) * scale)
	}
	return g
}

func (g guarded) clone() guarded {
	all := append([]float32(nil), g.all...)
	start := len(all) - guard - len(g.x)
	return guarded{all, all[start : start+len(g.x) : start+len(g.x)]}
}

// check fails if anything around the slice was written.
func (g guarded) check(t *testing.T, name string) {
	t.Helper()
	start := len(g.all) - guard - len(g.x)
	for i, v := range g.all {
		if (i < start || i >= start+len(g.x)) && v != canary {
			t.Fatalf("%s: element %d outside the slice was written", name, i-start)
		}
	}
}

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

func randomSlice(r *rand.Rand, n int, scale float64) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32((r.Float64()*2 - 1) * scale)
	}
	return x
}

func sameBits(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }

// wantSame fails at the first element that differs in a bit.
func wantSame(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d elements, want %d", what, len(got), len(want))
	}
	for i := range got {
		if !sameBits(got[i], want[i]) {
			t.Fatalf("%s: element %d is %v (%#x), want %v (%#x)",
				what, i, got[i], math.Float32bits(got[i]), want[i], math.Float32bits(want[i]))
		}
	}
}

// wantNear fails at the first element further from the reference than
// absolute + relative·|reference|.
func wantNear(t *testing.T, what string, got []float32, want []float64, absolute, relative float64) {
	t.Helper()
	for i := range got {
		diff := math.Abs(float64(got[i]) - want[i])
		if !(diff <= absolute+relative*math.Abs(want[i])) {
			t.Fatalf("%s: element %d is %v, want %v (difference %.3g)", what, i, got[i], want[i], diff)
		}
	}
}
