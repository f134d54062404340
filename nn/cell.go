package nn

import (
	"fmt"

	"github.com/refrain-lm/refrain/internal/kernel"
)

// Bias says how many bias vectors a cell trains.
type Bias string

const (
	// TwoBiases are bias_ih and bias_hh, as PyTorch trains and clips them.
	TwoBiases Bias = "two"
	// OneBias is Keras' way: bias_hh stays zero and is not trained.
	OneBias Bias = "one"
)

// cell is what all cells share: weights in PyTorch's layout, their packed
// copies, and the products with them.
type cell struct {
	in, hidden, gates int
	// stride is from one row of preactivations [G·H] to the next. See rowStride.
	stride int

	wih *Param // [G·H,In]
	whh *Param // [G·H,H]
	bih *Param // [G·H]
	bhh *Param // [G·H]

	bias []float32 // [G·H], what each preactivation's chain starts with
	kept *packs    // for inference; nil while passes pack for themselves
	// backGates cuts W_hh [G·H,H], for the gradient of h₋₁, where the gradients of
	// the gates come from different buffers.
	backGates []int
}

// newCell lays out the parameters of one layer. backGates sum up to gates.
func newCell(name string, layer, in, hidden int, bias Bias, forget int, backGates ...int) cell {
	if bias != OneBias && bias != TwoBiases {
		panic(fmt.Sprintf("nn: bias %q: want %q or %q", bias, OneBias, TwoBiases))
	}
	gates := 0
	for _, n := range backGates {
		gates += n
	}
	param := func(what string, r role, shape ...int) *Param {
		p := NewParam(fmt.Sprintf("%s.%s_l%d", name, what, layer), shape...)
		p.role, p.gates = r, gates
		return p
	}
	c := cell{
		in: in, hidden: hidden, gates: gates, stride: rowStride(gates, hidden),
		wih:       param("weight_ih", inputWeight, gates*hidden, in),
		whh:       param("weight_hh", recurrentWeight, gates*hidden, hidden),
		bih:       param("bias_ih", inputBias, gates*hidden),
		bhh:       param("bias_hh", recurrentBias, gates*hidden),
		bias:      make([]float32, gates*hidden),
		backGates: backGates,
	}
	c.bih.forget, c.bhh.forget = forget, forget
	c.bhh.Frozen = bias == OneBias
	return c
}

// rowStride is G·H, with more than one gate rounded up to an odd number of
// cache lines: rows a power of two apart would compete for the same places in
// the caches, and take turns.
func rowStride(gates, hidden int) int {
	const line = 64 / 4
	if gates == 1 {
		return hidden
	}
	return ((gates*hidden+line-1)/line | 1) * line
}

// Params returns weight_ih, weight_hh, bias_ih and bias_hh.
func (c *cell) Params() []*Param { return []*Param{c.wih, c.whh, c.bih, c.bhh} }

// InSize is the width of x.
func (c *cell) InSize() int { return c.in }

// OutSize is the width of y, the number of units.
func (c *cell) OutSize() int { return c.hidden }

// Refresh follows a change of the weights: it packs them for inference and keeps
// them so. With train it drops what was kept, and each pass packs for itself; Step
// is then not possible.
func (c *cell) Refresh(pool *Pool, train bool) {
	copy(c.bias, c.bih.Value)
	kernel.Add(c.bias, c.bhh.Value)
	if train {
		c.kept = nil
		return
	}
	if c.kept == nil {
		c.kept = &packs{recurrent: make([]kernel.Packed, c.gates)}
	}
	c.packT(pool, c.kept, false)
}

// packT packs the weights for the way forward.
func (c *cell) packT(pool *Pool, to *packs, train bool) {
	c.wih.packT(pool, &to.in, train, 0, c.gates*c.hidden)
	for i := range to.recurrent {
		c.whh.packT(pool, &to.recurrent[i], train, i*c.hidden, (i+1)*c.hidden)
	}
}

// take gives t the weights for a pass forward, kept or packed now.
func (c *cell) take(m Mode, t *Tape) {
	if t.packs = c.kept; t.packs != nil {
		return
	}
	t.packs = m.scratch(&t.own).take()
	t.packs.cut(kernel.PackedSize(c.hidden, c.hidden), ones[:c.gates])
	c.packT(m.Pool, t.packs, m.Train)
}

// ones is a matrix for each gate, of which no cell has more.
var ones = [...]int{1, 1, 1, 1}

// takeBack gives t the recurrent weights for a pass backward; inputGrad packs the
// others when it comes to them.
func (c *cell) takeBack(m Mode, t *Tape) {
	t.packs = m.scratch(&t.own).take()
	t.packs.cut(kernel.PackedSize(c.hidden, c.hidden), c.backGates)
	gate := 0
	for i, n := range c.backGates {
		c.whh.packBack(m.Pool, &t.packs.recurrent[i], gate*c.hidden, (gate+n)*c.hidden)
		gate += n
	}
}

// give ends a pass that take or takeBack began.
func (c *cell) give(m Mode, t *Tape) {
	if t.packs != c.kept {
		m.scratch(&t.own).give(t.packs)
	}
	t.packs = nil
}

// step is the weights for Step.
func (c *cell) step() *packs { return c.kept.forStep(c.wih) }

// project starts the preactivations of a whole window: the bias, then the
// product of the input, pre [T·B,G·H] = bias + x·W_ihᵀ, rows ld apart.
func (c *cell) project(pool *Pool, t *Tape, pre []float32, ld int) {
	v := len(t.Lookup.Table) / c.in
	if t.looked = v > 0 && t.rows() >= 4*v; !t.looked {
		kernel.Affine(pool, pre, ld, c.bias, t.x, c.in, t.rows(), &t.packs.in)
		return
	}
	t.table = grow(t.table, v*ld)
	kernel.Affine(pool, t.table, ld, c.bias, t.Lookup.Table, c.in, v, &t.packs.in)
	pool.For(t.rows(), 64, func(lo, hi int) {
		for k := lo; k < hi; k++ {
			copy(at(pre, k, ld), at(t.table, int(t.Lookup.IDs[k]), ld))
		}
	})
}

// projectStep is project for one step of a worker among others.
func (c *cell) projectStep(w *Worker, pre, x []float32, b int) {
	w.affine(pre, c.stride, c.bias, x, c.in, b, &c.step().in)
}

// beginState makes buf [T+1,B,H] with the state before the window in front.
func (c *cell) beginState(t *Tape, buf, state []float32) []float32 {
	n := t.lanes * c.hidden
	checkLen("Forward", "state", len(state), n)
	buf = grow(buf, (t.steps+1)*n)
	copy(buf, state)
	return buf
}

// endState carries the state after the window over.
func (c *cell) endState(t *Tape, buf, state []float32) {
	copy(state, buf[t.rows()*c.hidden:])
	c.traceForward(t, buf)
}

// at returns step s of a buffer of steps of n values each.
func at[F float32 | float64](buf []F, s, n int) []F { return buf[s*n : (s+1)*n] }

// weightGrads adds the gradients of a whole window, from t.pre [T·B,G·H] that
// holds those of the preactivations: dW_ih += dGᵀ·x, dW_hh += dGᵀ·h₋₁ for the
// first gates of W_hh (all of them unless the cell treats the last otherwise).
// It leaves the column sums of t.pre for biasGrads.
func (c *cell) weightGrads(pool *Pool, t *Tape, gates int) {
	t.sums = zeros(t.sums, c.gates*c.hidden)
	rows, first := t.rows(), gates*c.hidden
	recurrent := c.whh.product(t.h, gates == c.gates)
	with := kernel.TN{Pairs: c.whh.BFloat16}
	if t.looked {
		t.groupByID(pool, c.stride)
		c.wih.addProduct(pool, t.table, c.stride, t.Lookup.Table, len(t.table)/c.stride, t.sums)
		kernel.GemmTNEach(with, pool, first, rows, t.pre, c.stride, recurrent)
		return
	}
	input := c.wih.product(t.x, true)
	with.Sums = t.sums[:first]
	kernel.GemmTNEach(with, pool, first, rows, t.pre, c.stride, input, recurrent)
	if gates < c.gates {
		input.C = input.C[first*c.in:]
		with.Sums = t.sums[first:]
		kernel.GemmTNEach(with, pool, c.gates*c.hidden-first, rows, t.pre[first:], c.stride, input)
	}
}

// biasGrads adds the column sums that weightGrads has left to bias_ih, and those
// of the first gates to bias_hh.
func (c *cell) biasGrads(t *Tape, gates int) {
	kernel.Add(c.bih.grad(), t.sums)
	if !c.bhh.Frozen {
		kernel.Add(c.bhh.grad()[:gates*c.hidden], t.sums[:gates*c.hidden])
	}
}

// groupByID sums up the gradients of all rows that looked up the same row of the
// table, in the order of the rows. Workers share the columns.
func (t *Tape) groupByID(pool *Pool, ld int) {
	clear(t.table)
	pool.For(ld, kernel.PanelWidth, func(lo, hi int) {
		for k, id := range t.Lookup.IDs {
			kernel.Add(at(t.table, int(id), ld)[lo:hi], at(t.pre, k, ld)[lo:hi])
		}
	})
}

// inputGrad returns dx [T·B,In] = dG·W_ih; of a looked-up x it is the gradient of
// the table [V,In], as [Tape.OfTable] says.
func (c *cell) inputGrad(m Mode, t *Tape) []float32 {
	if t.NoInputGrad {
		return nil
	}
	pre, rows := t.pre, t.rows()
	if t.looked {
		pre, rows = t.table, len(t.table)/c.stride
	}
	t.dx = grow(t.dx, rows*c.in)
	c.wih.packBack(m.Pool, &t.packs.in, 0, c.gates*c.hidden)
	kernel.Affine(m.Pool, t.dx, c.in, nil, pre, c.stride, rows, &t.packs.in)
	return t.dx
}
