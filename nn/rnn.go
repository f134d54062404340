package nn

import "github.com/refrain-lm/refrain/internal/kernel"

// RNN is the Elman network (Elman 1990), Keras' SimpleRNN:
//
//	h = f(x·Wx + h₋₁·Wh + b),   f = tanh or relu
//
// Its state is h.
type RNN struct {
	cell
	relu bool
}

// NewRNN returns layer number layer of width hidden over inputs of width in,
// its parameters named as in PyTorch (name.weight_ih_l0). Weights are zero.
func NewRNN(name string, layer, in, hidden int, bias Bias, relu bool) *RNN {
	return &RNN{cell: newCell(name, layer, in, hidden, bias, -1, 1), relu: relu}
}

// StateWidths is {H}: h.
func (l *RNN) StateWidths() []int { return []int{l.hidden} }

// NewState returns a zero state of b lanes.
func (l *RNN) NewState(b int) State { return newState(b, l.StateWidths()) }

// Forward maps x [T,B,In] to h [T,B,H] and carries s on.
func (l *RNN) Forward(m Mode, t *Tape, tt, b int, x []float32, s State) []float32 {
	t.begin("RNN.Forward", tt, b, l.in, x)
	l.take(m, t)
	defer l.give(m, t)
	t.h = l.beginState(t, t.h, s[0])
	y := t.h[b*l.hidden:] // preactivations first, states in place
	l.project(m.Pool, t, y, l.hidden)
	t.walk(m.Pool, l.hidden, func(p0, p1 int) { l.forwardUnits(t, p0, p1) })
	l.endState(t, t.h, s[0])
	return y
}

// forwardUnits runs the units of panels [p0,p1) through the window.
func (l *RNN) forwardUnits(t *Tape, p0, p1 int) {
	lo, hi := unitRange(p0, p1, l.hidden)
	n := t.lanes * l.hidden
	for s := range t.steps {
		hPrev, h := at(t.h, s, n), at(t.h, s+1, n)
		t.packs.recur(h, l.hidden, hPrev, t.lanes, 0, 1, p0, p1)
		for k := 0; k < n; k += l.hidden {
			kernel.RNN(h[k+lo:k+hi], l.relu)
		}
		t.barrier.Wait()
	}
}

// Backward takes dy, the gradient of h [T,B,H], and returns that of x.
func (l *RNN) Backward(m Mode, t *Tape, dy []float32) []float32 {
	checkLen("RNN.Backward", "dy", len(dy), t.rows()*l.hidden)
	l.takeBack(m, t)
	defer l.give(m, t)
	t.pre = grow(t.pre, len(dy))
	t.walk(m.Pool, l.hidden, func(p0, p1 int) { l.backwardUnits(t, dy, p0, p1) })
	l.weightGrads(m.Pool, t, l.gates)
	l.biasGrads(t, l.gates)
	return l.inputGrad(m, t)
}

func (l *RNN) backwardUnits(t *Tape, dy []float32, p0, p1 int) {
	lo, hi := unitRange(p0, p1, l.hidden)
	n := t.lanes * l.hidden
	for s := t.steps - 1; s >= 0; s-- {
		h, dh, dpre := at(t.h, s+1, n), at(dy, s, n), at(t.pre, s, n)
		if s < t.steps-1 {
			t.barrier.Wait() // the product needs all units of step s+1
			kernel.Gemm(dh, l.hidden, at(t.pre, s+1, n), l.hidden, t.lanes, &t.packs.recurrent[0], p0, p1)
		}
		t.traceBackward(s, 0, t.lanes, lo, hi, dh, nil)
		for k := 0; k < n; k += l.hidden {
			kernel.RNNGrad(dpre[k+lo:k+hi], h[k+lo:k+hi], dh[k+lo:k+hi], l.relu)
		}
	}
}

// Step feeds one token of each of b lanes: x [B,In] to y [B,H]. It allocates nothing.
func (l *RNN) Step(w *Worker, b int, s State, x, y []float32) {
	width := l.hidden
	p0, p1 := w.panels(width)
	lo, hi := unitRange(p0, p1, width)
	l.projectStep(w, y, x, b) // preactivations first, states in place
	l.step().recur(y, width, s[0], b, 0, 1, p0, p1)
	for k := 0; k < b*width; k += width {
		kernel.RNN(y[k+lo:k+hi], l.relu)
	}
	w.keep(s[0], y)
}
