package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/internal/parallel"
	"github.com/refrain-lm/refrain/lm"
	"github.com/refrain-lm/refrain/optim"
)

// pilot trains a model of cfg with the plan's batch for about the given time
// and returns its tokens a second: of the fastest third of its steps, since a burst
// of other work on the machine should not shrink the plan, and of all.
func (p *Plan) pilot(ctx context.Context, cfg lm.Config, train data.Reader, spend time.Duration) (fast, mean float64, err error) {
	tried := *p
	tried.Model, tried.Params = cfg, cfg.Params()
	if err := errors.Join(cfg.Validate(), tried.checkMemory()); err != nil {
		return 0, 0, err
	}
	s := p.Settings
	m, err := lm.New(cfg, s.initConfig(), s.Seed)
	if err != nil {
		return 0, 0, err
	}
	m.UseBFloat16(s.Precision == bfloat16)
	stream, err := data.NewStream(train, s.BatchSize, s.BPTT)
	if err != nil {
		return 0, 0, fmt.Errorf("train: %w", err)
	}
	t := &trainer{m: m, feed: stream, pool: parallel.New(s.Threads), begun: time.Now(), reported: time.Now()}
	defer t.pool.Close()
	t.opts = Options{Steps: math.MaxInt64, Clip: s.Clip, Schedule: optim.Schedule{Name: "constant", LR: 1e-4}, ReportEvery: math.MaxInt64}
	t.opts.Optim = optim.Config{Name: s.Optimizer}
	t.run = RunState{Steps: math.MaxInt64, LRScale: 1}
	t.m.Refresh(t.pool, true)
	t.prepareParams()
	if t.opt, err = optim.New(t.opts.Optim, t.params); err != nil {
		return 0, 0, err
	}
	t.state = m.NewState(s.BatchSize)
	return t.clock(ctx, spend)
}

// clock steps until spend is over and three steps are measured, or no longer than
// four times that where steps are very slow.
func (t *trainer) clock(ctx context.Context, spend time.Duration) (fast, mean float64, err error) {
	var times []time.Duration
	for begin, over := time.Now(), time.Duration(0); over < spend || len(times) < 4 && over < 4*spend; over = time.Since(begin) {
		if ctx.Err() != nil {
			return 0, 0, ErrStopped
		}
		at := time.Now()
		if err := t.step(); err != nil {
			return 0, 0, err
		}
		times = append(times, time.Since(at))
	}
	if len(times) > 1 {
		times = times[1:] // the first step warms caches and buffers
	}
	rate := func(times []time.Duration) float64 {
		var sum time.Duration
		for _, d := range times {
			sum += d
		}
		return float64(len(t.batch.Inputs)) * float64(len(times)) / sum.Seconds()
	}
	sorted := slices.Sorted(slices.Values(times))
	return rate(sorted[:(len(sorted)+2)/3]), rate(times), nil
}

// fitTime chooses the model and the number of steps for the time that is left
// until deadline.
func (p *Plan) fitTime(ctx context.Context, train data.Reader, deadline time.Time) error {
	s := &p.Settings
	total := s.Time
	probe := *s
	probe.choose("nlayers", "1")
	probe.choose("nhid", "256")
	probe.choose("emsize", strconv.Itoa(embeddingFor(s.Tokenizer, probe.Hidden)))
	if s.Tokenizer == "word" {
		probe.choose("tied", "true")
	}
	rate, _, err := p.pilot(ctx, probe.ModelConfig(p.Model.Vocab), train, min(total/60, 2*time.Second))
	if err != nil {
		return err
	}
	budget := func() float64 { return (time.Until(deadline) - reserve(total)).Seconds() }
	ops := 6 * float64(probe.ModelConfig(p.Model.Vocab).MultiplyAdds()) * rate * budget()
	s.chooseModel(ops)
	s.chooseBatch(p.Data.Train.Tokens)
	perToken := 6 * float64(s.ModelConfig(p.Model.Vocab).MultiplyAdds())
	s.chooseLearning(ops / perToken / float64(max(1, p.Data.Train.Tokens)))
	p.Model = s.ModelConfig(p.Model.Vocab)
	if p.Rate, p.MeanRate, err = p.pilot(ctx, p.Model, train, min(total/30, 4*time.Second)); err != nil {
		return err
	}
	const spent = 0.95 // of the time goes into steps; the rest into validating and saving
	p.Steps = p.From + max(1, int64(spent*budget()*p.Rate/float64(p.TokensPerStep())))
	return nil
}
