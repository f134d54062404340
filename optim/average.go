package optim

import (
	"fmt"

	"github.com/refrain-lm/refrain/internal/parallel"
)

// Average follows parameters over steps: their mean since the first Update, or
// an exponential moving average.
type Average struct {
	params  []Slice
	pieces  []piece
	values  []Slice
	decay   float64
	count   int
	swapped bool
}

// NewAverage makes an average of the parameters. With decay 0 it is the mean of
// all parameter values given to Update, as suits the last 20 to 30 % of a run;
// with 0 < decay < 1 each Update moves it by 1−decay of the way. Either way the
// first Update copies. It panics for another decay.
func NewAverage(params []Slice, decay float64) *Average {
	if !(decay >= 0 && decay < 1) {
		panic(fmt.Sprintf("optim: average with decay %v, want 0 to below 1", decay))
	}
	return newAverage(params, decay, "")
}

func newAverage(params []Slice, decay float64, prefix string) *Average {
	return &Average{params: params, pieces: cutPieces(params), values: zeros(params, prefix+"average."), decay: decay}
}

// Update takes in the parameters as they are now.
func (a *Average) Update(pool *parallel.Pool) {
	a.wantOut("Update")
	a.count++
	if a.count == 1 {
		each(pool, a.pieces, func(c piece) {
			copy(a.values[c.slice].Value[c.lo:c.hi], a.params[c.slice].Value[c.lo:c.hi])
		})
		return
	}
	weight := float32(1 / float64(a.count))
	if a.decay > 0 {
		weight = float32(1 - a.decay)
	}
	each(pool, a.pieces, func(c piece) {
		avg, now := a.values[c.slice].Value[c.lo:c.hi], a.params[c.slice].Value[c.lo:c.hi]
		for i, p := range now {
			// The conversion forbids a fused operation, which only some platforms have.
			avg[i] += float32((p - avg[i]) * weight)
		}
	})
}

// Swap exchanges the parameters and the average; a second Swap undoes it. In
// between, Update and State panic, and gradients and moments still belong to the
// parameters that are out. It panics before the first Update.
func (a *Average) Swap(pool *parallel.Pool) {
	if a.count == 0 {
		panic("optim: Swap of an average without an Update")
	}
	each(pool, a.pieces, func(c piece) {
		avg, now := a.values[c.slice].Value[c.lo:c.hi], a.params[c.slice].Value[c.lo:c.hi]
		for i, p := range now {
			now[i], avg[i] = avg[i], p
		}
	})
	a.swapped = !a.swapped
}

// Reset forgets everything; the next Update copies.
func (a *Average) Reset() {
	a.wantOut("Reset")
	a.count = 0
}

// State is the average's own memory, to be saved or written to together with
// Count.
func (a *Average) State() []Slice {
	a.wantOut("State")
	return a.values
}

// Count is the number of Updates since the start or the last Reset.
func (a *Average) Count() int { return a.count }

// SetCount puts back a saved Count.
func (a *Average) SetCount(n int) { a.count = wantSteps(n) }

func (a *Average) wantOut(what string) {
	if a.swapped {
		panic("optim: " + what + " while the average is swapped in, want a second Swap first")
	}
}
