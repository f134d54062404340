package compare

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/embedding"
	"github.com/refrain-lm/refrain/eval"
	"github.com/refrain-lm/refrain/keras"
	"github.com/refrain-lm/refrain/lm"
	"github.com/refrain-lm/refrain/nn"
	"github.com/refrain-lm/refrain/optim"
	"github.com/refrain-lm/refrain/tokenizer"
	"github.com/refrain-lm/refrain/train"
)

// Article is the worked example of the review article (its section 4) as it must
// have been meant: Keras' Tokenizer, each document its sequence, an Embedding, one
// recurrent layer, Dense with softmax, cross-entropy, Adam, with Keras' equations,
// initial weights and epsilon. docs/article.md says where its printed code cannot
// run. Zero fields are the article's settings.
type Article struct {
	Form       data.Form // what a row predicts; "": every position
	Units      int       // of the recurrent layer; 0: 128
	EmSize     int       // of a random embedding; 0: 100, or the width of Vectors
	Batch      int       // rows; 0: 64
	Epochs     int       // 0: 10
	Split      float64   // last share that validates; 0: 0.2
	ByDocument bool      // split by document: no prefix of a sentence is in both parts
	MaxLen     int       // longest input, of which longer ones keep the end; 0: no bound
	NumWords   int       // Keras' num_words; 0: all words
	OOVToken   string    // stands for words beyond NumWords; "": they are left out
	LR         float64   // 0: 0.001
	Vectors    string    // file of word vectors that the embedding begins with
	Freeze     bool      // train around the embedding
	Seed       uint64    // of the weights and of the order of rows
	Threads    int       // 0: all cores
}

func (a Article) withDefaults() Article {
	a.Units, a.Batch, a.Epochs = orElse(a.Units, 128), orElse(a.Batch, 64), orElse(a.Epochs, 10)
	a.Split, a.LR = orElse(a.Split, 0.2), orElse(a.LR, 0.001)
	if a.Form == "" {
		a.Form = data.EveryPosition
	}
	return a
}

// orElse is v, or where that is zero the other value.
func orElse[T int | float64](v, other T) T {
	if v == 0 {
		return other
	}
	return v
}

// Experiment is an Article with its texts, ready to train any cell.
type Experiment struct {
	Article   Article // completed
	Tokenizer *keras.Tokenizer
	Documents int
	Tokens    int               // in all documents
	Train     *data.Documents   // shuffled anew in each epoch
	Valid     *data.Documents   // in the order of the texts
	Vectors   *embedding.Matrix // nil: random
}

// Epoch is one row of the article's table. Loss and accuracy of training are
// running means over the epoch, as Keras prints them; losses are nats a word.
type Epoch struct {
	Epoch         int     `json:"epoch"`
	Loss          float64 `json:"loss"`
	Accuracy      float64 `json:"accuracy"`
	ValidLoss     float64 `json:"val_loss"`
	ValidAccuracy float64 `json:"val_accuracy"`
	Seconds       float64 `json:"seconds"` // of training
}

// NewExperiment fits the tokenizer on all texts, as the article does, and cuts
// their sequences into the two parts.
func NewExperiment(texts []string, a Article) (*Experiment, error) {
	a = a.withDefaults()
	t := keras.NewTokenizer()
	t.NumWords, t.OOVToken = a.NumWords, a.OOVToken
	t.FitOnTexts(texts)
	sequences := t.TextsToSequences(texts)
	x := &Experiment{Article: a, Tokenizer: t, Documents: len(texts)}
	for _, s := range sequences {
		x.Tokens += len(s)
	}
	all, err := data.NewDocuments(sequences, data.DocumentOptions{
		Form: a.Form, Rows: a.Batch, MaxLen: a.MaxLen, Shuffle: true, Seed: a.Seed,
	})
	if err != nil {
		return nil, err
	}
	split := all.Split
	if a.ByDocument {
		split = all.SplitDocuments
	}
	if x.Train, x.Valid, err = split(a.Split); err != nil {
		return nil, err
	}
	return x, x.readVectors()
}

// readVectors reads the rows of Vectors that the vocabulary asks for.
func (x *Experiment) readVectors() error {
	a := &x.Article
	if a.Vectors == "" {
		if a.Freeze {
			return errors.New("a frozen embedding of random vectors learns nothing: give --vectors FILE with --freeze-embedding")
		}
		a.EmSize = orElse(a.EmSize, 100)
		return nil
	}
	r, err := embedding.Open(a.Vectors)
	if err != nil {
		return err
	}
	defer r.Close()
	if a.EmSize != 0 {
		if err := r.Fits(a.EmSize); err != nil {
			return fmt.Errorf("%s: %w", a.Vectors, err)
		}
	}
	a.EmSize = r.Width()
	words := make([]string, x.Tokenizer.Size())
	for i := range words {
		words[i], _ = x.Tokenizer.IndexWord(int32(i))
	}
	if x.Vectors, err = embedding.Select(r, words); err != nil {
		return fmt.Errorf("%s: %w", a.Vectors, err)
	}
	return nil
}

// Config is the model of one cell: Keras' layer of that name, one bias where Keras
// has one, the GRU's reset after the product as is Keras' default.
func (x *Experiment) Config(cell lm.Cell) lm.Config {
	c := lm.Config{Cell: cell, Bias: "one", Vocab: x.Tokenizer.Size(), EmSize: x.Article.EmSize, Hidden: x.Article.Units, Layers: 1}
	if cell == lm.GRU {
		c.Bias, c.GRUReset = "two", "after"
	}
	return c
}

// Model returns the untrained model of one cell.
func (x *Experiment) Model(cell lm.Cell) (*lm.Model, error) {
	m, err := lm.New(x.Config(cell), nn.InitConfig{Name: nn.InitKeras}, x.Article.Seed)
	if err != nil {
		return nil, err
	}
	table := m.Embedding()
	clear(table.Value[:x.Article.EmSize]) // the padding's, which nothing reads in training
	if x.Vectors != nil {
		x.Vectors.Fill(table.Value)
	}
	table.Frozen = x.Article.Freeze
	return m, nil
}

// Options are those of a training run of m with a row of the table for each epoch.
func (x *Experiment) Options(on func(Epoch)) train.Options {
	rows := rowWatch{windows: x.Train.Windows(), on: on}
	return x.options(func(e train.Event) { rows.hear(e) })
}

func (x *Experiment) options(on func(train.Event)) train.Options {
	a, windows := x.Article, x.Train.Windows()
	return train.Options{
		Steps: int64(a.Epochs) * windows, Seed: a.Seed, Threads: a.Threads,
		Optim:     optim.Config{Name: "adam", Keras: true},
		Schedule:  optim.Schedule{Name: "constant", LR: a.LR},
		ValidFeed: x.Valid, ValidEvery: windows, SaveEvery: windows, ReportEvery: windows,
		On: on,
	}
}

// Run trains the model of one cell, calls on after each epoch, and returns the
// model with the weights of the epoch that validated best.
func (x *Experiment) Run(ctx context.Context, cell lm.Cell, on func(Epoch)) (*lm.Model, error) {
	m, err := x.Model(cell)
	if err != nil {
		return nil, err
	}
	if err := x.Train.Seek(data.Cursor{}); err != nil { // every cell sees the same rows in the same order
		return nil, err
	}
	_, err = train.Run(ctx, m, x.Train, x.Options(on))
	return m, err
}

// Save writes a trained model to a new folder, which eval, score, generate and
// inspect take like any other. Its tokenizer is Keras'.
func (x *Experiment) Save(dir string, m *lm.Model) error {
	tok, err := tokenizer.FromKeras(x.Tokenizer)
	if err != nil {
		return err
	}
	return eval.New(dir, m, tok).Save(dir)
}

// Uniform is the loss, in nats, of guessing all words alike.
func (x *Experiment) Uniform() float64 { return math.Log(float64(x.Tokenizer.Size() - 1)) }
