package nn

import "github.com/refrain-lm/refrain/internal/kernel"

// LSTM is long short-term memory with a forget gate (Hochreiter and
// Schmidhuber 1997; Gers, Schmidhuber and Cummins 2000), as in Keras and
// PyTorch:
//
//	i = σ(x·Wxi + h₋₁·Whi + bi)
//	f = σ(x·Wxf + h₋₁·Whf + bf)
//	g = tanh(x·Wxg + h₋₁·Whg + bg)
//	o = σ(x·Wxo + h₋₁·Who + bo)
//	c = f⊙c₋₁ + i⊙g
//	h = o⊙tanh(c)
//
// Its state is h and c.
type LSTM struct{ cell }

// NewLSTM returns layer number layer of width hidden over inputs of width in,
// its parameters named as in PyTorch (name.weight_ih_l0). Weights are zero.
func NewLSTM(name string, layer, in, hidden int, bias Bias) *LSTM {
	return &LSTM{newCell(name, layer, in, hidden, bias, 1, 4)}
}

// StateWidths is {H,H}: h and c.
func (l *LSTM) StateWidths() []int { return []int{l.hidden, l.hidden} }

// NewState returns a zero state of b lanes, with scratch for Step.
func (l *LSTM) NewState(b int) State {
	return newState(b, l.StateWidths(), l.stride, l.hidden)
}

// lstmGates cuts units [lo,hi) of one lane's row [4·H] into its gates.
func lstmGates(row []float32, width, lo, hi int) (i, f, g, o []float32) {
	return row[lo:hi], row[width+lo : width+hi], row[2*width+lo : 2*width+hi], row[3*width+lo : 3*width+hi]
}

// Forward maps x [T,B,In] to h [T,B,H] and carries s on.
func (l *LSTM) Forward(m Mode, t *Tape, tt, b int, x []float32, s State) []float32 {
	t.begin("LSTM.Forward", tt, b, l.in, x)
	l.take(m, t)
	defer l.give(m, t)
	t.h = l.beginState(t, t.h, s[0])
	t.c = l.beginState(t, t.c, s[1])
	t.pre = grow(t.pre, t.rows()*l.stride)
	t.tanhC = grow(t.tanhC, t.rows()*l.hidden)
	l.project(m.Pool, t, t.pre, l.stride)
	t.walk(m.Pool, l.hidden, func(p0, p1 int) { l.forwardUnits(t, p0, p1) })
	l.endState(t, t.h, s[0])
	l.endState(t, t.c, s[1])
	return t.h[b*l.hidden:]
}

// forwardUnits runs the units of panels [p0,p1) through the window.
func (l *LSTM) forwardUnits(t *Tape, p0, p1 int) {
	width := l.hidden
	lo, hi := unitRange(p0, p1, width)
	n := t.lanes * width
	for s := range t.steps {
		pre, hPrev, h := at(t.pre, s, t.lanes*l.stride), at(t.h, s, n), at(t.h, s+1, n)
		cPrev, c, tanhC := at(t.c, s, n), at(t.c, s+1, n), at(t.tanhC, s, n)
		t.packs.recur(pre, l.stride, hPrev, t.lanes, 0, 4, p0, p1)
		for k, row := 0, 0; k < n; k, row = k+width, row+l.stride {
			i, f, g, o := lstmGates(pre[row:], width, lo, hi)
			kernel.LSTM(i, f, g, o, cPrev[k+lo:k+hi], c[k+lo:k+hi], tanhC[k+lo:k+hi], h[k+lo:k+hi])
		}
		t.barrier.Wait()
	}
}

// Backward takes dy, the gradient of h [T,B,H], and returns that of x.
func (l *LSTM) Backward(m Mode, t *Tape, dy []float32) []float32 {
	checkLen("LSTM.Backward", "dy", len(dy), t.rows()*l.hidden)
	l.takeBack(m, t)
	defer l.give(m, t)
	t.dc = zeros(t.dc, t.lanes*l.hidden)
	t.walk(m.Pool, l.hidden, func(p0, p1 int) { l.backwardUnits(t, dy, p0, p1) })
	l.weightGrads(m.Pool, t, l.gates)
	l.biasGrads(t, l.gates)
	return l.inputGrad(m, t)
}

func (l *LSTM) backwardUnits(t *Tape, dy []float32, p0, p1 int) {
	width := l.hidden
	lo, hi := unitRange(p0, p1, width)
	n := t.lanes * width
	for s := t.steps - 1; s >= 0; s-- {
		pre, dh, cPrev, tanhC := at(t.pre, s, t.lanes*l.stride), at(dy, s, n), at(t.c, s, n), at(t.tanhC, s, n)
		if s < t.steps-1 {
			t.barrier.Wait() // the product needs all units of step s+1
			kernel.Gemm(dh, width, at(t.pre, s+1, t.lanes*l.stride), l.stride, t.lanes, &t.packs.recurrent[0], p0, p1)
		}
		t.traceBackward(s, 0, t.lanes, lo, hi, dh, t.dc)
		for k, row := 0, 0; k < n; k, row = k+width, row+l.stride {
			i, f, g, o := lstmGates(pre[row:], width, lo, hi)
			kernel.LSTMGrad(i, f, g, o, cPrev[k+lo:k+hi], tanhC[k+lo:k+hi], dh[k+lo:k+hi], t.dc[k+lo:k+hi])
		}
	}
}

// Step feeds one token of each of b lanes: x [B,In] to y [B,H]. It allocates nothing.
func (l *LSTM) Step(w *Worker, b int, s State, x, y []float32) {
	h, c, pre, tanhC := s[0], s[1], s[2], s[3]
	width := l.hidden
	p0, p1 := w.panels(width)
	lo, hi := unitRange(p0, p1, width)
	l.projectStep(w, pre, x, b)
	l.step().recur(pre, l.stride, h, b, 0, 4, p0, p1)
	for k, row := 0, 0; k < b*width; k, row = k+width, row+l.stride {
		i, f, g, o := lstmGates(pre[row:], width, lo, hi)
		kernel.LSTM(i, f, g, o, c[k+lo:k+hi], c[k+lo:k+hi], tanhC[k+lo:k+hi], y[k+lo:k+hi])
	}
	w.keep(h, y)
}
