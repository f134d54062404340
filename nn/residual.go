package nn

import (
	"fmt"

	"github.com/refrain-lm/refrain/internal/kernel"
)

// Block is one layer between the embedding and the head; the package comment
// says what its methods do.
type Block interface {
	Params() []*Param
	InSize() int
	OutSize() int
	StateWidths() []int
	NewState(b int) State
	Refresh(pool *Pool, train bool)
	Forward(m Mode, t *Tape, tt, b int, x []float32, s State) []float32
	Backward(m Mode, t *Tape, dy []float32) []float32
	Step(w *Worker, b int, s State, x, y []float32)
}

// Residual adds what comes in to what some blocks make of it (He et al. 2016):
//
//	y = x + fₙ(…f₁(x))
//
// Its state is that of the one block among f that has a state.
type Residual struct {
	inner []Block
	width int
}

// NewResidual returns the blocks with a connection around them. Widths must fit
// from one to the next, and the last must give the width of the first; at most
// one block may have a state.
func NewResidual(blocks ...Block) *Residual {
	l := &Residual{inner: blocks, width: blocks[0].InSize()}
	width, states := l.width, 0
	for _, b := range blocks {
		checkLen("NewResidual", "a block's input", b.InSize(), width)
		width = b.OutSize()
		states += min(1, len(b.StateWidths()))
	}
	checkLen("NewResidual", "the last block's output", width, l.width)
	if states > 1 {
		panic(fmt.Sprintf("nn: NewResidual: %d blocks with a state, want at most 1", states))
	}
	return l
}

// Params returns those of the blocks, in their order.
func (l *Residual) Params() []*Param {
	var out []*Param
	for _, b := range l.inner {
		out = append(out, b.Params()...)
	}
	return out
}

// InSize is the width of x.
func (l *Residual) InSize() int { return l.width }

// OutSize is the width of y.
func (l *Residual) OutSize() int { return l.width }

// StateWidths is that of the block with a state.
func (l *Residual) StateWidths() []int {
	for _, b := range l.inner {
		if w := b.StateWidths(); len(w) > 0 {
			return w
		}
	}
	return nil
}

// NewState returns a zero state of b lanes, with scratch for Step.
func (l *Residual) NewState(b int) State {
	var s State
	for _, block := range l.inner {
		if len(block.StateWidths()) > 0 {
			s = block.NewState(b)
		}
	}
	for _, block := range l.inner {
		s = append(s, make([]float32, b*block.OutSize()))
	}
	return s
}

// Refresh is that of the blocks.
func (l *Residual) Refresh(pool *Pool, train bool) {
	for _, b := range l.inner {
		b.Refresh(pool, train)
	}
}

// Forward maps x [T,B,Width] to y [T,B,Width] and carries s on.
func (l *Residual) Forward(m Mode, t *Tape, tt, b int, x []float32, s State) []float32 {
	t.begin("Residual.Forward", tt, b, l.width, x)
	if len(t.inner) != len(l.inner) {
		t.inner = make([]Tape, len(l.inner))
	}
	y := x
	for i, block := range l.inner {
		if len(block.StateWidths()) > 0 {
			t.inner[i].Trace = t.Trace
		}
		y = block.Forward(m, &t.inner[i], tt, b, y, s)
	}
	t.y = grow(t.y, len(x))
	sum(m.Pool, t.y, x, y)
	return t.y
}

// sum computes y = a + b.
func sum(pool *Pool, y, a, b []float32) {
	pool.For(len(y), 4096, func(lo, hi int) {
		copy(y[lo:hi], a[lo:hi])
		kernel.Add(y[lo:hi], b[lo:hi])
	})
}

// Backward takes dy, the gradient of y [T,B,Width], and returns that of x.
func (l *Residual) Backward(m Mode, t *Tape, dy []float32) []float32 {
	checkLen("Residual.Backward", "dy", len(dy), t.rows()*l.width)
	t.dx = append(t.dx[:0], dy...) // the blocks may overwrite dy
	for i := len(l.inner) - 1; i >= 0; i-- {
		dy = l.inner[i].Backward(m, &t.inner[i], dy)
	}
	sum(m.Pool, t.dx, t.dx, dy)
	return t.dx
}

// Step feeds one token of each of b lanes: x [B,Width] to y [B,Width]. It allocates nothing.
func (l *Residual) Step(w *Worker, b int, s State, x, y []float32) {
	in := x
	for i, block := range l.inner {
		out := s[len(s)-len(l.inner)+i][:b*block.OutSize()]
		block.Step(w, b, s, in, out)
		in = out
	}
	lo, hi := w.share(len(y), kernel.PanelWidth)
	copy(y[lo:hi], x[lo:hi])
	kernel.Add(y[lo:hi], in[lo:hi])
	w.wait()
}
