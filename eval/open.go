package eval

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/lm"
	"github.com/refrain-lm/refrain/ngram"
	"github.com/refrain-lm/refrain/tokenizer"
)

// Files of a model folder, beside those that lm and ngram name.
const (
	TokenizerFile = "tokenizer.json"
	IDsFile       = "data.ids"  // the encoded text of the model's run
	PlanFile      = "plan.json" // what that run does, and how it is resumed
)

// Model is an opened model folder.
type Model struct {
	Dir       string
	Kind      string       // one of lm.Kinds, or ngram.Kind
	Config    lm.Config    // of a model of package lm
	LM        *lm.Model    // the model of package lm itself, else nil
	Ngram     *ngram.Model // the n-gram model itself, else nil
	Tokenizer *tokenizer.Tokenizer
	Predictor Predictor
}

// Open opens the model folder dir, whatever its kind.
func Open(dir string) (*Model, error) {
	kind, err := readKind(dir)
	if err != nil {
		return nil, err
	}
	tok, err := openTokenizer(dir)
	if err != nil {
		return nil, err
	}
	switch base, _ := lm.CutWeights(kind); base {
	case lm.KindRecurrent, lm.KindFFN, lm.KindTransformer:
		m, err := lm.Load(dir)
		if err != nil {
			return nil, explain(dir, lm.WeightsFile, err)
		}
		return checked(New(dir, m, tok))
	case ngram.Kind:
		m, err := ngram.Load(dir)
		if err != nil {
			return nil, explain(dir, ngram.WeightsFile, err)
		}
		return checked(NewNgram(dir, m, tok))
	}
	return nil, fmt.Errorf("%s: models of kind %q need a newer Refrain", dir, kind)
}

// New wraps a model that is already in memory.
func New(dir string, m *lm.Model, tok *tokenizer.Tokenizer) *Model {
	return &Model{Dir: dir, Kind: m.Config().Kind, Config: m.Config(), LM: m, Tokenizer: tok, Predictor: recurrent{m}}
}

// NewNgram wraps an n-gram model that is already in memory.
func NewNgram(dir string, m *ngram.Model, tok *tokenizer.Tokenizer) *Model {
	return &Model{Dir: dir, Kind: ngram.Kind, Ngram: m, Tokenizer: tok, Predictor: counted{m}}
}

// checked refuses a model whose tokenizer is another's.
func checked(m *Model) (*Model, error) {
	if have := m.Predictor.Vocab(); have != m.Tokenizer.Size() {
		return nil, fmt.Errorf("%s: the model knows %d tokens, its tokenizer %d: use the %s saved with this model", m.Dir, have, m.Tokenizer.Size(), TokenizerFile)
	}
	return m, nil
}

// readKind reads the kind alone, since what else config.json holds depends on it.
func readKind(dir string) (string, error) {
	path := filepath.Join(dir, lm.ConfigFile)
	f, err := os.Open(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		if _, derr := os.Stat(dir); derr != nil {
			return "", fmt.Errorf("no folder %s; train makes one: refrain train FILE", dir)
		}
		if models, _ := filepath.Glob(filepath.Join(dir, "*", lm.ConfigFile)); len(models) > 0 {
			return "", fmt.Errorf("%s is a folder of models: take one, such as %s", dir, filepath.Dir(models[0]))
		}
		return "", fmt.Errorf("%s is no finished model folder: it has no %s", dir, lm.ConfigFile)
	case err != nil:
		return "", fmt.Errorf("%s: %w", path, err)
	}
	defer f.Close()
	var head struct {
		Kind string `json:"kind"`
	}
	if err := json.NewDecoder(f).Decode(&head); err != nil {
		return "", fmt.Errorf("%s is damaged (%w): copy the model folder again", path, err)
	}
	return head.Kind, nil
}

func openTokenizer(dir string) (*tokenizer.Tokenizer, error) {
	path := filepath.Join(dir, TokenizerFile)
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s needs the %s that was saved with its model: %w", dir, TokenizerFile, err)
	}
	defer f.Close()
	t, err := tokenizer.Load(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

// explain adds what to do when the weights are not there yet.
func explain(dir, weights string, err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s has no %s yet: its run was stopped before the first validation; go on with: refrain train --resume %s", dir, weights, dir)
	}
	return err
}

// OpenIDs opens the ids of the run that made the model.
func (m *Model) OpenIDs() (*data.IDs, error) {
	ids, err := data.OpenIDs(filepath.Join(m.Dir, IDsFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s has no %s: it was copied without its run's text", m.Dir, IDsFile)
	}
	if err != nil {
		return nil, err
	}
	if ids.TokenizerID() != m.Tokenizer.ID() {
		return nil, errors.Join(fmt.Errorf("%s: %s is of another tokenizer, so of another run: copy the folder again", m.Dir, IDsFile), ids.Close())
	}
	return ids, nil
}
