package nn_test

import (
	"math"
	"testing"

	"github.com/refrain-lm/refrain/internal/parallel"
	"github.com/refrain-lm/refrain/nn"
)

// TestBFloat16 holds every block with rounded products to float32. bfloat16 has
// eight bits; most errors are one or two percent, but a unit of a relu near zero
// may come out on its other side. The bits depend on no pool, and Refresh for
// inference goes back to float32.
func TestBFloat16(t *testing.T) {
	const steps, lanes, in, h = 4, 24, 37, 80
	mode := nn.Mode{Train: true, Seed: 5}
	for _, c := range blocks {
		t.Run(c.name, func(t *testing.T) {
			l := c.build(in, h)
			x, dy := random(9, steps*lanes*l.InSize(), 1), random(10, steps*lanes*l.OutSize(), 1)
			l.Refresh(nil, true)
			y, dx, grads := runWindow(l, mode, steps, lanes, x, dy)
			matrices := 0
			for _, p := range l.Params() {
				p.BFloat16 = true
				if len(p.Shape) == 2 {
					matrices++
				}
			}
			l.Refresh(nil, true)
			y2, dx2, grads2 := runWindow(l, mode, steps, lanes, x, dy)
			if matrices == 0 {
				sameBits(t, "output without a product", y2, y)
				return
			}
			near := func(what string, got, want []float32) {
				t.Helper()
				var off, size float64
				for i, w := range want {
					off += math.Pow(float64(got[i]-w), 2)
					size += math.Pow(float64(w), 2)
				}
				if off == 0 && size > 0 || off > 1e-2*size {
					t.Errorf("%s is off by %.3g of its size, want something up to 0.1", what, math.Sqrt(off/size))
				}
			}
			near("output", y2, y)
			near("input gradient", dx2, dx)
			for i, p := range l.Params() {
				if len(p.Shape) == 2 {
					near(p.Name, grads2[i], grads[i])
				}
			}
			for _, threads := range []int{2, 3} {
				pool := parallel.New(threads)
				defer pool.Close()
				l.Refresh(pool, true)
				mode.Pool = pool
				y3, dx3, grads3 := runWindow(l, mode, steps, lanes, x, dy)
				sameBits(t, "output", y3, y2)
				sameBits(t, "input gradient", dx3, dx2)
				for i, p := range l.Params() {
					sameBits(t, p.Name, grads3[i], grads2[i])
				}
			}
			mode.Pool = nil
			l.Refresh(nil, false)
			sameBits(t, "output of inference", l.Forward(mode, &nn.Tape{}, steps, lanes, x, randomState(l, lanes)), y)
		})
	}
}
