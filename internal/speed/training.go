package speed

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/refrain-lm/refrain/internal/parallel"
	"github.com/refrain-lm/refrain/lm"
	"github.com/refrain-lm/refrain/nn"
	"github.com/refrain-lm/refrain/optim"
)

// Work is a model and how it is trained.
type Work struct {
	Cell      lm.Cell `json:"cell"`
	Vocab     int     `json:"vocab"`
	EmSize    int     `json:"emsize"`
	Hidden    int     `json:"nhid"`
	Layers    int     `json:"nlayers"`
	Batch     int     `json:"batch"`
	BPTT      int     `json:"bptt"`
	Optimizer string  `json:"optimizer"`
	LR        float64 `json:"lr"`
	Clip      float64 `json:"clip"` // 0: none
	BFloat16  bool    `json:"bfloat16,omitempty"`
}

// NewModel makes the model, with PyTorch's initial weights and seed 1.
func (w Work) NewModel() (*lm.Model, error) {
	return lm.New(lm.Config{Cell: w.Cell, Vocab: w.Vocab, EmSize: w.EmSize, Hidden: w.Hidden, Layers: w.Layers},
		nn.InitConfig{Name: nn.InitPyTorch}, 1)
}

// Tokens is how many a step trains on.
func (w Work) Tokens() int { return w.Batch * w.BPTT }

// Operations is how many a token costs in training: six for every weight that
// takes part in a product, two forward and four back.
func (w Work) Operations() float64 {
	weights := w.Hidden * w.Vocab
	for in, l := w.EmSize, 0; l < w.Layers; in, l = w.Hidden, l+1 {
		weights += w.Cell.Gates() * w.Hidden * (in + w.Hidden)
	}
	return 6 * float64(weights)
}

// Training is what train.Run does at each step, with nothing around it.
type Training struct {
	// Parts has the seconds of each part of all steps since the warm-up.
	Parts map[string]float64

	work      Work
	pool      *parallel.Pool
	model     *lm.Model
	state     *lm.State
	tape      lm.Tape
	params    []optim.Slice
	optimizer optim.Optimizer
	random    *rand.Rand
	in, want  []int32 // [T,B]
	loss      float64 // of the last step
	last      time.Time
}

// NewTraining makes a model and runs two steps, in which buffers grow.
func NewTraining(w Work, pool *parallel.Pool) (*Training, error) {
	t, err := begin(w, pool)
	if err != nil {
		return nil, err
	}
	t.Steps(2)
	t.Parts = map[string]float64{}
	return t, nil
}

// Window is what a step trained on, [T,B] each, and its loss in nats a token.
type Window struct {
	In, Want []int32
	Loss     float64
}

// Losses trains a new model, given to start before the first of n steps.
func Losses(w Work, pool *parallel.Pool, n int, start func(*lm.Model) error) ([]Window, error) {
	t, err := begin(w, pool)
	if err != nil {
		return nil, err
	}
	if err := start(t.model); err != nil {
		return nil, err
	}
	windows := make([]Window, n)
	for i := range windows {
		t.draw()
		t.step()
		windows[i] = Window{slices.Clone(t.in), slices.Clone(t.want), t.loss}
	}
	return windows, nil
}

// begin makes a model and what trains it.
func begin(w Work, pool *parallel.Pool) (*Training, error) {
	model, err := w.NewModel()
	if err != nil {
		return nil, err
	}
	model.UseBFloat16(w.BFloat16)
	t := &Training{work: w, pool: pool, model: model, state: model.NewState(w.Batch), random: rand.New(rand.NewPCG(7, 7))}
	model.Refresh(pool, true)
	for _, p := range model.Params() {
		p.ZeroGrad()
		t.params = append(t.params, optim.Slice{Name: p.Name, Value: p.Value, Grad: p.Grad})
	}
	if t.optimizer, err = optim.New(optim.Config{Name: w.Optimizer}, t.params); err != nil {
		return nil, err
	}
	t.in, t.want = make([]int32, w.Tokens()), make([]int32, w.Tokens())
	t.tape.Mode = nn.Mode{Pool: pool, Train: true}
	t.tape.Scale = 1 / float32(len(t.in))
	t.tape.Ended = t.ended
	return t, nil
}

// Steps runs n steps and returns the seconds of each.
func (t *Training) Steps(n int) []float64 {
	seconds := make([]float64, n)
	for i := range seconds {
		t.draw()
		start := time.Now()
		t.step()
		seconds[i] = time.Since(start).Seconds()
	}
	return seconds
}

// Executed is how many operations a token of the last step really took: fewer than
// Work.Operations where the first layer multiplied the rows of a small table once
// each.
func (t *Training) Executed() float64 {
	w := t.work
	if !t.tape.OfTable() {
		return w.Operations()
	}
	saved := 1 - float64(w.Vocab)/float64(w.Tokens())
	return w.Operations() - 6*saved*float64(w.Cell.Gates()*w.Hidden*w.EmSize)
}

// draw fills a window with random ids, each target the input of the next step.
func (t *Training) draw() {
	for i := range t.in {
		t.in[i] = int32(t.random.IntN(t.work.Vocab))
	}
	copy(t.want, t.in[t.work.Batch:])
	for i := len(t.in) - t.work.Batch; i < len(t.in); i++ {
		t.want[i] = int32(t.random.IntN(t.work.Vocab))
	}
}

func (t *Training) step() {
	t.last = time.Now()
	t.model.BeginGrads()
	sum, n := t.model.Loss(&t.tape, t.in, t.want, t.state)
	t.loss = sum / float64(n)
	t.model.Backward(&t.tape)
	scale := float32(1)
	if t.work.Clip > 0 {
		scale = optim.ClipScale(optim.GlobalNorm(t.pool, t.params), t.work.Clip)
	}
	t.optimizer.Step(t.pool, float32(t.work.LR), scale)
	t.model.Refresh(t.pool, true)
	t.ended("update")
	t.tape.Mode.Step++
}

// ended books the time since the last part's end.
func (t *Training) ended(part string) {
	now := time.Now()
	if t.Parts != nil {
		t.Parts[part] += now.Sub(t.last).Seconds()
	}
	t.last = now
}
