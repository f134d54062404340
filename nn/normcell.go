package nn

import (
	"fmt"

	"github.com/refrain-lm/refrain/internal/kernel"
	"github.com/refrain-lm/refrain/internal/parallel"
)

// normEps is ε in every normalisation, PyTorch's.
const normEps = 1e-5

// normCell is what all cells with normalised products share.
type normCell struct {
	cell
	nih, nhh *Param // [G·H]: α_ih and α_hh
}

// newNormCell adds gains that begin at start.
func newNormCell(c cell, name string, layer int, start float32) normCell {
	return normCell{
		cell: c,
		nih:  newConstant(fmt.Sprintf("%s.norm_ih_l%d", name, layer), start, c.gates*c.hidden),
		nhh:  newConstant(fmt.Sprintf("%s.norm_hh_l%d", name, layer), start, c.gates*c.hidden),
	}
}

// Params returns those of the cell without normalisation, then norm_ih and
// norm_hh [G·H].
func (l *normCell) Params() []*Param { return append(l.cell.Params(), l.nih, l.nhh) }

// row is row i of a buffer of preactivations.
func (l *normCell) row(buf []float32, i int) []float32 {
	return buf[i*l.stride : i*l.stride+l.gates*l.hidden]
}

// clearUnits zeroes panels [p0,p1) of every gate in rows of preactivations.
func (l *normCell) clearUnits(pre []float32, rows, p0, p1 int) {
	lo, hi := unitRange(p0, p1, l.hidden)
	for i := range rows {
		row := l.row(pre, i)
		for g := range l.gates {
			clear(row[g*l.hidden+lo : g*l.hidden+hi])
		}
	}
}

// gainGrads adds the gradients of gains and biases, given those of a in t.pre
// and of u in du.
func (l *normCell) gainGrads(pool *Pool, t *Tape, du []float32) {
	rows, n := t.rows(), l.gates*l.hidden
	columnDots(pool, l.nih.grad(), t.pre, t.xhat, l.stride, rows)
	columnDots(pool, l.nhh.grad(), du, t.uhat, l.stride, rows)
	kernel.ColumnSums(pool, l.bih.grad(), t.pre, rows, n, l.stride)
	if !l.bhh.Frozen {
		kernel.ColumnSums(pool, l.bhh.grad(), du, rows, n, l.stride)
	}
}

// productGrads adds the gradients of the weights, given those of x·W_ih in
// t.pre and of h₋₁·W_hh in t.draw, and returns dx.
func (l *normCell) productGrads(m Mode, t *Tape) []float32 {
	l.wih.addProduct(m.Pool, t.pre, l.stride, t.x, t.rows(), nil)
	l.whh.addProduct(m.Pool, t.draw, l.stride, t.h, t.rows(), nil)
	return l.inputGrad(m, t)
}

// columnDots adds the column sums of a⊙b, [rows,len(dst)] each, to dst.
func columnDots(pool *Pool, dst, a, b []float32, ld, rows int) {
	pool.For(len(dst), 64, func(lo, hi int) {
		kernel.ColumnDots(dst[lo:hi], a[lo:], ld, b[lo:], ld, rows)
	})
}

// layerNormCell is what the layer-normalised cells share. Both sides of a
// preactivation are normalised by themselves (Ba, Kiros and Hinton 2016):
//
//	a = α_ih⊙N(x·W_ih) + b_ih
//	u = α_hh⊙N(h₋₁·W_hh) + b_hh
//	N(v) = (v − mean(v)) / √(var(v) + ε)
//
// N works on each span of gates of one row, so on one token of one lane, and the
// biases are the shifts β. What a and u become is the cell's own business.
type layerNormCell struct {
	normCell
	spans []int // widths that are normalised together; they sum up to G·H
}

func newLayerNormCell(name string, layer, in, hidden int, bias Bias, forget int, spans ...int) layerNormCell {
	width := 0
	for i := range spans {
		spans[i] *= hidden
		width += spans[i]
	}
	c := newCell(name, layer, in, hidden, bias, forget, width/hidden)
	return layerNormCell{newNormCell(c, name, layer, 1), spans}
}

// normalize replaces each span of row by N of it and notes what
// kernel.NormalizeGrad needs.
func (l *layerNormCell) normalize(row, r []float32) {
	at := 0
	for i, n := range l.spans {
		r[i] = kernel.Normalize(row[at:at+n], normEps)
		at += n
	}
}

func (l *layerNormCell) normalizeGrad(d, row, r []float32) {
	at := 0
	for i, n := range l.spans {
		kernel.NormalizeGrad(d[at:at+n], row[at:at+n], r[i])
		at += n
	}
}

// rates is what normalize noted of row i.
func (l *layerNormCell) rates(buf []float32, i int) []float32 { return at(buf, i, len(l.spans)) }

// forward runs a window. own computes one lane of one step, number i of the T·B
// rows: a [G·H] holds the input's side, û [G·H] the recurrent side before its
// gain and shift.
func (l *layerNormCell) forward(m Mode, t *Tape, x []float32, s State, own func(i int, a, u []float32)) []float32 {
	l.take(m, t)
	defer l.give(m, t)
	rows := t.rows()
	t.h = l.beginState(t, t.h, s[0])
	for _, buf := range []*[]float32{&t.pre, &t.xhat, &t.uhat} {
		*buf = grow(*buf, rows*l.stride)
	}
	t.rx, t.ru = grow(t.rx, rows*len(l.spans)), grow(t.ru, rows*len(l.spans))
	kernel.Affine(m.Pool, t.xhat, l.stride, nil, x, l.in, rows, &t.packs.in)
	m.Pool.For(rows, 1, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			l.normalize(l.row(t.xhat, i), l.rates(t.rx, i))
			kernel.ScaleShift(l.row(t.pre, i), l.row(t.xhat, i), l.nih.Value, l.bih.Value)
		}
	})
	n := t.lanes * l.hidden
	t.walkLanes(m.Pool, l.hidden, func(p0, p1, lane0, lane1 int) {
		for s := range t.steps {
			u := at(t.uhat, s, t.lanes*l.stride)
			l.clearUnits(u, t.lanes, p0, p1)
			t.packs.recur(u, l.stride, at(t.h, s, n), t.lanes, 0, l.gates, p0, p1)
			t.barrier.Wait() // a norm needs all units of its lane
			for i := s*t.lanes + lane0; i < s*t.lanes+lane1; i++ {
				l.normalize(l.row(t.uhat, i), l.rates(t.ru, i))
				own(i, l.row(t.pre, i), l.row(t.uhat, i))
			}
			t.barrier.Wait()
		}
	})
	l.endState(t, t.h, s[0])
	return t.h[n:]
}

// backward walks the window in reverse. own turns what the tape holds of row i
// into the gradients of a, in t.pre, and of u, in du's row; next is the
// gradient of h of the same lane a step earlier, nil at the first step, for
// what does not go through the product.
func (l *layerNormCell) backward(m Mode, t *Tape, dy, du []float32, own func(i int, dh, next []float32)) []float32 {
	l.takeBack(m, t)
	defer l.give(m, t)
	rows, n := t.rows(), t.lanes*l.hidden
	t.draw = grow(t.draw, rows*l.stride)
	t.walkLanes(m.Pool, l.hidden, func(p0, p1, lane0, lane1 int) {
		for s := t.steps - 1; s >= 0; s-- {
			if s < t.steps-1 {
				t.barrier.Wait() // the product needs all gates of step s+1
				kernel.Gemm(at(dy, s, n), l.hidden, at(t.draw, s+1, t.lanes*l.stride), l.stride, t.lanes, &t.packs.recurrent[0], p0, p1)
				t.barrier.Wait()
			}
			t.traceBackward(s, lane0, lane1, 0, l.hidden, at(dy, s, n), t.dc)
			for lane := lane0; lane < lane1; lane++ {
				i := s*t.lanes + lane
				var next []float32
				if s > 0 {
					next = at(dy, i-t.lanes, l.hidden)
				}
				own(i, at(dy, i, l.hidden), next)
				kernel.ScaleShift(l.row(t.draw, i), l.row(du, i), l.nhh.Value, nil)
				l.normalizeGrad(l.row(t.draw, i), l.row(t.uhat, i), l.rates(t.ru, i))
			}
		}
	})
	l.gainGrads(m.Pool, t, du)
	m.Pool.For(rows, 1, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			row := l.row(t.pre, i)
			kernel.ScaleShift(row, row, l.nih.Value, nil)
			l.normalizeGrad(row, l.row(t.xhat, i), l.rates(t.rx, i))
		}
	})
	return l.productGrads(m, t)
}

// stepSides computes a and û of one token of each of b lanes: rows of a [G·H]
// with their gain and shift, of u [G·H] without; r is scratch of one value a
// span. The rest is for all units of a lane at once: it returns the lanes that
// are the worker's, whose a and û are ready.
func (l *layerNormCell) stepSides(w *Worker, b int, x, h, a, u, r []float32) (lane0, lane1 int) {
	i0, i1 := w.share(l.step().in.Panels(), 1)
	kernel.AffinePanels(a, l.stride, nil, x, l.in, b, &l.step().in, i0, i1)
	p0, p1 := w.panels(l.hidden)
	l.clearUnits(u, b, p0, p1)
	l.step().recur(u, l.stride, h, b, 0, l.gates, p0, p1)
	w.wait()
	lane0, lane1 = w.share(b, 1)
	for i := lane0; i < lane1; i++ {
		row := l.row(a, i)
		l.normalize(row, l.rates(r, i))
		kernel.ScaleShift(row, row, l.nih.Value, l.bih.Value)
		l.normalize(l.row(u, i), l.rates(r, i))
	}
	return lane0, lane1
}

// addRecurrent adds α_hh⊙û + b_hh to the first len(a) preactivations.
func (l *layerNormCell) addRecurrent(a, u []float32) {
	for i := range a {
		a[i] += float32(l.nhh.Value[i]*u[i]) + l.bhh.Value[i]
	}
}

// walkLanes is walk that also gives each worker a fixed share of the lanes, for
// what needs all units of a lane.
func (t *Tape) walkLanes(pool *Pool, units int, f func(p0, p1, lane0, lane1 int)) {
	t.useBarrier(pool)
	panels := (units + kernel.PanelWidth - 1) / kernel.PanelWidth
	pool.Run(func(worker int) {
		p0, p1 := parallel.Split(panels, 1, pool.Size(), worker)
		lane0, lane1 := parallel.Split(t.lanes, 1, pool.Size(), worker)
		f(p0, p1, lane0, lane1)
	})
}
