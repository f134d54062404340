package compare

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/refrain-lm/refrain/checkpoint"
	"github.com/refrain-lm/refrain/lm"
	"github.com/refrain-lm/refrain/ngram"
	"github.com/refrain-lm/refrain/train"
)

// logFile says which runs have ended.
const logFile = "runs.json"

// runLog is runs.json: by folder, how each run ended.
type runLog map[string]ending

// ending is how a run ended.
type ending struct {
	Diverged  bool  `json:"diverged,omitempty"`
	PeakBytes int64 `json:"peak_bytes,omitempty"` // memory of the program while training
}

func (c *Comparison) readLog() error {
	c.runs = runLog{}
	raw, err := os.ReadFile(filepath.Join(c.dir, logFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(raw, &c.runs)
	}
	if err != nil {
		return fmt.Errorf("compare: %s: %w; remove it, and runs that have ended are looked at again", logFile, err)
	}
	return nil
}

// run is one training run of a comparison.
type run struct {
	entry    Entry
	dir      string // below the comparison's
	settings train.Settings
	final    bool
	keepHalf bool  // of its weights halfway, a copy stays
	event    Event // what is told of it
}

// outcome is what a run left.
type outcome struct {
	ending
	seed    uint64
	Curve   []Mark
	Best    float64 // lowest validation loss, nats a token; NaN: none
	BestAt  int64   // tokens read there
	Tokens  int64   // read
	Seconds float64 // of training steps alone
	notes   []string
}

// do makes a run, goes on with it, or finds it ended.
func (c *Comparison) do(ctx context.Context, r run) (outcome, error) {
	r.event.Run, r.event.Runs = c.clock.count()
	begin, took := time.Now(), time.Duration(0)
	if _, ended := c.runs[r.dir]; !ended {
		if err := c.train(ctx, r); err != nil {
			return outcome{}, err
		}
		took = time.Since(begin)
	}
	out, err := c.outcome(r)
	if err != nil {
		return out, err
	}
	c.clock.ended(r, out, took)
	e := r.event
	e.Ended, e.Loss, e.Diverged = true, out.Best, out.Diverged
	e.Share, e.Left = c.clock.now()
	c.emit(e)
	return out, nil
}

// train makes a run, or goes on with it.
func (c *Comparison) train(ctx context.Context, r run) error {
	watch := watchMemory()
	c.clock.begin(r)
	on := func(e train.Event) {
		watch.look()
		c.clock.at(e)
		if e.Kind == train.EventSave && r.keepHalf && e.Step == r.settings.Steps/2 {
			c.warn(c.copyHalf(r, e.Step))
		}
		told := r.event
		told.Train = &e
		told.Share, told.Left = c.clock.now()
		c.emit(told)
	}
	job, err := c.open(ctx, r, on)
	if err == nil {
		_, err = job.Run(ctx, on)
		err = errors.Join(err, job.Close())
	}
	ended := ending{PeakBytes: watch.peak()}
	switch {
	case errors.Is(err, train.ErrDiverged):
		ended.Diverged = true
	case errors.Is(err, train.ErrFinished), err == nil:
	case ctx.Err() != nil && (errors.Is(err, train.ErrStopped) || errors.Is(err, ctx.Err())):
		return ErrStopped
	default:
		return fmt.Errorf("%s: %w", r.dir, err)
	}
	c.runs[r.dir] = ended
	if err := writeJSON(c.dir, logFile, c.runs); err != nil {
		return err
	}
	return c.tidy(r)
}

func (c *Comparison) warn(err error) {
	if err != nil {
		c.emit(Event{Stage: StageWarning, Text: err.Error()})
	}
}

// open prepares a run, or opens it where it was stopped. One that was killed while
// it was prepared begins anew.
func (c *Comparison) open(ctx context.Context, r run, on func(train.Event)) (*train.Job, error) {
	dir := filepath.Join(c.dir, r.dir)
	p, err := train.ReadPlan(dir)
	switch {
	case err == nil && p.Complete:
		return train.Resume(ctx, dir, train.Settings{Threads: r.settings.Threads}, on)
	case err == nil:
		if err := os.RemoveAll(dir); err != nil {
			return nil, fmt.Errorf("compare: %w", err)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o777); err != nil {
		return nil, fmt.Errorf("compare: %w", err)
	}
	in := train.Input{Shared: c.idsDir()}
	if r.entry.counted() { // it counts the text itself, without the noise that others learn rare tokens from
		if in, err = c.parts(r.settings); err != nil {
			return nil, err
		}
	}
	in.Out, in.Command, in.NoRetreat, in.NoSamples = dir, c.protocol.Command, true, true
	in.ValidTokens, in.Trial = c.protocol.SearchValid, r.entry.trained() && !r.final
	if r.final {
		in.ValidTokens = c.protocol.ValidTokens
	}
	in.EvalTokens = min(in.ValidTokens, evalTokens)
	if r.entry.counted() { // its order is chosen, and its loss drawn beside the others' curves, by what eval says
		in.EvalTokens = in.ValidTokens
		if !r.final {
			in.ValidTokens, in.EvalTokens = evalTokens, evalTokens
		}
	}
	return train.Prepare(ctx, r.settings, in, on)
}

// evalTokens bounds what a model card quotes, and what the n-gram's order is chosen on.
const evalTokens = 10_000

// outcome reads what a run that has ended left.
func (c *Comparison) outcome(r run) (outcome, error) {
	out := outcome{ending: c.runs[r.dir], seed: r.settings.Seed, Best: math.NaN()}
	events, err := train.ReadMetrics(filepath.Join(c.dir, r.dir))
	if err != nil {
		return out, err
	}
	step := c.protocol.TokensPerStep()
	var before, last float64 // seconds of earlier sittings, and of this one
	for _, e := range events {
		if s := e.Trained.Seconds(); s < last {
			before, last = before+last, s
		} else {
			last = s
		}
		if e.Kind == train.EventNote {
			out.notes = append(out.notes, e.Text)
		}
		if e.Kind != train.EventValid || math.IsNaN(e.Valid) {
			continue
		}
		out.Curve = append(out.Curve, Mark{Tokens: e.Step * step, Loss: e.Valid, Seconds: before + last})
		if !(e.Valid >= out.Best) {
			out.Best, out.BestAt = e.Valid, e.Step*step
		}
		out.Tokens, out.Seconds = e.Step*step, before+last
	}
	if r.entry.counted() { // it reads the text once
		out.Tokens, out.BestAt = c.protocol.Text.Train.Tokens, c.protocol.Text.Train.Tokens
		for i := range out.Curve {
			out.Curve[i].Tokens = out.Tokens
		}
	}
	return out, nil
}

// halfFile holds the weights of a run halfway.
const halfFile = "half.safetensors"

// copyHalf keeps the weights of a checkpoint.
func (c *Comparison) copyHalf(r run, step int64) error {
	dir := filepath.Join(c.dir, r.dir)
	m, err := train.CheckpointModel(dir, step)
	if err != nil {
		return err
	}
	return checkpoint.ReplaceFile(checkpoint.OS{}, filepath.Join(dir, halfFile), func(w io.Writer) error {
		return checkpoint.WriteSafetensors(w, m.Tensors())
	})
}

// tidy removes what a run that has ended needs no more: checkpoints but the last,
// and of a search the weights.
func (c *Comparison) tidy(r run) error {
	dir := filepath.Join(c.dir, r.dir)
	if r.final {
		return checkpoint.Prune(checkpoint.OS{}, dir, 1)
	}
	checkpoints, err := filepath.Glob(filepath.Join(dir, "checkpoint-*"))
	if err != nil {
		return fmt.Errorf("compare: %w", err)
	}
	for _, path := range append(checkpoints, filepath.Join(dir, lm.WeightsFile), filepath.Join(dir, ngram.WeightsFile)) {
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("compare: %w", err)
		}
	}
	return nil
}
