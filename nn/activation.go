package nn

import (
	"fmt"

	"github.com/refrain-lm/refrain/internal/kernel"
)

// Function names an elementwise function.
type Function string

// The functions.
const (
	Tanh Function = "tanh"
	ReLU Function = "relu" // max(0,x)
)

// Activation applies a function to every element:
//
//	y = f(x),   f = tanh or relu
//
// It has no state.
type Activation struct {
	f     Function
	width int
}

// NewActivation returns f over vectors of the given width.
func NewActivation(f Function, width int) *Activation {
	if f != Tanh && f != ReLU {
		panic(fmt.Sprintf("nn: NewActivation: function %q: want tanh or relu", f))
	}
	return &Activation{f, width}
}

// Params is empty.
func (l *Activation) Params() []*Param { return nil }

// InSize is the width of x.
func (l *Activation) InSize() int { return l.width }

// OutSize is the width of y.
func (l *Activation) OutSize() int { return l.width }

// StateWidths is empty.
func (l *Activation) StateWidths() []int { return nil }

// NewState returns a state without parts.
func (l *Activation) NewState(int) State { return nil }

// Refresh does nothing.
func (l *Activation) Refresh(*Pool, bool) {}

// Forward maps x [T,B,Width] to y [T,B,Width].
func (l *Activation) Forward(m Mode, t *Tape, tt, b int, x []float32, _ State) []float32 {
	t.begin("Activation.Forward", tt, b, l.width, x)
	t.y = grow(t.y, len(x))
	m.Pool.For(len(x), 1024, func(lo, hi int) {
		copy(t.y[lo:hi], x[lo:hi])
		kernel.RNN(t.y[lo:hi], l.f == ReLU)
	})
	return t.y
}

// Backward takes dy, the gradient of y [T,B,Width], and returns that of x, in
// dy's place.
func (l *Activation) Backward(m Mode, t *Tape, dy []float32) []float32 {
	checkLen("Activation.Backward", "dy", len(dy), t.rows()*l.width)
	m.Pool.For(len(dy), 1024, func(lo, hi int) {
		kernel.RNNGrad(dy[lo:hi], t.y[lo:hi], dy[lo:hi], l.f == ReLU)
	})
	return dy
}

// Step maps one token of each of b lanes: x [B,Width] to y [B,Width]. It
// allocates nothing.
func (l *Activation) Step(w *Worker, _ int, _ State, x, y []float32) {
	lo, hi := w.share(len(y), kernel.PanelWidth)
	copy(y[lo:hi], x[lo:hi])
	kernel.RNN(y[lo:hi], l.f == ReLU)
	w.wait()
}
