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
	validWindow = 128 // tokens a lane and product at most
)

// windowOf is how many tokens of a lane are looked at together: fewer where a
// model keeps much of each, so that they fit 256 MB.
func windowOf(c lm.Config) int64 {
	const most = 256 << 20 / 4 / validLanes
	return min(validWindow, max(16, most/max(1, activations(c))/16*16)) // a plan that was cut short has no model yet
}

// validation measures the weights of a run as they are.
type validation interface {
	measure(ctx context.Context, m *lm.Model, mode nn.Mode) (score, error)
}

// score is what a validation finds.
type score struct {
	loss     float64 // nats a counted target
	accuracy float64 // share of them that were the model's first choice
}

// validation is what the options ask for, nil for none.
func (o Options) validation() (validation, error) {
	switch {
	case o.ValidFeed != nil:
		return &feedValidator{feed: o.ValidFeed}, nil
	case o.Valid != nil:
		return newValidator(o.Valid, o.ValidMax)
	}
	return nil, nil
}

// tally adds up windows.
type tally struct {
	nll   float64
	count int
	hits  int
}

func (s *tally) add(m *lm.Model, t *lm.Tape, in, want []int32, state *lm.State) {
	nll, n := m.Loss(t, in, want, state)
	s.nll += nll
	s.count += n
	s.hits += t.Hits()
}

func (s *tally) score() score {
	return score{loss: s.nll / float64(s.count), accuracy: float64(s.hits) / float64(s.count)}
}

// feedValidator measures a model on one pass of a feed.
type feedValidator struct {
	feed  Feed
	tape  lm.Tape
	state *lm.State
	batch data.Batch
}

func (v *feedValidator) measure(ctx context.Context, m *lm.Model, mode nn.Mode) (score, error) {
	mode.Train = false
	v.tape.Mode = mode
	if v.state == nil {
		v.state = m.NewState(v.feed.Lanes())
	}
	if err := v.feed.Seek(data.Cursor{}); err != nil {
		return score{}, fmt.Errorf("train: validation part: %w", err)
	}
	var all tally
	for range v.feed.Windows() {
		if err := ctx.Err(); err != nil {
			return score{}, err
		}
		if err := v.feed.Next(&v.batch); err != nil {
			return score{}, fmt.Errorf("train: validation part: %w", err)
		}
		if v.batch.Reset {
			v.state.Reset()
		}
		all.add(m, &v.tape, v.batch.Inputs, v.batch.Targets, v.state)
	}
	return all.score(), nil
}

// validator measures a model on fixed chunks of the validation part. Chunk l
// covers the targets l·chunk+1 … (l+1)·chunk and starts up to validWarmup
// tokens earlier from a zero state; those are read but not counted. Its loss
// is a little above that of eval, which reads the part as one stream.
type validator struct {
	r     data.Reader
	n     int64 // ids of r looked at
	lanes int
	chunk int64
	tape  lm.Tape
	state *lm.State
	in    []int32
	want  []int32
	lane  []int32
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
	lanes, chunk := validChunks(n)
	return &validator{r: r, n: n, lanes: int(lanes), chunk: chunk}, nil
}

// validChunks is how many chunks n ids are cut into, and the targets of each.
func validChunks(n int64) (lanes, chunk int64) {
	lanes = min(validLanes, max(1, (n-1)/(2*validWarmup)))
	return lanes, (n - 1 + lanes - 1) / lanes
}

// ValidationReads is the number of tokens that a model reads in a validation on n
// ids: those that count, and those before them that do not.
func ValidationReads(n int64) int64 {
	lanes, chunk := validChunks(n)
	v := validator{lanes: int(lanes), chunk: chunk}
	return lanes * v.steps()
}

// steps is the number of time steps each lane takes.
func (v *validator) steps() int64 {
	if v.lanes == 1 {
		return v.chunk
	}
	return v.chunk + validWarmup
}

func (v *validator) measure(ctx context.Context, m *lm.Model, mode nn.Mode) (score, error) {
	mode.Train = false
	v.tape.Mode = mode
	if v.state == nil {
		v.state = m.NewState(v.lanes)
	}
	v.state.Reset()
	var all tally
	window := windowOf(m.Config())
	for t0 := int64(0); t0 < v.steps(); t0 += window {
		if err := ctx.Err(); err != nil {
			return score{}, err
		}
		if err := v.fill(t0, int(min(window, v.steps()-t0))); err != nil {
			return score{}, fmt.Errorf("train: validation part: %w", err)
		}
		all.add(m, &v.tape, v.in, v.want, v.state)
	}
	return all.score(), nil
}

// fill makes the window of time steps t0 to t0+n, reading no more than it: the
// validation part of a large text does not fit in memory.
func (v *validator) fill(t0 int64, n int) error {
	if need := n * v.lanes; cap(v.in) < need {
		v.in, v.want = make([]int32, need), make([]int32, need)
		v.lane = make([]int32, n+1)
	}
	v.in, v.want = v.in[:n*v.lanes], v.want[:n*v.lanes]
	for l := range v.lanes {
		first := int64(l) * v.chunk // the input before this chunk's first target
		at := max(0, first-validWarmup) + t0
		have := int(max(0, min(int64(n)+1, v.n-at))) // the last chunk may end early
		clear(v.lane)
		if have > 0 {
			if err := v.r.Read(v.lane[:have], at); err != nil {
				return err
			}
		}
		for t := range n {
			k := t*v.lanes + l
			v.in[k], v.want[k] = v.lane[t], -1
			if i := at + int64(t); i >= first && i < first+v.chunk && t+1 < have {
				v.want[k] = v.lane[t+1]
			}
		}
	}
	return nil
}
