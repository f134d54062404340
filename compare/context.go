package compare

import (
	"context"

	"github.com/refrain-lm/refrain/eval"
	"github.com/refrain-lm/refrain/nn"
)

const (
	longestContext = 512
	contextLanes   = 100 // targets looked at side by side; changes no bit
	contextWindow  = 64
)

// contextLengths are 1, 2, 4, … up to most.
func contextLengths(most int) []int {
	var lengths []int
	for k := 1; k <= most; k *= 2 {
		lengths = append(lengths, k)
	}
	return lengths
}

// contextTargets are n places of the test text, evenly spread over what has most
// tokens before it.
func contextTargets(t testPart, n, most int) []int {
	room := len(t.ids) - most
	n = min(n, room)
	targets := make([]int, 0, max(n, 0))
	for i := range n {
		targets = append(targets, most+i*room/n)
	}
	return targets
}

// contextUse is the mean loss of the targets when only so many tokens before each
// are shown, from a fresh state (Khandelwal et al. 2018).
func contextUse(ctx context.Context, m *eval.Model, t testPart, targets []int, most int, pool *nn.Pool) (*Context, error) {
	if len(targets) == 0 {
		return nil, nil
	}
	use := &Context{Lengths: contextLengths(most)}
	for _, k := range use.Lengths {
		var sum float64
		for rest := targets; len(rest) > 0; {
			lanes := min(contextLanes, len(rest))
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			sum += lossAfter(m, t, rest[:lanes], k, pool)
			rest = rest[lanes:]
		}
		use.Loss = append(use.Loss, sum/float64(len(targets)))
	}
	return use, nil
}

// lossAfter sums the losses of the targets, each after k tokens from a fresh state.
func lossAfter(m *eval.Model, t testPart, targets []int, k int, pool *nn.Pool) float64 {
	b := len(targets)
	scorer := m.Predictor.NewScorer(b, pool)
	var sum float64
	for t0 := 0; t0 < k; t0 += contextWindow {
		n := min(contextWindow, k-t0)
		in, want, out := make([]int32, n*b), make([]int32, n*b), make([]float32, n*b)
		for lane, at := range targets {
			for i := range n {
				in[i*b+lane], want[i*b+lane] = t.ids[at-k+t0+i], -1
			}
			if t0+n == k {
				want[(n-1)*b+lane] = t.ids[at]
			}
		}
		scorer.Score(in, want, out)
		if t0+n == k {
			for _, lp := range out[(n-1)*b:] {
				sum -= float64(lp)
			}
		}
	}
	return sum
}
