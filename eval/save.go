package eval

import (
	"fmt"
	"io"

	"github.com/refrain-lm/refrain/checkpoint"
	"github.com/refrain-lm/refrain/lm"
	"github.com/refrain-lm/refrain/ngram"
)

// Save writes the model to a new folder that Open opens: its config, tokenizer
// and weights, and more files if given, all or nothing. Where dir exists already
// the error matches os.ErrExist and nothing is written. A mixture has no folder.
func (m *Model) Save(dir string, more ...checkpoint.File) error {
	if have := m.Predictor.Vocab(); have != m.Tokenizer.Size() {
		return fmt.Errorf("%s: the model knows %d tokens, its tokenizer %d: save it with the tokenizer it was trained with", dir, have, m.Tokenizer.Size())
	}
	if m.LM == nil && m.Ngram == nil {
		return fmt.Errorf("%s: a model of kind %s has no weights of its own to save: save the two it mixes", dir, m.Kind)
	}
	files := []checkpoint.File{{Name: TokenizerFile, Write: m.Tokenizer.Save}}
	if m.Ngram != nil {
		files = append(files, checkpoint.File{Name: lm.ConfigFile, Write: m.Ngram.Config().Write},
			checkpoint.File{Name: ngram.WeightsFile, Write: m.Ngram.Write})
	} else {
		files = append(files, checkpoint.File{Name: lm.ConfigFile, Write: m.Config.Write},
			checkpoint.File{Name: lm.WeightsFile, Write: func(w io.Writer) error { return checkpoint.WriteSafetensors(w, m.LM.Tensors()) }})
	}
	return checkpoint.NewFolder(checkpoint.OS{}, dir, append(files, more...))
}

// Quantize returns the model with its weights as lm.BFloat16 or lm.Int8: smaller,
// faster, and for use alone.
func (m *Model) Quantize(weights string) (*Model, error) {
	if m.LM == nil {
		return nil, fmt.Errorf("%s: a model of kind %s has no matrices of weights to quantize", m.Dir, m.Kind)
	}
	q, err := m.LM.Quantize(weights)
	if err != nil {
		return nil, err
	}
	return New(m.Dir, q, m.Tokenizer), nil
}
