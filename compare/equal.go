package compare

import (
	"fmt"
	"math"

	"github.com/refrain-lm/refrain/lm"
)

// tolerance is how far from the reference's parameters a model may be.
const tolerance = 0.01

// widest is the widest layer that the solver looks at.
const widest = 1 << 16

// SolveWidth returns the hidden width at which config has as near as possible to
// want trainable scalars, of equals the smallest. Widths that config refuses are
// passed over. More than 1 % off is an error.
func SolveWidth(name string, want int64, config func(width int) lm.Config) (int, error) {
	best, off := nearestWidth(want, config)
	if best == 0 {
		return 0, fmt.Errorf("%s: no width is possible with these settings: %w", name, config(nearWidths).Validate())
	}
	if off > tolerance {
		return 0, fmt.Errorf("%s cannot have the %d parameters of the reference: with %d hidden units it has %d, %.1f %% off; take --nhid larger, or --emsize smaller",
			name, want, best, config(best).Params(), 100*off)
	}
	return best, nil
}

// nearestWidth is the width whose parameters come nearest to want, and how far they
// are off; 0 where config refuses all.
func nearestWidth(want int64, config func(width int) lm.Config) (best int, off float64) {
	lo, hi := 1, widest // the first width from which on there are enough
	for lo < hi {
		if mid := (lo + hi) / 2; config(mid).Params() < want {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	// A projection that falls away where widths are equal bends the curve: the
	// embedding's own width is a candidate, too.
	candidates := []int{config(1).EmSize}
	for h := max(1, lo-nearWidths); h <= lo+nearWidths; h++ {
		candidates = append(candidates, h)
	}
	off = math.Inf(1)
	for _, h := range candidates {
		c := config(h)
		if h < 1 || c.Validate() != nil {
			continue
		}
		d := math.Abs(float64(c.Params()-want)) / float64(want)
		if d < off || d == off && h < best {
			best, off = h, d
		}
	}
	return best, off
}

// nearWidths is how far around the crossing the solver looks, for kinds that take
// only some widths.
const nearWidths = 64

// SolveTransformer returns the width and the width after attention at which config
// has as near as possible to want trainable scalars. The width is the multiple of
// eight with which the other comes nearest to four times as much, as is usual; the
// other has no more than a few hundred scalars for each unit, so it fits. More than
// 1 % off is an error.
func SolveTransformer(want int64, config func(hidden, feedforward int) lm.Config) (hidden, feedforward int, err error) {
	best := math.Inf(1)
	for h := 8; h <= widest && config(h, 1).Params() < want; h += 8 {
		first := config(h, 1).Params()
		unit := config(h, 2).Params() - first
		f := int(1 + (want-first+unit/2)/unit)
		if off := math.Abs(math.Log(float64(f) / float64(4*h))); off < best && config(h, f).Validate() == nil {
			best, hidden, feedforward = off, h, f
		}
	}
	if hidden == 0 {
		return 0, 0, fmt.Errorf("a transformer cannot have as few as the %d parameters of the reference; take --nhid larger, or --heads that divide a multiple of 8", want)
	}
	if off := math.Abs(float64(config(hidden, feedforward).Params()-want)) / float64(want); off > tolerance {
		return 0, 0, fmt.Errorf("a transformer cannot have the %d parameters of the reference: %s is %.1f %% off; take --nhid larger", want, config(hidden, feedforward), 100*off)
	}
	return hidden, feedforward, nil
}
