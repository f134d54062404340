package eval_test

import (
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/eval"
	"github.com/refrain-lm/refrain/lm"
	"github.com/refrain-lm/refrain/nn"
	"github.com/refrain-lm/refrain/tokenizer"
)

// prose is n lines of made-up text, some empty, some long, some beyond ASCII.
func prose(n int) string {
	r := rand.New(rand.NewPCG(4, 2))
	words := strings.Fields("a small river runs under the old bridge späte Vögel sing 河 and nobody listens")
	var b strings.Builder
	for i := range n {
		var line []string
		for range r.IntN(9) {
			line = append(line, words[r.IntN(len(words))])
		}
		if i == n/2 { // longer than a window, in words too
			line = slices.Repeat([]string{"river"}, 600)
		}
		b.WriteString(strings.Join(line, " ") + "\n")
	}
	return b.String()
}

func newTokenizer(t testing.TB, o tokenizer.Options, text string) *tokenizer.Tokenizer {
	t.Helper()
	learner, err := tokenizer.NewTrainer(o)
	if err != nil {
		t.Fatal(err)
	}
	learner.Write([]byte(text))
	tok, err := learner.Tokenizer()
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// random is a model of random weights, which is as good as any for measures.
func random(t testing.TB, tok *tokenizer.Tokenizer, cell lm.Cell) *eval.Model {
	t.Helper()
	return randomOf(t, tok, lm.Config{Cell: cell})
}

// randomOf is random of a kind of model.
func randomOf(t testing.TB, tok *tokenizer.Tokenizer, cfg lm.Config) *eval.Model {
	t.Helper()
	cfg.Vocab, cfg.EmSize, cfg.Hidden, cfg.Layers = tok.Size(), 5, 7, 2
	if cfg.Kind == lm.KindTransformer {
		cfg.EmSize = 7
	}
	m, err := lm.New(cfg, nn.InitConfig{Name: "uniform", Range: 0.5}, 3)
	if err != nil {
		t.Fatal(err)
	}
	return eval.New("", m, tok)
}

// each runs a test on a model of every kind of tokenizer, each with another cell,
// and on one of every other kind of model.
func each(t *testing.T, text string, test func(t *testing.T, m *eval.Model)) {
	for _, c := range []struct {
		name string
		o    tokenizer.Options
		cfg  lm.Config
	}{
		{"byte", tokenizer.Options{Kind: tokenizer.Byte}, lm.Config{Cell: lm.LSTM}},
		{"char", tokenizer.Options{Kind: tokenizer.Char}, lm.Config{Cell: lm.GRU}},
		{"word", tokenizer.Options{Kind: tokenizer.Word, Words: tokenizer.Whitespace}, lm.Config{Cell: lm.RNN}},
		{"punct", tokenizer.Options{Kind: tokenizer.Word, Words: tokenizer.Punct}, lm.Config{Cell: lm.LSTMNoG}},
		{"transformer", tokenizer.Options{Kind: tokenizer.Char}, lm.Config{Kind: lm.KindTransformer, Heads: 1, Context: 9}},
		{"ffn", tokenizer.Options{Kind: tokenizer.Char}, lm.Config{Kind: lm.KindFFN, Order: 4}},
	} {
		t.Run(c.name, func(t *testing.T) { test(t, randomOf(t, newTokenizer(t, c.o, text), c.cfg)) })
	}
}

// texts makes sources of texts in memory.
func texts(parts ...string) []data.Source {
	var src []data.Source
	for _, p := range parts {
		src = append(src, data.Text("text", []byte(p)))
	}
	return src
}

// folder saves m as a model folder.
func folder(t *testing.T, m *eval.Model) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "model")
	if err := m.Save(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}
