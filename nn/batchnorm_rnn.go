package nn

import "github.com/refrain-lm/refrain/internal/kernel"

// BatchNormRNN is the [RNN] with batch normalisation inside the recurrence, in
// the form that [BatchNormLSTM] has of Cooijmans et al. 2016:
//
//	h = f(γ_ih⊙N(x·W_ih) + b_ih + γ_hh⊙N(h₋₁·W_hh) + b_hh),   f = tanh or relu
//	N(v) = (v − μ)/√(σ² + ε),   ε = 1e-5
//
// [BatchNormLSTM] says what μ and σ² are. Its state is h and the count of steps
// since the reset.
type BatchNormRNN struct {
	batchNormCell
	relu bool
}

// NewBatchNormRNN returns layer number layer of width hidden over inputs of
// width in. To an RNN's parameters it adds norm_ih and norm_hh [H], in the form
// name.norm_ih_l0, and, frozen, statistics norm_ih_mean, norm_ih_var,
// norm_hh_mean and norm_hh_var [NormPositions,H], and norm_seen [1]. Gains are
// 0.1, variances one, all else zero.
func NewBatchNormRNN(name string, layer, in, hidden int, bias Bias, relu bool) *BatchNormRNN {
	return &BatchNormRNN{newBatchNormCell(name, layer, in, hidden, bias, -1, 1), relu}
}

// NewState returns a zero state of b lanes, with scratch for Step.
func (l *BatchNormRNN) NewState(b int) State {
	return newState(b, l.StateWidths(), l.hidden, l.hidden)
}

// Forward maps x [T,B,In] to h [T,B,H] and carries s on.
func (l *BatchNormRNN) Forward(m Mode, t *Tape, tt, b int, x []float32, s State) []float32 {
	t.begin("BatchNormRNN.Forward", tt, b, l.in, x)
	return l.forward(m, t, x, s[0], s[1], func(step, lo, hi int) {
		for k := range b {
			i := step*b + k
			l.units(l.side(m.Train, t, step, k), l.row(t.xhat, i), l.row(t.uhat, i), at(t.h, i+b, l.hidden), lo, hi)
		}
	})
}

// units computes units [lo,hi) of one lane.
func (l *BatchNormRNN) units(f sides, x, u, h []float32, lo, hi int) {
	f.sum(h, x, u, 1, l.hidden, lo, hi)
	kernel.RNN(h[lo:hi], l.relu)
}

// Backward takes dy, the gradient of h [T,B,H] of a window with Mode.Train, and
// returns that of x. It also moves the running statistics.
func (l *BatchNormRNN) Backward(m Mode, t *Tape, dy []float32) []float32 {
	checkLen("BatchNormRNN.Backward", "dy", len(dy), t.rows()*l.hidden)
	width := l.hidden
	return l.backward(m, t, dy, t.pre, func(s, lo, hi int, dh []float32) {
		for k := range t.lanes {
			i := s*t.lanes + k
			kernel.RNNGrad(l.row(t.pre, i)[lo:hi], at(t.h, i+t.lanes, width)[lo:hi], at(dh, k, width)[lo:hi], l.relu)
		}
	})
}

// Step feeds one token of each of b lanes: x [B,In] to y [B,H]. It allocates nothing.
func (l *BatchNormRNN) Step(w *Worker, b int, s State, x, y []float32) {
	h, count, a, u := s[0], s[1], s[2], s[3]
	lo, hi := l.stepSides(w, b, x, h, a, u)
	for i := range b {
		f := l.atPosition(positionAt(count[i], 0, l.known()))
		l.units(f, l.row(a, i), l.row(u, i), at(y, i, l.hidden), lo, hi)
	}
	l.keep(w, b, h, count, y)
}
