package kernel_test

import (
	"math"
	"testing"

	"github.com/refrain-lm/refrain/internal/kernel"
	"github.com/refrain-lm/refrain/internal/parallel"
)

// TestSumSquares: one tree, so that Go, assembly and any pool agree to the bit.
func TestSumSquares(t *testing.T) {
	pool := parallel.New(3)
	defer pool.Close()
	r := newRand(1)
	for _, n := range append([]int{1 << 16, 1<<16 + 1, 1<<16 - 1, 3<<16 + 77}, lengths...) {
		g := newGuarded(n, n%5).fill(r, 3)
		exact := 0.0
		for _, v := range g.x {
			exact += float64(v) * float64(v)
		}
		var generic float64
		with("generic", func() { generic = kernel.SumSquares(g.x) })
		if math.Abs(generic-exact) > 1e-12*exact {
			t.Fatalf("n=%d: %v, want %v", n, generic, exact)
		}
		eachBackend(t, func(t *testing.T) {
			if got := kernel.SumSquares(g.x); got != generic {
				t.Errorf("n=%d: SumSquares = %v, want %v", n, got, generic)
			}
			if got := kernel.SumSquaresPool(pool, g.x); got != generic {
				t.Errorf("n=%d: SumSquaresPool = %v, want %v", n, got, generic)
			}
		})
	}
}

func TestAllFinite(t *testing.T) {
	bad := []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))}
	eachBackend(t, func(t *testing.T) {
		for _, n := range append([]int{1<<15 + 9}, lengths...) {
			g := newGuarded(n, 1)
			for i := range g.x {
				g.x[i] = math.MaxFloat32
			}
			g.all[15+1], g.all[len(g.all)-16] = bad[0], bad[1] // just outside
			if !kernel.AllFinite(g.x) {
				t.Fatalf("n=%d: finite elements were refused", n)
			}
			for i := 0; i < n; i += 1 + n/97 {
				g.x[i] = bad[i%3]
				if kernel.AllFinite(g.x) {
					t.Fatalf("n=%d: %v in element %d was overlooked", n, bad[i%3], i)
				}
				g.x[i] = -1e-40
			}
		}
	})
}

func TestFillRowsColumnSums(t *testing.T) {
	pool := parallel.New(2)
	defer pool.Close()
	eachBackend(t, func(t *testing.T) {
		r := newRand(2)
		for _, s := range []struct{ m, n int }{{0, 3}, {1, 1}, {5, 17}, {40, 130}, {700, 130}} {
			ld := s.n + 3
			row := randomSlice(r, s.n, 1)
			c := newGuarded(max(0, s.m*ld-3), 2)
			kernel.FillRows(pool, c.x, ld, s.m, row)
			for i := range s.m {
				wantSame(t, "FillRows", c.x[i*ld:i*ld+s.n], row)
				if i < s.m-1 && c.x[i*ld+s.n] != canary {
					t.Fatal("FillRows wrote between rows")
				}
			}
			c.check(t, "FillRows")
			a := randomSlice(r, s.m*ld, 1)
			want := randomSlice(r, s.n, 1)
			one, all := append([]float32(nil), want...), append([]float32(nil), want...)
			for i := range s.m {
				for j := range s.n {
					want[j] += a[i*ld+j]
				}
			}
			kernel.ColumnSums(nil, one, a, s.m, s.n, ld)
			kernel.ColumnSums(pool, all, a, s.m, s.n, ld)
			wantSame(t, "ColumnSums", one, want)
			wantSame(t, "ColumnSums with a pool", all, want)
		}
	})
}
