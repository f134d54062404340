package compare

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/refrain-lm/refrain/checkpoint"
	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/lm"
	"github.com/refrain-lm/refrain/train"
)

// plan decides everything that the settings leave open: the reference's size, the
// others' widths, and how much each run reads.
func (c *Comparison) plan(ctx context.Context) error {
	p := &c.protocol
	if err := c.encode(ctx); err != nil {
		return err
	}
	reference, err := c.reference(ctx)
	if err != nil {
		return err
	}
	p.adopt(reference)
	if err := c.solve(ctx, reference); err != nil {
		return err
	}
	p.SearchSeed = p.Settings.Shared.Seed + uint64(p.Settings.Seeds)
	for i := range p.Settings.Seeds {
		p.Seeds = append(p.Seeds, p.Settings.Shared.Seed+uint64(i))
	}
	if err := c.fit(ctx); err != nil {
		return err
	}
	if err := c.settle(ctx); err != nil {
		return err
	}
	p.chooseMeasures()
	if err := c.checkDisk(ctx); err != nil {
		return err
	}
	p.Fitted = p.Settings.Time == 0
	p.Complete = true
	return c.writePlan()
}

// encode leaves the tokenizer and the ids that all runs share, in the folder of a
// run that is prepared and never trained.
func (c *Comparison) encode(ctx context.Context) error {
	s := settingsFor(KindLSTM, c.protocol.Settings.Shared)
	s.Steps = 1
	in, err := c.parts(s)
	if err != nil {
		return err
	}
	in.Out = c.idsDir()
	job, err := train.Prepare(ctx, s, in, c.reading)
	if err != nil {
		return err
	}
	plan, t := job.Plan(), &c.protocol.Text
	t.Tokenizer, t.Unit, t.Vocab = plan.Settings.Tokenizer, job.Tokenizer().Unit(), plan.Model.Vocab
	t.Train.Tokens, t.Valid.Tokens = plan.Data.Train.Tokens, plan.Data.Valid.Tokens
	return job.Close()
}

func (c *Comparison) idsDir() string { return filepath.Join(c.dir, textDir, idsDir) }

// dryRun is what package train plans with these settings for the text that all
// share.
func (c *Comparison) dryRun(ctx context.Context, s train.Settings) (train.Plan, error) {
	job, err := train.Prepare(ctx, s, train.Input{Shared: c.idsDir(), DryRun: true}, nil)
	if err != nil {
		return train.Plan{}, err
	}
	return job.Plan(), job.Close()
}

// reference plans the reference LSTM as package train would for one final run.
func (c *Comparison) reference(ctx context.Context) (train.Plan, error) {
	p := &c.protocol
	s := settingsFor(KindLSTM, p.Settings.Shared)
	if p.Settings.Time == 0 {
		s.Epochs = float64(p.Settings.Tokens) / float64(max(1, p.Text.Train.Tokens))
		return c.dryRun(ctx, s)
	}
	c.emit(Event{Stage: StagePilot, Model: KindLSTM})
	seconds := fitSeconds(p.Settings.Time, p.Settings.Seeds, p.trainedModels())
	s.Time = max(time.Second, time.Duration(seconds*float64(time.Second)))
	return c.dryRun(ctx, s)
}

// parts is the Input of a run that reads the text itself.
func (c *Comparison) parts(s train.Settings) (train.Input, error) {
	var in train.Input
	o := data.ReadOptions{AllowBinary: s.Tokenizer == "byte"}
	var err error
	if in.Sources, err = data.Sources([]string{filepath.Join(c.dir, textDir, trainText)}, nil, o); err != nil {
		return in, err
	}
	in.Valid, err = data.Sources([]string{filepath.Join(c.dir, textDir, validText)}, nil, o)
	in.Command = c.protocol.Command
	return in, err
}

// trainedModels counts the models that are trained step by step.
func (p Protocol) trainedModels() int {
	n := 0
	for _, kind := range p.Settings.Models {
		if (Entry{Kind: kind}).trained() {
			n++
		}
	}
	return max(1, n)
}

// adopt makes what the reference's plan decided the settings that all share.
func (p *Protocol) adopt(reference train.Plan) {
	s := &p.Settings.Shared
	own := SharedFlags()
	for _, f := range train.Flags() {
		origin := reference.Settings.Origin[f.Name]
		// Dropout depends on the passes, which are not known before all sizes are.
		if !slices.Contains(own, f.Name) || origin == "" || slices.Contains(dropoutFlags, f.Name) && !s.Given(f.Name) {
			continue
		}
		if err := s.Set(f.Name, f.Value(reference.Settings), origin); err != nil {
			panic("compare: " + err.Error())
		}
	}
}

var dropoutFlags = []string{"dropout", "dropout-input", "dropout-layer", "dropout-output", "dropout-weight"}

// solve gives every model the width at which it has the reference's parameters.
func (c *Comparison) solve(ctx context.Context, reference train.Plan) error {
	p := &c.protocol
	p.Reference, p.Parameters = reference.Model.String(), reference.Params
	for _, kind := range p.Settings.Models {
		e := Entry{Kind: kind}
		if !e.mixed() {
			e.Settings = settingsFor(kind, p.Settings.Shared)
		}
		if e.trained() {
			if err := c.complete(ctx, &e); err != nil {
				return err
			}
			if err := e.solve(p.Parameters, reference.Model.Vocab); err != nil {
				return err
			}
		}
		p.Entries = append(p.Entries, e)
	}
	return nil
}

// solve gives one model its width.
func (e *Entry) solve(want int64, vocab int) error {
	s := &e.Settings
	set := func(name string, value int) error { return s.Set(name, strconv.Itoa(value), "program") }
	if e.Kind == KindTransformer && !s.Given("dim-feedforward") {
		width, after, err := SolveTransformer(want, func(hidden, feedforward int) lm.Config {
			next := *s
			next.Hidden, next.Feedforward = hidden, feedforward
			return next.ModelConfig(vocab)
		})
		if err := errors.Join(err, set("nhid", max(1, width)), set("dim-feedforward", max(1, after))); err != nil {
			return err
		}
	} else {
		width, err := SolveWidth(e.Kind, want, func(hidden int) lm.Config {
			next := *s
			next.Hidden = hidden
			return next.ModelConfig(vocab)
		})
		if err := errors.Join(err, set("nhid", max(1, width))); err != nil {
			return err
		}
	}
	e.Model = s.ModelConfig(vocab).Complete()
	e.Params = e.Model.Params()
	return nil
}

// complete takes over what package train plans for a kind of model alone, such as
// the order of a feed-forward network.
func (c *Comparison) complete(ctx context.Context, e *Entry) error {
	if recurrent(e.Kind) {
		return nil
	}
	s := e.Settings
	s.Steps = 1
	plan, err := c.dryRun(ctx, s)
	if err != nil {
		return fmt.Errorf("%s: %w", e.Kind, err)
	}
	for _, name := range SharedFlags() {
		if plan.Settings.Origin[name] == "plan" && !slices.Contains(dropoutFlags, name) && !slices.Contains(widthFlags, name) {
			setTo(&e.Settings, name, plan.Settings)
		}
	}
	return nil
}

// widthFlags follow from the width that is being solved for.
var widthFlags = []string{"nhid", "emsize", "heads", "dim-feedforward"}

// fit decides the steps of every run, by a pilot of each model where the budget is
// a time.
func (c *Comparison) fit(ctx context.Context) error {
	p := &c.protocol
	if p.Settings.Tokens > 0 {
		p.setSteps(p.Settings.Tokens)
		return nil
	}
	for i := range p.Entries {
		e := &p.Entries[i]
		if !e.trained() {
			continue
		}
		c.emit(Event{Stage: StagePilot, Model: e.Kind})
		rate, err := c.pilot(ctx, *e)
		if err != nil {
			return err
		}
		e.Rate = rate
	}
	c.fitTime()
	return nil
}

// fitTime decides the steps at the speeds that the pilots measured: training has its
// share of the budget, or less where measuring needs the time.
func (c *Comparison) fitTime() {
	p := &c.protocol
	var rates []float64
	for _, e := range p.Entries {
		if e.trained() {
			rates = append(rates, e.Rate)
		}
	}
	if len(rates) == 0 {
		return
	}
	set, planned := func(tokens float64) { p.setSteps(int64(tokens)) }, float64(fitTokens(p.Settings.Time, len(p.Seeds), rates))
	if p.Settings.Equal == "time" {
		planned = fitSeconds(p.Settings.Time, len(p.Seeds), len(rates))
		set = func(seconds float64) {
			p.setSeconds(seconds, func(i int) float64 { return p.Entries[i].Rate })
			p.setSearch()
		}
	}
	c.clock = newClock(*p)
	left := spare * time.Until(c.deadline).Seconds()
	c.fitInto(func(share float64) { set(share * planned) }, 1, func() bool { return c.clock.whole() <= left })
}

// setSteps gives every trained model as many steps as make so many tokens.
func (p *Protocol) setSteps(tokens int64) {
	steps := wholeMarks(tokens / p.TokensPerStep())
	for i := range p.Entries {
		if e := &p.Entries[i]; e.trained() {
			e.Steps = steps
		}
	}
	p.setSearch()
}

// setSearch gives every trained model's search the steps that go with its final runs.
func (p *Protocol) setSearch() {
	for i := range p.Entries {
		if e := &p.Entries[i]; e.trained() {
			e.SearchSteps = p.searchSteps(e.Steps)
		}
	}
}

// setFinalSteps changes the steps of every trained model's final runs.
func (p *Protocol) setFinalSteps(steps int64) {
	for i := range p.Entries {
		if e := &p.Entries[i]; e.trained() {
			e.Steps = steps
		}
	}
}

// setSeconds gives every trained model the steps that it makes in so many seconds
// at its rate.
func (p *Protocol) setSeconds(seconds float64, rate func(entry int) float64) {
	for i := range p.Entries {
		if e := &p.Entries[i]; e.trained() {
			e.Steps = wholeMarks(int64(seconds * rate(i) / float64(p.TokensPerStep())))
		}
	}
}

// pilot measures the training speed of one model, in tokens a second.
func (c *Comparison) pilot(ctx context.Context, e Entry) (float64, error) {
	s := e.Settings
	s.Time = max(time.Second, c.protocol.Settings.Time*3/10) // a thirtieth of which is measured
	plan, err := c.dryRun(ctx, s)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", e.Kind, err)
	}
	return max(1, plan.MeanRate), nil
}

// settle lets package train decide what is still open, from the steps alone: the
// dropout that goes with so many passes, the same for all.
func (c *Comparison) settle(ctx context.Context) error {
	p := &c.protocol
	at := slices.IndexFunc(p.Entries, Entry.trained)
	if at < 0 {
		return nil
	}
	s := p.Entries[at].Settings
	s.Steps = p.Entries[at].Steps
	plan, err := c.dryRun(ctx, s)
	if err != nil {
		return fmt.Errorf("%s: %w", p.Entries[at].Kind, err)
	}
	for _, f := range train.Flags() {
		if !slices.Contains(dropoutFlags, f.Name) {
			continue
		}
		settings := []*train.Settings{&p.Settings.Shared}
		for i := range p.Entries {
			if e := &p.Entries[i]; e.trained() && f.GoesWith(e.Settings.Model) {
				settings = append(settings, &e.Settings)
			}
		}
		for _, s := range settings {
			if err := s.Set(f.Name, f.Value(plan.Settings), "program"); err != nil {
				return err
			}
		}
	}
	for i := range p.Entries {
		if e := &p.Entries[i]; e.trained() {
			e.Model = e.Settings.ModelConfig(e.Model.Vocab).Complete()
		}
	}
	return nil
}

// checkDisk refuses a comparison that the disk has no room for: every final run
// leaves its best weights, those of halfway, and a checkpoint of three times as much;
// counting wants what it wants for a likely order.
func (c *Comparison) checkDisk(ctx context.Context) error {
	p, dir := c.protocol, c.dir
	need, largest := int64(1e6), int64(0)
	for _, e := range p.Entries {
		if e.counted() {
			order := e.Settings.Order
			if order == 0 {
				order = firstOrder(p.Text.Tokenizer) + likelyMore
			}
			plan, err := c.dryRun(ctx, orderSettings(e, float64(order)))
			if err != nil {
				return fmt.Errorf("%s: %w", e.Kind, err)
			}
			largest = max(largest, plan.Disk())
		}
		need += int64(len(p.Seeds)) * e.Params * 4 * 5
		largest = max(largest, e.Params*4*3)
	}
	return checkpoint.NeedSpace("the comparison", dir, need+largest)
}

// likelyMore is by how much the order that is chosen often exceeds the first tried.
const likelyMore = 3

func (c *Comparison) writePlan() error {
	return writeJSON(c.dir, planFile, c.protocol)
}

// writeJSON replaces dir/name by v, indented.
func writeJSON(dir, name string, v any) error {
	write, err := indented(name, v)
	if err != nil {
		return err
	}
	if err := checkpoint.ReplaceFile(checkpoint.OS{}, filepath.Join(dir, name), write); err != nil {
		return fmt.Errorf("compare: %w", err)
	}
	return nil
}
