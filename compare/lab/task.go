package lab

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// The tasks.
const (
	// Recall: the first symbol of a sequence is one of four, distractors follow,
	// and lag steps after it the network is asked for it. After the second
	// experiment of Hochreiter and Schmidhuber (1997).
	Recall = "recall"
	// Copy: ten symbols out of eight, lag−1 blanks, a sign, and then the ten
	// symbols again, in their order: each lag+10 steps after it was shown
	// (Hochreiter and Schmidhuber 1997, as in Arjovsky, Shah and Bengio 2016).
	Copy = "copy"
	// Adding: lag pairs of a number from [0,1) and a mark. One number of each half
	// is marked; at the end the sum of the two is asked for (Hochreiter and
	// Schmidhuber 1997, as in Le, Jaitly and Hinton 2015).
	Adding = "adding"
)

// Tasks lists the tasks.
func Tasks() []string { return []string{Recall, Copy, Adding} }

const (
	recallKinds = 4 // symbols to be kept
	distractors = 4
	copyKinds   = 8
	copyLength  = 10
	minLag      = 2 // adding needs two halves
)

// Task is a problem that cannot be solved unless something crosses the lag.
type Task struct {
	Name string `json:"name"`
	Lag  int    `json:"lag"`
}

// steps is the length of a sequence.
func (t Task) steps() int {
	switch t.Name {
	case Recall:
		return t.Lag + 1
	case Copy:
		return t.Lag + 2*copyLength
	}
	return t.Lag
}

// unhurried is the longest sequence, in steps of time, whose runs get all the steps
// that they may make.
const unhurried = 200

// Most is how many of so many steps of training a run on the task may make: of
// sequences longer than 200 fewer in proportion, so that no run reads more than
// 200 steps of time a step of training, on average.
func (t Task) Most(steps int64) int64 {
	return max(1, steps*unhurried/int64(max(unhurried, t.steps())))
}

// units is the width of a network for the task: ten symbols out of eight are 30
// bits, which take more units than one symbol or a sum.
func (t Task) units(hidden int) int {
	if t.Name == Copy {
		return 2 * hidden
	}
	return hidden
}

// in is the width of the input: one of a symbol's kind, or number and mark.
func (t Task) in() int {
	switch t.Name {
	case Recall:
		return recallKinds + distractors + 1
	case Copy:
		return copyKinds + 2
	}
	return 2
}

// classes is the number of answers to choose from, 0 where the answer is a number.
func (t Task) classes() int {
	switch t.Name {
	case Recall:
		return recallKinds
	case Copy:
		return copyKinds
	}
	return 0
}

// Chance is the loss of a network that has seen nothing, and answers with what is
// right most often or on average: nats an answer, or the mean square of the sum's
// error.
func (t Task) Chance() float64 {
	if n := t.classes(); n > 0 {
		return math.Log(float64(n))
	}
	return 1. / 6 // twice the variance 1/12 of a number from [0,1)
}

func (t Task) check() error {
	if t.Lag < minLag || t.Lag > 1<<20 {
		return fmt.Errorf("a lag of %d: want %d to %d", t.Lag, minLag, 1<<20)
	}
	return nil
}

// batch is B sequences side by side.
type batch struct {
	steps, lanes int
	x            []float32 // [T,B,In]
	want         []int32   // [T,B], −1 where nothing is asked; nil where the answer is a number
	sum          []float32 // [B], asked for at the last step, where it is
}

// batch draws sequences.
func (t Task) batch(r *rand.Rand, lanes int) batch {
	b := batch{steps: t.steps(), lanes: lanes}
	b.x = make([]float32, b.steps*lanes*t.in())
	if t.Name == Adding {
		b.adding(r)
		return b
	}
	b.want = make([]int32, b.steps*lanes)
	for i := range b.want {
		b.want[i] = -1
	}
	for lane := range lanes {
		put := func(step, symbol int) { b.x[(step*lanes+lane)*t.in()+symbol] = 1 }
		ask := func(step, symbol int) { b.want[step*lanes+lane] = int32(symbol) }
		if t.Name == Recall {
			t.recall(r, put, ask)
		} else {
			t.copy(r, put, ask)
		}
	}
	return b
}

func (t Task) recall(r *rand.Rand, put, ask func(step, symbol int)) {
	first := r.IntN(recallKinds)
	put(0, first)
	for s := 1; s < t.Lag; s++ {
		put(s, recallKinds+r.IntN(distractors))
	}
	put(t.Lag, recallKinds+distractors)
	ask(t.Lag, first)
}

func (t Task) copy(r *rand.Rand, put, ask func(step, symbol int)) {
	const blank, sign = copyKinds, copyKinds + 1
	for i := range copyLength {
		symbol := r.IntN(copyKinds)
		put(i, symbol)
		ask(t.Lag+copyLength+i, symbol)
	}
	for s := copyLength; s < t.steps(); s++ {
		if s == t.Lag+copyLength-1 {
			put(s, sign)
		} else {
			put(s, blank)
		}
	}
}

func (b *batch) adding(r *rand.Rand) {
	b.sum = make([]float32, b.lanes)
	for lane := range b.lanes {
		half := b.steps / 2
		first, second := r.IntN(half), half+r.IntN(b.steps-half)
		for s := range b.steps {
			pair := b.x[(s*b.lanes+lane)*2:]
			pair[0] = float32(r.Float64())
			if s == first || s == second {
				pair[1] = 1
				b.sum[lane] += pair[0]
			}
		}
	}
}
