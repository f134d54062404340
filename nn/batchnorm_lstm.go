package nn

import (
	"fmt"

	"github.com/refrain-lm/refrain/internal/kernel"
)

// BatchNormLSTM is the [LSTM] with batch normalisation inside the recurrence
// (Cooijmans et al. 2016):
//
//	(i,f,g,o) = γ_ih⊙N(x·W_ih) + b_ih + γ_hh⊙N(h₋₁·W_hh) + b_hh
//	i, f, g, o = σ(i), σ(f), tanh(g), σ(o)
//	c = f⊙c₋₁ + i⊙g
//	h = o⊙tanh(γ_c⊙N(c) + β_c)
//	N(v) = (v − μ)/√(σ² + ε),   ε = 1e-5
//
// unit by unit. With Mode.Train, μ and σ² are over the lanes of one step, which
// must be several and equally far from their last reset, and Backward moves the
// running statistics of that position as [BatchNorm] does; a position seen for
// the first time takes over what it saw. Otherwise μ and σ² are the running
// ones of each lane's own position since its reset, so no lane sees another.
// Beyond the longest position seen, and beyond [NormPositions], the last one
// serves. Its state is h, c and the count of steps since the reset.
type BatchNormLSTM struct {
	batchNormCell
	gain, shift *Param // [H]: γ_c and β_c
	c           positions
}

// NewBatchNormLSTM returns layer number layer of width hidden over inputs of
// width in. To an LSTM's parameters it adds norm_ih and norm_hh [4·H], norm_c and
// norm_c_bias [H], in the form name.norm_ih_l0, and, frozen, statistics
// norm_ih_mean, norm_ih_var, norm_hh_mean and so on, [NormPositions,·], and
// norm_seen [1]. Gains are 0.1, as in the paper, variances one, all else zero.
func NewBatchNormLSTM(name string, layer, in, hidden int, bias Bias) *BatchNormLSTM {
	l := &BatchNormLSTM{
		batchNormCell: newBatchNormCell(name, layer, in, hidden, bias, 1, 4),
		gain:          newConstant(fmt.Sprintf("%s.norm_c_l%d", name, layer), 0.1, hidden),
		shift:         newConstant(fmt.Sprintf("%s.norm_c_bias_l%d", name, layer), 0, hidden),
		c:             newPositions(name, "norm_c", layer, hidden),
	}
	l.extra = hidden
	return l
}

// Params returns an LSTM's, the gains and shift, then the statistics.
func (l *BatchNormLSTM) Params() []*Param {
	return append(l.normCell.Params(), l.gain, l.shift,
		l.x.mean, l.x.variance, l.u.mean, l.u.variance, l.c.mean, l.c.variance, l.seen)
}

// StateWidths is {H,H,1}: h, c and the steps since the last reset.
func (l *BatchNormLSTM) StateWidths() []int { return []int{l.hidden, l.hidden, 1} }

// NewState returns a zero state of b lanes, with scratch for Step.
func (l *BatchNormLSTM) NewState(b int) State {
	return newState(b, l.StateWidths(), l.stride, l.stride, l.stride, l.hidden)
}

// Refresh packs the weights, and prepares evaluation.
func (l *BatchNormLSTM) Refresh(pool *Pool, train bool) {
	l.batchNormCell.Refresh(pool, train)
	l.c.refresh(pool, l.known(), l.gain.Value, l.shift.Value)
}

// Forward maps x [T,B,In] to h [T,B,H] and carries s on.
func (l *BatchNormLSTM) Forward(m Mode, t *Tape, tt, b int, x []float32, s State) []float32 {
	t.begin("BatchNormLSTM.Forward", tt, b, l.in, x)
	rows, n := t.rows(), l.hidden
	t.c = l.beginState(t, t.c, s[1])
	t.chat, t.tanhC = grow(t.chat, rows*n), grow(t.tanhC, rows*n)
	y := l.forward(m, t, x, s[0], s[2], func(step, lo, hi int) { l.forwardStep(m.Train, t, step, lo, hi) })
	l.endState(t, t.c, s[1])
	return y
}

// forwardStep computes units [lo,hi) of all lanes of step s.
func (l *BatchNormLSTM) forwardStep(train bool, t *Tape, s, lo, hi int) {
	width, b := l.hidden, t.lanes
	for k := range b {
		i := s*b + k
		l.cellUnits(l.side(train, t, s, k), l.row(t.pre, i), l.row(t.xhat, i), l.row(t.uhat, i), at(t.c, i, width), at(t.c, i+b, width), lo, hi)
		copy(at(t.chat, i, width)[lo:hi], at(t.c, i+b, width)[lo:hi])
	}
	if train {
		_, _, mc := l.moments(t, s)
		mean, variance, r := threeGates(mc, width, lo, hi)
		chat := at(t.chat, s, b*width)[lo:]
		kernel.NormalizeColumns(chat, chat, width, b, normEps, mean, variance, r)
	}
	for k := range b {
		i, gain, shift := s*b+k, l.gain.Value, l.shift.Value
		if !train {
			gain, shift = l.outAt(positionAt(t.count[k], s, l.known()))
		}
		l.outUnits(gain, shift, l.row(t.pre, i), at(t.chat, i, width), at(t.tanhC, i, width), at(t.h, i+b, width), lo, hi)
	}
}

// outAt is what c is multiplied with and shifted by at a position.
func (l *BatchNormLSTM) outAt(i int) (scale, offset []float32) {
	return at(l.c.scale, i, l.hidden), at(l.c.offset, i, l.hidden)
}

// cellUnits computes units [lo,hi) of one lane's gates and c.
func (l *BatchNormLSTM) cellUnits(f sides, pre, x, u, cPrev, c []float32, lo, hi int) {
	f.sum(pre, x, u, 4, l.hidden, lo, hi)
	i, forget, g, o := lstmGates(pre, l.hidden, lo, hi)
	kernel.LSTMUpdate(i, forget, g, o, cPrev[lo:hi], c[lo:hi])
}

// outUnits computes units [lo,hi) of one lane's h from c, or c normalised.
func (l *BatchNormLSTM) outUnits(gain, shift, pre, c, tanhC, h []float32, lo, hi int) {
	_, _, _, o := lstmGates(pre, l.hidden, lo, hi)
	kernel.ScaleShift(tanhC[lo:hi], c[lo:hi], gain[lo:hi], shift[lo:hi])
	kernel.Tanh(tanhC[lo:hi])
	copy(h[lo:hi], tanhC[lo:hi])
	kernel.Mul(h[lo:hi], o)
}

// Backward takes dy, the gradient of h [T,B,H] of a window with Mode.Train, and
// returns that of x. It also moves the running statistics.
func (l *BatchNormLSTM) Backward(m Mode, t *Tape, dy []float32) []float32 {
	checkLen("BatchNormLSTM.Backward", "dy", len(dy), t.rows()*l.hidden)
	n, rows := l.hidden, t.rows()
	t.dc, t.dchat = zeros(t.dc, t.lanes*n), grow(t.dchat, t.lanes*n)
	t.dn = grow(t.dn, rows*n)
	l.eachPosition(t, func(s, i, seen int) {
		_, _, c := l.moments(t, s)
		l.c.follow(i, seen, c, t.lanes)
	})
	dx := l.backward(m, t, dy, t.pre, func(s, lo, hi int, dh []float32) { l.backwardStep(t, s, lo, hi, dh) })
	columnDots(m.Pool, l.gain.grad(), t.dn, t.chat, n, rows)
	kernel.ColumnSums(m.Pool, l.shift.grad(), t.dn, rows, n, n)
	return dx
}

// backwardStep turns units [lo,hi) of the gates of step s into their gradients.
func (l *BatchNormLSTM) backwardStep(t *Tape, s, lo, hi int, dh []float32) {
	width, b := l.hidden, t.lanes
	for k := range b {
		i := s*b + k
		_, _, _, o := lstmGates(l.row(t.pre, i), width, lo, hi)
		dn := at(t.dn, i, width)[lo:hi]
		kernel.LSTMOutGrad(o, at(t.tanhC, i, width)[lo:hi], at(dh, k, width)[lo:hi], dn)
		kernel.ScaleShift(at(t.dchat, k, width)[lo:hi], dn, l.gain.Value[lo:hi], nil)
	}
	_, _, mc := l.moments(t, s)
	_, _, r := threeGates(mc, width, lo, hi)
	kernel.NormalizeColumnsGrad(t.dchat[lo:], at(t.chat, s, b*width)[lo:], width, b, r)
	for k := range b {
		i := s*b + k
		in, f, g, _ := lstmGates(l.row(t.pre, i), width, lo, hi)
		dc := at(t.dc, k, width)[lo:hi]
		kernel.Add(dc, at(t.dchat, k, width)[lo:hi])
		kernel.LSTMUpdateGrad(in, f, g, at(t.c, i, width)[lo:hi], dc)
	}
}

// Step feeds one token of each of b lanes: x [B,In] to y [B,H]. It allocates nothing.
func (l *BatchNormLSTM) Step(w *Worker, b int, s State, x, y []float32) {
	h, c, count, pre, a, u, tanhC := s[0], s[1], s[2], s[3], s[4], s[5], s[6]
	n := l.hidden
	lo, hi := l.stepSides(w, b, x, h, a, u)
	for i := range b {
		position := positionAt(count[i], 0, l.known())
		gain, shift := l.outAt(position)
		l.cellUnits(l.atPosition(position), l.row(pre, i), l.row(a, i), l.row(u, i), at(c, i, n), at(c, i, n), lo, hi)
		l.outUnits(gain, shift, l.row(pre, i), at(c, i, n), at(tanhC, i, n), at(y, i, n), lo, hi)
	}
	l.keep(w, b, h, count, y)
}
