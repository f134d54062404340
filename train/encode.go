package train

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/refrain-lm/refrain/checkpoint"
	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/eval"
	"github.com/refrain-lm/refrain/ngram"
	"github.com/refrain-lm/refrain/tokenizer"
)

// share takes tokenizer and ids from the folder of another run instead.
func (j *Job) share(from string) error {
	other, err := ReadPlan(from)
	if err != nil {
		return err
	}
	j.plan.Data, j.plan.ValidLossy, j.plan.TokenizerID = other.Data, other.ValidLossy, other.TokenizerID
	j.plan.Paths, j.plan.Valid = other.Paths, other.Valid
	for _, name := range []string{eval.TokenizerFile, idsFile} {
		if err := link(filepath.Join(from, name), filepath.Join(j.folder.dir, name)); err != nil {
			return fmt.Errorf("train: sharing the text of %s: %w", from, err)
		}
	}
	if err := j.openTokenizer(); err != nil {
		return err
	}
	return j.openIDs()
}

// link gives a file a second name, or copies it where the system cannot do that.
func link(from, to string) error {
	if os.Link(from, to) == nil {
		return nil
	}
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	return checkpoint.ReplaceFile(checkpoint.OS{}, to, func(w io.Writer) error { _, err := io.Copy(w, f); return err })
}

// encode learns the tokenizer from the training part and writes tokenizer.json
// and data.ids.
func (j *Job) encode(ctx context.Context, in Input, on func(Event)) error {
	if in.Shared != "" {
		return j.share(in.Shared)
	}
	learner, err := tokenizer.NewTrainer(j.plan.Settings.TokenizerOptions())
	if err != nil {
		return err
	}
	first := true
	corpus, err := data.Prepare(ctx, data.PrepareOptions{
		Train: in.Sources, Valid: in.Valid, Path: filepath.Join(j.folder.dir, idsFile),
		Learn: func(text []byte) {
			if first && len(in.Sources) > 0 {
				j.hintLabels(in.Sources[0].Name, text, on)
			}
			first = false
			learner.Write(text)
		},
		Encoding: func() (data.Encoding, error) {
			var err error
			j.tok, err = learner.Tokenizer()
			if err != nil {
				return data.Encoding{}, err
			}
			return data.Encoding{Vocabulary: j.tok.Size(), ID: j.tok.ID(), Train: j.encodeTraining, Valid: j.encodeValid}, nil
		},
		Progress: func(p data.Progress) {
			kind := EventRead
			if p.Stage == "encode" {
				kind = EventTokenize
			}
			on(Event{Kind: kind, Time: time.Now(), Done: p.Done, Total: p.Total})
		},
	})
	if err != nil {
		return err
	}
	j.plan.Data = *corpus
	if err := j.folder.write(eval.TokenizerFile, j.tok.Save); err != nil {
		return err
	}
	j.plan.TokenizerID = j.tok.ID()
	j.ids, err = data.OpenIDs(filepath.Join(j.folder.dir, idsFile))
	return err
}

// hintLabels warns of a file of labels: it can be learnt as it is, and rarely should.
func (j *Job) hintLabels(name string, head []byte, on func(Event)) {
	if found := data.Labels(name, head); found != "" {
		on(Event{Kind: EventWarning, Time: time.Now(), Text: found + "; learning all of it"})
	}
}

// encodeTraining encodes training text. Counts need no noise to know of unseen
// tokens: smoothing keeps a share for each.
func (j *Job) encodeTraining(dst []int32, text []byte, offset uint64) []int32 {
	if j.plan.Settings.Model == ngram.Kind {
		return j.tok.Encode(dst, text)
	}
	return j.tok.EncodeTraining(dst, text, offset)
}

// encodeValid encodes validation text and notes whether anything was lost.
func (j *Job) encodeValid(dst []int32, text []byte) []int32 {
	j.plan.ValidLossy = j.plan.ValidLossy || j.tok.Loses(text)
	return j.tok.Encode(dst, text)
}

// openData opens the run's ids and tokenizer and refuses what has changed.
func (j *Job) openData(ctx context.Context) error {
	if err := j.openTokenizer(); err != nil {
		return err
	}
	if err := j.openIDs(); err != nil {
		return err
	}
	if want := j.plan.Model.Vocab; j.tok.Size() != want || j.ids.Vocabulary() != want {
		return fmt.Errorf("%s is for %d tokens, %s has %d, %s %d: they are not of one run; put its own files back, or train anew with --out other", planFile, want, eval.TokenizerFile, j.tok.Size(), idsFile, j.ids.Vocabulary())
	}
	if err := j.plan.checkMemory(); err != nil {
		return err
	}
	return j.plan.Data.CheckUnchanged(ctx)
}

// openTokenizer opens the run's tokenizer.
func (j *Job) openTokenizer() error {
	f, err := os.Open(filepath.Join(j.folder.dir, eval.TokenizerFile))
	if err != nil {
		return fmt.Errorf("train: the run needs its tokenizer: %w", err)
	}
	defer f.Close()
	if j.tok, err = tokenizer.Load(f); err != nil {
		return fmt.Errorf("%s: %w; put the old one back, or train anew with --out other", f.Name(), err)
	}
	if j.tok.ID() != j.plan.TokenizerID {
		return fmt.Errorf("%s is not the tokenizer this run began with; put the old one back, or train anew with --out other", f.Name())
	}
	return nil
}

// openIDs opens the run's ids.
func (j *Job) openIDs() (err error) {
	if j.ids, err = data.OpenIDs(filepath.Join(j.folder.dir, idsFile)); err != nil {
		return fmt.Errorf("the run's data cannot be read: %w", err)
	}
	if t, v := j.ids.Train().Len(), j.ids.Valid().Len(); t != j.plan.Data.Train.Tokens || v != j.plan.Data.Valid.Tokens {
		return fmt.Errorf("%s holds %d and %d tokens, the plan %d and %d: it is of another run; put its own back, or train anew with --out other", idsFile, t, v, j.plan.Data.Train.Tokens, j.plan.Data.Valid.Tokens)
	}
	return nil
}
