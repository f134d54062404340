package ngram_test

import (
	"bufio"
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/ngram"
	"github.com/refrain-lm/refrain/tokenizer"
)

// corpora is the folder of the standard texts; tests that need it are skipped
// without it.
func corpora(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("REFRAIN_DATA")
	if dir == "" {
		dir = "../../shared/data"
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no corpora in %s: set REFRAIN_DATA to their folder", dir)
	}
	return dir
}

// words is a text as ids of whitespace words, with the tokenizer it made.
func words(t testing.TB, path string) ([]int32, *tokenizer.Tokenizer) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	learner, err := tokenizer.NewTrainer(tokenizer.Options{Kind: tokenizer.Word})
	if err != nil {
		t.Fatal(err)
	}
	learner.Write(text)
	tok, err := learner.Tokenizer()
	if err != nil {
		t.Fatal(err)
	}
	return tok.Encode(nil, text), tok
}

func train(t testing.TB, ids []int32, o ngram.Options) *ngram.Model {
	t.Helper()
	m, err := ngram.Train(context.Background(), data.Slice(ids), o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// nats scores lines, each after a line end, its own line end included.
func nats(m *ngram.Model, end int32, ids []int32) (lines []float64) {
	s := m.NewScorer(1)
	var line []int32
	for _, id := range ids {
		if line = append(line, id); id != end {
			continue
		}
		s.Reset()
		out := make([]float32, len(line))
		s.Score(append([]int32{end}, line[:len(line)-1]...), line, out)
		sum := 0.0
		for _, lp := range out {
			sum += float64(lp)
		}
		lines, line = append(lines, sum), line[:0]
	}
	return lines
}

// TestKenLMSentences holds sentence scores and discounts to KenLM's.
func TestKenLMSentences(t *testing.T) {
	dir := filepath.Join(corpora(t), "fixtures", "kenlm")
	ids, tok := words(t, filepath.Join(dir, "train.txt"))
	m := train(t, ids, ngram.Options{Order: 4, Vocab: tok.Size(), LineEnd: tok.LineEnd()})
	checkDiscounts(t, m, [][3]float64{{0.681968, 1.02666, 1.45067}, {0.831951, 1.30223, 1.19647}, {0.946613, 1.4196, 1.73785}, {0.984591, 1.52628, 2.07333}})

	text, err := os.ReadFile(filepath.Join(dir, "heldout.txt"))
	if err != nil {
		t.Fatal(err)
	}
	got := nats(m, tok.LineEnd(), tok.Encode(nil, text))
	want := kenlmScores(t, filepath.Join(dir, "scores.tsv"))
	if len(got) != len(want) {
		t.Fatalf("%d lines, KenLM has %d", len(got), len(want))
	}
	for i, w := range want {
		if log10 := got[i] / math.Ln10; math.Abs(log10-w) > 1e-4 {
			t.Errorf("line %d: log10 p %.6f, KenLM %.6f", i+1, log10, w)
		}
	}
}

func kenlmScores(t *testing.T, path string) (scores []float64) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var score float64
		var unknown int
		if _, err := fmt.Sscan(lines.Text(), &score, &unknown); err != nil {
			t.Fatal(err)
		}
		scores = append(scores, score)
	}
	return scores
}

func checkDiscounts(t *testing.T, m *ngram.Model, want [][3]float64) {
	t.Helper()
	for k, w := range want {
		d := m.Config().Discounts[k]
		for j := range w {
			if math.Abs(d.D[j]-w[j]) > 1e-5 || d.Usual {
				t.Errorf("order %d: D%d %v, KenLM %v", k+1, j+1, d.D[j], w[j])
			}
		}
	}
}

// TestKenLMPennTreebank holds counts, discounts and perplexities to KenLM's.
// There <unk> is an ordinary word beside KenLM's own unknown, so its vocabulary
// has one entry more, and its base 1/10,001 in place of 1/10,000.
//
// One discount differs: lmplz leaves the last word of its vocabulary, the last
// new one of the text, out of the counts of counts. Here that is "unilab", with
// 4 distinct words before it; n4 of single words is 657 with it and 656 without,
// which makes D3 1.26227 or lmplz's 1.26492.
func TestKenLMPennTreebank(t *testing.T) {
	dir := filepath.Join(corpora(t), "ptb")
	train5, tok := words(t, find(t, dir, "train"))
	text, err := os.ReadFile(find(t, dir, "valid"))
	if err != nil {
		t.Fatal(err)
	}
	valid := tok.Encode(nil, text)
	for order, want := range map[int]float64{3: 157.7653, 5: 148.0074} {
		m := train(t, train5, ngram.Options{Order: order, Vocab: tok.Size(), LineEnd: tok.LineEnd()})
		sum := 0.0
		for _, s := range nats(m, tok.LineEnd(), valid) {
			sum += s
		}
		if got := math.Exp(-sum / float64(len(valid))); math.Abs(got/want-1) > 1e-4 {
			t.Errorf("order %d: perplexity %.4f, KenLM %.4f", order, got, want)
		}
		if order == 5 {
			checkDiscounts(t, m, [][3]float64{{0.25656, 0.82888, 1.26227}, {0.727802, 1.09876, 1.4713}, {0.868879, 1.25462, 1.44822}, {0.942828, 1.38314, 1.43173}, {0.959671, 1.3879, 1.24171}})
			if got, want := fmt.Sprint(m.Grams()), "[10000 264990 586558 717733 737952]"; got != want {
				t.Errorf("n-grams %s, KenLM %s (10,002 single words with its own <unk> and <s>)", got, want)
			}
		}
	}
}

// find is the file in dir whose name holds part.
func find(t *testing.T, dir, part string) string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, "*"+part+"*"))
	if err != nil || len(all) != 1 {
		t.Fatalf("%s in %s: %v, %v", part, dir, all, err)
	}
	if !strings.HasSuffix(all[0], ".txt") {
		t.Fatalf("%s is no text", all[0])
	}
	return all[0]
}
