package nn

import (
	"fmt"

	"github.com/refrain-lm/refrain/internal/kernel"
)

// GRUReset says where the reset gate of a [GRU] acts.
type GRUReset string

const (
	// ResetAfter the recurrent product: PyTorch, cuDNN, Keras' default.
	ResetAfter GRUReset = "after"
	// ResetBefore the recurrent product: Cho et al. 2014, the review article's
	// section 3.3, Keras' reset_after=False.
	ResetBefore GRUReset = "before"
)

// GRU is the gated recurrent unit (Cho et al. 2014):
//
//	r = σ(x·Wxr + h₋₁·Whr + br)
//	z = σ(x·Wxz + h₋₁·Whz + bz)
//	n = tanh(x·Wxn + bn + r⊙(h₋₁·U + b′))     reset after
//	n = tanh(x·Wxn + (r⊙h₋₁)·U + bn)          reset before
//	h = (1−z)⊙n + z⊙h₋₁
//
// Wxr, Wxz and Wxn are the rows of weight_ih in this order, Whr, Whz and U
// those of weight_hh; bn is of bias_ih and b′ of bias_hh (reset before: b_n is
// the sum of both). The article writes 1−z for z: the same function with the
// signs of that gate's weights turned. Its state is h.
type GRU struct {
	cell
	reset GRUReset
}

// NewGRU returns layer number layer of width hidden over inputs of width in,
// its parameters named as in PyTorch (name.weight_ih_l0). Weights are zero.
// It panics on one bias with reset after, which has two by definition.
func NewGRU(name string, layer, in, hidden int, bias Bias, reset GRUReset) *GRU {
	switch {
	case reset != ResetAfter && reset != ResetBefore:
		panic(fmt.Sprintf("nn: NewGRU: reset %q: want %q or %q", reset, ResetAfter, ResetBefore))
	case reset == ResetAfter && bias == OneBias:
		panic("nn: NewGRU: one bias with reset after: want two, or reset before")
	}
	// The candidate's recurrent gradient has a buffer of its own.
	return &GRU{newCell(name, layer, in, hidden, bias, -1, 2, 1), reset}
}

// StateWidths is {H}: h.
func (l *GRU) StateWidths() []int { return []int{l.hidden} }

// NewState returns a zero state of b lanes, with scratch for Step.
func (l *GRU) NewState(b int) State {
	return newState(b, l.StateWidths(), l.stride, l.hidden)
}

// Refresh packs the weights after they have changed, with train also those
// that Backward multiplies with.
func (l *GRU) Refresh(pool *Pool, train bool) {
	l.cell.Refresh(pool, train)
	if l.reset == ResetAfter { // b′ stays inside the reset gate's product
		copy(l.bias[2*l.hidden:], l.bih.Value[2*l.hidden:])
	}
}

// resetBias is b′ [H].
func (l *GRU) resetBias() []float32 { return l.bhh.Value[2*l.hidden:] }

// Forward maps x [T,B,In] to h [T,B,H] and carries s on.
func (l *GRU) Forward(m Mode, t *Tape, tt, b int, x []float32, s State) []float32 {
	t.begin("GRU.Forward", tt, b, l.in, x)
	l.take(m, t)
	defer l.give(m, t)
	t.h = l.beginState(t, t.h, s[0])
	t.pre = grow(t.pre, t.rows()*l.stride)
	t.aux = grow(t.aux, t.rows()*l.hidden)
	l.project(m.Pool, t, t.pre, l.stride)
	if l.reset == ResetAfter {
		kernel.FillRows(m.Pool, t.aux, l.hidden, t.rows(), l.resetBias())
		t.walk(m.Pool, l.hidden, func(p0, p1 int) { l.forwardAfter(t, p0, p1) })
	} else {
		t.walk(m.Pool, l.hidden, func(p0, p1 int) { l.forwardBefore(t, p0, p1) })
	}
	l.endState(t, t.h, s[0])
	return t.h[b*l.hidden:]
}

// forwardAfter runs the units of panels [p0,p1) through the window; t.aux is
// h₋₁·U + b′.
func (l *GRU) forwardAfter(t *Tape, p0, p1 int) {
	width := l.hidden
	lo, hi := unitRange(p0, p1, width)
	b := t.lanes * width
	for s := range t.steps {
		pre, hn, hPrev, h := at(t.pre, s, t.lanes*l.stride), at(t.aux, s, b), at(t.h, s, b), at(t.h, s+1, b)
		t.packs.recur(pre, l.stride, hPrev, t.lanes, 0, 2, p0, p1)
		kernel.Gemm(hn, width, hPrev, width, t.lanes, &t.packs.recurrent[2], p0, p1)
		for k, row := 0, 0; k < b; k, row = k+width, row+l.stride {
			r, z, n := threeGates(pre[row:], width, lo, hi)
			kernel.GRUAfter(r, z, n, hn[k+lo:k+hi], hPrev[k+lo:k+hi], h[k+lo:k+hi])
		}
		t.barrier.Wait()
	}
}

// forwardBefore runs the units of panels [p0,p1) through the window; t.aux is
// r⊙h₋₁, which all workers must have before the candidate's product.
func (l *GRU) forwardBefore(t *Tape, p0, p1 int) {
	width := l.hidden
	lo, hi := unitRange(p0, p1, width)
	b := t.lanes * width
	for s := range t.steps {
		pre, rh, hPrev, h := at(t.pre, s, t.lanes*l.stride), at(t.aux, s, b), at(t.h, s, b), at(t.h, s+1, b)
		t.packs.recur(pre, l.stride, hPrev, t.lanes, 0, 2, p0, p1)
		for k, row := 0, 0; k < b; k, row = k+width, row+l.stride {
			r, z, _ := threeGates(pre[row:], width, lo, hi)
			kernel.GRUBeforeGates(r, z, hPrev[k+lo:k+hi], rh[k+lo:k+hi])
		}
		t.barrier.Wait()
		t.packs.recur(pre, l.stride, rh, t.lanes, 2, 3, p0, p1)
		for k, row := 0, 0; k < b; k, row = k+width, row+l.stride {
			_, z, n := threeGates(pre[row:], width, lo, hi)
			kernel.GRUBeforeOut(z, n, hPrev[k+lo:k+hi], h[k+lo:k+hi])
		}
		t.barrier.Wait()
	}
}

// Backward takes dy, the gradient of h [T,B,H], and returns that of x.
func (l *GRU) Backward(m Mode, t *Tape, dy []float32) []float32 {
	checkLen("GRU.Backward", "dy", len(dy), t.rows()*l.hidden)
	l.takeBack(m, t)
	defer l.give(m, t)
	if l.reset == ResetAfter {
		t.walk(m.Pool, l.hidden, func(p0, p1 int) { l.backwardAfter(t, dy, p0, p1) })
	} else {
		t.drh = grow(t.drh, t.lanes*l.hidden)
		t.walk(m.Pool, l.hidden, func(p0, p1 int) { l.backwardBefore(t, dy, p0, p1) })
	}
	l.weightGrads(m.Pool, t, 2)
	l.candidateGrads(m.Pool, t)
	return l.inputGrad(m, t)
}

// candidateGrads adds the gradients of U and of the biases. Reset after: t.aux
// is the gradient of h₋₁·U + b′. Reset before: t.aux is r⊙h₋₁, which U
// multiplies to the candidate itself.
func (l *GRU) candidateGrads(pool *Pool, t *Tape) {
	width, rows := l.hidden, t.rows()
	if l.reset == ResetBefore {
		l.whh.addProductTo(pool, 2*width, width, t.pre[2*width:], l.stride, t.aux, rows, nil)
		l.biasGrads(t, 3)
		return
	}
	l.whh.addProductTo(pool, 2*width, width, t.aux, width, t.h, rows, l.bhh.grad()[2*width:])
	l.biasGrads(t, 2)
}

// later adds what step s+1 sends back to dh, own units [lo,hi): its elementwise
// part, which it left in its own dh, then the products with dr and dz.
func (l *GRU) later(t *Tape, dy []float32, s, p0, p1 int) {
	width := l.hidden
	lo, hi := unitRange(p0, p1, width)
	b := t.lanes * width
	dh, next := at(dy, s, b), at(dy, s+1, b)
	for k := 0; k < b; k += width {
		kernel.Add(dh[k+lo:k+hi], next[k+lo:k+hi])
	}
	kernel.Gemm(dh, width, at(t.pre, s+1, t.lanes*l.stride), l.stride, t.lanes, &t.packs.recurrent[0], p0, p1)
}

func (l *GRU) backwardAfter(t *Tape, dy []float32, p0, p1 int) {
	width := l.hidden
	lo, hi := unitRange(p0, p1, width)
	b := t.lanes * width
	for s := t.steps - 1; s >= 0; s-- {
		pre, hn, dh, hPrev := at(t.pre, s, t.lanes*l.stride), at(t.aux, s, b), at(dy, s, b), at(t.h, s, b)
		if s < t.steps-1 {
			t.barrier.Wait() // the products need all units of step s+1
			l.later(t, dy, s, p0, p1)
			kernel.Gemm(dh, width, at(t.aux, s+1, b), width, t.lanes, &t.packs.recurrent[1], p0, p1)
		}
		t.traceBackward(s, 0, t.lanes, lo, hi, dh, nil)
		for k, row := 0, 0; k < b; k, row = k+width, row+l.stride {
			r, z, n := threeGates(pre[row:], width, lo, hi)
			own := dh[k+lo : k+hi]
			kernel.GRUAfterGrad(r, z, n, hn[k+lo:k+hi], hPrev[k+lo:k+hi], own, own)
		}
	}
}

func (l *GRU) backwardBefore(t *Tape, dy []float32, p0, p1 int) {
	width := l.hidden
	lo, hi := unitRange(p0, p1, width)
	b := t.lanes * width
	for s := t.steps - 1; s >= 0; s-- {
		pre, dh, hPrev := at(t.pre, s, t.lanes*l.stride), at(dy, s, b), at(t.h, s, b)
		if s < t.steps-1 {
			t.barrier.Wait() // the product needs dr and dz of all units of step s+1
			l.later(t, dy, s, p0, p1)
		}
		t.traceBackward(s, 0, t.lanes, lo, hi, dh, nil)
		for k, row := 0, 0; k < b; k, row = k+width, row+l.stride {
			_, z, n := threeGates(pre[row:], width, lo, hi)
			own := dh[k+lo : k+hi]
			kernel.GRUBeforeOutGrad(z, n, hPrev[k+lo:k+hi], own, n, own)
			clear(t.drh[k+lo : k+hi])
		}
		t.barrier.Wait() // the product needs dn of all units
		kernel.Gemm(t.drh, width, pre[2*width:], l.stride, t.lanes, &t.packs.recurrent[1], p0, p1)
		for k, row := 0, 0; k < b; k, row = k+width, row+l.stride {
			r, _, _ := threeGates(pre[row:], width, lo, hi)
			kernel.GRUBeforeGatesGrad(r, hPrev[k+lo:k+hi], t.drh[k+lo:k+hi], dh[k+lo:k+hi])
		}
	}
}

// Step feeds one token of each of b lanes: x [B,In] to y [B,H]. It allocates nothing.
func (l *GRU) Step(w *Worker, b int, s State, x, y []float32) {
	h, pre, aux := s[0], s[1], s[2]
	p0, p1 := w.panels(l.hidden)
	l.projectStep(w, pre, x, b)
	l.step().recur(pre, l.stride, h, b, 0, 2, p0, p1)
	if l.reset == ResetAfter {
		l.stepAfter(b, h, pre, aux, y, p0, p1)
	} else {
		l.stepBefore(w, b, h, pre, aux, y, p0, p1)
	}
	w.keep(h, y)
}

// stepAfter ends a step of the units of panels [p0,p1); hn is h₋₁·U + b′.
func (l *GRU) stepAfter(b int, h, pre, hn, y []float32, p0, p1 int) {
	width := l.hidden
	lo, hi := unitRange(p0, p1, width)
	kernel.AffinePanels(hn, width, l.resetBias(), h, width, b, &l.step().recurrent[2], p0, p1)
	for k, row := 0, 0; k < b*width; k, row = k+width, row+l.stride {
		r, z, n := threeGates(pre[row:], width, lo, hi)
		kernel.GRUAfter(r, z, n, hn[k+lo:k+hi], h[k+lo:k+hi], y[k+lo:k+hi])
	}
}

// stepBefore ends a step of the units of panels [p0,p1); rh is r⊙h₋₁, which all
// workers must have before the candidate's product.
func (l *GRU) stepBefore(w *Worker, b int, h, pre, rh, y []float32, p0, p1 int) {
	width := l.hidden
	lo, hi := unitRange(p0, p1, width)
	for k, row := 0, 0; k < b*width; k, row = k+width, row+l.stride {
		r, z, _ := threeGates(pre[row:], width, lo, hi)
		kernel.GRUBeforeGates(r, z, h[k+lo:k+hi], rh[k+lo:k+hi])
	}
	w.wait()
	l.step().recur(pre, l.stride, rh, b, 2, 3, p0, p1)
	for k, row := 0, 0; k < b*width; k, row = k+width, row+l.stride {
		_, z, n := threeGates(pre[row:], width, lo, hi)
		kernel.GRUBeforeOut(z, n, h[k+lo:k+hi], y[k+lo:k+hi])
	}
}
