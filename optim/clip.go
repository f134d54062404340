package optim

import (
	"math"

	"github.com/refrain-lm/refrain/internal/kernel"
	"github.com/refrain-lm/refrain/internal/parallel"
)

// GlobalNorm is the Euclidean norm of all gradients together, summed in float64
// by a tree that the lengths fix, slice after slice. It is NaN or +Inf exactly
// when a gradient is: look before you step.
func GlobalNorm(pool *parallel.Pool, params []Slice) float64 {
	sum := 0.0
	for _, p := range params {
		sum += kernel.SumSquaresPool(pool, p.Grad)
	}
	return math.Sqrt(sum)
}

// ClipScale is the factor that brings gradients of the given norm down to max,
// as PyTorch's clip_grad_norm_ computes it: min(1, max/(norm+1e-6)). A max of 0
// or less does not clip. For a norm that is not finite it is NaN, so that it
// cannot pass for a good step.
func ClipScale(norm, max float64) float32 {
	switch {
	case !isFinite(norm):
		return float32(math.NaN())
	case max <= 0:
		return 1
	}
	return float32(min(1, max/(norm+1e-6)))
}

// ClipValue limits every gradient to [−max, max] and returns how many were
// beyond. A max of 0 or less does not clip; NaN stays.
func ClipValue(params []Slice, max float32) (clipped int) {
	if max <= 0 {
		return 0
	}
	for _, p := range params {
		for i, g := range p.Grad {
			if g > max {
				p.Grad[i] = max
				clipped++
			} else if g < -max {
				p.Grad[i] = -max
				clipped++
			}
		}
	}
	return clipped
}
