package compare_test

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/refrain-lm/refrain/compare"
	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/eval"
	"github.com/refrain-lm/refrain/lm"
)

// verses are documents in which the last word follows from the first.
func verses(n int) []string {
	var out []string
	for i := range n {
		first, last := "The Moon", "night."
		if i%2 == 1 {
			first, last = "The sun", "day!"
		}
		out = append(out, first+strings.Repeat(" shines", 1+i%3)+" by "+last)
	}
	return out
}

func experiment(t *testing.T, a compare.Article) *compare.Experiment {
	t.Helper()
	x, err := compare.NewExperiment(verses(60), a)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// TestArticle: all cells learn in both forms, and what is saved opens, with Keras'
// ids, and has the loss of the table.
func TestArticle(t *testing.T) {
	for _, form := range []data.Form{data.EveryPosition, data.LastPosition} {
		x := experiment(t, compare.Article{Form: form, Units: 16, EmSize: 8, Batch: 8, Epochs: 8, LR: 0.02, Seed: 1})
		for _, cell := range []lm.Cell{lm.RNN, lm.LSTM, lm.GRU} {
			var rows []compare.Epoch
			m, err := x.Run(context.Background(), cell, func(e compare.Epoch) { rows = append(rows, e) })
			if err != nil {
				t.Fatal(err)
			}
			if len(rows) != 8 || rows[7].Epoch != 8 {
				t.Fatalf("%s, %s: %d rows", form, cell, len(rows))
			}
			last := rows[7]
			// The number of verbs is a choice of three, all else is certain.
			if first := rows[0]; first.Loss < last.Loss || last.ValidLoss > 0.6*x.Uniform() || last.ValidAccuracy < 0.6 || last.Accuracy > 1 {
				t.Errorf("%s, %s: first epoch %+v, last %+v", form, cell, first, last)
			}
			dir := filepath.Join(t.TempDir(), string(cell))
			if err := x.Save(dir, m); err != nil {
				t.Fatal(err)
			}
			opened, err := eval.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			want := x.Tokenizer.TextsToSequences([]string{"the moon shines by day"})[0]
			if got := opened.Tokenizer.Encode(nil, []byte("The MOON, shines by day\n")); !slices.Equal(got, want) {
				t.Errorf("ids %v, want %v", got, want)
			}
		}
	}
}

// TestArticleIsKeras: one bias where Keras has one, two in its GRU, its epsilon, and
// no row of padding.
func TestArticleIsKeras(t *testing.T) {
	x := experiment(t, compare.Article{})
	if a := x.Article; a.Units != 128 || a.Batch != 64 || a.Epochs != 10 || a.Split != 0.2 || a.EmSize != 100 || a.LR != 0.001 {
		t.Errorf("defaults %+v", a)
	}
	if o := x.Options(nil).Optim; o.Name != "adam" || !o.Keras {
		t.Errorf("optimizer %+v", o)
	}
	v, e, h := int64(x.Tokenizer.Size()), int64(100), int64(128)
	for cell, want := range map[lm.Cell]int64{
		lm.RNN:  v*e + h*(e+h+1) + (h+1)*v,
		lm.LSTM: v*e + 4*h*(e+h+1) + (h+1)*v,
		lm.GRU:  v*e + 3*h*(e+h+2) + (h+1)*v,
	} {
		if got := x.Config(cell).Params(); got != want {
			t.Errorf("%s has %d parameters, Keras' %d", cell, got, want)
		}
	}
}

// TestArticleVectors: given vectors are where their words are, and a frozen
// embedding stays.
func TestArticleVectors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vectors.txt")
	if err := os.WriteFile(path, []byte("moon 1 2 3\nsun -1 -2 -3\nstar 0 0 0\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	x := experiment(t, compare.Article{Units: 8, Epochs: 2, Vectors: path, Freeze: true})
	if x.Vectors.Found != 2 || x.Article.EmSize != 3 {
		t.Fatalf("%d words found, %d wide", x.Vectors.Found, x.Article.EmSize)
	}
	before, err := x.Model(lm.GRU)
	if err != nil {
		t.Fatal(err)
	}
	after, err := x.Run(context.Background(), lm.GRU, func(compare.Epoch) {})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(before.Embedding().Value, after.Embedding().Value) {
		t.Error("the frozen embedding has moved")
	}
	id, _ := x.Tokenizer.WordIndex("sun")
	if got := after.Embedding().Value[3*id : 3*id+3]; !slices.Equal(got, []float32{-1, -2, -3}) {
		t.Errorf("the vector of sun is %v", got)
	}
	for _, c := range []struct {
		a    compare.Article
		want string
	}{
		{compare.Article{Vectors: path, EmSize: 4}, "3 numbers, the embedding is 4 wide"},
		{compare.Article{Freeze: true}, "--vectors"},
		{compare.Article{Vectors: path + "x"}, "no such file"},
	} {
		if _, err := compare.NewExperiment(verses(60), c.a); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v, want one with %q", c.a, err, c.want)
		}
	}
}

// TestArticleRepeats: the same seed gives the same rows, whatever ran before.
func TestArticleRepeats(t *testing.T) {
	a := compare.Article{Units: 8, EmSize: 4, Batch: 8, Epochs: 2, Seed: 7}
	loss := func(x *compare.Experiment) (loss float64) {
		if _, err := x.Run(context.Background(), lm.RNN, func(e compare.Epoch) { loss = e.ValidLoss }); err != nil {
			t.Fatal(err)
		}
		return loss
	}
	x := experiment(t, a)
	first := loss(x)
	if second := loss(x); first != second || math.IsNaN(first) {
		t.Errorf("validation loss %v, then %v", first, second)
	}
}
