package probe

import (
	"fmt"

	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/nn"
)

// Options says where to look. Zero fields mean what their comments say.
type Options struct {
	Lags    int      // longest lag in tokens; 0: 64
	Targets int      // places in the text, evenly spaced, from each of which Lags tokens are looked back; 0: 64
	Warm    int      // tokens read before each window, so that states are lived in; 0: as Lags
	Pool    *nn.Pool // nil: the caller's goroutine alone
}

func (o Options) withDefaults() Options {
	if o.Lags < 1 {
		o.Lags = 64
	}
	if o.Targets < 1 {
		o.Targets = 64
	}
	if o.Warm < 1 {
		o.Warm = o.Lags
	}
	return o
}

// maxLanes is how many windows run abreast: it bounds the memory that a wide
// model takes.
const maxLanes = 32

// windows calls f for the windows of o, some of them abreast: warm [Warm,B] and in
// [Lags+1,B] are ids, next [B] is the id that follows each window.
func (o Options) windows(r data.Reader, f func(warm, in, next []int32)) error {
	size := int64(o.Warm + o.Lags + 2)
	if r.Len() < size {
		return fmt.Errorf("probe: %d tokens are too few to look back %d after reading %d: give more text or fewer lags", r.Len(), o.Lags, o.Warm)
	}
	window := make([]int32, size)
	for first := 0; first < o.Targets; first += maxLanes {
		lanes := min(maxLanes, o.Targets-first)
		ids := make([]int32, int(size)*lanes)
		for lane := range lanes {
			if err := r.Read(window, (r.Len()-size)*int64(first+lane)/int64(max(1, o.Targets-1))); err != nil {
				return fmt.Errorf("probe: %w", err)
			}
			for s, id := range window {
				ids[s*lanes+lane] = id
			}
		}
		f(ids[:o.Warm*lanes], ids[o.Warm*lanes:(o.Warm+o.Lags+1)*lanes], ids[(o.Warm+o.Lags+1)*lanes:])
	}
	return nil
}
