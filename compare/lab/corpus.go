package lab

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/refrain-lm/refrain/compare"
	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/tokenizer"
)

// most is how much of a text is read: far more than short runs get through.
const most = 16 << 20

var errEnough = errors.New("enough")

// Read makes a corpus of the first 16 MiB of a text: its last tenth is for
// measuring.
func Read(src []data.Source, o tokenizer.Options) (*Corpus, error) {
	var text []byte
	err := data.Chunks(src, func(chunk []byte) error {
		if text = append(text, chunk...); len(text) >= most {
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, err
	}
	if len(src) > 0 {
		if err := compare.RefuseLabels(src[0].Name, text); err != nil {
			return nil, err
		}
	}
	head := text[:len(text)-len(text)/10]
	learner, err := tokenizer.NewTrainer(o)
	if err != nil {
		return nil, err
	}
	learner.Write(head)
	tok, err := learner.Tokenizer()
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(text)
	c := &Corpus{Train: tok.EncodeTraining(nil, head, 0), Valid: tok.Encode(nil, text[len(head):]), Word: tok.TokenText}
	c.Text = Text{Bytes: int64(len(text)), SHA256: hex.EncodeToString(sum[:]), Tokenizer: string(tok.Kind()), Unit: tok.Unit(), Vocab: tok.Size(),
		Train: int64(len(c.Train)), Valid: int64(len(c.Valid))}
	if len(src) > 0 {
		c.Text.Name = filepath.Base(src[0].Name)
	}
	if n := len(src); n > 1 {
		c.Text.Name = fmt.Sprintf("%s and %d more", c.Text.Name, n-1)
	}
	return c, nil
}

// text is the corpus as the result tells it.
func (c *Corpus) text() *Text {
	t := c.Text
	for _, id := range c.Valid[:min(stretch, len(c.Valid))] {
		t.Stretch = append(t.Stretch, c.Word(id))
	}
	return &t
}

// check refuses a text too short to look at: gradients are followed through two
// windows, after two that make the state.
func (c *Corpus) check(s Settings) error {
	measure, learn := 4*s.Window+2, s.Batch*(s.Window+1)
	if len(c.Valid) < measure || len(c.Train) < learn {
		return fmt.Errorf("%s has %d %ss to train on and %d to measure on; windows of %d in %d lanes need %d and %d: give more text, a smaller --bptt or --batch-size",
			c.Text.Name, len(c.Train), c.Text.Unit, len(c.Valid), s.Window, s.Batch, learn, measure)
	}
	return nil
}
