package nn

import "github.com/refrain-lm/refrain/internal/kernel"

// LayerNormGRU is the [GRU] with its reset after the product and layer
// normalisation inside the recurrence (Ba, Kiros and Hinton 2016, the
// supplement's equations 23 to 25):
//
//	r, z = σ, σ(α_ih⊙N(x·W_ih) + b_ih + α_hh⊙N(h₋₁·W_hh) + b_hh)
//	n = tanh(α_ih⊙N(x·W_ih) + b_ih + r⊙(α_hh⊙N(h₋₁·W_hh) + b_hh))
//	h = (1−z)⊙n + z⊙h₋₁
//	N(v) = (v − mean(v)) / √(var(v) + ε),   ε = 1e-5
//
// N takes r and z of a row together and n by itself, once for each product.
// The paper writes 1−z for z, as [GRU] explains. Its state is h.
type LayerNormGRU struct{ layerNormCell }

// NewLayerNormGRU returns layer number layer of width hidden over inputs of
// width in, with two biases. To a GRU's parameters it adds norm_ih and norm_hh
// [3·H], in the form name.norm_ih_l0. Gains are one, all else zero.
func NewLayerNormGRU(name string, layer, in, hidden int) *LayerNormGRU {
	return &LayerNormGRU{newLayerNormCell(name, layer, in, hidden, TwoBiases, -1, 2, 1)}
}

// StateWidths is {H}: h.
func (l *LayerNormGRU) StateWidths() []int { return []int{l.hidden} }

// NewState returns a zero state of b lanes, with scratch for Step.
func (l *LayerNormGRU) NewState(b int) State {
	return newState(b, l.StateWidths(), l.stride, l.stride, l.hidden, 2)
}

// Forward maps x [T,B,In] to h [T,B,H] and carries s on.
func (l *LayerNormGRU) Forward(m Mode, t *Tape, tt, b int, x []float32, s State) []float32 {
	t.begin("LayerNormGRU.Forward", tt, b, l.in, x)
	n := l.hidden
	t.aux = grow(t.aux, t.rows()*n)
	return l.forward(m, t, x, s, func(i int, a, u []float32) {
		l.unit(a, u, at(t.aux, i, n), at(t.h, i, n), at(t.h, i+b, n))
	})
}

// unit is one lane of one step, all units: a and u as stepSides leaves them; hn
// becomes what the reset gate multiplies.
func (l *LayerNormGRU) unit(a, u, hn, hPrev, h []float32) {
	two := 2 * l.hidden
	l.addRecurrent(a[:two], u)
	kernel.ScaleShift(hn, u[two:], l.nhh.Value[two:], l.bhh.Value[two:])
	r, z, n := threeGates(a, l.hidden, 0, l.hidden)
	kernel.GRUAfter(r, z, n, hn, hPrev, h)
}

// Backward takes dy, the gradient of h [T,B,H], and returns that of x.
func (l *LayerNormGRU) Backward(m Mode, t *Tape, dy []float32) []float32 {
	checkLen("LayerNormGRU.Backward", "dy", len(dy), t.rows()*l.hidden)
	width := l.hidden
	t.du = grow(t.du, t.rows()*l.stride)
	return l.backward(m, t, dy, t.du, func(i int, dh, next []float32) {
		pre, du, hn := l.row(t.pre, i), l.row(t.du, i), at(t.aux, i, width)
		r, z, n := threeGates(pre, width, 0, width)
		kernel.GRUAfterGrad(r, z, n, hn, at(t.h, i, width), dh, dh)
		copy(du, pre[:2*width])
		copy(du[2*width:], hn)
		if next != nil {
			kernel.Add(next, dh)
		}
	})
}

// Step feeds one token of each of b lanes: x [B,In] to y [B,H]. It allocates nothing.
func (l *LayerNormGRU) Step(w *Worker, b int, s State, x, y []float32) {
	h, a, u, hn, r := s[0], s[1], s[2], s[3], s[4]
	n := l.hidden
	lane0, lane1 := l.stepSides(w, b, x, h, a, u, r)
	for i := lane0; i < lane1; i++ {
		l.unit(l.row(a, i), l.row(u, i), at(hn, i, n), at(h, i, n), at(y, i, n))
	}
	w.keep(h, y)
}
