package lab

import (
	"context"
	"errors"
	"math"

	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/lm"
	"github.com/refrain-lm/refrain/nn"
	"github.com/refrain-lm/refrain/optim"
	"github.com/refrain-lm/refrain/probe"
	"github.com/refrain-lm/refrain/train"
)

// Corpus is a text as ids.
type Corpus struct {
	Text  Text
	Train data.Slice
	Valid data.Slice // on which all is measured
	Word  func(id int32) string
}

const (
	targets = 48  // places from which gradients are followed back
	stretch = 160 // tokens on which moves are measured
)

// reading is one run of one variant on the text.
type reading struct {
	corpus  *Corpus
	variant Variant
	s       Settings
	m       *lm.Model
	out     TextRun
}

// read trains on the text and looks at the start, half way and at the end.
func read(ctx context.Context, c *Corpus, v Variant, s Settings) (TextRun, error) {
	r := &reading{corpus: c, variant: v, s: s, out: TextRun{Variant: v.Name}}
	v.Config.Vocab, v.Config.Hidden, v.Config.EmSize = c.Text.Vocab, s.Hidden, s.Hidden
	r.out.Params = v.Config.Params()
	var err error
	if r.m, err = lm.New(v.Config, v.init(s.Hidden, 2*s.Window), s.Seed); err != nil {
		return r.out, v.explain(err)
	}
	stream, err := data.NewStream(c.Train, s.Batch, s.Window)
	if err != nil {
		return r.out, err
	}
	if err := r.look("start", 0); err != nil {
		return r.out, err
	}
	config, rate := v.optimizer(s.LR)
	var failed error
	_, err = train.Run(ctx, r.m, stream, train.Options{
		Steps: s.Steps, Optim: config, Schedule: optim.Schedule{LR: rate}, Clip: v.Clip, ClipEach: v.ClipValue, Seed: s.Seed, Threads: 1,
		ReportEvery: 1, SaveEvery: s.Steps, NoRetreat: true,
		On: func(e train.Event) {
			if e.Kind == train.EventStep {
				failed = errors.Join(failed, r.step(e))
			}
		},
	})
	if r.out.Diverged = errors.Is(err, train.ErrDiverged); r.out.Diverged {
		return r.finish(), nil
	}
	if err = errors.Join(err, failed, ctx.Err()); err != nil {
		return r.out, err
	}
	if err := r.look("end", s.Steps); err != nil {
		return r.out, err
	}
	err = r.move()
	return r.finish(), err
}

// step notes what a step's clipping did, and looks half way.
func (r *reading) step(e train.Event) error {
	r.out.Norms = append(r.out.Norms, rounded(e.Norm))
	if r.variant.Clip > 0 {
		r.out.Scales = append(r.out.Scales, rounded(e.Clip.Scale))
	}
	if r.variant.ClipValue > 0 {
		r.out.Values = append(r.out.Values, rounded(e.Clip.Values))
	}
	r.out.Clipped += e.Clip.Steps
	if e.Step == r.s.Steps/2 {
		return r.look("half", e.Step)
	}
	return nil
}

func (r *reading) finish() TextRun {
	r.out.Clipped = round(r.out.Clipped / float64(max(1, len(r.out.Norms))))
	return r.out
}

// look measures the model as it is.
func (r *reading) look(name string, step int64) error {
	o := probe.Options{Lags: 2 * r.s.Window, Targets: targets}
	reach, err := probe.Gradients(r.m, r.corpus.Valid, o)
	if err != nil {
		return err
	}
	gates, err := probe.Gates(r.m, r.corpus.Valid, o)
	if err != nil {
		return err
	}
	r.out.Stages = append(r.out.Stages, Stage{Name: name, Step: step, Layers: layers(reach, gates), Loss: rounded(r.loss())})
	return nil
}

// loss is nats a token of validation text, 16 lanes of windows of T, states
// carried.
func (r *reading) loss() float64 {
	const lanes, most = 16, 16 * 1024
	ids := r.corpus.Valid[:min(most, len(r.corpus.Valid))]
	stream, err := data.NewStream(ids, lanes, r.s.Window)
	if err != nil {
		return math.NaN() // too short: Run has looked
	}
	var b data.Batch
	var tape lm.Tape
	state, sum, n := r.m.NewState(lanes), 0.0, 0
	for range stream.Windows() {
		if err := stream.Next(&b); err != nil {
			return math.NaN()
		}
		tape.Mode = nn.Mode{}
		nats, count := r.m.Loss(&tape, b.Inputs, b.Targets, state)
		sum, n = sum+nats, n+count
	}
	return sum / float64(n)
}

// move measures what each token of a stretch changes.
func (r *reading) move() error {
	moves, err := probe.Moves(r.m, r.corpus.Valid[:min(stretch, len(r.corpus.Valid))])
	if err != nil {
		return err
	}
	var outputs, states []float64
	for _, m := range moves {
		r.out.Moves = append(r.out.Moves, rounded(m.Output))
		outputs, states = append(outputs, m.Output), append(states, m.State)
	}
	r.out.MovesTenth, r.out.StatesTenth = rounded(probe.LargestTenth(outputs)), rounded(probe.LargestTenth(states))
	return nil
}
