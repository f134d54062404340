package train

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/refrain-lm/refrain/checkpoint"
	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/embedding"
	"github.com/refrain-lm/refrain/internal/kernel"
	"github.com/refrain-lm/refrain/lm"
	"github.com/refrain-lm/refrain/ngram"
	"github.com/refrain-lm/refrain/tokenizer"
)

// Input is what a run reads and where it writes.
type Input struct {
	Sources []data.Source // training text; its tail validates if Valid is empty
	Valid   []data.Source
	Shared  string    // folder of another run of the same text and tokenizer, to share its ids; Sources and Valid are not read then
	Out     string    // the new model folder; must not exist
	DryRun  bool      // plan only: nothing is left on disk
	Command []string  // for the record
	Started time.Time // when the budget began; zero: now

	ValidTokens int64 // measured at each validation at most; 0: the plan chooses
	EvalTokens  int64 // measured by eval after the run at most; 0: the plan chooses
	NoRetreat   bool  // the first divergence ends the run, so that its learning rate is the one it was given
	NoSamples   bool  // the model writes none, on the way and at the end
	Trial       bool  // nobody will use the model: after the run nothing of it is measured
}

// Job is a planned run that holds its folder's lock.
type Job struct {
	folder   folder
	lock     *checkpoint.FolderLock
	plan     Plan
	tok      *tokenizer.Tokenizer
	vectors  *embedding.Matrix // nil: none, or a run that goes on
	ids      *data.IDs
	deadline time.Time
	temp     bool
}

// Plan is what the job will do.
func (j *Job) Plan() Plan { return j.plan }

// Dir is the job's model folder.
func (j *Job) Dir() string { return j.folder.dir }

// Tokenizer is the tokenizer of the job's text.
func (j *Job) Tokenizer() *tokenizer.Tokenizer { return j.tok }

// Close releases the folder; after a dry run it removes it.
func (j *Job) Close() error {
	var errs []error
	if j.ids != nil {
		errs = append(errs, j.ids.Close())
	}
	if j.lock != nil {
		errs = append(errs, j.lock.Unlock())
	}
	if j.temp {
		errs = append(errs, os.RemoveAll(j.folder.dir))
	}
	return errors.Join(errs...)
}

// Prepare makes the run's folder, reads and encodes the text, measures this
// machine where the budget is a time, and writes the plan. It calls on, if that is
// not nil, with every event.
func Prepare(ctx context.Context, s Settings, in Input, on func(Event)) (*Job, error) {
	return prepareOn(ctx, checkpoint.OS{}, s, in, on)
}

func prepareOn(ctx context.Context, disk checkpoint.FS, s Settings, in Input, on func(Event)) (*Job, error) {
	if in.Started.IsZero() {
		in.Started = time.Now()
	}
	on = onlooker(on)
	s, err := s.withRecipe()
	if err != nil {
		return nil, err
	}
	if err := s.Validate(); err != nil {
		return nil, err
	}
	j := &Job{folder: folder{dir: in.Out, disk: disk}, temp: in.DryRun}
	j.plan = Plan{Version: 1, Command: in.Command, Settings: s, Paths: names(in.Sources), Valid: names(in.Valid), NoRetreat: in.NoRetreat,
		NoSamples: in.NoSamples, Trial: in.Trial}
	j.plan.Data = data.Corpus{Sources: places(in.Sources), ValidSources: places(in.Valid)}
	if err := j.makeFolder(); err != nil {
		return nil, err
	}
	if err := j.prepare(ctx, in, on); err != nil {
		return nil, errors.Join(err, j.abandon())
	}
	return j, nil
}

// onlooker is on, or where there is none one that does nothing.
func onlooker(on func(Event)) func(Event) {
	if on == nil {
		return func(Event) {}
	}
	return on
}

func names(src []data.Source) []string {
	out := []string{}
	for _, s := range src {
		out = append(out, s.Name)
	}
	return out
}

// places are what reopen needs of sources that have not been read yet.
func places(src []data.Source) []data.SourceInfo {
	var out []data.SourceInfo
	for _, s := range src {
		out = append(out, data.SourceInfo{Name: s.Name, Path: s.Path})
	}
	return out
}

// makeFolder makes the model folder with the plan so far in it, at once: a run
// killed at any moment leaves either no folder or one that resumes.
func (j *Job) makeFolder() (err error) {
	if j.temp {
		if j.folder.dir, err = os.MkdirTemp("", "refrain-plan-"); err != nil {
			return fmt.Errorf("cannot make a folder for the plan: %w", err)
		}
		return nil
	}
	dir, disk := filepath.Clean(j.folder.dir), j.folder.disk
	plan, err := indented(planFile, j.plan)
	if err != nil {
		return err
	}
	err = checkpoint.NewFolder(disk, dir, []checkpoint.File{{Name: planFile, Write: plan}})
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%s exists already; nothing is overwritten: take another --out, or go on with: refrain train --resume %s", dir, dir)
	}
	if err == nil {
		j.lock, err = checkpoint.Lock(dir)
	}
	if err != nil && !errors.Is(err, checkpoint.ErrLocked) {
		return fmt.Errorf("cannot make the model folder: %w", err)
	}
	return err
}

// abandon removes a folder in which nothing has been learnt yet.
func (j *Job) abandon() error {
	j.temp = true
	return j.Close()
}

// prepare does everything up to the complete plan.
func (j *Job) prepare(ctx context.Context, in Input, on func(Event)) error {
	if err := j.encode(ctx, in, on); err != nil {
		return err
	}
	p := &j.plan
	p.Kernels = kernel.Name()
	p.Model.Vocab = j.tok.Size()
	if p.Settings.Model == ngram.Kind {
		return j.prepareNgram(on)
	}
	if err := j.readVectors(); err != nil {
		return err
	}
	s := &p.Settings
	if err := s.choosePrecision(); err != nil {
		return err
	}
	s.chooseBatch(p.Data.Train.Tokens)
	if err := j.checkLengths(); err != nil {
		return err
	}
	if err := j.planSteps(ctx, in, on); err != nil {
		return err
	}
	if err := p.Model.Validate(); err != nil {
		return err
	}
	p.Params = p.Model.Params()
	p.chooseEvaluation(in)
	p.chooseIntervals()
	if err := p.checkMemory(); err != nil {
		return err
	}
	p.Complete = true
	on(Event{Kind: EventPlan, Time: time.Now(), Steps: p.Steps})
	if j.temp {
		return nil
	}
	if err := p.checkDisk(j.folder.dir); err != nil {
		return err
	}
	if err := j.folder.write(lm.ConfigFile, p.Model.Write); err != nil {
		return err
	}
	return j.folder.writeJSON(planFile, p)
}

// planSteps decides on the number of steps, and for so many on the model and how
// it learns.
func (j *Job) planSteps(ctx context.Context, in Input, on func(Event)) error {
	p, s := &j.plan, &j.plan.Settings
	if s.Time > 0 {
		on(Event{Kind: EventPilot, Time: time.Now()})
		j.deadline = in.Started.Add(s.Time)
		return p.fitTime(ctx, j.ids.Train(), j.deadline)
	}
	if p.Steps = s.Steps; s.Steps == 0 {
		p.Steps = p.stepsOf(s.Epochs)
	}
	s.chooseModel(6 * 1e6 * float64(p.Steps*p.TokensPerStep()))
	s.chooseLearning(float64(p.Steps) / float64(p.windows()))
	p.Model = s.ModelConfig(p.Model.Vocab)
	return nil
}

// checkLengths refuses text too short for the batch and window.
func (j *Job) checkLengths() error {
	p, s := j.plan, j.plan.Settings
	unit := j.tok.Unit()
	need := int64(s.BatchSize) * int64(s.BPTT+1)
	if s.Offset {
		need += int64(s.BPTT) - 1 // which a pass that begins late gives up
	}
	if p.Data.Train.Tokens < need {
		smaller := ""
		if p.Data.Train.Tokens > 8 {
			smaller = ", or --bptt 8 --batch-size 1"
		}
		return fmt.Errorf("the training text is %d %ss, one step of %dx%d needs %d; give more text%s",
			p.Data.Train.Tokens, unit, s.BatchSize, s.BPTT, need, smaller)
	}
	if err := j.checkValid(); err != nil {
		return err
	}
	if p.Data.Valid.Tokens <= int64(s.BPTT) {
		return fmt.Errorf("the validation part is %d %ss, a window is %d; give more text, --valid FILE, or --bptt %d --batch-size 1",
			p.Data.Valid.Tokens, unit, s.BPTT, max(1, p.Data.Valid.Tokens/2))
	}
	return nil
}

// checkValid refuses a validation part without a token that follows another.
func (j *Job) checkValid() error {
	if j.plan.Data.Valid.Tokens < 2 {
		return fmt.Errorf("the validation part has fewer than two %ss, so that none follows another; give more text, or --valid FILE", j.tok.Unit())
	}
	return nil
}

// chooseEvaluation bounds validation during and after the run: of a validation
// part that is large beside the training it looks at the beginning, and in a
// timed run neither takes more than a few percent of the time.
func (p *Plan) chooseEvaluation(in Input) {
	defer p.boundEvaluation(in)
	p.ValidTokens = min(p.Data.Valid.Tokens, max(1<<20, p.Tokens()/20))
	p.EvalTokens = min(p.Data.Valid.Tokens, max(1<<19, p.Tokens()/50))
	if p.Settings.Time == 0 || p.Rate == 0 {
		return
	}
	// Validation in chunks runs at about three times the training rate.
	if most := int64(p.Rate * 3 * p.Settings.Time.Seconds() / 200); p.ValidTokens > max(most, 20000) {
		p.ValidTokens = max(most, 20000)
	}
	// One stream is bound by reading the weights once a token.
	perToken := float64(p.Model.MultiplyAdds())*4/20e9 + 5e-6
	if most := int64(p.Settings.Time.Seconds() / 50 / perToken); p.EvalTokens > max(most, 2000) {
		p.EvalTokens = max(most, 2000)
	}
}

// boundEvaluation obeys what the caller asked for.
func (p *Plan) boundEvaluation(in Input) {
	if in.ValidTokens > 0 {
		p.ValidTokens = min(p.Data.Valid.Tokens, in.ValidTokens)
	}
	if in.EvalTokens > 0 {
		p.EvalTokens = min(p.Data.Valid.Tokens, in.EvalTokens)
	}
}

// checkDisk refuses a run that the disk has no room for.
func (p Plan) checkDisk(dir string) error {
	return checkpoint.NeedSpace("the run", dir, p.Disk())
}
