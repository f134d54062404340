package train

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/refrain-lm/refrain/checkpoint"
	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/lm"
	"github.com/refrain-lm/refrain/nn"
	"github.com/refrain-lm/refrain/optim"
)

// trainer is the state of Run.
type trainer struct {
	m      *lm.Model
	feed   Feed
	opts   Options
	pool   *nn.Pool
	opt    optim.Optimizer
	params []optim.Slice
	avg    *optim.Average
	tail   bool       // avg is a mean of the run's tail, measured once at its end; else asgd's, measured throughout
	valid  validation // nil: none
	keep   Keeper

	tape  lm.Tape
	state *lm.State
	batch data.Batch
	run   RunState
	saved int64 // step of the last save

	waiting []checkpoint.Tensor // best weights that could not be kept yet
	warned  time.Time           // when a save that failed was told last

	lossSum   float64 // since the last report
	lossCount int
	hits      int
	stepLoss  float64
	norm      float64
	clip      Clip  // of this step
	clipped   int64 // steps since the last report that clipping changed
	updates   int64 // since the last report
	begun     time.Time
	trained   time.Duration // in steps alone
	tokens    int64         // of this call
	steps     int64
	reported  time.Time
	reportTok int64
}

func newTrainer(m *lm.Model, s Feed, o Options, pool *nn.Pool) (*trainer, error) {
	if o.Steps < 1 {
		return nil, errors.New("train: Options.Steps is not set")
	}
	if w := m.Config().Weights; w != "" {
		return nil, fmt.Errorf("train: a model of %s weights is for use alone: train the one it was quantized from", w)
	}
	if err := checkPrecision(o.BFloat16); err != nil {
		return nil, err
	}
	m.UseBFloat16(o.BFloat16)
	o = o.withDefaults()
	t := &trainer{m: m, feed: s, opts: o, keep: o.Keep, pool: pool, begun: time.Now(), reported: time.Now()}
	t.tape.Mode.Scratch = new(nn.Scratch) // validation's too
	t.m.Refresh(t.pool, true)
	t.prepareParams()
	var err error
	if err := t.prepareOptimizer(); err != nil {
		return nil, err
	}
	if t.valid, err = o.validation(); err != nil {
		return nil, err
	}
	t.state = m.NewState(s.Lanes())
	t.run = RunState{Steps: o.Steps, LRScale: 1, Best: math.MaxFloat64, BestStep: -1, SmoothMin: math.MaxFloat64}
	if t.keep == nil {
		t.keep = &memory{}
	}
	found, err := t.restore()
	if err != nil || found {
		return t, err
	}
	return t, t.save()
}

// prepareParams gives every trained parameter a gradient.
func (t *trainer) prepareParams() {
	for _, p := range t.m.Params() {
		if !p.Frozen {
			p.ZeroGrad()
			t.params = append(t.params, optim.Slice{Name: p.Name, Value: p.Value, Grad: p.Grad})
		}
	}
}

func (t *trainer) prepareOptimizer() (err error) {
	o := &t.opts
	if err := o.Schedule.Validate(); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	if o.Optim.Name == "asgd" {
		o.Optim.AverageFrom = int(float64(o.Steps) * (1 - o.Average))
	}
	if t.opt, err = optim.New(o.Optim, t.params); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	if a, ok := t.opt.(*optim.ASGD); ok {
		t.avg = a.Average()
	} else if o.Average > 0 {
		t.avg, t.tail = optim.NewAverage(t.params, 0), true
	}
	return nil
}

func (o Options) withDefaults() Options {
	if o.Optim.Name == "" {
		o.Optim.Name = "adam"
	}
	if o.Schedule.Name == "" {
		o.Schedule.Name = "constant"
	}
	if o.Schedule.LR == 0 {
		o.Schedule.LR = 0.001
	}
	if o.ValidEvery < 1 {
		o.ValidEvery = max(1, o.Steps/20)
	}
	if o.SaveEvery < 1 {
		o.SaveEvery = o.ValidEvery
	}
	if o.ReportEvery < 1 {
		o.ReportEvery = max(1, o.Steps/100)
	}
	return o
}

func (t *trainer) report() Report {
	return Report{Steps: t.run.Step, Best: t.run.Best, BestStep: t.run.BestStep, Tokens: t.tokens, Elapsed: time.Since(t.begun)}
}

// event fills in where the run stands.
func (t *trainer) event(kind string) Event {
	e := Event{Kind: kind, Time: time.Now(), Step: t.run.Step, Steps: t.run.Steps, Elapsed: time.Since(t.begun), Trained: t.trained,
		Loss: math.NaN(), Valid: math.NaN(), Norm: math.NaN(), Accuracy: math.NaN(), ValidAccuracy: math.NaN()}
	if w := t.feed.Windows(); w > 0 {
		e.Pass = float64(t.run.Step) / float64(w)
	}
	if t.steps > 0 {
		e.Left = time.Duration(float64(e.Elapsed) / float64(t.steps) * float64(t.run.Steps-t.run.Step))
	}
	return e
}

func (t *trainer) emitStep() {
	e := t.event(EventStep)
	e.Loss, e.LR, e.Norm = t.lossSum/float64(t.lossCount), t.rate(), t.norm
	e.Accuracy = float64(t.hits) / float64(t.lossCount)
	e.Clip = t.clip
	e.Clip.Steps = float64(t.clipped) / float64(t.updates)
	t.clipped, t.updates = 0, 0
	e.TokensPerSecond = float64(t.tokens-t.reportTok) / max(1e-9, time.Since(t.reported).Seconds())
	t.lossSum, t.lossCount, t.hits, t.reported, t.reportTok = 0, 0, 0, time.Now(), t.tokens
	t.emit(e)
}

func (t *trainer) emitValid(s score, best bool) {
	e := t.event(EventValid)
	e.Valid, e.ValidAccuracy, e.Best = s.loss, s.accuracy, best
	t.emit(e)
}

func (t *trainer) emit(e Event) {
	if e.Steps == 0 {
		text := e.Text
		e = t.event(e.Kind)
		e.Text = text
	}
	if t.opts.On != nil {
		t.opts.On(e)
	}
}
