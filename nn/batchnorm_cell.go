package nn

import (
	"fmt"

	"github.com/refrain-lm/refrain/internal/kernel"
)

// batchNormCell is what the cells with batch normalisation inside the recurrence
// share. Both sides of a preactivation are normalised by themselves, unit by unit
// (Cooijmans et al. 2016):
//
//	a = γ_ih⊙N(x·W_ih) + b_ih
//	u = γ_hh⊙N(h₋₁·W_hh) + b_hh
//	N(v) = (v − μ)/√(σ² + ε)
//
// With Mode.Train, μ and σ² are over the lanes of one step, which must be several
// and equally far from their last reset, and Backward moves the running
// statistics of that position as [BatchNorm] does; a position seen for the first
// time takes over what it saw. Otherwise μ and σ² are the running ones of each
// lane's own position since its reset, so no lane sees another. Beyond the longest
// position seen, and beyond [NormPositions], the last one serves. What a and u
// become is the cell's own business.
type batchNormCell struct {
	normCell
	x, u  positions
	extra int    // width of what else a cell normalises
	seen  *Param // [1]: how many positions have statistics
}

func newBatchNormCell(name string, layer, in, hidden int, bias Bias, forget, gates int) batchNormCell {
	l := batchNormCell{
		normCell: newNormCell(newCell(name, layer, in, hidden, bias, forget, gates), name, layer, 0.1),
		x:        newPositions(name, "norm_ih", layer, gates*hidden),
		u:        newPositions(name, "norm_hh", layer, gates*hidden),
		seen:     newConstant(fmt.Sprintf("%s.norm_seen_l%d", name, layer), 0, 1),
	}
	l.seen.Frozen = true
	return l
}

// Params returns those of the cell without normalisation, the gains, then the
// statistics.
func (l *batchNormCell) Params() []*Param {
	return append(l.normCell.Params(), l.x.mean, l.x.variance, l.u.mean, l.u.variance, l.seen)
}

// StateWidths is {H,1}: h and the steps since the last reset.
func (l *batchNormCell) StateWidths() []int { return []int{l.hidden, 1} }

// known is the number of positions with statistics; a fresh layer has the
// first, of mean 0 and variance 1.
func (l *batchNormCell) known() int { return 1 + positionAt(l.seen.Value[0]-1, 0, NormPositions) }

// Refresh packs the weights, and prepares evaluation.
func (l *batchNormCell) Refresh(pool *Pool, train bool) {
	l.cell.Refresh(pool, train)
	n := l.known()
	l.x.refresh(pool, n, l.nih.Value, l.bih.Value)
	l.u.refresh(pool, n, l.nhh.Value, l.bhh.Value)
}

// sides is what one lane's x·W_ih and h₋₁·W_hh, normalised in training, as they
// are in evaluation, are multiplied with and shifted by to give a and u.
type sides struct{ gx, bx, gu, bu []float32 }

// side is that of lane k in step s of a window.
func (l *batchNormCell) side(train bool, t *Tape, s, k int) sides {
	if train {
		return sides{l.nih.Value, l.bih.Value, l.nhh.Value, l.bhh.Value}
	}
	return l.atPosition(positionAt(t.count[k], s, l.known()))
}

func (l *batchNormCell) atPosition(i int) sides {
	n := l.gates * l.hidden
	return sides{at(l.x.scale, i, n), at(l.x.offset, i, n), at(l.u.scale, i, n), at(l.u.offset, i, n)}
}

// sum computes a + u of units [lo,hi) of the first gates.
func (f sides) sum(pre, x, u []float32, gates, width, lo, hi int) {
	f.input(pre, x, 0, gates, width, lo, hi)
	for g := 0; g < gates*width; g += width {
		for k := g + lo; k < g+hi; k++ {
			pre[k] += float32(f.gu[k]*u[k]) + f.bu[k]
		}
	}
}

// input computes a of units [lo,hi) of gates g0 to g1.
func (f sides) input(pre, x []float32, g0, g1, width, lo, hi int) {
	for g := g0 * width; g < g1*width; g += width {
		kernel.ScaleShift(pre[g+lo:g+hi], x[g+lo:g+hi], f.gx[g+lo:g+hi], f.bx[g+lo:g+hi])
	}
}

// forward runs a window. own computes units [lo,hi) of all lanes of step s, of
// which t.xhat and t.uhat hold both products.
func (l *batchNormCell) forward(m Mode, t *Tape, x, h, count []float32, own func(s, lo, hi int)) []float32 {
	l.take(m, t)
	defer l.give(m, t)
	rows, b := t.rows(), t.lanes
	t.h = l.beginState(t, t.h, h)
	for _, buf := range []*[]float32{&t.pre, &t.xhat, &t.uhat} {
		*buf = grow(*buf, rows*l.stride)
	}
	t.count = append(t.count[:0], count[:b]...)
	if m.Train {
		checkTogether(t.count)
		t.moments = grow(t.moments, t.steps*l.momentsWidth())
	}
	kernel.Affine(m.Pool, t.xhat, l.stride, nil, x, l.in, rows, &t.packs.in)
	t.walk(m.Pool, l.hidden, func(p0, p1 int) { l.forwardUnits(m.Train, t, p0, p1, own) })
	l.endState(t, t.h, h)
	for lane := range b {
		count[lane] = float32(positionAt(count[lane], t.steps, NormPositions+1))
	}
	return t.h[b*l.hidden:]
}

func checkTogether(count []float32) {
	for _, c := range count {
		if c != count[0] {
			panic(fmt.Sprintf("nn: recurrent batch norm: lanes %v and %v steps after their reset: want all reset together in training", count[0], c))
		}
	}
}

// momentsWidth is how much a step notes of mean, variance and 1/√(σ²+ε).
func (l *batchNormCell) momentsWidth() int { return 3 * (2*l.gates*l.hidden + l.extra) }

// moments are those of step s: of x·W_ih and h₋₁·W_hh, [3,G·H] each, and of what
// else the cell normalises.
func (l *batchNormCell) moments(t *Tape, s int) (x, u, extra []float32) {
	n, all := 3*l.gates*l.hidden, at(t.moments, s, l.momentsWidth())
	return all[:n], all[n : 2*n], all[2*n:]
}

// forwardUnits runs the units of panels [p0,p1) through the window.
func (l *batchNormCell) forwardUnits(train bool, t *Tape, p0, p1 int, own func(s, lo, hi int)) {
	lo, hi := unitRange(p0, p1, l.hidden)
	n, b := t.lanes*l.hidden, t.lanes
	for s := range t.steps {
		u := at(t.uhat, s, b*l.stride)
		l.clearUnits(u, b, p0, p1)
		t.packs.recur(u, l.stride, at(t.h, s, n), b, 0, l.gates, p0, p1)
		if train {
			mx, mu, _ := l.moments(t, s)
			l.normalizeGates(at(t.xhat, s, b*l.stride), mx, b, lo, hi)
			l.normalizeGates(u, mu, b, lo, hi)
		}
		own(s, lo, hi)
		t.barrier.Wait()
	}
}

// normalizeGates normalises units [lo,hi) of every gate over the lanes of one
// step, in place.
func (l *batchNormCell) normalizeGates(v, moments []float32, lanes, lo, hi int) {
	for g := 0; g < l.gates*l.hidden && lo < hi; g += l.hidden {
		mean, variance, r := threeGates(moments, l.gates*l.hidden, g+lo, g+hi)
		kernel.NormalizeColumns(v[g+lo:], v[g+lo:], l.stride, lanes, normEps, mean, variance, r)
	}
}

func (l *batchNormCell) normalizeGatesGrad(d, hat, moments []float32, lanes, lo, hi int) {
	for g := 0; g < l.gates*l.hidden && lo < hi; g += l.hidden {
		_, _, r := threeGates(moments, l.gates*l.hidden, g+lo, g+hi)
		kernel.NormalizeColumnsGrad(d[g+lo:], hat[g+lo:], l.stride, lanes, r)
	}
}

// backward walks the window in reverse. own turns what the tape holds of units
// [lo,hi) of all lanes of step s into the gradients of a, in t.pre, and of u, in
// du; dh [B,H] is that of the step's h. It also moves the running statistics.
func (l *batchNormCell) backward(m Mode, t *Tape, dy, du []float32, own func(s, lo, hi int, dh []float32)) []float32 {
	l.takeBack(m, t)
	defer l.give(m, t)
	t.draw = grow(t.draw, t.rows()*l.stride)
	t.walk(m.Pool, l.hidden, func(p0, p1 int) { l.backwardUnits(t, dy, du, p0, p1, own) })
	l.gainGrads(m.Pool, t, du)
	m.Pool.For(t.steps, 1, func(lo, hi int) {
		for s := lo; s < hi; s++ {
			mx, _, _ := l.moments(t, s)
			l.scaleGates(t.pre, t.pre, l.nih.Value, s, t.lanes, 0, l.hidden)
			l.normalizeGatesGrad(at(t.pre, s, t.lanes*l.stride), at(t.xhat, s, t.lanes*l.stride), mx, t.lanes, 0, l.hidden)
		}
	})
	l.eachPosition(t, func(s, i, seen int) {
		x, u, _ := l.moments(t, s)
		l.x.follow(i, seen, x, t.lanes)
		l.u.follow(i, seen, u, t.lanes)
	})
	l.seen.Value[0] = max(l.seen.Value[0], float32(1+positionAt(t.count[0], t.steps-1, NormPositions)))
	return l.productGrads(m, t)
}

func (l *batchNormCell) backwardUnits(t *Tape, dy, du []float32, p0, p1 int, own func(s, lo, hi int, dh []float32)) {
	lo, hi := unitRange(p0, p1, l.hidden)
	n, b := t.lanes*l.hidden, t.lanes
	for s := t.steps - 1; s >= 0; s-- {
		dh := at(dy, s, n)
		if s < t.steps-1 {
			t.barrier.Wait() // the product needs all units of step s+1
			kernel.Gemm(dh, l.hidden, at(t.draw, s+1, b*l.stride), l.stride, b, &t.packs.recurrent[0], p0, p1)
		}
		t.traceBackward(s, 0, b, lo, hi, dh, t.dc)
		own(s, lo, hi, dh)
		_, mu, _ := l.moments(t, s)
		l.scaleGates(t.draw, du, l.nhh.Value, s, b, lo, hi)
		l.normalizeGatesGrad(at(t.draw, s, b*l.stride), at(t.uhat, s, b*l.stride), mu, b, lo, hi)
	}
}

// scaleGates sets units [lo,hi) of every gate of step s to gain⊙from.
func (l *batchNormCell) scaleGates(to, from, gain []float32, s, lanes, lo, hi int) {
	for i := s * lanes; i < (s+1)*lanes; i++ {
		y, x := l.row(to, i), l.row(from, i)
		for g := 0; g < l.gates*l.hidden; g += l.hidden {
			kernel.ScaleShift(y[g+lo:g+hi], x[g+lo:g+hi], gain[g+lo:g+hi], nil)
		}
	}
}

// eachPosition calls follow for each step of a window with its position, and how
// many positions had been seen before it.
func (l *batchNormCell) eachPosition(t *Tape, follow func(s, i, seen int)) {
	seen := int(l.seen.Value[0])
	for s := range t.steps {
		i := positionAt(t.count[0], s, NormPositions)
		follow(s, i, seen)
		seen = max(seen, i+1)
	}
}

// stepSides computes both products of one token of each of b lanes, x·W_ih in a
// and h·W_hh in u, and returns the worker's units.
func (l *batchNormCell) stepSides(w *Worker, b int, x, h, a, u []float32) (lo, hi int) {
	p0, p1 := w.panels(l.hidden)
	l.clearUnits(u, b, p0, p1)
	l.step().recur(u, l.stride, h, b, 0, l.gates, p0, p1)
	w.affine(a, l.stride, nil, x, l.in, b, &l.step().in)
	return unitRange(p0, p1, l.hidden)
}

// keep ends a step: y becomes h, and every lane is one step further.
func (l *batchNormCell) keep(w *Worker, b int, h, count, y []float32) {
	w.keep(h, y)
	lane0, lane1 := w.share(b, 1)
	for i := lane0; i < lane1; i++ {
		count[i] = float32(positionAt(count[i], 1, NormPositions+1))
	}
}
