package train_test

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/train"
)

// TestFieldsAreGiven wants what a program assigns to be the plan, whatever a
// recipe, the plan or a default would say, and a zero to leave it to them.
func TestFieldsAreGiven(t *testing.T) {
	without := train.Settings{Steps: 5, BatchSize: 4, BPTT: 16}
	if err := without.Set("clip", "0", "program"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		s    train.Settings
		flag string
		want string
		from string
	}{
		{"a size", train.Settings{Steps: 5, Hidden: 24, BatchSize: 4, BPTT: 16}, "nhid", "24", "program"},
		{"left open", train.Settings{Steps: 5, BatchSize: 4, BPTT: 16}, "nlayers", "1", "plan"},
		{"default", train.Settings{Steps: 5, BatchSize: 4, BPTT: 16}, "cell", "lstm", "default"},
		{"zero by Set", without, "clip", "0", "program"},
		{"over a recipe", train.Settings{Steps: 5, Recipe: "zaremba-small", Optimizer: "adam", LR: 0.01, Hidden: 8, EmSize: 8}, "optimizer", "adam", "program"},
		{"a recipe", train.Settings{Steps: 5, Recipe: "zaremba-small", Hidden: 8, EmSize: 8}, "optimizer", "sgd", "recipe"},
		{"budget over a recipe's", train.Settings{Steps: 5, Recipe: "zaremba-small", Hidden: 8, EmSize: 8}, "epochs", "0", ""},
		{"time", train.Settings{Time: time.Second, Hidden: 8, EmSize: 8, BatchSize: 4, BPTT: 16}, "time", "1s", "program"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := dryRun(t, c.s)
			for _, f := range train.Flags() {
				if f.Name == c.flag && (f.Value(p.Settings) != c.want || p.Settings.Origin[c.flag] != c.from) {
					t.Errorf("--%s is %s from %q, want %s from %q", c.flag, f.Value(p.Settings), p.Settings.Origin[c.flag], c.want, c.from)
				}
			}
			if c.s.Steps > 0 && p.Steps != c.s.Steps {
				t.Errorf("%d steps, want %d", p.Steps, c.s.Steps)
			}
		})
	}
}

// TestPlanOfAPlan wants the settings of a plan, given again, to be the same plan.
func TestPlanOfAPlan(t *testing.T) {
	first := dryRun(t, train.Settings{Steps: 5, Hidden: 24, BatchSize: 4, BPTT: 16})
	again := dryRun(t, first.Settings)
	for _, f := range train.Flags() {
		if got, want := f.Value(again.Settings), f.Value(first.Settings); got != want {
			t.Errorf("--%s is %s, in the first plan %s", f.Name, got, want)
		}
	}
	if again.Steps != first.Steps || again.Model != first.Model {
		t.Errorf("%d steps of %v, in the first plan %d of %v", again.Steps, again.Model, first.Steps, first.Model)
	}
}

// dryRun is the plan of s for a text in memory; nobody looks on.
func dryRun(t *testing.T, s train.Settings) train.Plan {
	t.Helper()
	in := train.Input{Sources: []data.Source{data.Text("prose", []byte(prose(200)))}, Out: filepath.Join(t.TempDir(), "run"), DryRun: true}
	j, err := train.Prepare(context.Background(), s, in, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	return j.Plan()
}

// TestAssignedFieldsResume wants a program's fields to count in Resume too, and
// nil for an onlooker.
func TestAssignedFieldsResume(t *testing.T) {
	ctx, out := context.Background(), filepath.Join(t.TempDir(), "run")
	in := train.Input{Sources: []data.Source{data.Text("prose", []byte(prose(200)))}, Out: out}
	j, err := train.Prepare(ctx, train.Settings{Steps: 4, Hidden: 8, EmSize: 8, BatchSize: 4, BPTT: 16}, in, nil)
	if err != nil {
		t.Fatal(err)
	}
	for want, next := range []train.Settings{{}, {Steps: 3}, {Steps: 2, LR: 0.001}} {
		if want > 0 {
			if j, err = train.Resume(ctx, out, next, nil); err != nil {
				t.Fatal(err)
			}
		}
		o, err := j.Run(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		if steps := []int64{4, 7, 9}[want]; o.Steps != steps {
			t.Errorf("phase %d ended at step %d, want %d", want, o.Steps, steps)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if p := j.Plan(); p.Settings.LR != 0.001 || p.Settings.Hidden != 8 {
		t.Errorf("rate %v, %d units; want 0.001, 8", p.Settings.LR, p.Settings.Hidden)
	}
}

// TestAnotherBudgetForAnUnplannedRun wants the budget given on resuming to take
// the place of the one that a run had when it was killed before its plan.
func TestAnotherBudgetForAnUnplannedRun(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "run")
	in := train.Input{Sources: sources(t, write(t, dir, "book.txt", prose(200))), Out: out}
	j, err := train.Prepare(context.Background(), train.Settings{Time: time.Second, Hidden: 8, EmSize: 8, BatchSize: 4, BPTT: 16}, in, nil)
	if err != nil {
		t.Fatal(err)
	}
	p := j.Plan()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	p.Complete = false
	raw, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	write(t, out, "plan.json", string(raw))
	if j, err = train.Resume(context.Background(), out, train.Settings{Steps: 3}, nil); err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if p = j.Plan(); p.Steps != 3 || p.Settings.Time != 0 {
		t.Errorf("%d steps in %v, want 3 and no time", p.Steps, p.Settings.Time)
	}
}

// TestRecipesAreWhole wants a recipe to leave nothing to the plan that changes
// what is learned: the plan's choices are fitted to other ways of training.
func TestRecipesAreWhole(t *testing.T) {
	free := map[string]bool{"valid-every": true, "save-every": true, "warmup": true, "cooldown": true, "beta2": true} // the last three belong to other schedules and optimizers
	for _, name := range train.RecipeNames() {
		p := dryRun(t, train.Settings{Recipe: name})
		for _, f := range train.Flags() {
			if from := p.Settings.Origin[f.Name]; from == "plan" && !free[f.Name] {
				t.Errorf("%s: the plan chose --%s %s", name, f.Name, f.Value(p.Settings))
			}
		}
	}
}

// TestFlagsOfOtherKinds wants a flag of another kind of model to be refused, in
// one line that names both.
func TestFlagsOfOtherKinds(t *testing.T) {
	for _, c := range []struct {
		name string
		s    train.Settings
		want string // "": fits
	}{
		{"cell of ffn", train.Settings{Model: "ffn", Cell: "gru"}, "--cell goes with --model recurrent, this is --model ffn"},
		{"norm of ffn", train.Settings{Model: "ffn", Norm: "layer"}, "--norm goes with --model recurrent"},
		{"order of recurrent", train.Settings{Order: 3}, "--order goes with --model ngram or ffn, this is --model recurrent"},
		{"order of one", train.Settings{Model: "ffn", Order: 1}, "--order 1: outside [2"},
		{"order of ffn", train.Settings{Model: "ffn", Order: 3}, ""},
		{"heads of recurrent", train.Settings{Heads: 2}, "--heads goes with --model transformer, this is --model recurrent"},
		{"heads that do not divide", train.Settings{Model: "transformer", Hidden: 100, Heads: 3}, "take --nhid 99 or 102"},
		{"two widths", train.Settings{Model: "transformer", Hidden: 64, EmSize: 32}, "leave --emsize out"},
		{"a transformer", train.Settings{Model: "transformer", Hidden: 24, Heads: 3, Context: 20}, ""},
		{"misspelt", train.Settings{Model: "fnn"}, "did you mean ffn?"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := train.Input{Sources: []data.Source{data.Text("prose", []byte(prose(200)))}, Out: filepath.Join(t.TempDir(), "run"), DryRun: true}
			c.s.Steps = 5
			j, err := train.Prepare(context.Background(), c.s, in, nil)
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				j.Close()
			} else if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want one line with %q", err, c.want)
			}
		})
	}
}
