package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/refrain-lm/refrain/eval"
	"github.com/refrain-lm/refrain/lm"
	"github.com/refrain-lm/refrain/ngram"
)

// countsFolder is where sorted n-grams lie while they are counted.
const countsFolder = ".counts"

// ngramFlags are the settings that an n-gram model has use for, or that cannot
// hurt it: counting has no seed and no budget.
var ngramFlags = map[string]bool{
	"tokenizer": true, "words": true, "min-count": true, "vocab-size": true, "lower": true, "normalize": true,
	"model": true, "order": true, "across-lines": true, "time": true, "seed": true, "threads": true, "precision": true,
}

// prepareNgram completes the plan of an n-gram model.
func (j *Job) prepareNgram(on func(Event)) error {
	p := &j.plan
	s := &p.Settings
	order, across := "5", "false"
	if s.Tokenizer != "word" {
		order, across = "8", "true" // letters say less than words, and their lines are no sentences
	}
	s.choose("order", order)
	s.choose("across-lines", across)
	p.Ngram = &ngram.Config{Version: ngram.Version, Kind: ngram.Kind, Order: s.Order, Vocab: j.tok.Size(), LineEnd: j.tok.LineEnd()}
	if s.AcrossLines {
		p.Ngram.LineEnd = -1
	}
	if err := j.checkValid(); err != nil {
		return err
	}
	p.ValidTokens, p.EvalTokens = p.Data.Valid.Tokens, p.Data.Valid.Tokens
	p.Complete = true
	on(Event{Kind: EventPlan, Time: time.Now()})
	if j.temp {
		return nil
	}
	if err := p.checkDisk(j.folder.dir); err != nil {
		return err
	}
	if err := j.folder.write(lm.ConfigFile, p.Ngram.Write); err != nil {
		return err
	}
	return j.folder.writeJSON(planFile, p)
}

// grams bounds the number of n-grams of each length.
func (p Plan) grams() (longest, shorter int64) {
	possible := 1.0
	for n := 1; n <= p.Ngram.Order; n++ {
		possible *= float64(p.Ngram.Vocab)
		longest = int64(min(float64(p.Data.Train.Tokens+1), possible))
		if n < p.Ngram.Order {
			shorter += longest
		}
	}
	return longest, shorter
}

// countingMemory is the most that counting and estimating hold.
func (p Plan) countingMemory() int64 {
	longest, shorter := p.grams()
	counting := min(ngram.DefaultMemory, p.Data.Train.Tokens*int64(8*p.Ngram.Order+4))
	return 12e6 + counting + 16*longest + 24*shorter
}

// countingDisk is the most that sorted n-grams, while they are counted, and the
// model take.
func (p Plan) countingDisk() int64 {
	longest, shorter := p.grams()
	runs := p.Data.Train.Tokens * int64(4*p.Ngram.Order+4)
	if runs*2 < ngram.DefaultMemory {
		runs = 0
	}
	return runs + 8*longest + 16*shorter
}

// resumeNgram goes on with an n-gram model: it is finished, or counted anew from
// the ids on disk.
func (j *Job) resumeNgram(s Settings, on func(Event)) error {
	if _, _, err := j.plan.Settings.amended(s); err != nil {
		return fmt.Errorf("%s %w", j.folder.dir, err)
	}
	if s.budgetGiven() {
		return fmt.Errorf("%s is an n-gram model, which counts its text once: %s would teach it nothing; leave it out, or train anew with --out other",
			j.folder.dir, strings.Join(given(s, "time", "steps", "epochs"), ", "))
	}
	if _, err := os.Stat(filepath.Join(j.folder.dir, cardFile)); err == nil {
		return ErrFinished
	}
	on(Event{Kind: EventResume, Time: time.Now()})
	return nil
}

// runNgram counts, estimates and measures.
func (j *Job) runNgram(ctx context.Context, out *Outcome, on func(Event)) error {
	began := time.Now()
	log, err := j.folder.openMetrics(0, 0)
	if err != nil {
		return err
	}
	tell := func(e Event) error {
		e.Time, e.Elapsed = time.Now(), time.Since(began)
		e.Loss, e.Norm, e.Accuracy, e.ValidAccuracy = math.NaN(), math.NaN(), math.NaN(), math.NaN()
		on(e)
		return log.write(e)
	}
	if err = j.countAndMeasure(ctx, out, on, tell); err != nil {
		err = stoppedBy(ctx, err)
	}
	out.Elapsed = time.Since(began)
	return errors.Join(err, log.close())
}

// countAndMeasure is runNgram; what it hands to tell is recorded too.
func (j *Job) countAndMeasure(ctx context.Context, out *Outcome, on func(Event), tell func(Event) error) error {
	m, err := j.count(ctx, on)
	if err != nil {
		return err
	}
	if err := j.folder.write(ngram.WeightsFile, m.Write); err != nil {
		return err
	}
	if err := j.folder.write(lm.ConfigFile, m.Config().Write); err != nil {
		return err
	}
	if text := usualDiscounts(m.Config()); text != "" {
		if err := tell(Event{Kind: EventNote, Valid: math.NaN(), Text: text}); err != nil {
			return err
		}
	}
	if err := j.finish(ctx, eval.NewNgram(j.folder.dir, m, j.tok), out, on); err != nil {
		return err
	}
	out.Tokens, out.Best = j.plan.Data.Train.Tokens, out.Result.Loss()
	e := Event{Kind: EventValid, Pass: 1, Valid: out.Best, Best: true}
	if len(out.Samples) > 0 {
		e.Text = strings.Join(strings.Fields(out.Samples[0]), " ")
	}
	return tell(e)
}

// count counts the training ids, with a folder for what memory does not hold.
func (j *Job) count(ctx context.Context, on func(Event)) (m *ngram.Model, err error) {
	dir := filepath.Join(j.folder.dir, countsFolder)
	if err := j.folder.disk.Remove(dir); err != nil { // of a run that was killed
		return nil, fmt.Errorf("train: %w", err)
	}
	if err := j.folder.disk.Mkdir(dir); err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	defer func() {
		if rerr := j.folder.disk.Remove(dir); rerr != nil {
			err = errors.Join(err, fmt.Errorf("train: %w", rerr))
		}
	}()
	c, ids := j.plan.Ngram, j.ids.Train()
	return ngram.Train(ctx, ids, ngram.Options{
		Order: c.Order, Vocab: c.Vocab, LineEnd: c.LineEnd, Most: systemMemory(), Dir: dir,
		Progress: func(done int64) {
			on(Event{Kind: EventCount, Time: time.Now(), Done: done, Total: ids.Len()})
		},
	})
}

// usualDiscounts says which orders' discounts could not be estimated.
func usualDiscounts(c ngram.Config) string {
	var orders []string
	for i, d := range c.Discounts {
		if d.Usual {
			orders = append(orders, strconv.Itoa(i+1))
		}
	}
	if len(orders) == 0 {
		return ""
	}
	what := "n-grams of length " + strings.Join(orders, ", ")
	return fmt.Sprintf("%s: too few rare ones to estimate discounts from; 0.5, 1, 1.5 instead, as is usual", what)
}
