package probe

import (
	"fmt"
	"math"
	"slices"

	"github.com/refrain-lm/refrain/lm"
)

// Move is what one token of a text changes in a model.
type Move struct {
	ID int32
	// Output is the Jensen-Shannon divergence, in bits from 0 to 1, between what
	// the model predicts after the token and what it did before it.
	Output float64
	// State is the root mean square over the units of the change of h in the top
	// layer.
	State float64
}

// Moves reads ids from a zero state and tells what each token but the first
// changes: a model whose output is a staircase rests on most tokens and jumps
// at few.
func Moves(m *lm.Model, ids []int32) ([]Move, error) {
	if len(ids) < 2 {
		return nil, fmt.Errorf("probe: %d tokens are too few to see a model move", len(ids))
	}
	stepper := m.NewStepper(nil)
	var before, after, hBefore, h []float64
	var out []Move
	for i, id := range ids {
		before, after = after, softmax(before[:0], stepper.Step(id))
		hBefore, h = h, append(hBefore[:0], widen(stepper.Top())...)
		if i > 0 {
			out = append(out, Move{id, jensenShannon(before, after), rootMeanSquare(hBefore, h)})
		}
	}
	return out, nil
}

// LargestTenth is the share of all movement that the largest tenth of the moves
// makes: a tenth where all are alike, 1 where nothing else moves.
func LargestTenth(moves []float64) float64 {
	moves = slices.Clone(moves)
	slices.Sort(moves)
	sum, top := 0.0, 0.0
	for i, v := range moves {
		sum += v
		if i >= len(moves)-(len(moves)+9)/10 {
			top += v
		}
	}
	return top / sum
}

func widen(x []float32) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}

// softmax appends the probabilities of the logits to dst.
func softmax(dst []float64, logits []float32) []float64 {
	most, sum := float64(slices.Max(logits)), 0.0
	for _, v := range logits {
		dst = append(dst, math.Exp(float64(v)-most))
		sum += dst[len(dst)-1]
	}
	for i := range dst {
		dst[i] /= sum
	}
	return dst
}

// jensenShannon is the mean Kullback-Leibler divergence, in bits, of p and q from
// their mean (Lin 1991).
func jensenShannon(p, q []float64) float64 {
	sum := 0.0
	for i := range p {
		mean := (p[i] + q[i]) / 2
		for _, v := range []float64{p[i], q[i]} {
			if v > 0 {
				sum += v * math.Log2(v/mean)
			}
		}
	}
	return max(0, sum/2)
}

func rootMeanSquare(a, b []float64) float64 {
	sum := 0.0
	for i := range a {
		sum += (a[i] - b[i]) * (a[i] - b[i])
	}
	return math.Sqrt(sum / float64(len(a)))
}
