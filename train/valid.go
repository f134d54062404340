package train

import (
	"context"
	"fmt"

	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/lm"
	"github.com/refrain-lm/refrain/nn"
)

const (
	validLanes  = 64  // chunks of the validation part, whatever the batch flags say
	validWarmup = 128 // tokens read before a chunk's first counted one
	validWindow = 128 // tokens a lane and product; changes no bit
)

// validator measures a model on fixed chunks of the validation part. Chunk l
// covers the targets l·chunk+1 … (l+1)·chunk and starts up to validWarmup
// tokens earlier from a zero state; those are read but not counted. Its loss
// is a little above that of eval, which reads the part as one stream.
type validator struct {
	ids   []int32
	lanes int
	chunk int
	tape  lm.Tape
	state *lm.State
	in    []int32
	want  []int32
	out   []float32
}

// newValidator reads the first most ids of r (all for most < 1).
func newValidator(r data.Reader, most int64) (*validator, error) {
	n := r.Len()
	if most > 0 && n > most {
		n = most
	}
	if n < 2 {
		return nil, fmt.Errorf("train: a validation part of %d tokens predicts nothing; give more text or --valid FILE", n)
	}
	ids := make([]int32, n)
	if err := r.Read(ids, 0); err != nil {
		return nil, fmt.Errorf("train: validation part: %w", err)
	}
	lanes := int(min(validLanes, max(1, (n-1)/(2*validWarmup))))
	return &validator{ids: ids, lanes: lanes, chunk: (int(n) - 1 + lanes - 1) / lanes}, nil
}

// steps is the number of time steps each lane takes.
func (v *validator) steps() int {
	if v.lanes == 1 {
		return v.chunk
	}
	return v.chunk + validWarmup
}

// loss returns nats a counted target.
func (v *validator) loss(ctx context.Context, m *lm.Model, mode nn.Mode) (float64, error) {
	mode.Train = false
	v.tape.Mode = mode
	if v.state == nil {
		v.state = m.NewState(v.lanes)
	}
	v.state.Reset()
	var sum float64
	var count int
	for t0 := 0; t0 < v.steps(); t0 += validWindow {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		v.fill(t0, min(validWindow, v.steps()-t0))
		s, n := m.Loss(&v.tape, v.in, v.want, v.state)
		sum += s
		count += n
	}
	return sum / float64(count), nil
}

// fill makes the window of time steps t0 to t0+n.
func (v *validator) fill(t0, n int) {
	if need := n * v.lanes; cap(v.in) < need {
		v.in, v.want = make([]int32, need), make([]int32, need)
	}
	v.in, v.want = v.in[:n*v.lanes], v.want[:n*v.lanes]
	last := len(v.ids) - 1
	for l := range v.lanes {
		first := l * v.chunk // the input before this chunk's first target
		begin := max(0, first-validWarmup)
		for t := range n {
			at := begin + t0 + t
			k := t*v.lanes + l
			v.in[k], v.want[k] = v.ids[min(at, last)], -1
			if at >= first && at < first+v.chunk && at < last {
				v.want[k] = v.ids[at+1]
			}
		}
	}
}
