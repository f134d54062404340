// Command kenlm prints how far n-gram models agree with KenLM's, and what they
// cost: counting time and memory, and nanoseconds a query. It reads the corpora
// and KenLM's values (fixtures/kenlm) in the folder that REFRAIN_DATA names.
//
//	REFRAIN_DATA=../data go run ./bench/kenlm
//
// agree.py beside it lets KenLM itself score what Refrain wrote.
package main

import (
	"bufio"
	"compress/gzip"
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/eval"
	"github.com/refrain-lm/refrain/ngram"
	"github.com/refrain-lm/refrain/tokenizer"
)

func main() {
	dir := os.Getenv("REFRAIN_DATA")
	if dir == "" {
		fmt.Fprintln(os.Stderr, "kenlm: set REFRAIN_DATA to the folder of the corpora")
		os.Exit(2)
	}
	if err := run(dir); err != nil {
		fmt.Fprintln(os.Stderr, "kenlm:", err)
		os.Exit(1)
	}
}

func run(dir string) error {
	fixtures := filepath.Join(dir, "fixtures", "kenlm")
	if err := sentences(fixtures); err != nil {
		return err
	}
	fmt.Println()
	fmt.Println("| text | order | perplexity | KenLM | relative difference | n-grams | model | counting | heap at most | query |")
	fmt.Println("|---|---|---|---|---|---|---|---|---|---|")
	for _, c := range []struct {
		name, train, valid string
		order              int
		kenlm              float64 // 0: not known
	}{
		{"Penn Treebank", "ptb/ptb.train.txt", "ptb/ptb.valid.txt", 3, 157.7653},
		{"Penn Treebank", "ptb/ptb.train.txt", "ptb/ptb.valid.txt", 5, 148.0074},
		{"WikiText-2", "wikitext-2/wiki.train.tokens", "wikitext-2/wiki.valid.tokens", 5, 0},
	} {
		if err := corpus(c.name, filepath.Join(dir, c.train), filepath.Join(dir, c.valid), c.order, c.kenlm); err != nil {
			return err
		}
	}
	return nil
}

// sentences compares every sentence score of the fixtures, of a model counted
// here and of KenLM's own read from its ARPA file.
func sentences(dir string) error {
	counted, err := count(filepath.Join(dir, "train.txt"), 4)
	if err != nil {
		return err
	}
	read, err := readARPA(filepath.Join(dir, "order4.arpa.gz"))
	if err != nil {
		return err
	}
	fmt.Println("| sentences of heldout.txt | perplexity | KenLM | largest difference of a sentence, log10 |")
	fmt.Println("|---|---|---|---|")
	for _, m := range []struct {
		name  string
		model *eval.Model
	}{{"counted here, order 4", counted.model}, {"KenLM's ARPA file", read}} {
		res, worst, err := against(m.model, filepath.Join(dir, "heldout.txt"), filepath.Join(dir, "scores.tsv"))
		if err != nil {
			return err
		}
		fmt.Printf("| %s | %.4f | 263.5993 | %.1e |\n", m.name, res.Perplexity(), worst)
	}
	return nil
}

// against scores a text's lines and compares them with KenLM's scores.
func against(m *eval.Model, text, scores string) (res eval.Result, worst float64, err error) {
	lines, err := os.Open(text)
	if err != nil {
		return res, 0, err
	}
	defer lines.Close()
	want, err := os.Open(scores)
	if err != nil {
		return res, 0, err
	}
	defer want.Close()
	scorer, kenlm := eval.NewLineScorer(m, false), bufio.NewScanner(want)
	for in := bufio.NewScanner(lines); in.Scan() && kenlm.Scan(); {
		var log10 float64
		if _, err := fmt.Sscan(kenlm.Text(), &log10); err != nil {
			return res, 0, err
		}
		s := scorer.Score(append(in.Bytes(), '\n'), false, false)
		worst = max(worst, math.Abs(s.LogProb/math.Ln10-log10))
		res.NLL -= s.LogProb
		res.Tokens += int64(s.Tokens)
	}
	return res, worst, nil
}

func readARPA(path string) (*eval.Model, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	return eval.ReadARPA(z)
}

// counting is a model and what it cost.
type counting struct {
	model  *eval.Model
	tokens int
	took   time.Duration
	heap   uint64 // highest seen
}

// count counts a text of words, a line being a sentence.
func count(path string, order int) (c counting, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return c, err
	}
	learner, err := tokenizer.NewTrainer(tokenizer.Options{Kind: tokenizer.Word})
	if err != nil {
		return c, err
	}
	learner.Write(text)
	tok, err := learner.Tokenizer()
	if err != nil {
		return c, err
	}
	ids := tok.Encode(nil, text)
	text = nil
	runtime.GC()
	began, stop := time.Now(), make(chan struct{})
	peak := watchHeap(stop)
	m, err := ngram.Train(context.Background(), data.Slice(ids), ngram.Options{Order: order, Vocab: tok.Size(), LineEnd: tok.LineEnd()})
	if err != nil {
		return c, err
	}
	c.took = time.Since(began)
	close(stop)
	c.heap, c.tokens, c.model = <-peak, len(ids), eval.NewNgram("", m, tok)
	return c, nil
}

// watchHeap looks at the heap a thousand times a second until stop.
func watchHeap(stop <-chan struct{}) <-chan uint64 {
	out := make(chan uint64, 1)
	go func() {
		var most uint64
		for tick := time.NewTicker(time.Millisecond); ; {
			var s runtime.MemStats
			runtime.ReadMemStats(&s)
			most = max(most, s.HeapInuse)
			select {
			case <-stop:
				tick.Stop()
				out <- most
				return
			case <-tick.C:
			}
		}
	}()
	return out
}

// corpus prints a row for one text and order.
func corpus(name, train, valid string, order int, kenlm float64) error {
	c, err := count(train, order)
	if err != nil {
		return err
	}
	src, err := data.Sources([]string{valid}, nil, data.ReadOptions{})
	if err != nil {
		return err
	}
	res, err := eval.PerLine(context.Background(), c.model, src, nil)
	if err != nil {
		return err
	}
	theirs, apart := "-", "-"
	if kenlm > 0 {
		theirs, apart = fmt.Sprintf("%.4f", kenlm), fmt.Sprintf("%.1e", math.Abs(res.Perplexity()/kenlm-1))
	}
	query, err := perQuery(c.model, valid)
	if err != nil {
		return err
	}
	var grams int64
	for _, n := range c.model.Ngram.Grams() {
		grams += n
	}
	fmt.Printf("| %s, %d tokens | %d | %.4f | %s | %s | %d | %.1f MB | %.2f s | %.0f MB | %.0f ns |\n",
		name, c.tokens, order, res.Perplexity(), theirs, apart, grams, float64(c.model.Ngram.Bytes())/1e6, c.took.Seconds(), float64(c.heap)/1e6, query)
	return nil
}

// perQuery is the time of one conditional probability in nanoseconds, over the
// validation text as one stream: the best of five passes.
func perQuery(m *eval.Model, path string) (float64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	ids := m.Tokenizer.Encode(nil, text)
	out := make([]float32, len(ids)-1)
	scorer := m.Predictor.NewScorer(1, nil)
	best := math.Inf(1)
	for range 5 {
		scorer.Reset()
		began := time.Now()
		scorer.Score(ids[:len(ids)-1], ids[1:], out)
		best = min(best, float64(time.Since(began).Nanoseconds())/float64(len(out)))
	}
	return best, nil
}
