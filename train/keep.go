package train

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/refrain-lm/refrain/checkpoint"
	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/lm"
	"github.com/refrain-lm/refrain/optim"
)

// RunState is where a run stands, apart from its arrays: state.json.
type RunState struct {
	Step        int64         `json:"step"`  // steps done
	Steps       int64         `json:"steps"` // steps planned
	LRScale     float64       `json:"lr_scale"`
	Divergences int           `json:"divergences"`
	Cursor      data.Cursor   `json:"cursor"`
	OptSteps    int           `json:"optimizer_steps"`
	Averaged    int           `json:"averaged"` // weights in the mean of the tail
	Plateau     optim.Plateau `json:"plateau"`
	Best        float64       `json:"best"`
	BestStep    int64         `json:"best_step"` // −1: none yet
	Validated   int64         `json:"validated"` // step of the last validation
	Waited      int           `json:"waited"`    // validations since the best
	Smooth      float64       `json:"smooth"`    // running mean of the loss, and its minimum
	SmoothMin   float64       `json:"smooth_min"`
	LossSum     float64       `json:"loss_sum"` // of the report interval under way
	LossCount   int           `json:"loss_count"`
	Hits        int           `json:"hits"`
}

// Snapshot is everything a run needs to go on to the bit: weights, optimizer,
// averages and recurrent state by name, and where it stands.
type Snapshot struct {
	Run     RunState
	Tensors []checkpoint.Tensor
}

// Keeper stores a run's snapshots and its best weights.
type Keeper interface {
	Save(Snapshot) error
	Last() (Snapshot, error)            // ErrNoSnapshot if nothing was saved
	KeepBest([]checkpoint.Tensor) error // the weights by name
	LoadBest(*lm.Model) error
}

// ErrNoSnapshot says that a Keeper is empty.
var ErrNoSnapshot = errors.New("train: nothing saved yet")

// memory keeps the last snapshot and the best weights as copies.
type memory struct {
	last *Snapshot
	best []checkpoint.Tensor
}

func (k *memory) Save(s Snapshot) error {
	s.Tensors = clone(s.Tensors)
	k.last = &s
	return nil
}

func (k *memory) Last() (Snapshot, error) {
	if k.last == nil {
		return Snapshot{}, ErrNoSnapshot
	}
	return *k.last, nil
}

func (k *memory) KeepBest(weights []checkpoint.Tensor) error {
	k.best = clone(weights)
	return nil
}

func (k *memory) LoadBest(m *lm.Model) error {
	if k.best == nil {
		return nil
	}
	return m.SetTensors(k.best)
}

func clone(ts []checkpoint.Tensor) []checkpoint.Tensor {
	out := slices.Clone(ts)
	for i := range out {
		out[i].Data = slices.Clone(out[i].Data)
	}
	return out
}

// modelPrefix stands before the names of the weights among a run's arrays.
const modelPrefix = "model."

// arrays names every array of the run; the slices are the live ones.
func (t *trainer) arrays() []checkpoint.Tensor {
	var out []checkpoint.Tensor
	add := func(prefix, name string, data []float32) {
		out = append(out, checkpoint.Tensor{Name: prefix + name, Shape: []int{len(data)}, Data: data})
	}
	for _, p := range t.m.Params() {
		add(modelPrefix, p.Name, p.Value)
	}
	for _, s := range t.opt.State() {
		add("optimizer.", s.Name, s.Value)
	}
	if t.tail {
		for _, s := range t.avg.State() {
			add("average.", s.Name, s.Value)
		}
	}
	for _, p := range t.m.StateParts(t.state) {
		add("", p.Name, p.Values)
	}
	return out
}

// keepBest hands weights to the keeper. Where it cannot take them a copy waits;
// save tries again, before it saves a state that knows of them.
func (t *trainer) keepBest(weights []checkpoint.Tensor) error {
	if err := t.keep.KeepBest(weights); err != nil {
		t.waiting = clone(weights)
		return fmt.Errorf("train: saving the best model: %w", err)
	}
	t.waiting = nil
	return nil
}

// keepWaiting keeps the best weights if they still wait for that.
func (t *trainer) keepWaiting() error {
	if t.waiting == nil {
		return nil
	}
	return t.keepBest(t.waiting)
}

// goOn tells of something that could not be saved now, at most once a minute;
// the next save tries again.
func (t *trainer) goOn(err error) {
	if time.Since(t.warned) < time.Minute {
		return
	}
	t.warned = time.Now()
	text := strings.TrimPrefix(err.Error(), "train: ")
	t.emit(Event{Kind: EventWarning, Text: text + "; training goes on, and the next save tries again"})
}

// save hands the run's state to the keeper.
func (t *trainer) save() error {
	if err := t.keepWaiting(); err != nil {
		return err
	}
	r := t.run
	r.Cursor, r.OptSteps = t.feed.Cursor(), t.opt.Steps()
	r.LossSum, r.LossCount, r.Hits = t.lossSum, t.lossCount, t.hits
	if t.tail {
		r.Averaged = t.avg.Count()
	}
	if err := t.keep.Save(Snapshot{Run: r, Tensors: t.arrays()}); err != nil {
		return fmt.Errorf("train: saving step %d: %w", t.run.Step, err)
	}
	t.saved = t.run.Step
	t.emit(Event{Kind: EventSave})
	return nil
}

// restore goes to the keeper's last snapshot; found is false if there is none.
func (t *trainer) restore() (found bool, err error) {
	s, err := t.keep.Last()
	if errors.Is(err, ErrNoSnapshot) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	saved := make(map[string][]float32, len(s.Tensors))
	for _, a := range s.Tensors {
		saved[a.Name] = a.Data
	}
	for _, a := range t.arrays() {
		from, ok := saved[a.Name]
		if !ok || len(from) != len(a.Data) {
			return false, fmt.Errorf("train: checkpoint of step %d has no %s of %d values: it is of another model", s.Run.Step, a.Name, len(a.Data))
		}
		copy(a.Data, from)
	}
	if err := t.feed.Seek(s.Run.Cursor); err != nil {
		return false, fmt.Errorf("train: checkpoint of step %d: %w", s.Run.Step, err)
	}
	t.run, t.saved = s.Run, s.Run.Step
	t.opt.SetSteps(s.Run.OptSteps)
	if t.tail {
		t.avg.SetCount(s.Run.Averaged)
	}
	if t.run.Step <= t.opts.From {
		t.beginPhase()
	}
	t.lossSum, t.lossCount, t.hits = s.Run.LossSum, s.Run.LossCount, s.Run.Hits
	t.m.Refresh(t.pool, true)
	return true, nil
}

// beginPhase forgets, at the first step of a new phase, what belonged to the
// one before.
func (t *trainer) beginPhase() {
	t.run.Steps, t.run.LRScale, t.run.Divergences, t.run.Waited = t.opts.Steps, 1, 0, 0
	t.run.Plateau = optim.Plateau{}
	if t.tail {
		t.avg.Reset()
	}
}
