package eval_test

import (
	"context"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/eval"
	"github.com/refrain-lm/refrain/lm"
	"github.com/refrain-lm/refrain/ngram"
	"github.com/refrain-lm/refrain/tokenizer"
)

// counted is an n-gram model of text.
func counted(t testing.TB, tok *tokenizer.Tokenizer, text string, order int) *eval.Model {
	t.Helper()
	m, err := ngram.Train(context.Background(), data.Slice(tok.Encode(nil, []byte(text))),
		ngram.Options{Order: order, Vocab: tok.Size(), LineEnd: tok.LineEnd()})
	if err != nil {
		t.Fatal(err)
	}
	return eval.NewNgram("counted", m, tok)
}

func mix(t testing.TB, a, b *eval.Model, weight float64) *eval.Model {
	t.Helper()
	m, err := eval.Mix(a, b, weight)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// scores are ln p of each token of ids but the first.
func scores(m *eval.Model, ids []int32) []float32 {
	out := make([]float32, len(ids)-1)
	m.Predictor.NewScorer(1, nil).Score(ids[:len(ids)-1], ids[1:], out)
	return out
}

// TestMix holds the mixture to its equation, for scorer and stepper, at the ends
// too, where it is one of the models.
func TestMix(t *testing.T) {
	text := prose(40)
	tok := newTokenizer(t, tokenizer.Options{Kind: tokenizer.Word}, text)
	a, b := random(t, tok, lm.LSTM), counted(t, tok, text, 3)
	ids := tok.Encode(nil, []byte(text))[:200]
	ofA, ofB := scores(a, ids), scores(b, ids)
	for _, weight := range []float64{0, 0.25, 0.9, 1} {
		m := mix(t, a, b, weight)
		stepper := m.Predictor.NewStepper(nil)
		for i, got := range scores(m, ids) {
			want := math.Log(weight*math.Exp(float64(ofA[i])) + (1-weight)*math.Exp(float64(ofB[i])))
			if math.Abs(float64(got)-want) > 1e-5 {
				t.Fatalf("weight %v: token %d: ln p %v, want %v", weight, i, got, want)
			}
			if step := logProb(stepper.Step(ids[i]), ids[i+1]); math.Abs(step-want) > 1e-5 {
				t.Fatalf("weight %v: token %d: stepper %v, want %v", weight, i, step, want)
			}
			if weight == 0 && got != ofB[i] || weight == 1 && got != ofA[i] {
				t.Fatalf("weight %v: token %d: ln p %v, the models give %v and %v", weight, i, got, ofA[i], ofB[i])
			}
		}
	}
	for i, got := range scores(mix(t, b, b, 0.3), ids) {
		if math.Abs(float64(got-ofB[i])) > 1e-6 {
			t.Errorf("mixed with itself: token %d: ln p %v, alone %v", i, got, ofB[i])
		}
	}
}

// TestFitMix wants the weight where the mixture's loss is lowest.
func TestFitMix(t *testing.T) {
	one, two := prose(60), strings.Repeat("error: disk 7 of 12 is full\nretrying in 30 s\n", 30)
	tok := newTokenizer(t, tokenizer.Options{Kind: tokenizer.Char}, one+two)
	a, b := counted(t, tok, one, 3), counted(t, tok, two, 3)
	ids := tok.Encode(nil, []byte(one[:900]+two[:600])) // the models know a part each
	weight, n, err := eval.FitMix(context.Background(), a, b, data.Slice(ids), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if n != int64(len(ids)-1) {
		t.Errorf("fitted on %d predictions, want %d", n, len(ids)-1)
	}
	loss := func(weight float64) (nats float64) {
		for _, lp := range scores(mix(t, a, b, weight), ids) {
			nats -= float64(lp)
		}
		return nats
	}
	if weight < 0.02 || weight > 0.98 {
		t.Fatalf("weight %v: the text was to need both", weight)
	}
	for _, other := range []float64{0, weight - 0.01, weight + 0.01, 1} {
		if loss(other) < loss(weight) {
			t.Errorf("weight %v: %v nats; %v gives %v", weight, loss(weight), other, loss(other))
		}
	}
}

func TestMixRefuses(t *testing.T) {
	a := random(t, newTokenizer(t, tokenizer.Options{Kind: tokenizer.Char}, "späte Vögel\n"), lm.GRU)
	b := random(t, tokenizer.NewByte(), lm.GRU)
	for _, c := range []struct {
		name   string
		a, b   *eval.Model
		weight float64
		want   string
	}{
		{"other tokenizer", a, b, 0.5, "tokenizers differ"},
		{"negative", a, a, -0.1, "from 0 to 1"},
		{"above one", a, a, 1.1, "from 0 to 1"},
		{"not a number", a, a, math.NaN(), "from 0 to 1"},
	} {
		if _, err := eval.Mix(c.a, c.b, c.weight); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	if _, err := a.OpenIDs(); err == nil || !strings.Contains(err.Error(), eval.IDsFile) {
		t.Errorf("a model without its run: %v", err)
	}
}

func TestMixStepperDoesNotAllocate(t *testing.T) {
	text := prose(40)
	tok := newTokenizer(t, tokenizer.Options{Kind: tokenizer.Word}, text)
	s := mix(t, random(t, tok, lm.LSTM), counted(t, tok, text, 4), 0.5).Predictor.NewStepper(nil)
	if n := testing.AllocsPerRun(50, func() { s.Step(3) }); n > 0 {
		t.Errorf("%v allocations a token", n)
	}
}

// TestNgramFolder saves and opens an n-gram model and measures the same.
func TestNgramFolder(t *testing.T) {
	text := prose(40)
	for _, o := range []tokenizer.Options{{Kind: tokenizer.Byte}, {Kind: tokenizer.Char}, {Kind: tokenizer.Word}} {
		m := counted(t, newTokenizer(t, o, text), text, 3)
		dir := filepath.Join(t.TempDir(), "model")
		if err := m.Save(dir); err != nil {
			t.Fatal(err)
		}
		got, err := eval.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if got.Kind != "ngram" || got.Ngram.Config().Order != 3 {
			t.Errorf("opened a %s %s", got.Kind, got.Ngram.Config())
		}
		if a, b := stream(t, got, texts(text), nil), stream(t, m, texts(text), nil); a != b {
			t.Errorf("%s: opened %+v, saved %+v", o.Kind, a, b)
		}
		g, err := eval.NewGenerator(got, eval.GenerateOptions{MaxTokens: 20})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := g.Generate(context.Background(), "a ", func([]byte) error { return nil }); err != nil {
			t.Error(err)
		}
	}
}
