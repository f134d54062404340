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
	normCell
	gain, shift *Param // [H]: γ_c and β_c
	x, u, c     positions
	seen        *Param // [1]: how many positions have statistics
}

// NewBatchNormLSTM returns layer number layer of width hidden over inputs of
// width in. To an LSTM's parameters it adds norm_ih and norm_hh [4·H], norm_c and
// norm_c_bias [H], in the form name.norm_ih_l0, and, frozen, statistics
// norm_ih_mean, norm_ih_var, norm_hh_mean and so on, [NormPositions,·], and
// norm_seen [1]. Gains are 0.1, as in the paper, variances one, all else zero.
func NewBatchNormLSTM(name string, layer, in, hidden int, bias Bias) *BatchNormLSTM {
	l := &BatchNormLSTM{
		normCell: newNormCell(newCell(name, layer, in, hidden, bias, 1, 4), name, layer, 0.1),
		gain:     newConstant(fmt.Sprintf("%s.norm_c_l%d", name, layer), 0.1, hidden),
		shift:    newConstant(fmt.Sprintf("%s.norm_c_bias_l%d", name, layer), 0, hidden),
		x:        newPositions(name, "norm_ih", layer, 4*hidden),
		u:        newPositions(name, "norm_hh", layer, 4*hidden),
		c:        newPositions(name, "norm_c", layer, hidden),
		seen:     newConstant(fmt.Sprintf("%s.norm_seen_l%d", name, layer), 0, 1),
	}
	l.seen.Frozen = true
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

// known is the number of positions with statistics; a fresh layer has the
// first, of mean 0 and variance 1.
func (l *BatchNormLSTM) known() int { return 1 + positionAt(l.seen.Value[0]-1, 0, NormPositions) }

// Refresh packs the weights, and prepares evaluation.
func (l *BatchNormLSTM) Refresh(pool *Pool, train bool) {
	l.cell.Refresh(pool, train)
	n := l.known()
	l.x.refresh(pool, n, l.nih.Value, l.bih.Value)
	l.u.refresh(pool, n, l.nhh.Value, l.bhh.Value)
	l.c.refresh(pool, n, l.gain.Value, l.shift.Value)
}

// affine is what one lane is multiplied with and shifted by: x·W_ih, h₋₁·W_hh
// and c, normalised in training, as they are in evaluation.
type affine struct{ gx, bx, gu, bu, gc, bc []float32 }

func (l *BatchNormLSTM) trained() affine {
	return affine{l.nih.Value, l.bih.Value, l.nhh.Value, l.bhh.Value, l.gain.Value, l.shift.Value}
}

func (l *BatchNormLSTM) atPosition(i int) affine {
	n := l.hidden
	return affine{at(l.x.scale, i, 4*n), at(l.x.offset, i, 4*n), at(l.u.scale, i, 4*n), at(l.u.offset, i, 4*n),
		at(l.c.scale, i, n), at(l.c.offset, i, n)}
}

// gates computes units [lo,hi) of one lane's gates and c.
func (f affine) gates(pre, x, u, cPrev, c []float32, width, lo, hi int) {
	for g := lo; g < 4*width; g += width {
		end := g + hi - lo
		kernel.ScaleShift(pre[g:end], x[g:end], f.gx[g:end], f.bx[g:end])
		for k := g; k < end; k++ {
			pre[k] += float32(f.gu[k]*u[k]) + f.bu[k]
		}
	}
	i, forget, g, o := lstmGates(pre, width, lo, hi)
	kernel.LSTMUpdate(i, forget, g, o, cPrev[lo:hi], c[lo:hi])
}

// out computes units [lo,hi) of one lane's h from c, or c normalised.
func (f affine) out(pre, c, tanhC, h []float32, width, lo, hi int) {
	_, _, _, o := lstmGates(pre, width, lo, hi)
	kernel.ScaleShift(tanhC[lo:hi], c[lo:hi], f.gc[lo:hi], f.bc[lo:hi])
	kernel.Tanh(tanhC[lo:hi])
	copy(h[lo:hi], tanhC[lo:hi])
	kernel.Mul(h[lo:hi], o)
}

// Forward maps x [T,B,In] to h [T,B,H] and carries s on.
func (l *BatchNormLSTM) Forward(m Mode, t *Tape, tt, b int, x []float32, s State) []float32 {
	t.begin("BatchNormLSTM.Forward", tt, b, l.in, x)
	rows, n := t.rows(), l.hidden
	t.h, t.c = l.beginState(t, t.h, s[0]), l.beginState(t, t.c, s[1])
	for _, buf := range []*[]float32{&t.pre, &t.xhat, &t.uhat} {
		*buf = grow(*buf, rows*l.stride)
	}
	t.chat, t.tanhC = grow(t.chat, rows*n), grow(t.tanhC, rows*n)
	t.count = append(t.count[:0], s[2][:b]...)
	if m.Train {
		l.checkTogether(t.count)
		t.moments = grow(t.moments, tt*27*n)
	}
	kernel.Affine(m.Pool, t.xhat, l.stride, nil, x, l.in, rows, &l.inputs)
	t.walk(m.Pool, n, func(p0, p1 int) { l.forwardUnits(m.Train, t, p0, p1) })
	l.endState(t, t.h, s[0])
	l.endState(t, t.c, s[1])
	for lane := range b {
		s[2][lane] = float32(positionAt(s[2][lane], tt, NormPositions+1))
	}
	return t.h[b*n:]
}

func (l *BatchNormLSTM) checkTogether(count []float32) {
	for _, c := range count {
		if c != count[0] {
			panic(fmt.Sprintf("nn: BatchNormLSTM.Forward: lanes %v and %v steps after their reset: want all reset together in training", count[0], c))
		}
	}
}

// moments are mean, variance and 1/√(σ²+ε) of step s: of x·W_ih and h₋₁·W_hh,
// [3,4·H] each, and of c, [3,H].
func (l *BatchNormLSTM) moments(t *Tape, s int) (x, u, c []float32) {
	n := l.hidden
	all := at(t.moments, s, 27*n)
	return all[:12*n], all[12*n : 24*n], all[24*n:]
}

// forwardUnits runs the units of panels [p0,p1) through the window.
func (l *BatchNormLSTM) forwardUnits(train bool, t *Tape, p0, p1 int) {
	width, known := l.hidden, l.known()
	lo, hi := unitRange(p0, p1, width)
	n, b := t.lanes*width, t.lanes
	for s := range t.steps {
		u := at(t.uhat, s, b*l.stride)
		l.clearUnits(u, b, p0, p1)
		l.recur(u, l.stride, at(t.h, s, n), b, 0, 4, p0, p1)
		if train {
			mx, mu, _ := l.moments(t, s)
			l.normalizeGates(at(t.xhat, s, b*l.stride), mx, b, lo, hi)
			l.normalizeGates(u, mu, b, lo, hi)
		}
		lane := func(k int) (int, affine) {
			if train {
				return s*b + k, l.trained()
			}
			return s*b + k, l.atPosition(positionAt(t.count[k], s, known))
		}
		for k := range b {
			i, f := lane(k)
			f.gates(l.row(t.pre, i), l.row(t.xhat, i), l.row(t.uhat, i), at(t.c, i, width), at(t.c, i+b, width), width, lo, hi)
			copy(at(t.chat, i, width)[lo:hi], at(t.c, i+b, width)[lo:hi])
		}
		if train {
			_, _, mc := l.moments(t, s)
			mean, variance, r := threeGates(mc, width, lo, hi)
			chat := at(t.chat, s, n)[lo:]
			kernel.NormalizeColumns(chat, chat, width, b, normEps, mean, variance, r)
		}
		for k := range b {
			i, f := lane(k)
			f.out(l.row(t.pre, i), at(t.chat, i, width), at(t.tanhC, i, width), at(t.h, i+b, width), width, lo, hi)
		}
		t.barrier.Wait()
	}
}

// normalizeGates normalises units [lo,hi) of every gate over the lanes of one
// step, in place.
func (l *BatchNormLSTM) normalizeGates(v, moments []float32, lanes, lo, hi int) {
	for g := 0; g < 4*l.hidden && lo < hi; g += l.hidden {
		mean, variance, r := threeGates(moments, 4*l.hidden, g+lo, g+hi)
		kernel.NormalizeColumns(v[g+lo:], v[g+lo:], l.stride, lanes, normEps, mean, variance, r)
	}
}

func (l *BatchNormLSTM) normalizeGatesGrad(d, hat, moments []float32, lanes, lo, hi int) {
	for g := 0; g < 4*l.hidden && lo < hi; g += l.hidden {
		_, _, r := threeGates(moments, 4*l.hidden, g+lo, g+hi)
		kernel.NormalizeColumnsGrad(d[g+lo:], hat[g+lo:], l.stride, lanes, r)
	}
}

// Backward takes dy, the gradient of h [T,B,H] of a window with Mode.Train, and
// returns that of x. It also moves the running statistics.
func (l *BatchNormLSTM) Backward(m Mode, t *Tape, dy []float32) []float32 {
	checkLen("BatchNormLSTM.Backward", "dy", len(dy), t.rows()*l.hidden)
	n, rows := l.hidden, t.rows()
	t.dc, t.dchat = zeros(t.dc, t.lanes*n), grow(t.dchat, t.lanes*n)
	t.dn, t.draw = grow(t.dn, rows*n), grow(t.draw, rows*l.stride)
	t.walk(m.Pool, n, func(p0, p1 int) { l.backwardUnits(t, dy, p0, p1) })
	columnDots(m.Pool, l.gain.grad(), t.dn, t.chat, n, rows)
	kernel.ColumnSums(m.Pool, l.shift.grad(), t.dn, rows, n, n)
	l.gainGrads(m.Pool, t, t.pre)
	m.Pool.For(t.steps, 1, func(lo, hi int) {
		for s := lo; s < hi; s++ {
			mx, _, _ := l.moments(t, s)
			l.scaleGates(t.pre, t.pre, l.nih.Value, s, t.lanes, 0, n)
			l.normalizeGatesGrad(at(t.pre, s, t.lanes*l.stride), at(t.xhat, s, t.lanes*l.stride), mx, t.lanes, 0, n)
		}
	})
	l.follow(t)
	return l.productGrads(m.Pool, t)
}

func (l *BatchNormLSTM) backwardUnits(t *Tape, dy []float32, p0, p1 int) {
	width := l.hidden
	lo, hi := unitRange(p0, p1, width)
	n, b := t.lanes*width, t.lanes
	for s := t.steps - 1; s >= 0; s-- {
		_, mu, mc := l.moments(t, s)
		dh := at(dy, s, n)
		if s < t.steps-1 {
			t.barrier.Wait() // the product needs all units of step s+1
			kernel.Gemm(dh, width, at(t.draw, s+1, b*l.stride), l.stride, b, &l.back[0], p0, p1)
		}
		t.traceBackward(s, 0, b, lo, hi, dh, t.dc)
		for k := range b {
			i := s*b + k
			_, _, _, o := lstmGates(l.row(t.pre, i), width, lo, hi)
			dn := at(t.dn, i, width)[lo:hi]
			kernel.LSTMOutGrad(o, at(t.tanhC, i, width)[lo:hi], at(dh, k, width)[lo:hi], dn)
			kernel.ScaleShift(at(t.dchat, k, width)[lo:hi], dn, l.gain.Value[lo:hi], nil)
		}
		_, _, r := threeGates(mc, width, lo, hi)
		kernel.NormalizeColumnsGrad(t.dchat[lo:], at(t.chat, s, n)[lo:], width, b, r)
		for k := range b {
			i := s*b + k
			in, f, g, _ := lstmGates(l.row(t.pre, i), width, lo, hi)
			dc := at(t.dc, k, width)[lo:hi]
			kernel.Add(dc, at(t.dchat, k, width)[lo:hi])
			kernel.LSTMUpdateGrad(in, f, g, at(t.c, i, width)[lo:hi], dc)
		}
		l.scaleGates(t.draw, t.pre, l.nhh.Value, s, b, lo, hi)
		l.normalizeGatesGrad(at(t.draw, s, b*l.stride), at(t.uhat, s, b*l.stride), mu, b, lo, hi)
	}
}

// scaleGates sets units [lo,hi) of every gate of step s to gain⊙from.
func (l *BatchNormLSTM) scaleGates(to, from, gain []float32, s, lanes, lo, hi int) {
	for i := s * lanes; i < (s+1)*lanes; i++ {
		y, x := l.row(to, i), l.row(from, i)
		for g := 0; g < 4*l.hidden; g += l.hidden {
			kernel.ScaleShift(y[g+lo:g+hi], x[g+lo:g+hi], gain[g+lo:g+hi], nil)
		}
	}
}

// follow moves the running statistics by the window's, step after step.
func (l *BatchNormLSTM) follow(t *Tape) {
	for s := range t.steps {
		i, seen := positionAt(t.count[0], s, NormPositions), int(l.seen.Value[0])
		x, u, c := l.moments(t, s)
		l.x.follow(i, seen, x, t.lanes)
		l.u.follow(i, seen, u, t.lanes)
		l.c.follow(i, seen, c, t.lanes)
		l.seen.Value[0] = float32(max(seen, i+1))
	}
}

// Step feeds one token of each of b lanes: x [B,In] to y [B,H]. It allocates nothing.
func (l *BatchNormLSTM) Step(w *Worker, b int, s State, x, y []float32) {
	h, c, count, pre, a, u, tanhC := s[0], s[1], s[2], s[3], s[4], s[5], s[6]
	n := l.hidden
	p0, p1 := w.panels(n)
	lo, hi := unitRange(p0, p1, n)
	l.clearUnits(u, b, p0, p1)
	l.recur(u, l.stride, h, b, 0, 4, p0, p1)
	w.affine(a, l.stride, nil, x, l.in, b, &l.inputs)
	for i := range b {
		f := l.atPosition(positionAt(count[i], 0, l.known()))
		f.gates(l.row(pre, i), l.row(a, i), l.row(u, i), at(c, i, n), at(c, i, n), n, lo, hi)
		f.out(l.row(pre, i), at(c, i, n), at(tanhC, i, n), at(y, i, n), n, lo, hi)
	}
	w.keep(h, y)
	lane0, lane1 := w.share(b, 1)
	for i := lane0; i < lane1; i++ {
		count[i] = float32(positionAt(count[i], 1, NormPositions+1))
	}
}
