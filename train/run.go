package train

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/eval"
	"github.com/refrain-lm/refrain/lm"
	"github.com/refrain-lm/refrain/nn"
	"github.com/refrain-lm/refrain/sample"
)

// Outcome is what a finished job leaves to tell.
type Outcome struct {
	Report
	Dir     string
	Unit    string      // what a token is
	Result  eval.Result // of the best model on the validation part, as eval measures it
	Samples []string
}

const (
	samples      = 3
	sampleTokens = 200
	previewLen   = 60
)

// Run trains to the end of the plan and measures the best model. If ctx is
// cancelled it saves and returns ErrStopped. on, if not nil, is called with every
// event.
func (j *Job) Run(ctx context.Context, on func(Event)) (Outcome, error) {
	on = onlooker(on)
	out := Outcome{Dir: j.folder.dir, Unit: j.tok.Unit()}
	if j.plan.Ngram != nil {
		return out, j.runNgram(ctx, &out, on)
	}
	s := j.plan.Settings
	m, err := lm.New(j.plan.Model, s.initConfig(), s.Seed)
	if err != nil {
		return out, err
	}
	stream, err := data.NewStream(j.ids.Train(), s.BatchSize, s.BPTT)
	if err != nil {
		return out, err
	}
	if s.Offset {
		if err := stream.SetOffset(s.Seed); err != nil {
			return out, err
		}
	}
	last, err := j.folder.Last()
	if err != nil && !errors.Is(err, ErrNoSnapshot) {
		return out, err
	}
	if err := j.placeVectors(m, errors.Is(err, ErrNoSnapshot)); err != nil {
		return out, err
	}
	log, err := j.folder.openMetrics(last.Run.Step, j.plan.From)
	if err != nil {
		return out, err
	}
	var logErr error
	o := j.plan.options(stream.Windows())
	o.Valid, o.Keep = j.ids.Valid(), j.folder
	o.Budget = Budget{Deadline: j.deadline, Reserve: reserve(s.Time), Record: j.recordReplan}
	o.On = func(e Event) {
		if e.Kind == EventValid && !j.plan.NoSamples {
			e.Text = j.preview(m)
		}
		if e.kept() && logErr == nil {
			logErr = log.write(e)
		}
		on(e)
	}
	out.Report, err = Run(ctx, m, stream, o)
	if cerr := log.close(); err == nil {
		err = errors.Join(logErr, cerr)
	}
	if err != nil {
		return out, err
	}
	return out, j.finish(ctx, eval.New(j.folder.dir, m, j.tok), &out, on)
}

func (j *Job) recordReplan(r Replan) error {
	before := j.plan.Replans
	j.plan.Replans = append(slices.Clone(before), r)
	err := j.folder.writeJSON(planFile, j.plan)
	if err != nil {
		j.plan.Replans = before // the run will not obey what is not recorded
	}
	return err
}

// preview is one line the model writes now, with the same seed each time.
func (j *Job) preview(m *lm.Model) string {
	m.Refresh(nil, false)
	text, err := write(eval.New(j.folder.dir, m, j.tok), previewLen, 1)
	if err != nil {
		return ""
	}
	return strings.Join(strings.Fields(text), " ")
}

// write lets the model write n tokens from a fresh start.
func write(m *eval.Model, n int, seed uint64) (string, error) {
	g, err := eval.NewGenerator(m, eval.GenerateOptions{
		MaxTokens: n, Sample: sample.Options{Temperature: 0.8, Seed: seed},
	})
	if err != nil {
		return "", err
	}
	var text strings.Builder
	_, err = g.Generate(context.Background(), "", func(p []byte) error { text.Write(p); return nil })
	return text.String(), err
}

// finish measures the best model, lets it write samples, and writes the model card.
func (j *Job) finish(ctx context.Context, model *eval.Model, out *Outcome, on func(Event)) error {
	if !j.plan.Trial {
		if err := j.measure(ctx, model, out, on); err != nil {
			return err
		}
	}
	if !j.plan.NoSamples {
		for i := range samples {
			text, err := write(model, sampleTokens, uint64(i+1))
			if err != nil {
				return err
			}
			out.Samples = append(out.Samples, text)
		}
	}
	return j.folder.write(cardFile, func(w io.Writer) error { return j.card(w, *out) })
}

// measure is eval on the validation part, and the distribution of its lines.
func (j *Job) measure(ctx context.Context, model *eval.Model, out *Outcome, on func(Event)) error {
	var err error
	if out.Result, err = j.measureStream(ctx, model, on); err != nil {
		return stoppedBy(ctx, err)
	}
	pool := nn.NewPool(j.plan.Settings.Threads)
	defer pool.Close()
	bits, err := eval.LineBits(ctx, model, j.ids.Valid(), j.plan.ValidTokens, pool)
	if err != nil {
		return stoppedBy(ctx, err)
	}
	return j.folder.writeJSON(eval.LineStatsFile, eval.NewLineStats(bits))
}

func (j *Job) measureStream(ctx context.Context, model *eval.Model, on func(Event)) (eval.Result, error) {
	pool := model.StreamPool(j.plan.Settings.Threads)
	defer pool.Close()
	n := min(j.plan.EvalTokens, j.plan.Data.Valid.Tokens)
	return eval.StreamIDs(ctx, model, j.ids.Valid(), n, j.plan.validBytes(n), j.plan.ValidLossy, pool, func(done int64) {
		on(Event{Kind: EventFinal, Time: time.Now(), Done: done, Total: n})
	})
}

// validBytes is the number of raw bytes that the first n validation tokens
// cover: exact for all of them, else in proportion.
func (p Plan) validBytes(n int64) int64 {
	if n >= p.Data.Valid.Tokens {
		return p.Data.Valid.Bytes
	}
	return int64(float64(p.Data.Valid.Bytes) * float64(n) / float64(p.Data.Valid.Tokens))
}

func stoppedBy(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ErrStopped
	}
	return err
}

// checkMemory refuses a model that this machine's memory cannot hold, before
// anything of it is allocated.
func (p Plan) checkMemory() error {
	if p.Ngram != nil {
		return nil // counting is bounded, and tells how many n-grams there are
	}
	have := systemMemory()
	if need := p.Memory(); have > 0 && need > have {
		return fmt.Errorf("%s with %d tokens needs about %d MB of memory, this machine has %d MB: take --vocab-size, --nhid, --emsize or --batch-size smaller",
			p.Model, p.Model.Vocab, need/1e6, have/1e6)
	}
	return nil
}
