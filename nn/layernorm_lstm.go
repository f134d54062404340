package nn

import (
	"fmt"

	"github.com/refrain-lm/refrain/internal/kernel"
)

// LayerNormLSTM is the [LSTM] with layer normalisation inside the recurrence
// (Ba, Kiros and Hinton 2016, the supplement's equations 20 to 22):
//
//	(i,f,g,o) = α_ih⊙N(x·W_ih) + b_ih + α_hh⊙N(h₋₁·W_hh) + b_hh
//	i, f, g, o = σ(i), σ(f), tanh(g), σ(o)
//	c = f⊙c₋₁ + i⊙g
//	h = o⊙tanh(α_c⊙N(c) + β_c)
//	N(v) = (v − mean(v)) / √(var(v) + ε),   ε = 1e-5
//
// N takes all four gates of a row together, once for each product, and the
// cell before the output's tanh; the c that is carried on is not normalised.
// The paper's shifts of both products and its bias are b_ih and b_hh here,
// which say the same. Its state is h and c.
type LayerNormLSTM struct {
	layerNormCell
	gain, shift *Param // [H]: α_c and β_c
}

// NewLayerNormLSTM returns layer number layer of width hidden over inputs of
// width in. To an LSTM's parameters it adds norm_ih and norm_hh [4·H], norm_c and
// norm_c_bias [H], in the form name.norm_ih_l0. Gains are one, all else zero.
func NewLayerNormLSTM(name string, layer, in, hidden int, bias Bias) *LayerNormLSTM {
	return &LayerNormLSTM{
		layerNormCell: newLayerNormCell(name, layer, in, hidden, bias, 1, 4),
		gain:          newConstant(fmt.Sprintf("%s.norm_c_l%d", name, layer), 1, hidden),
		shift:         newConstant(fmt.Sprintf("%s.norm_c_bias_l%d", name, layer), 0, hidden),
	}
}

// Params returns an LSTM's, then norm_ih, norm_hh, norm_c and norm_c_bias.
func (l *LayerNormLSTM) Params() []*Param { return append(l.layerNormCell.Params(), l.gain, l.shift) }

// StateWidths is {H,H}: h and c.
func (l *LayerNormLSTM) StateWidths() []int { return []int{l.hidden, l.hidden} }

// NewState returns a zero state of b lanes, with scratch for Step.
func (l *LayerNormLSTM) NewState(b int) State {
	return newState(b, l.StateWidths(), l.stride, l.stride, l.hidden, l.hidden, 1)
}

// Forward maps x [T,B,In] to h [T,B,H] and carries s on.
func (l *LayerNormLSTM) Forward(m Mode, t *Tape, tt, b int, x []float32, s State) []float32 {
	t.begin("LayerNormLSTM.Forward", tt, b, l.in, x)
	n := l.hidden
	t.c = l.beginState(t, t.c, s[1])
	t.chat, t.tanhC, t.rc = grow(t.chat, t.rows()*n), grow(t.tanhC, t.rows()*n), grow(t.rc, t.rows())
	y := l.forward(m, t, x, s, func(i int, a, u []float32) {
		t.rc[i] = l.unit(a, u, at(t.c, i, n), at(t.c, i+b, n), at(t.chat, i, n), at(t.tanhC, i, n), at(t.h, i+b, n))
	})
	l.endState(t, t.c, s[1])
	return y
}

// unit is one lane of one step, all units: a and u as stepSides leaves them.
func (l *LayerNormLSTM) unit(a, u, cPrev, c, chat, tanhC, h []float32) (rc float32) {
	l.addRecurrent(a, u)
	i, f, g, o := lstmGates(a, l.hidden, 0, l.hidden)
	kernel.LSTMUpdate(i, f, g, o, cPrev, c)
	copy(chat, c)
	rc = kernel.Normalize(chat, normEps)
	kernel.ScaleShift(tanhC, chat, l.gain.Value, l.shift.Value)
	kernel.Tanh(tanhC)
	copy(h, tanhC)
	kernel.Mul(h, o)
	return rc
}

// Backward takes dy, the gradient of h [T,B,H], and returns that of x.
func (l *LayerNormLSTM) Backward(m Mode, t *Tape, dy []float32) []float32 {
	checkLen("LayerNormLSTM.Backward", "dy", len(dy), t.rows()*l.hidden)
	n, rows := l.hidden, t.rows()
	t.dc = zeros(t.dc, t.lanes*n)
	t.dn, t.dchat = grow(t.dn, rows*n), grow(t.dchat, t.lanes*n)
	dx := l.backward(m, t, dy, t.pre, func(k int, dh, _ []float32) {
		i, f, g, o := lstmGates(l.row(t.pre, k), n, 0, n)
		dn, dchat, dc := at(t.dn, k, n), at(t.dchat, k%t.lanes, n), at(t.dc, k%t.lanes, n)
		kernel.LSTMOutGrad(o, at(t.tanhC, k, n), dh, dn)
		kernel.ScaleShift(dchat, dn, l.gain.Value, nil)
		kernel.NormalizeGrad(dchat, at(t.chat, k, n), t.rc[k])
		kernel.Add(dc, dchat)
		kernel.LSTMUpdateGrad(i, f, g, at(t.c, k, n), dc)
	})
	columnDots(m.Pool, l.gain.grad(), t.dn, t.chat, n, rows)
	kernel.ColumnSums(m.Pool, l.shift.grad(), t.dn, rows, n, n)
	return dx
}

// Step feeds one token of each of b lanes: x [B,In] to y [B,H]. It allocates nothing.
func (l *LayerNormLSTM) Step(w *Worker, b int, s State, x, y []float32) {
	h, c, a, u, chat, tanhC, r := s[0], s[1], s[2], s[3], s[4], s[5], s[6]
	n := l.hidden
	lane0, lane1 := l.stepSides(w, b, x, h, a, u, r)
	for i := lane0; i < lane1; i++ {
		l.unit(l.row(a, i), l.row(u, i), at(c, i, n), at(c, i, n), at(chat, i, n), at(tanhC, i, n), at(y, i, n))
	}
	w.keep(h, y)
}
