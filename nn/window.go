package nn

import (
	"fmt"

	"github.com/refrain-lm/refrain/internal/kernel"
)

// Window lays the last vectors of a stream side by side, oldest first: what a
// feed-forward network of order n reads to predict a token from the n−1 before
// it (Bengio et al. 2003):
//
//	y = [x₋₍ₙ₋₂₎, …, x₋₁, x]
//
// Where the stream has not begun yet, a vector is zero. Its state are the last
// n−2 vectors, oldest first, so a zero state means that nothing was seen. They
// cross from window to window of training as values, and gradients don't.
type Window struct {
	width, length int
}

// NewWindow returns a window over the last length vectors of the given width.
func NewWindow(width, length int) *Window {
	if width < 1 || length < 1 {
		panic(fmt.Sprintf("nn: NewWindow: %d vectors of width %d: want at least 1 of both", length, width))
	}
	return &Window{width, length}
}

// Params is empty.
func (l *Window) Params() []*Param { return nil }

// InSize is the width of x.
func (l *Window) InSize() int { return l.width }

// OutSize is the width of y, length·Width.
func (l *Window) OutSize() int { return l.length * l.width }

// StateWidths is the width of the vectors kept; none for a length of 1.
func (l *Window) StateWidths() []int {
	if l.length == 1 {
		return nil
	}
	return []int{l.kept()}
}

// kept is the width of all but the newest vector.
func (l *Window) kept() int { return (l.length - 1) * l.width }

// NewState returns a zero state of b lanes.
func (l *Window) NewState(b int) State { return newState(b, l.StateWidths()) }

// Refresh does nothing.
func (l *Window) Refresh(*Pool, bool) {}

// Forward maps x [T,B,Width] to y [T,B,length·Width] and carries s on.
func (l *Window) Forward(m Mode, t *Tape, tt, b int, x []float32, s State) []float32 {
	t.begin("Window.Forward", tt, b, l.width, x)
	n := l.OutSize()
	t.y = grow(t.y, t.rows()*n)
	m.Pool.For(b, 1, func(lo, hi int) {
		for lane := lo; lane < hi; lane++ {
			before := l.before(s, lane)
			for step := range tt {
				y := at(t.y, step*b+lane, n)
				l.slide(before, at(x, step*b+lane, l.width), y)
			}
		}
	})
	return t.y
}

// before is what one lane has kept, nil for a length of 1.
func (l *Window) before(s State, lane int) []float32 {
	if l.length == 1 {
		return nil
	}
	return at(s[0], lane, l.kept())
}

// slide writes one lane's window after x, and moves what is kept before it on.
func (l *Window) slide(before, x, y []float32) {
	copy(y, before)
	copy(y[l.kept():], x)
	copy(before, y[l.width:])
}

// Backward takes dy, the gradient of y [T,B,length·Width], and returns that of
// x: each vector collects from the windows it is in, its own first.
func (l *Window) Backward(m Mode, t *Tape, dy []float32) []float32 {
	n := l.OutSize()
	checkLen("Window.Backward", "dy", len(dy), t.rows()*n)
	if t.NoInputGrad {
		return nil
	}
	t.dx = zeros(t.dx, t.rows()*l.width)
	m.Pool.For(t.rows(), 16, func(lo, hi int) {
		for row := lo; row < hi; row++ {
			dx := at(t.dx, row, l.width)
			for age := range l.length {
				seen := row + age*t.lanes
				if seen >= t.rows() {
					break
				}
				kernel.Add(dx, at(at(dy, seen, n), l.length-1-age, l.width))
			}
		}
	})
	return t.dx
}

// Step feeds one token of each of b lanes: x [B,Width] to y [B,length·Width]. It
// allocates nothing.
func (l *Window) Step(w *Worker, b int, s State, x, y []float32) {
	lo, hi := w.share(b, 1)
	for lane := lo; lane < hi; lane++ {
		l.slide(l.before(s, lane), at(x, lane, l.width), at(y, lane, l.OutSize()))
	}
	w.wait()
}
