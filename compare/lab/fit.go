package lab

import (
	"context"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/lm"
	"github.com/refrain-lm/refrain/nn"
	"github.com/refrain-lm/refrain/optim"
	"github.com/refrain-lm/refrain/train"
)

const (
	pilotSteps = 3                     // on text
	pilotTime  = 20 * time.Millisecond // on each task, and the step under way
	leastSteps = 20
	usable     = 0.85 // of a budget: what is left is for a machine that slows down
)

// Fit returns s with the steps that a budget allows on this machine, in the
// proportion that s has them: every variant is tried for a few steps. Tasks that
// are solved end early, so the budget may not be used up.
func Fit(ctx context.Context, c *Corpus, s Settings, budget time.Duration) (Settings, error) {
	if err := s.Validate(); err != nil {
		return s, err
	}
	s = s.WithDefaults()
	if c != nil {
		if err := c.check(s); err != nil {
			return s, err
		}
	}
	began := time.Now()
	fixed, variable := 0.0, 0.0 // seconds of one thread
	for _, name := range s.Variants {
		if c == nil {
			break
		}
		v, _ := ParseVariant(name) // Validate has looked
		looks, step, err := timeText(ctx, c, v, s)
		if err != nil {
			return s, err
		}
		fixed += looks
		variable += step * float64(s.Steps)
	}
	jobs, err := s.jobs()
	if err != nil {
		return s, err
	}
	for _, j := range jobs {
		if j.seed != s.Seed {
			continue // takes as long as the first
		}
		step, err := j.time(ctx, s)
		if err != nil {
			return s, err
		}
		variable += step * float64(j.task.Most(s.TaskSteps)) * float64(s.Seeds)
	}
	workers := float64(s.Threads)
	if workers < 1 {
		workers = float64(runtime.GOMAXPROCS(0))
	}
	left := (budget-time.Since(began)).Seconds()*usable*workers - fixed
	share := max(0, left/max(variable, 1e-9))
	s.Steps = max(leastSteps, int64(share*float64(s.Steps)))
	s.TaskSteps = max(leastSteps, int64(share*float64(s.TaskSteps)))
	return s, nil
}

// timeText measures, in seconds, the looks at a run on text, and one of its steps.
func timeText(ctx context.Context, c *Corpus, v Variant, s Settings) (looks, step float64, err error) {
	r := &reading{corpus: c, variant: v, s: s}
	v.Config.Vocab, v.Config.Hidden, v.Config.EmSize = c.Text.Vocab, s.Hidden, s.Hidden
	if r.m, err = lm.New(v.Config, nn.InitConfig{}, s.Seed); err != nil { // drawn small: this one must not diverge
		return 0, 0, v.explain(err)
	}
	stream, err := data.NewStream(c.Train, s.Batch, s.Window)
	if err != nil {
		return 0, 0, err
	}
	began := time.Now()
	if err := r.look("start", 0); err != nil {
		return 0, 0, err
	}
	looks = 3 * time.Since(began).Seconds()
	began = time.Now()
	_, err = train.Run(ctx, r.m, stream, train.Options{Steps: pilotSteps, Schedule: optim.Schedule{LR: 1e-6}, Threads: 1})
	return looks, time.Since(began).Seconds() / pilotSteps, err
}

// time measures, in seconds, one step of training on the task.
func (j job) time(ctx context.Context, s Settings) (float64, error) {
	n, err := newNet(j.task, j.variant, j.task.units(s.Hidden), j.seed)
	if err != nil {
		return 0, err
	}
	params := n.slices()
	opt, err := optim.New(optim.Config{Name: "adam"}, params)
	if err != nil {
		return 0, err
	}
	b := j.task.batch(rand.New(rand.NewPCG(1, 1)), s.Batch)
	n.update(b, opt, params, j.variant, 0) // makes the buffers
	steps, began := 0, time.Now()
	for took := time.Duration(0); took < pilotTime; took = time.Since(began) {
		n.update(b, opt, params, j.variant, 0)
		steps++
	}
	return time.Since(began).Seconds() / float64(steps), ctx.Err()
}
