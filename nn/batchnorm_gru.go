package nn

import "github.com/refrain-lm/refrain/internal/kernel"

// BatchNormGRU is the [GRU] with its reset after the product and batch
// normalisation inside the recurrence, in the form that [BatchNormLSTM] has of
// Cooijmans et al. 2016:
//
//	r, z = σ, σ(γ_ih⊙N(x·W_ih) + b_ih + γ_hh⊙N(h₋₁·W_hh) + b_hh)
//	n = tanh(γ_ih⊙N(x·W_ih) + b_ih + r⊙(γ_hh⊙N(h₋₁·W_hh) + b_hh))
//	h = (1−z)⊙n + z⊙h₋₁
//	N(v) = (v − μ)/√(σ² + ε),   ε = 1e-5
//
// [BatchNormLSTM] says what μ and σ² are. Its state is h and the count of steps
// since the reset.
type BatchNormGRU struct{ batchNormCell }

// NewBatchNormGRU returns layer number layer of width hidden over inputs of
// width in, with two biases. To a GRU's parameters it adds norm_ih and norm_hh
// [3·H], in the form name.norm_ih_l0, and, frozen, statistics norm_ih_mean,
// norm_ih_var, norm_hh_mean and norm_hh_var [NormPositions,3·H], and norm_seen
// [1]. Gains are 0.1, variances one, all else zero.
func NewBatchNormGRU(name string, layer, in, hidden int) *BatchNormGRU {
	return &BatchNormGRU{newBatchNormCell(name, layer, in, hidden, TwoBiases, -1, 3)}
}

// NewState returns a zero state of b lanes, with scratch for Step.
func (l *BatchNormGRU) NewState(b int) State {
	return newState(b, l.StateWidths(), l.stride, l.stride, l.stride, l.hidden)
}

// Forward maps x [T,B,In] to h [T,B,H] and carries s on.
func (l *BatchNormGRU) Forward(m Mode, t *Tape, tt, b int, x []float32, s State) []float32 {
	t.begin("BatchNormGRU.Forward", tt, b, l.in, x)
	n := l.hidden
	t.aux = grow(t.aux, t.rows()*n)
	return l.forward(m, t, x, s[0], s[1], func(step, lo, hi int) {
		for k := range b {
			i := step*b + k
			l.units(l.side(m.Train, t, step, k), l.row(t.pre, i), l.row(t.xhat, i), l.row(t.uhat, i),
				at(t.aux, i, n), at(t.h, i, n), at(t.h, i+b, n), lo, hi)
		}
	})
}

// units computes units [lo,hi) of one lane; hn becomes what the reset gate
// multiplies.
func (l *BatchNormGRU) units(f sides, pre, x, u, hn, hPrev, h []float32, lo, hi int) {
	width := l.hidden
	f.sum(pre, x, u, 2, width, lo, hi)
	f.input(pre, x, 2, 3, width, lo, hi)
	_, _, un := threeGates(u, width, lo, hi)
	_, _, gain := threeGates(f.gu, width, lo, hi)
	_, _, shift := threeGates(f.bu, width, lo, hi)
	kernel.ScaleShift(hn[lo:hi], un, gain, shift)
	r, z, n := threeGates(pre, width, lo, hi)
	kernel.GRUAfter(r, z, n, hn[lo:hi], hPrev[lo:hi], h[lo:hi])
}

// Backward takes dy, the gradient of h [T,B,H] of a window with Mode.Train, and
// returns that of x. It also moves the running statistics.
func (l *BatchNormGRU) Backward(m Mode, t *Tape, dy []float32) []float32 {
	checkLen("BatchNormGRU.Backward", "dy", len(dy), t.rows()*l.hidden)
	width := l.hidden
	t.du = grow(t.du, t.rows()*l.stride)
	return l.backward(m, t, dy, t.du, func(s, lo, hi int, dh []float32) {
		for k := range t.lanes {
			i := s*t.lanes + k
			r, z, n := threeGates(l.row(t.pre, i), width, lo, hi)
			hn, own := at(t.aux, i, width)[lo:hi], at(dh, k, width)[lo:hi]
			kernel.GRUAfterGrad(r, z, n, hn, at(t.h, i, width)[lo:hi], own, own)
			dr, dz, dn := threeGates(l.row(t.du, i), width, lo, hi)
			copy(dr, r)
			copy(dz, z)
			copy(dn, hn)
			if s > 0 { // what does not go through the product
				kernel.Add(at(dy, i-t.lanes, width)[lo:hi], own)
			}
		}
	})
}

// Step feeds one token of each of b lanes: x [B,In] to y [B,H]. It allocates nothing.
func (l *BatchNormGRU) Step(w *Worker, b int, s State, x, y []float32) {
	h, count, pre, a, u, hn := s[0], s[1], s[2], s[3], s[4], s[5]
	n := l.hidden
	lo, hi := l.stepSides(w, b, x, h, a, u)
	for i := range b {
		f := l.atPosition(positionAt(count[i], 0, l.known()))
		l.units(f, l.row(pre, i), l.row(a, i), l.row(u, i), at(hn, i, n), at(h, i, n), at(y, i, n), lo, hi)
	}
	l.keep(w, b, h, count, y)
}
