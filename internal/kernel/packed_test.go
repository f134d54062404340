package kernel_test

import (
	"testing"

	"github.com/refrain-lm/refrain/internal/kernel"
)

// TestPackedParts: products with some columns or some rows of a packed matrix are
// those with the matrix that holds these alone.
func TestPackedParts(t *testing.T) {
	const k, n, m = 37, 53, 5
	eachBackend(t, func(t *testing.T) {
		r := newRand(8)
		b, a := newGuarded(k*n, 0).fill(r, 1), newGuarded(m*n*k, 0).fill(r, 1)
		var whole, part kernel.Packed
		whole.Pack(nil, b.x, k, n, n)
		product := func(p kernel.Packed) []float32 {
			c := make([]float32, m*p.N)
			kernel.Gemm(c, p.N, a.x, p.K, m, &p, 0, p.Panels())
			return c
		}
		for _, c := range []struct{ p0, p1 int }{{0, 4}, {0, 1}, {1, 3}, {3, 4}, {2, 2}} {
			lo, hi := c.p0*kernel.PanelWidth, min(n, c.p1*kernel.PanelWidth)
			part.Pack(nil, b.x[lo:], k, max(0, hi-lo), n)
			wantSame(t, "columns", product(whole.Columns(c.p0, c.p1)), product(part))
		}
		for _, c := range []struct{ p, k0, k1 int }{{0, 0, 37}, {1, 3, 20}, {3, 36, 37}, {2, 5, 5}} {
			lo := c.p * kernel.PanelWidth
			part.Pack(nil, b.x[min(c.k0, k-1)*n+lo:], c.k1-c.k0, min(kernel.PanelWidth, n-lo), n)
			wantSame(t, "rows", product(whole.Rows(c.p, c.k0, c.k1)), product(part))
		}
	})
}
