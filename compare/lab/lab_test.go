package lab_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/refrain-lm/refrain/compare/lab"
	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/tokenizer"
)

func TestParseVariant(t *testing.T) {
	v, err := lab.ParseVariant("lstm+layers=2+residual+forget=-1.5+clip+clip-value=0.5+layer")
	if err != nil {
		t.Fatal(err)
	}
	c := v.Config
	if c.Cell != "lstm" || c.Layers != 2 || !c.Residual || c.Norm != "layer" || *v.Init.ForgetBias != -1.5 || v.Clip != 1 || v.ClipValue != 0.5 {
		t.Errorf("%+v", v)
	}
	for _, c := range []struct{ name, says string }{
		{"lstn", `did you mean lstm?`},
		{"rnn+clp", `did you mean clip?`},
		{"rnn+layer=3", "layer takes no value"},
		{"rnn+clip=much", "want a number such as 1"},
		{"rnn+clip=0", "want a number such as 1"},
		{"lstm-nog+recurrent-batch", "lstm-nog+recurrent-batch: norm recurrent-batch goes with"},
		{"rnn+residual", "it needs nlayers 2 or more"},
		{"", `no cell ""`},
	} {
		if _, err := lab.ParseVariant(c.name); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q: %v, want %q in it", c.name, err, c.says)
		}
	}
	for _, name := range append(lab.TextVariants([]string{"rnn", "lstm", "lstm-nog", "gru"}), lab.TaskVariants([]string{"rnn", "lstm", "lstm-nog", "gru"})...) {
		if _, err := lab.ParseVariant(name); err != nil {
			t.Error(err)
		}
	}
}

// TestLongRecall: an LSTM whose forget gate begins open answers 100 steps after
// the symbol was shown; the plain cell, whose gradient is gone by then, guesses.
func TestLongRecall(t *testing.T) {
	res, err := lab.Run(context.Background(), nil, lab.Settings{
		Tasks: []string{lab.Recall}, Lags: []int{100}, TaskVariants: []string{"rnn+clip", "lstm+clip+forget=5"}, TaskSteps: 400, TaskLR: 0.003, Hidden: 24,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	rnn, lstm := res.Tasks[0], res.Tasks[1]
	if rnn.Solved || rnn.Best < 0.9 || !lstm.Solved || lstm.Steps >= 400 {
		t.Errorf("%v; %v", rnn, lstm)
	}
	start := func(r lab.TaskRun) float64 { l := r.Stages[0].Layers[0]; return float64(l.Mid[len(l.Mid)-1]) }
	if start(rnn) > 1e-4 || start(lstm) < 1e-2 {
		t.Errorf("relative gradient at the symbol: rnn %.2g, lstm %.2g", start(rnn), start(lstm))
	}
}

func corpus(t *testing.T) *lab.Corpus {
	t.Helper()
	text := strings.Repeat("the cat sat on the mat and the dog sat on the log\n", 200)
	c, err := lab.Read([]data.Source{data.Text("cats.txt", []byte(text))}, tokenizer.Options{Kind: tokenizer.Char})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestRun(t *testing.T) {
	s := lab.Settings{
		Variants: []string{"rnn", "gru+clip-value=0.001", "rnn+radius=3+clip", "lstm+layers=2+residual", "rnn+relu+radius=20"},
		Tasks:    []string{lab.Adding, lab.Copy}, Lags: []int{3, 6}, TaskVariants: []string{"gru+clip"},
		Steps: 12, TaskSteps: 30, Hidden: 8, Window: 10, Batch: 4, Seeds: 2,
	}
	var told []string
	s.Threads = 2
	res, err := lab.Run(context.Background(), corpus(t), s, func(e lab.Event) { told = append(told, e.Text) })
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Runs) != 5 || len(res.Tasks) != 8 || len(told) != 13 {
		t.Fatalf("%d and %d runs, told of %d", len(res.Runs), len(res.Tasks), len(told))
	}
	for i, r := range res.Runs[:4] {
		if len(r.Stages) != 3 || len(r.Norms) != 12 || len(r.Moves) == 0 || r.Diverged {
			t.Errorf("%s: %d stages, %d norms, %d moves", r.Variant, len(r.Stages), len(r.Norms), len(r.Moves))
		}
		for _, stage := range r.Stages {
			if want := 1 + i/3; len(stage.Layers) != want || !(stage.Loss > 0) {
				t.Errorf("%s, %s: %d layers, loss %v", r.Variant, stage.Name, len(stage.Layers), stage.Loss)
			}
			for _, l := range stage.Layers {
				if l.Mid[0] != 1 || l.Lags[len(l.Lags)-1] != 20 {
					t.Errorf("%s, %s: lags %v, relative gradients %v", r.Variant, stage.Name, l.Lags, l.Mid)
				}
			}
		}
	}
	clipped := 0.0
	for i, norm := range res.Runs[2].Norms {
		if want := min(1, 1/float64(norm)); math.Abs(float64(res.Runs[2].Scales[i])-want) > 1e-3*want {
			t.Errorf("norm %v scaled by %v", norm, res.Runs[2].Scales[i])
		}
		if norm > 1 {
			clipped += 1. / 12
		}
	}
	if math.Abs(clipped-res.Runs[2].Clipped) > 1e-3 || res.Runs[1].Clipped == 0 || len(res.Runs[1].Values) != 12 {
		t.Errorf("clipped %v of the steps, told %v; by value %v", clipped, res.Runs[2].Clipped, res.Runs[1].Clipped)
	}
	if !res.Runs[4].Diverged {
		t.Errorf("weights of radius 20 under relu did not diverge: %v", res.Runs[4])
	}
	if long := res.Tasks[2]; long.Name != lab.Adding || long.Lag != 6 || len(long.Stages) < 2 || len(long.Answers) != 6 || len(long.Sums) != 6 {
		t.Errorf("adding at the longest lag: %+v", long)
	}

	s.Threads = 1
	again, err := lab.Run(context.Background(), corpus(t), s, nil)
	if err != nil {
		t.Fatal(err)
	}
	one, _ := json.Marshal(res)
	two, _ := json.Marshal(again)
	if string(one) != string(two) {
		t.Error("one thread and two give two results")
	}
}

func TestRunStops(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	_, err := lab.Run(ctx, corpus(t), lab.Settings{Variants: []string{"rnn"}, Hidden: 8, Window: 10, Batch: 4, Steps: 10, Lags: []int{1000}},
		func(lab.Event) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("stopped with %v", err)
	}
	if _, err := lab.Run(context.Background(), corpus(t), lab.Settings{Tasks: []string{"none"}, Window: 2000}, nil); err == nil {
		t.Error("no error for windows longer than the text")
	}
	if _, err := lab.Run(context.Background(), nil, lab.Settings{Tasks: []string{"recal"}}, nil); err == nil || !strings.Contains(err.Error(), "did you mean recall?") {
		t.Errorf("a task that is none: %v", err)
	}
}

// TestFit: twice the time gives about twice the steps, in their proportion.
func TestFit(t *testing.T) {
	s := lab.Settings{Variants: []string{"rnn"}, TaskVariants: []string{"gru+clip"}, Lags: []int{5}, Hidden: 8, Window: 10, Batch: 4, Steps: 100, TaskSteps: 200}
	fit := func(budget time.Duration) lab.Settings {
		f, err := lab.Fit(context.Background(), corpus(t), s, budget)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	short, long := fit(10*time.Minute), fit(1000*time.Minute)
	if short.Steps <= 100 || short.TaskSteps/short.Steps != 2 || long.Steps < 20*short.Steps {
		t.Errorf("10 minutes: %d and %d steps; 1,000: %d", short.Steps, short.TaskSteps, long.Steps)
	}
	if none := fit(time.Millisecond); none.Steps != 20 || none.TaskSteps != 20 {
		t.Errorf("a millisecond: %d and %d steps", none.Steps, none.TaskSteps)
	}
}
