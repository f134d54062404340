package nn_test

import (
	"math"
	"testing"

	"github.com/refrain-lm/refrain/internal/parallel"
	"github.com/refrain-lm/refrain/nn"
)

// A number rounded to bfloat16, of eight bits, is off by at most 2⁻⁸ of itself, by
// 2⁻⁸/√3·√(3/(8·ln 2)) = 0.17 % in the mean square over a whole octave. Both operands of a
// product are, independently, and sums of independent errors keep their share of
// the sum's size: one product is off by √2 times that.
var pairError = math.Sqrt2 * math.Exp2(-8) / math.Sqrt(3) * math.Sqrt(3/(8*math.Ln2))

// TestBFloat16 holds every block with rounded products to float32. How a block
// passes errors on, float32 itself tells: with weights that are rounded
// beforehand. Rounding the other operands adds as much again, independently, and
// the product that makes a gradient its own: √(2·e² + pairError²), less where a
// block makes errors smaller. Half as much again is allowed. What comes out is off
// by less than 0.8 % for most blocks, by 2 % for a tanh, whose recurrent weights
// make errors larger here, and by 9 % for a relu, where a unit near zero may come
// out on its other side. The bits depend on no pool, and Refresh for inference
// goes back to float32.
func TestBFloat16(t *testing.T) {
	const steps, lanes, in, h = 4, 24, 37, 80
	mode := nn.Mode{Train: true, Seed: 5}
	for _, c := range blocks {
		t.Run(c.name, func(t *testing.T) {
			l := c.build(in, h)
			x, dy := random(9, steps*lanes*l.InSize(), 1), random(10, steps*lanes*l.OutSize(), 1)
			y, dx, grads := runWindow(l, mode, steps, lanes, x, dy)
			restore := roundWeights(l)
			y1, dx1, grads1 := runWindow(l, mode, steps, lanes, x, dy)
			matrices := restore()
			for _, p := range l.Params() {
				p.BFloat16 = true
			}
			l.Refresh(nil, true)
			y2, dx2, grads2 := runWindow(l, mode, steps, lanes, x, dy)
			if matrices == 0 {
				sameBits(t, "output without a product", y2, y)
				return
			}
			near := func(what string, got, weightsRounded, want []float32) {
				t.Helper()
				off, most := distance(got, want), 1.5*math.Hypot(math.Sqrt2*distance(weightsRounded, want), pairError)
				if off > most {
					t.Errorf("%s is off by %.2f %% of its size, want at most %.2f %%", what, 100*off, 100*most)
				}
			}
			near("output", y2, y1, y)
			near("input gradient", dx2, dx1, dx)
			if distance(y2, y) == 0 || distance(dx2, dx) == 0 {
				t.Error("nothing was rounded")
			}
			for i, p := range l.Params() {
				if !p.Frozen {
					near(p.Name, grads2[i], grads1[i], grads[i])
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

// distance is the size of got − want, as a share of want's.
func distance(got, want []float32) float64 {
	var off, size float64
	for i, w := range want {
		off += math.Pow(float64(got[i]-w), 2)
		size += math.Pow(float64(w), 2)
	}
	return math.Sqrt(off / size)
}

// roundWeights rounds the matrices of l to bfloat16, until restore is called,
// which says how many there are.
func roundWeights(l block) (restore func() (matrices int)) {
	kept := map[*nn.Param][]float32{}
	for _, p := range l.Params() {
		if len(p.Shape) != 2 || p.Frozen {
			continue
		}
		kept[p] = clone(p.Value)
		for i, v := range p.Value {
			b := math.Float32bits(v)
			p.Value[i] = math.Float32frombits((b + 0x7fff + b>>16&1) &^ 0xffff) // the nearest, ties to even
		}
	}
	l.Refresh(nil, true)
	return func() int {
		for p, v := range kept {
			copy(p.Value, v)
		}
		return len(kept)
	}
}
