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
func SolveWidth(name string, want int64, config func(hidden int) lm.Config) (int, error) {
	lo, hi := 1, widest // the first width from which on there are enough
	for lo < hi {
		if mid := (lo + hi) / 2; config(mid).Params() < want {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	best, off := 0, math.Inf(1)
	// A projection that falls away where widths are equal bends the curve: the
	// embedding's own width is a candidate, too.
	candidates := []int{config(1).EmSize}
	for h := max(1, lo-nearWidths); h <= lo+nearWidths; h++ {
		candidates = append(candidates, h)
	}
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
	if best == 0 {
		return 0, fmt.Errorf("%s: no hidden width is possible with these settings: %w", name, config(lo).Validate())
	}
	if off > tolerance {
		return 0, fmt.Errorf("%s cannot have the %d parameters of the reference: with %d hidden units it has %d, %.1f %% off; take --nhid larger, or --emsize smaller",
			name, want, best, config(best).Params(), 100*off)
	}
	return best, nil
}

// nearWidths is how far around the crossing the solver looks, for kinds that take
// only some widths.
const nearWidths = 64
