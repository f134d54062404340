package nn

import "github.com/refrain-lm/refrain/internal/kernel"

// LayerNormRNN is the [RNN] with layer normalisation inside the recurrence:
//
//	h = f(α_ih⊙N(x·W_ih) + b_ih + α_hh⊙N(h₋₁·W_hh) + b_hh),   f = tanh or relu
//	N(v) = (v − mean(v)) / √(var(v) + ε),   ε = 1e-5
//
// It is the form of Ba, Kiros and Hinton 2016 for gated cells, with one gate:
// each product is normalised by itself. Their equation 4, written for this
// cell, normalises the sum of the products instead. Its state is h.
type LayerNormRNN struct {
	layerNormCell
	relu bool
}

// NewLayerNormRNN returns layer number layer of width hidden over inputs of
// width in. To an RNN's parameters it adds norm_ih and norm_hh [H], in the form
// name.norm_ih_l0. Gains are one, all else zero.
func NewLayerNormRNN(name string, layer, in, hidden int, bias Bias, relu bool) *LayerNormRNN {
	return &LayerNormRNN{newLayerNormCell(name, layer, in, hidden, bias, -1, 1), relu}
}

// StateWidths is {H}: h.
func (l *LayerNormRNN) StateWidths() []int { return []int{l.hidden} }

// NewState returns a zero state of b lanes, with scratch for Step.
func (l *LayerNormRNN) NewState(b int) State {
	return newState(b, l.StateWidths(), l.hidden, l.hidden, 1)
}

// Forward maps x [T,B,In] to h [T,B,H] and carries s on.
func (l *LayerNormRNN) Forward(m Mode, t *Tape, tt, b int, x []float32, s State) []float32 {
	t.begin("LayerNormRNN.Forward", tt, b, l.in, x)
	return l.forward(m, t, x, s, func(i int, a, u []float32) { l.unit(a, u, at(t.h, i+b, l.hidden)) })
}

// unit is one lane of one step, all units: a and u as stepSides leaves them.
func (l *LayerNormRNN) unit(a, u, h []float32) {
	l.addRecurrent(a, u)
	kernel.RNN(a, l.relu)
	copy(h, a)
}

// Backward takes dy, the gradient of h [T,B,H], and returns that of x.
func (l *LayerNormRNN) Backward(m Mode, t *Tape, dy []float32) []float32 {
	checkLen("LayerNormRNN.Backward", "dy", len(dy), t.rows()*l.hidden)
	return l.backward(m, t, dy, t.pre, func(i int, dh, _ []float32) {
		kernel.RNNGrad(l.row(t.pre, i), at(t.h, i+t.lanes, l.hidden), dh, l.relu)
	})
}

// Step feeds one token of each of b lanes: x [B,In] to y [B,H]. It allocates nothing.
func (l *LayerNormRNN) Step(w *Worker, b int, s State, x, y []float32) {
	h, a, u, r := s[0], s[1], s[2], s[3]
	lane0, lane1 := l.stepSides(w, b, x, h, a, u, r)
	for i := lane0; i < lane1; i++ {
		l.unit(l.row(a, i), l.row(u, i), at(y, i, l.hidden))
	}
	w.keep(h, y)
}
