package nn

import (
	"fmt"

	"github.com/refrain-lm/refrain/internal/kernel"
	"github.com/refrain-lm/refrain/internal/parallel"
)

// Mode is what one pass over a window needs beside its data.
type Mode struct {
	Pool  *Pool // nil: the caller's goroutine alone; the bits are the same
	Train bool  // apply dropout, prepare Backward
	// Seed and Step fix the dropout masks: the same pair gives the same masks.
	// Step counts windows.
	Seed, Step uint64
	// Scratch is where passes pack weights that are not kept packed; nil: each tape
	// has its own.
	Scratch *Scratch
}

// State holds the parts of one block's state, as StateWidths lists them, each
// [B,width]. NewState adds scratch for Step behind them, [B,·] as well.
type State [][]float32

// newState returns zero parts of b lanes, then scratch of the given widths.
func newState(b int, widths []int, scratch ...int) State {
	s := make(State, 0, len(widths)+len(scratch))
	for _, w := range widths {
		s = append(s, make([]float32, b*w))
	}
	for _, n := range scratch {
		s = append(s, make([]float32, b*n))
	}
	return s
}

// Tape is what one block's Forward leaves for its Backward. The zero value is
// ready; buffers grow to the largest window seen and are reused.
type Tape struct {
	// NoInputGrad tells Backward that nobody needs dx, which is then nil.
	NoInputGrad bool
	// Trace, if not nil, receives what a recurrent block does in each window.
	Trace *Trace
	// Lookup, where it is set, says which rows of a table x consists of.
	Lookup Lookup

	steps, lanes int       // of the last Forward: T and B
	x            []float32 // [T,B,In], borrowed from the caller
	y            []float32 // [T,B,Out] of blocks without state
	dx           []float32 // [T,B,In]
	mask         []float32 // dropout: [T,B,Width], variational: [B,Width]

	// Of cells. h and c begin with the state before the window, so that
	// h[:T·B·H] are the previous states that the weight gradient needs.
	pre   []float32 // [T,B,G·H]: preactivations, then gates, after Backward their gradients
	h     []float32 // [T+1,B,H]
	c     []float32 // [T+1,B,H]
	tanhC []float32 // [T,B,H]
	aux   []float32 // gru: [T,B,H], h₋₁·U + b′ (reset after) or r⊙h₋₁ (before)
	dc    []float32 // [B,H]: gradient that reaches the cell from the step after
	drh   []float32 // gru, reset before: [B,H], the gradient of r⊙h₋₁
	sums  []float32 // [G·H]: scratch for bias gradients
	// Of cells whose x was looked up, where that made the work less.
	looked bool
	table  []float32 // [V,G·H]: what the rows of the table give, after Backward their gradients

	// Of normalised cells: rows as those of pre where the width is G·H.
	xhat  []float32 // [T,B,G·H]: x·W_ih, normalised; of a batch norm: x, normalised
	uhat  []float32 // [T,B,G·H]: h₋₁·W_hh, normalised
	draw  []float32 // [T,B,G·H]: gradient of h₋₁·W_hh
	du    []float32 // gru: [T,B,G·H], gradient of the recurrent side
	chat  []float32 // lstm: [T,B,H], c, normalised
	dn    []float32 // lstm: [T,B,H], gradient of what the output's tanh takes
	dchat []float32 // lstm: [B,H]
	rx    []float32 // [T,B] for each span: 1/√(σ²+ε) of xhat, ru of uhat, rc of chat
	ru    []float32
	rc    []float32

	inner   []Tape    // residual: of its blocks; attention: of its projections
	moments []float32 // batch norm: mean, variance and 1/√(σ²+ε), [Width] each; in a cell, for each step
	count   []float32 // batch norm in a cell: [B], steps since the reset before the window

	attention attentionTape

	packs *packs  // the block's weights, during a pass
	own   Scratch // where Mode has none

	pool    *Pool
	barrier *parallel.Barrier // of pool
}

// begin notes the window that Forward is about to run and checks its sizes.
func (t *Tape) begin(where string, tt, b, in int, x []float32) {
	if tt < 1 || b < 1 {
		panic(fmt.Sprintf("nn: %s: window of %d steps and %d lanes: want at least 1 of both", where, tt, b))
	}
	checkLen(where, "x", len(x), tt*b*in)
	t.steps, t.lanes, t.x, t.looked = tt, b, x, false
	if t.Trace != nil {
		*t.Trace = Trace{}
	}
}

// rows is the number of vectors in the window, T·B.
func (t *Tape) rows() int { return t.steps * t.lanes }

// grow returns buf with length n, keeping its memory if that is enough. The
// contents are whatever they were.
func grow(buf []float32, n int) []float32 {
	if cap(buf) < n {
		return kernel.Buffer(n)
	}
	return buf[:n]
}

// zeros is grow with all elements zero.
func zeros(buf []float32, n int) []float32 {
	buf = grow(buf, n)
	clear(buf)
	return buf
}

// walk calls f once per worker with the worker's fixed share [p0,p1) of the
// panels of units; it may be empty. All workers then run through the whole
// window, meeting at t.barrier.
func (t *Tape) walk(pool *Pool, units int, f func(p0, p1 int)) {
	t.useBarrier(pool)
	panels := (units + kernel.PanelWidth - 1) / kernel.PanelWidth
	pool.Run(func(worker int) {
		f(parallel.Split(panels, 1, pool.Size(), worker))
	})
}

// useBarrier makes t.barrier one of pool.
func (t *Tape) useBarrier(pool *Pool) {
	if t.barrier == nil || t.pool != pool {
		t.pool, t.barrier = pool, pool.NewBarrier()
	}
}

// unitRange turns panels into units: [lo,hi) of [0,units).
func unitRange(p0, p1, units int) (lo, hi int) {
	return min(p0*kernel.PanelWidth, units), min(p1*kernel.PanelWidth, units)
}
