package optim

import (
	"fmt"

	"github.com/refrain-lm/refrain/internal/kernel"
	"github.com/refrain-lm/refrain/internal/parallel"
)

// sgd is plain gradient descent.
type sgd struct {
	params []Slice
	pieces []piece
	l2     float32
	steps  int
}

func newSGD(c Config, params []Slice) *sgd {
	return &sgd{params: params, pieces: cutPieces(params), l2: float32(c.WeightDecay)}
}

func (o *sgd) Step(pool *parallel.Pool, lr, gradScale float32) {
	each(pool, o.pieces, func(c piece) {
		if p := o.params[c.slice]; p.Grad != nil {
			kernel.SGD(p.Value[c.lo:c.hi], p.Grad[c.lo:c.hi], lr, o.l2, gradScale)
		}
	})
	o.steps++
}

func (o *sgd) State() []Slice { return nil }
func (o *sgd) Steps() int     { return o.steps }
func (o *sgd) SetSteps(n int) { o.steps = wantSteps(n) }

func wantSteps(n int) int {
	if n < 0 {
		panic(fmt.Sprintf("optim: SetSteps(%d), want at least 0", n))
	}
	return n
}

// ASGD is averaged gradient descent: steps of plain SGD, and the mean of the
// parameters after each step, counted as PyTorch's ASGD (lambd=0) counts them.
// With Start t0, until step t0+2 the average is the parameters themselves; after step
// k > t0+2 it is the mean of those after steps t0+2 … k.
//
// The parameters go on as SGD alone would move them; swap the average in to
// evaluate or save it, and out again to train on:
//
//	a.Average().Swap(pool); …; a.Average().Swap(pool)
type ASGD struct {
	sgd     *sgd
	average *Average
	start   int
}

// Step is [Optimizer.Step]; it panics while the average is swapped in.
func (o *ASGD) Step(pool *parallel.Pool, lr, gradScale float32) {
	o.average.wantOut("Step")
	o.sgd.Step(pool, lr, gradScale)
	o.average.SetCount(o.averaged() - 1)
	o.average.Update(pool)
}

// averaged is the number of parameter values that the average stands for after
// the steps made.
func (o *ASGD) averaged() int {
	switch {
	case o.sgd.steps == 0:
		return 0
	case o.start < 0:
		return 1
	}
	return max(1, o.sgd.steps-o.start-1)
}

// State is the average; it panics while it is swapped in.
func (o *ASGD) State() []Slice { return o.average.State() }

// Steps is the number of steps made.
func (o *ASGD) Steps() int { return o.sgd.steps }

// SetSteps puts back a saved number of steps.
func (o *ASGD) SetSteps(n int) {
	o.sgd.SetSteps(n)
	o.average.SetCount(o.averaged())
}

// Average is the average beside the parameters, valid after the first step.
func (o *ASGD) Average() *Average { return o.average }

// Start is the number of steps before averaging begins, negative while it waits
// for StartAveraging. Save it with Steps.
func (o *ASGD) Start() int { return o.start }

// SetStart puts back a saved Start.
func (o *ASGD) SetStart(n int) {
	o.start = n
	o.average.SetCount(o.averaged())
}

// StartAveraging begins the average with the next step but one, as a PyTorch
// ASGD with t0=0 does that takes over from SGD here.
func (o *ASGD) StartAveraging() { o.start = o.sgd.steps }

// Stalled is AWD-LSTM's test for when to begin averaging (NT-ASGD: Merity,
// Keskar and Socher 2018; n = 5 there): the validation loss is worse than the
// best of the earlier ones, the last n of these left out. A NaN loss counts as
// worse.
func Stalled(earlier []float64, loss float64, n int) bool {
	if n < 0 {
		panic(fmt.Sprintf("optim: Stalled over %d losses, want at least 0", n))
	}
	if len(earlier) <= n {
		return false
	}
	for _, l := range earlier[:len(earlier)-n] {
		if l < loss || loss != loss {
			return true
		}
	}
	return false
}
