package train

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/refrain-lm/refrain/checkpoint"
	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/lm"
)

// Resume opens a run to go on with it. Settings that were given and differ,
// and a budget, begin a new phase; else the run goes on as if never stopped.
// ErrFinished says that there is nothing left to do. on, if not nil, is called
// with every event.
func Resume(ctx context.Context, dir string, s Settings, on func(Event)) (*Job, error) {
	return resumeOn(ctx, checkpoint.OS{}, dir, s, on)
}

func resumeOn(ctx context.Context, disk checkpoint.FS, dir string, s Settings, on func(Event)) (*Job, error) {
	started := time.Now()
	p, err := ReadPlan(dir)
	if err != nil {
		return nil, err
	}
	j := &Job{folder: folder{dir: dir, disk: disk}, plan: p}
	if j.lock, err = checkpoint.Lock(dir); err != nil {
		return nil, err
	}
	if err := j.resume(ctx, s.noted(), started, onlooker(on)); err != nil {
		return nil, errors.Join(err, j.Close())
	}
	return j, nil
}

func (j *Job) resume(ctx context.Context, s Settings, started time.Time, on func(Event)) error {
	if !j.plan.Complete {
		return j.planAnew(ctx, s, started, on)
	}
	if err := j.openData(ctx); err != nil {
		return err
	}
	if j.plan.Ngram != nil {
		return j.resumeNgram(s, on)
	}
	last, err := j.lastSnapshot(on)
	if err != nil {
		return err
	}
	changed, err := j.newPhase(ctx, s, last.Run, started)
	if err != nil {
		return err
	}
	if !changed && j.done(last.Run) {
		return ErrFinished
	}
	on(Event{Kind: EventResume, Time: time.Now(), Step: last.Run.Step, Steps: j.plan.Steps})
	return nil
}

// lastSnapshot is the state to go on from, zero where the run was killed before
// step 0 was saved. Checkpoints that are damaged it passes over, with a warning.
func (j *Job) lastSnapshot(on func(Event)) (Snapshot, error) {
	f := j.folder
	f.skipped = func(err error) {
		on(Event{Kind: EventWarning, Time: time.Now(), Text: fmt.Sprintf("%v; going on from the checkpoint before", err)})
	}
	last, err := f.Last()
	if !errors.Is(err, ErrNoSnapshot) {
		return last, err
	}
	// Step 0 is saved before any model is kept; starting over would lose this one.
	if _, err := os.Stat(filepath.Join(f.dir, lm.WeightsFile)); err == nil {
		return last, fmt.Errorf("%s has a model, but no whole checkpoint to go on from: the model is left as it is; to train anew, take --out other", f.dir)
	}
	return last, nil
}

// done reports whether the run and its final measures are complete.
func (j *Job) done(r RunState) bool {
	_, err := os.Stat(filepath.Join(j.folder.dir, cardFile))
	return err == nil && (r.Step >= j.plan.LastSteps() || j.plan.Settings.Patience > 0 && r.Waited >= j.plan.Settings.Patience)
}

// ErrFinished says that a run has nothing left to do.
var ErrFinished = errors.New("finished")

// planAnew prepares a run that was killed before its plan was complete.
func (j *Job) planAnew(ctx context.Context, s Settings, started time.Time, on func(Event)) error {
	if s.budgetGiven() {
		j.plan.Settings.dropBudget()
	}
	for name, origin := range s.Origin {
		i := slices.IndexFunc(flags, func(f Flag) bool { return f.Name == name })
		if err := j.plan.Settings.Set(name, flags[i].Value(s), origin); err != nil {
			return err
		}
	}
	if err := j.plan.Settings.Validate(); err != nil {
		return err
	}
	in := Input{Started: started}
	var err error
	o := data.ReadOptions{AllowBinary: j.plan.Settings.Tokenizer == "byte"}
	if in.Sources, err = j.reopen(j.plan.Data.Sources, o); err != nil {
		return err
	}
	if in.Valid, err = j.reopen(j.plan.Data.ValidSources, o); err != nil {
		return err
	}
	return j.prepare(ctx, in, on)
}

// reopen finds texts again that a run was stopped while reading.
func (j *Job) reopen(list []data.SourceInfo, o data.ReadOptions) ([]data.Source, error) {
	var all []data.Source
	for _, s := range list {
		switch {
		case s.Path != "":
			src, err := data.Sources([]string{s.Path}, nil, o)
			if err != nil {
				return nil, err
			}
			src[0].Name = s.Name
			all = append(all, src...)
		case s.Name == data.GoSourcesName:
			src, err := data.GoSources()
			if err != nil {
				return nil, err
			}
			all = append(all, src...)
		default:
			return nil, fmt.Errorf("%s was stopped before it had read %s, which is gone: remove the folder and start again", j.folder.dir, s.Name)
		}
	}
	return all, nil
}

// newPhase begins a new phase if a budget was given or a setting differs.
func (j *Job) newPhase(ctx context.Context, s Settings, at RunState, started time.Time) (bool, error) {
	p := &j.plan
	if s.Given("threads") {
		p.Settings.Threads = s.Threads // changes no bit, so it is no change
	}
	next, changed, err := p.Settings.amended(s)
	if err != nil {
		return false, fmt.Errorf("%s %w", j.folder.dir, err)
	}
	if !changed {
		return false, nil
	}
	p.Earlier = append(p.Earlier, Phase{From: p.From, Steps: at.Steps, Settings: p.Settings, Replans: p.Replans})
	remaining := p.LastSteps() - at.Step
	p.Settings, p.Replans, p.From = next, []Replan{}, at.Step
	return true, j.planPhase(ctx, s, remaining, started)
}

// amended is s with what more asks for; what s had already decided stays.
func (s Settings) amended(more Settings) (next Settings, changed bool, err error) {
	next, changed = s, more.budgetGiven()
	next.Origin = map[string]string{}
	for name, origin := range s.Origin {
		if origin == "plan" {
			origin = "earlier"
		}
		next.Origin[name] = origin
	}
	if changed {
		next.dropBudget()
	}
	for _, f := range flags {
		v := f.Value(more)
		if !more.Given(f.Name) || f.Name == "threads" || v == f.Value(next) {
			continue
		}
		if phaseFixed[f.Name] {
			return next, false, fmt.Errorf("has %s %s, not %s; drop --%s, or train anew with --out other", f.Name, f.Value(next), v, f.Name)
		}
		if err := next.Set(f.Name, v, more.Origin[f.Name]); err != nil {
			return next, false, err
		}
		if f.Name == "dropout" {
			next.DropoutLayer, next.DropoutOutput = next.Dropout, next.Dropout
		}
		changed = true
	}
	for _, name := range []string{"valid-every", "save-every"} {
		if !more.Given(name) {
			delete(next.Origin, name)
		}
	}
	return next, changed, next.Validate()
}

// planPhase sets the steps of a phase that goes on from p.From.
func (j *Job) planPhase(ctx context.Context, s Settings, remaining int64, started time.Time) error {
	p := &j.plan
	if err := p.Settings.choosePrecision(); err != nil {
		return err
	}
	switch {
	case s.Given("time"):
		j.deadline = started.Add(s.Time)
		if err := p.fitTime(ctx, j.ids.Train(), j.deadline); err != nil {
			return err
		}
	case s.Given("steps"):
		p.Steps = p.From + s.Steps
	case s.Given("epochs"):
		p.Steps = p.From + p.stepsOf(s.Epochs)
	default:
		p.Steps = p.From + max(0, remaining)
	}
	p.Model = p.Settings.ModelConfig(p.Model.Vocab)
	p.chooseIntervals()
	// Without its card a run is not finished, whatever its steps say.
	if err := j.folder.disk.Remove(filepath.Join(j.folder.dir, cardFile)); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	if err := j.folder.write(lm.ConfigFile, p.Model.Write); err != nil {
		return err
	}
	return j.folder.writeJSON(planFile, p)
}

// phaseFixed are the settings that a resumed run cannot change: the text's
// encoding, the architecture, the batch (lanes have state), the seed.
var phaseFixed = map[string]bool{
	"tokenizer": true, "words": true, "min-count": true, "vocab-size": true, "lower": true, "normalize": true,
	"model": true, "cell": true, "nonlinearity": true, "gru-reset": true, "bias": true, "nlayers": true, "nhid": true, "order": true, "across-lines": true, "heads": true, "context": true, "dim-feedforward": true,
	"emsize": true, "tied": true, "norm": true, "residual": true, "batch-size": true, "bptt": true, "init": true, "init-range": true, "forget-bias": true, "chrono": true,
	"vectors": true, "freeze-embedding": true, "seed": true, "recipe": true, "optimizer": true, "average": true,
}
