package nn

import (
	"fmt"

	"github.com/refrain-lm/refrain/internal/kernel"
)

// Dropout is inverted dropout (Srivastava et al. 2014):
//
//	y = x⊙m,   m = 0 with probability p, else 1/(1−p)
//
// The plain kind draws a new m for every step of a window (Zaremba et al.
// 2014), the variational kind one per window and lane, which all its steps use
// (Gal and Ghahramani 2016). Without Mode.Train, y is x. It has no state.
//
// A mask is a function of Mode.Seed, Mode.Step, the block's index and the
// position in the window alone.
type Dropout struct {
	p           float32
	variational bool
	width       int
	index       uint64
}

// NewDropout returns dropout with probability 0 ≤ p < 1 over vectors of the
// given width. Blocks of one model need different indices, or they draw the
// same masks.
func NewDropout(p float64, variational bool, width, index int) *Dropout {
	if !(p >= 0 && p < 1) {
		panic(fmt.Sprintf("nn: NewDropout: p = %v: want 0 ≤ p < 1", p))
	}
	return &Dropout{float32(p), variational, width, uint64(index)}
}

// Params is empty.
func (l *Dropout) Params() []*Param { return nil }

// InSize is the width of x.
func (l *Dropout) InSize() int { return l.width }

// OutSize is the width of y.
func (l *Dropout) OutSize() int { return l.width }

// StateWidths is empty.
func (l *Dropout) StateWidths() []int { return nil }

// NewState returns a state without parts.
func (l *Dropout) NewState(int) State { return nil }

// Refresh does nothing.
func (l *Dropout) Refresh(*Pool, bool) {}

// Forward maps x [T,B,Width] to y [T,B,Width], which is x itself outside
// training.
func (l *Dropout) Forward(m Mode, t *Tape, tt, b int, x []float32, _ State) []float32 {
	t.begin("Dropout.Forward", tt, b, l.width, x)
	t.mask = t.mask[:0]
	if !m.Train || l.p == 0 {
		return x
	}
	seed := l.seed(m)
	n := len(x)
	if l.variational {
		n = b * l.width
	}
	t.mask = grow(t.mask, n)
	m.Pool.For(n, 4096, func(lo, hi int) {
		kernel.DropoutMask(t.mask[lo:hi], seed, uint64(lo), l.p)
	})
	t.y = grow(t.y, len(x))
	l.apply(m.Pool, t.y, x, t.mask)
	return t.y
}

// seed is the same for no two windows nor blocks, as far as 64 bits allow.
func (l *Dropout) seed(m Mode) uint64 {
	return scramble(scramble(scramble(m.Seed)+m.Step) + l.index)
}

// scramble is the output function of splitmix64 (Steele, Lea and Flood 2014).
func scramble(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// apply computes y = x⊙mask, the mask repeated as often as x is longer. x may
// be y.
func (l *Dropout) apply(pool *Pool, y, x, mask []float32) {
	pool.For(len(x)/len(mask), 1, func(lo, hi int) {
		for k := lo; k < hi; k++ {
			applyMask(at(y, k, len(mask)), at(x, k, len(mask)), mask)
		}
	})
}

func applyMask(y, x, mask []float32) {
	if &y[0] != &x[0] {
		copy(y, x)
	}
	kernel.Mul(y, mask)
}

// Backward takes dy, the gradient of y [T,B,Width], and returns that of x,
// which is dy, masked in place.
func (l *Dropout) Backward(m Mode, t *Tape, dy []float32) []float32 {
	checkLen("Dropout.Backward", "dy", len(dy), t.rows()*l.width)
	if len(t.mask) > 0 {
		l.apply(m.Pool, dy, dy, t.mask)
	}
	return dy
}

// Step copies x [B,Width] to y: nothing is dropped outside training.
func (l *Dropout) Step(w *Worker, _ int, _ State, x, y []float32) {
	lo, hi := w.share(len(y), kernel.PanelWidth)
	copy(y[lo:hi], x[lo:hi])
	w.wait()
}
