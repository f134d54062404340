package compare_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/refrain-lm/refrain/compare"
	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/eval"
	"github.com/refrain-lm/refrain/train"
)

// sentences is a text of n lines in which some words follow others.
func sentences(n int) string {
	rng := rand.New(rand.NewPCG(1, 2))
	subjects, verbs := []string{"the king", "a dog", "my old friend", "she"}, []string{"sees", "likes", "never finds", "sold"}
	objects := []string{"the moon", "it", "bread and salt", "a red house", "nobody"}
	var b strings.Builder
	for range n {
		fmt.Fprintf(&b, "%s %s %s.\n", subjects[rng.IntN(4)], verbs[rng.IntN(4)], objects[rng.IntN(5)])
	}
	return b.String()
}

// tiny are settings that finish in a moment.
func tiny(models ...string) compare.Settings {
	return compare.Settings{Models: models, Tokens: 8000, Shared: train.Settings{Hidden: 16, EmSize: 8, BatchSize: 4, BPTT: 16, Threads: 1}}
}

func prepare(t *testing.T, s compare.Settings, text string) *compare.Comparison {
	t.Helper()
	in := compare.Input{Sources: []data.Source{data.Text("text", []byte(text))}, Out: filepath.Join(t.TempDir(), "out")}
	c, err := compare.Prepare(context.Background(), s, in, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// withoutTimings is a result's JSON, as the report is made of it.
func withoutTimings(t *testing.T, r compare.Result) string {
	t.Helper()
	raw, err := json.MarshalIndent(r.WithoutTimings(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// firstDifference is where two texts part.
func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(w), len(g)) {
		if w[i] != g[i] {
			return fmt.Sprintf("line %d: want %q, got %q", i+1, w[i], g[i])
		}
	}
	return fmt.Sprintf("want %d lines, got %d", len(w), len(g))
}

func TestComparison(t *testing.T) {
	t.Parallel()
	c := prepare(t, tiny("rnn", "lstm", "ngram"), sentences(4000))
	res, err := c.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if got := len(res.Models); got != 3 {
		t.Fatalf("%d models, want 3", got)
	}
	total := 0
	for _, n := range res.Text.Blocks.Tokens {
		total += n
	}
	if int64(total) != res.Text.Test.Tokens {
		t.Errorf("blocks hold %d predictions, the test text %d", total, res.Text.Test.Tokens)
	}
	unigram := res.Floors[0].TestLoss
	counted := res.Models[2]
	if s := counted.Search; s.Setting != "order" || len(s.Trials) < 2 || counted.Name != fmt.Sprintf("%.0f-gram", s.Chosen) || counted.Reach != int(s.Chosen)-1 {
		t.Errorf("the n-gram is called %s, sees %d tokens, and was chosen by %+v", counted.Name, counted.Reach, s)
	}
	for _, m := range res.Models {
		seeds := 3
		if m.Kind == compare.KindNGram {
			seeds = 1
		}
		if len(m.Runs) != seeds {
			t.Errorf("%s: %d runs, want %d", m.Name, len(m.Runs), seeds)
		}
		mean := 0.0
		for _, r := range m.Runs {
			if !(float64(r.TestLoss) < unigram) {
				t.Errorf("%s, seed %d: %.3f nats, the unigram floor is %.3f", m.Name, r.Seed, r.TestLoss, unigram)
			}
			hits := 0
			for _, h := range r.Hits {
				hits += h
			}
			if got := float64(hits) / float64(res.Text.Test.Tokens); got != float64(r.Accuracy) || got < 0.2 {
				t.Errorf("%s, seed %d: hits make an accuracy of %.3f, it is %.3f", m.Name, r.Seed, got, r.Accuracy)
			}
			mean += float64(r.TestLoss) / float64(seeds)
		}
		sum := 0.0
		for _, nats := range m.CountNats {
			sum += nats
		}
		if got := sum / float64(res.Text.Test.Tokens); math.Abs(got-mean) > 1e-9 {
			t.Errorf("%s: the ranges' nats make %.6f a token, the runs %.6f", m.Name, got, mean)
		}
		if len(m.Samples) != 3 || len(m.Context.Loss) != len(m.Context.Lengths) || len(m.Surprisal) != len(res.Sentence.Tokens) {
			t.Errorf("%s: %d samples, %d of %d context lengths, %d of %d tokens of the sentence", m.Name, len(m.Samples),
				len(m.Context.Loss), len(m.Context.Lengths), len(m.Surprisal), len(res.Sentence.Tokens))
		}
	}
	for _, m := range res.Models[:2] {
		checkTrained(t, res, m)
	}
	if curve := counted.Runs[0].Curve; len(curve) != 1 || !(curve[0].Loss < unigram) {
		t.Errorf("the n-gram's validation: %+v", curve)
	}
	checkValidated(t, c)
}

// checkValidated counts what runs really validated on: no more than a tenth of their
// work, where a token read is half of one trained.
func checkValidated(t *testing.T, c *compare.Comparison) {
	t.Helper()
	runs, err := filepath.Glob(filepath.Join(c.Dir(), "*", "*-0.*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"rnn", "lstm"} {
		for _, seed := range c.Protocol().Seeds {
			runs = append(runs, filepath.Join(c.Dir(), fmt.Sprintf("%s-%d", kind, seed)))
		}
	}
	if len(runs) < 16 {
		t.Fatalf("%d runs, want five of the search and three more of both models", len(runs))
	}
	for _, dir := range runs {
		p, err := train.ReadPlan(dir)
		if err != nil {
			t.Fatal(err)
		}
		events, err := train.ReadMetrics(dir)
		if err != nil {
			t.Fatal(err)
		}
		times := int64(0)
		for _, e := range events {
			if e.Kind == train.EventValid {
				times++
			}
		}
		if _, err := os.Stat(filepath.Join(dir, eval.LineStatsFile)); err == nil {
			times += 2 // eval at its end, and the lines
		} else if !p.Trial {
			t.Error(err)
		}
		read := 0.5 * float64(times*train.ValidationReads(p.ValidTokens))
		trained := float64(p.Steps * c.Protocol().TokensPerStep())
		if share := read / (trained + read); times < 1 || share > 0.1 {
			t.Errorf("%s: %d validations on %d tokens make %.3f of its work", filepath.Base(dir), times, p.ValidTokens, share)
		}
	}
}

// checkTrained looks at what only models have that are trained step by step.
func checkTrained(t *testing.T, res compare.Result, m compare.Model) {
	t.Helper()
	if len(m.Search.Trials) < 5 {
		t.Errorf("%s: %d trials, want 5 or more", m.Name, len(m.Search.Trials))
	}
	if off := math.Abs(float64(m.Size.Total)/float64(res.Plan.Parameters) - 1); off > 0.01 {
		t.Errorf("%s: %d parameters, the reference has %d", m.Name, m.Size.Total, res.Plan.Parameters)
	}
	for _, r := range m.Runs {
		if r.Tokens != res.Plan.Tokens || len(r.Curve) != 4 { // 24 would take more than a tenth
			t.Errorf("%s, seed %d: read %d tokens and was validated %d times, want %d and 4", m.Name, r.Seed, r.Tokens, len(r.Curve), res.Plan.Tokens)
		}
	}
	if m.Kind == compare.KindTransformer {
		return // it has no state that gradients could be followed in
	}
	if len(m.Gradients.Stages) != 3 || len(m.Gates) == 0 {
		t.Fatalf("%s: %d stages of gradients, %d gates", m.Name, len(m.Gradients.Stages), len(m.Gates))
	}
	for _, s := range m.Gradients.Stages {
		if len(s.Median) != 2*res.Plan.Window+1 || s.Median[0] != 1 {
			t.Errorf("%s, %s: %d lags of gradients, the first %v; want %d, and 1", m.Name, s.Name, len(s.Median), s.Median[0], 2*res.Plan.Window+1)
		}
	}
}

// TestEvalAgrees wants the test loss that `eval` gives for the same model and text.
func TestEvalAgrees(t *testing.T) {
	t.Parallel()
	c := prepare(t, tiny("rnn", "gru"), sentences(1500))
	res, err := c.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	m, err := eval.Open(filepath.Join(c.Dir(), "gru-2"))
	if err != nil {
		t.Fatal(err)
	}
	src, err := data.Sources([]string{filepath.Join(c.Dir(), "text", "test.txt")}, nil, data.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want, err := eval.Stream(context.Background(), m, src, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := float64(res.Models[1].Runs[1].TestLoss); math.Abs(got-want.Loss()) > 1e-9 || res.Text.Test.Tokens != want.Tokens {
		t.Errorf("%v nats on %d tokens, eval says %v on %d", got, res.Text.Test.Tokens, want.Loss(), want.Tokens)
	}
}

// TestStoppedAndResumed stops a comparison after many different events; gone on
// with, it leaves the same result as one that was never stopped.
func TestStoppedAndResumed(t *testing.T) {
	t.Parallel()
	text := sentences(1500)
	whole, err := prepare(t, tiny("rnn", "lstm"), text).Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	c := prepare(t, tiny("rnn", "lstm"), text)
	dir := c.Dir()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	var res compare.Result
	for sittings, stop := 0, 40; ; sittings++ {
		ctx, cancel := context.WithCancel(context.Background())
		left := stop
		c, err := compare.Resume(dir, func(compare.Event) {
			if left--; left == 0 {
				cancel()
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		res, err = c.Run(ctx)
		cancel()
		if cerr := c.Close(); cerr != nil {
			t.Fatal(cerr)
		}
		if err == nil {
			if sittings < 3 {
				t.Errorf("stopped %d times only: the test proves little", sittings)
			}
			break
		}
		if !errors.Is(err, compare.ErrStopped) {
			t.Fatal(err)
		}
		stop += 200
	}
	if got, want := withoutTimings(t, res), withoutTimings(t, whole); got != want {
		t.Errorf("stopped and resumed:\n%s", firstDifference(want, got))
	}
}

// TestDiverged: what diverges is told as such, and the rest is compared. That runs
// have diverged is written here as a comparison itself notes it.
func TestDiverged(t *testing.T) {
	t.Parallel()
	c := prepare(t, tiny("rnn", "lstm", "gru"), sentences(1500))
	ended := `{"lstm-2": {"diverged": true}`
	for _, lr := range []string{"0.0003", "0.001", "0.003", "0.01", "0.03"} {
		ended += fmt.Sprintf(`, "search/rnn-%s": {"diverged": true}`, lr)
	}
	if err := os.WriteFile(filepath.Join(c.Dir(), "runs.json"), []byte(ended+"}"), 0o644); err != nil {
		t.Fatal(err)
	}
	res, err := c.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range [][]bool{{true, true, true}, {false, true, false}, {false, false, false}} {
		m := res.Models[i]
		for k, r := range m.Runs {
			if r.Diverged != want[k] || r.Seed != uint64(k+1) || want[k] != math.IsNaN(float64(r.TestLoss)) {
				t.Errorf("%s, seed %d: diverged %v with test loss %v, want %v", m.Name, r.Seed, r.Diverged, r.TestLoss, want[k])
			}
		}
		if finished := i > 0; finished != (len(m.Samples) > 0) || finished != (m.CountNats != nil) {
			t.Errorf("%s: %d samples, %d ranges", m.Name, len(m.Samples), len(m.CountNats))
		}
	}
	if _, err := json.Marshal(res); err != nil {
		t.Error(err)
	}
}

// TestMixture: a mixture predicts no worse than the better of its models, and every
// kind of flag finds its model.
func TestMixture(t *testing.T) {
	t.Parallel()
	s := tiny("gru", "ffn", "ngram", "gru+ngram", "transformer")
	s.Shared.Hidden = 64
	if err := s.Shared.Set("gru-reset", "before", "flag"); err != nil {
		t.Fatal(err)
	}
	res, err := prepare(t, s, sentences(1500)).Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	gru, ffn, counted, mix := res.Models[0], res.Models[1], res.Models[2], res.Models[3]
	if mix.Kind != compare.KindMix || mix.Name != "GRU + "+counted.Name || len(mix.Runs) != 3 {
		t.Fatalf("the mixture is %s, %s, of %d runs", mix.Kind, mix.Name, len(mix.Runs))
	}
	for i, r := range mix.Runs {
		if best := min(gru.Runs[i].TestLoss, counted.Runs[0].TestLoss); r.TestLoss > best+0.02 {
			t.Errorf("seed %d: mixed %.4f, the better alone %.4f", r.Seed, r.TestLoss, best)
		}
	}
	if want := 11; ffn.Reach != want {
		t.Errorf("the feed-forward network sees %d characters, want %d", ffn.Reach, want)
	}
	if c := res.Models[4].Context; res.Models[4].Reach < 64 || c.Lengths[len(c.Lengths)-1] > res.Models[4].Reach {
		t.Errorf("the Transformer sees %d tokens and was shown %v", res.Models[4].Reach, c.Lengths)
	}
	checkTrained(t, res, res.Models[4])
	flat := ffn.Context.Loss
	if a, b := flat[len(flat)-1], flat[len(flat)-2]; a != b {
		t.Errorf("beyond its order the feed-forward network's loss changes from %v to %v", b, a)
	}
}

// TestEqualTime: where time is equal, models make as many steps as their speed
// allows, and say what time they took.
func TestEqualTime(t *testing.T) {
	t.Parallel()
	s := tiny("rnn", "lstm")
	s.Tokens, s.Time, s.Equal = 0, 3*time.Second, "time"
	c := prepare(t, s, sentences(1500))
	res, err := c.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if want := 0.6 * 3 / (2 * 4.0); math.Abs(res.Plan.Seconds-want) > 1e-9 || res.Plan.Tokens != 0 {
		t.Errorf("%v seconds and %d tokens a run, want %v and 0", res.Plan.Seconds, res.Plan.Tokens, want)
	}
	for i, e := range c.Protocol().Entries {
		if got, want := res.Models[i].Runs[0].Tokens, e.Steps*c.Protocol().TokensPerStep(); got != want || e.Steps%24 != 0 {
			t.Errorf("%s read %d tokens, its plan says %d in %d steps", e.Kind, got, want, e.Steps)
		}
		if !(res.Models[i].Runs[0].Seconds > 0) {
			t.Errorf("%s does not say what time it took", e.Kind)
		}
	}
}

func TestRefusals(t *testing.T) {
	labels := strings.Repeat("good\tI like it\nbad\tI do not\n", 300)
	for _, c := range []struct {
		name, text string
		settings   compare.Settings
		want       string
	}{
		{"one model", "x", tiny("lstm"), "needs two models"},
		{"unknown model", "x", tiny("lstm", "gruu"), "did you mean gru?"},
		{"mixture of what is not there", "x", tiny("lstm", "lstm+ngram"), "needs both its models"},
		{"two budgets", "x", compare.Settings{Tokens: 100, Time: time.Hour}, "one budget only"},
		{"two seeds", "x", compare.Settings{Seeds: 2}, "say nothing about chance"},
		{"one word", "word", tiny("rnn", "lstm"), "too few"},
		{"a few words", "a few words that are\nno text to learn from\n", tiny("rnn", "lstm"), "give more text"},
		{"labels", labels, tiny("rnn", "lstm"), "label TAB text"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "out")
			_, err := compare.Prepare(context.Background(), c.settings, compare.Input{Sources: []data.Source{data.Text("text", []byte(c.text))}, Out: out}, nil)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%v, want something with %q", err, c.want)
			}
			if _, err := os.Stat(out); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("a folder was left: %v", err)
			}
		})
	}
}
