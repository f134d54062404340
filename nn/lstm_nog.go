package nn

import "github.com/refrain-lm/refrain/internal/kernel"

// LSTMNoGate is the LSTM without an output gate, as the review article writes
// it (its section 3.2):
//
//	i = σ(x·Wxi + h₋₁·Whi + bi)
//	f = σ(x·Wxf + h₋₁·Whf + bf)
//	g = tanh(x·Wxg + h₋₁·Whg + bg)
//	c = f⊙c₋₁ + i⊙g
//	h = σ(c)
//
// It is called after 'no output gate' of Greff et al. 2015, who squash with
// tanh where σ stands here. Its state is h and c; a zero state has h = 0,
// although no cell reaches h = σ(c) = 0.
type LSTMNoGate struct{ cell }

// NewLSTMNoGate returns layer number layer of width hidden over inputs of
// width in, its parameters named as PyTorch names an LSTM's, three gates each.
// Weights are zero.
func NewLSTMNoGate(name string, layer, in, hidden int, bias Bias) *LSTMNoGate {
	return &LSTMNoGate{newCell(name, layer, in, hidden, bias, 1, 3)}
}

// StateWidths is {H,H}: h and c.
func (l *LSTMNoGate) StateWidths() []int { return []int{l.hidden, l.hidden} }

// NewState returns a zero state of b lanes, with scratch for Step.
func (l *LSTMNoGate) NewState(b int) State {
	return newState(b, l.StateWidths(), l.stride)
}

// threeGates cuts units [lo,hi) of one lane's row [3·H] into its gates.
func threeGates(row []float32, width, lo, hi int) (a, b, c []float32) {
	return row[lo:hi], row[width+lo : width+hi], row[2*width+lo : 2*width+hi]
}

// Forward maps x [T,B,In] to h [T,B,H] and carries s on.
func (l *LSTMNoGate) Forward(m Mode, t *Tape, tt, b int, x []float32, s State) []float32 {
	t.begin("LSTMNoGate.Forward", tt, b, l.in, x)
	l.take(m, t)
	defer l.give(m, t)
	t.h = l.beginState(t, t.h, s[0])
	t.c = l.beginState(t, t.c, s[1])
	t.pre = grow(t.pre, t.rows()*l.stride)
	l.project(m.Pool, t, t.pre, l.stride)
	t.walk(m.Pool, l.hidden, func(p0, p1 int) { l.forwardUnits(t, p0, p1) })
	l.endState(t, t.h, s[0])
	l.endState(t, t.c, s[1])
	return t.h[b*l.hidden:]
}

// forwardUnits runs the units of panels [p0,p1) through the window.
func (l *LSTMNoGate) forwardUnits(t *Tape, p0, p1 int) {
	width := l.hidden
	lo, hi := unitRange(p0, p1, width)
	n := t.lanes * width
	for s := range t.steps {
		pre, hPrev, h := at(t.pre, s, t.lanes*l.stride), at(t.h, s, n), at(t.h, s+1, n)
		cPrev, c := at(t.c, s, n), at(t.c, s+1, n)
		t.packs.recur(pre, l.stride, hPrev, t.lanes, 0, 3, p0, p1)
		for k, row := 0, 0; k < n; k, row = k+width, row+l.stride {
			i, f, g := threeGates(pre[row:], width, lo, hi)
			kernel.LSTMNoGate(i, f, g, cPrev[k+lo:k+hi], c[k+lo:k+hi], h[k+lo:k+hi])
		}
		t.barrier.Wait()
	}
}

// Backward takes dy, the gradient of h [T,B,H], and returns that of x.
func (l *LSTMNoGate) Backward(m Mode, t *Tape, dy []float32) []float32 {
	checkLen("LSTMNoGate.Backward", "dy", len(dy), t.rows()*l.hidden)
	l.takeBack(m, t)
	defer l.give(m, t)
	t.dc = zeros(t.dc, t.lanes*l.hidden)
	t.walk(m.Pool, l.hidden, func(p0, p1 int) { l.backwardUnits(t, dy, p0, p1) })
	l.weightGrads(m.Pool, t, l.gates)
	l.biasGrads(t, l.gates)
	return l.inputGrad(m, t)
}

func (l *LSTMNoGate) backwardUnits(t *Tape, dy []float32, p0, p1 int) {
	width := l.hidden
	lo, hi := unitRange(p0, p1, width)
	n := t.lanes * width
	for s := t.steps - 1; s >= 0; s-- {
		pre, dh, cPrev, h := at(t.pre, s, t.lanes*l.stride), at(dy, s, n), at(t.c, s, n), at(t.h, s+1, n)
		if s < t.steps-1 {
			t.barrier.Wait() // the product needs all units of step s+1
			kernel.Gemm(dh, width, at(t.pre, s+1, t.lanes*l.stride), l.stride, t.lanes, &t.packs.recurrent[0], p0, p1)
		}
		t.traceBackward(s, 0, t.lanes, lo, hi, dh, t.dc)
		for k, row := 0, 0; k < n; k, row = k+width, row+l.stride {
			i, f, g := threeGates(pre[row:], width, lo, hi)
			kernel.LSTMNoGateGrad(i, f, g, cPrev[k+lo:k+hi], h[k+lo:k+hi], dh[k+lo:k+hi], t.dc[k+lo:k+hi])
		}
	}
}

// Step feeds one token of each of b lanes: x [B,In] to y [B,H]. It allocates nothing.
func (l *LSTMNoGate) Step(w *Worker, b int, s State, x, y []float32) {
	h, c, pre := s[0], s[1], s[2]
	width := l.hidden
	p0, p1 := w.panels(width)
	lo, hi := unitRange(p0, p1, width)
	l.projectStep(w, pre, x, b)
	l.step().recur(pre, l.stride, h, b, 0, 3, p0, p1)
	for k, row := 0, 0; k < b*width; k, row = k+width, row+l.stride {
		i, f, g := threeGates(pre[row:], width, lo, hi)
		kernel.LSTMNoGate(i, f, g, c[k+lo:k+hi], c[k+lo:k+hi], y[k+lo:k+hi])
	}
	w.keep(h, y)
}
