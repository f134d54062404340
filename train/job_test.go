package train_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/eval"
	"github.com/refrain-lm/refrain/train"
)

// prose is n lines of made-up text with some structure and a few characters
// beyond ASCII.
func prose(n int) string {
	r := rand.New(rand.NewPCG(1, 2))
	words := strings.Fields("the a small river runs under old bridge while späte Vögel sing 河 and nobody listens to rain")
	var b strings.Builder
	for range n {
		for k := range 4 + r.IntN(5) {
			if k > 0 {
				b.WriteByte(' ')
			}
			b.WriteString(words[r.IntN(len(words))])
		}
		b.WriteString(".\n")
	}
	return b.String()
}

func write(t testing.TB, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func sources(t testing.TB, paths ...string) []data.Source {
	t.Helper()
	src, err := data.Sources(paths, nil, data.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return src
}

func settings(t testing.TB, pairs ...string) train.Settings {
	t.Helper()
	var s train.Settings
	for _, p := range pairs {
		name, value, _ := strings.Cut(p, "=")
		if err := s.Set(name, value, "flag"); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// tiny is a run of a second or less.
var tiny = []string{"steps=40", "nhid=16", "emsize=8", "batch-size=4", "bptt=16", "dropout=0.1", "dropout-weight=0.1", "lr=0.01", "valid-every=10", "save-every=8", "average=0.3"}

func quiet(train.Event) {}

func prepare(t testing.TB, out string, s train.Settings, paths ...string) *train.Job {
	t.Helper()
	j, err := train.Prepare(context.Background(), s, train.Input{Sources: sources(t, paths...), Out: out}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// runWhole prepares and runs to the end.
func runWhole(t testing.TB, out string, s train.Settings, paths ...string) train.Outcome {
	t.Helper()
	j := prepare(t, out, s, paths...)
	defer j.Close()
	o, err := j.Run(context.Background(), quiet)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// sameFiles compares what a run must reproduce to the byte.
func sameFiles(t *testing.T, got, want string) {
	t.Helper()
	for _, name := range []string{"model.safetensors", "config.json", "tokenizer.json", "data.ids", "lines.json", "checkpoint-40/state.safetensors", "checkpoint-40/state.json"} {
		a, err := os.ReadFile(filepath.Join(got, name))
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(want, name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a, b) {
			t.Errorf("%s differs", name)
		}
	}
}

func TestSamePlanSameBytes(t *testing.T) {
	dir := t.TempDir()
	text := write(t, dir, "book.txt", prose(200))
	runWhole(t, filepath.Join(dir, "one"), settings(t, append(tiny, "threads=1")...), text)
	runWhole(t, filepath.Join(dir, "two"), settings(t, append(tiny, "threads=2")...), text)
	sameFiles(t, filepath.Join(dir, "two"), filepath.Join(dir, "one"))
}

func TestResumeIsAsIfNeverStopped(t *testing.T) {
	dir := t.TempDir()
	text := write(t, dir, "book.txt", prose(200))
	whole := filepath.Join(dir, "whole")
	want := runWhole(t, whole, settings(t, tiny...), text)
	for _, stop := range []int64{1, 13, 30, 40} {
		t.Run(fmt.Sprint("stopped at ", stop), func(t *testing.T) {
			out := filepath.Join(dir, fmt.Sprint("stop", stop))
			j := prepare(t, out, settings(t, tiny...), text)
			ctx, cancel := context.WithCancel(context.Background())
			_, err := j.Run(ctx, func(e train.Event) {
				if e.Kind == train.EventStep && e.Step >= stop {
					cancel()
				}
			})
			if !errors.Is(err, train.ErrStopped) {
				t.Fatalf("stopped run: %v", err)
			}
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
			got := resume(t, out, settings(t, "threads=1"))
			if got.Best != want.Best || got.Result != want.Result {
				t.Errorf("best %v, eval %+v; never stopped: %v, %+v", got.Best, got.Result, want.Best, want.Result)
			}
			sameFiles(t, out, whole)
		})
	}
}

func resume(t *testing.T, dir string, s train.Settings) train.Outcome {
	t.Helper()
	j, err := train.Resume(context.Background(), dir, s, quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	o, err := j.Run(context.Background(), quiet)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestResumeOfFinishedRun(t *testing.T) {
	dir := t.TempDir()
	text := write(t, dir, "book.txt", prose(200))
	out := filepath.Join(dir, "run")
	first := runWhole(t, out, settings(t, tiny...), text)
	if _, err := train.Resume(context.Background(), out, train.Settings{}, quiet); !errors.Is(err, train.ErrFinished) {
		t.Fatalf("resuming a finished run: %v, want ErrFinished", err)
	}
	more := resume(t, out, settings(t, "steps=30"))
	if more.Steps != 70 {
		t.Errorf("30 more steps end at step %d, want 70", more.Steps)
	}
	if more.Best > first.Best {
		t.Errorf("best %v got worse than %v", more.Best, first.Best)
	}
	p, err := train.ReadPlan(out)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Earlier) != 1 || p.From != 40 {
		t.Errorf("the plan records %d earlier phases from step %d, want 1 and 40", len(p.Earlier), p.From)
	}
}

func TestResumeRefuses(t *testing.T) {
	dir := t.TempDir()
	text := write(t, dir, "book.txt", prose(200))
	out := filepath.Join(dir, "run")
	runWhole(t, out, settings(t, tiny...), text)
	for _, c := range []struct {
		name  string
		spoil func()
		s     train.Settings
		want  string
	}{
		{"another tokenizer", func() {}, settings(t, "tokenizer=word", "steps=5"), "tokenizer char, not word"},
		{"another width", func() {}, settings(t, "nhid=32"), "nhid 16, not 32"},
		{"two runs at once", func() {}, settings(t, "steps=5"), "in use"},
		{"changed text", func() { write(t, dir, "book.txt", prose(199)) }, settings(t, "steps=5"), "not what the run began with"},
		{"changed tokenizer", func() { write(t, out, "tokenizer.json", "{}") }, settings(t, "steps=5"), "tokenizer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.spoil()
			if c.name == "two runs at once" {
				j, err := train.Resume(context.Background(), out, settings(t, "steps=9"), quiet)
				if err != nil {
					t.Fatal(err)
				}
				defer j.Close()
			}
			_, err := train.Resume(context.Background(), out, c.s, quiet)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestPrepareRefuses(t *testing.T) {
	dir := t.TempDir()
	book := write(t, dir, "book.txt", prose(100))
	short := write(t, dir, "short.txt", "one line\n")
	existing := filepath.Join(dir, "existing")
	if err := os.Mkdir(existing, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, path, out string
		s               train.Settings
		want            string
	}{
		{"existing folder", book, existing, settings(t, tiny...), "exists"},
		{"short text", short, "", settings(t, tiny...), "more text"},
		{"two budgets", book, "", settings(t, "steps=5", "epochs=2"), "one budget"},
		{"wrong cell", book, "", settings(t, "cell=lstn"), "lstm"},
		{"wrong recipe", book, "", settings(t, "recipe=zaremba"), "zaremba-small"},
		{"negative rate", book, "", settings(t, "lr=-1"), "--lr"},
		{"relu lstm", book, "", settings(t, "nonlinearity=relu"), "--cell rnn"},
		{"one bias after", book, "", settings(t, "cell=gru", "bias=one", "gru-reset=after"), "before"},
		{"too large", book, "", settings(t, "steps=2", "nhid=200000"), "memory"},
		{"too large to be timed", book, "", settings(t, "time=5s", "nhid=200000"), "memory"},
		{"bytes in lower case", book, "", settings(t, "steps=2", "tokenizer=byte", "lower=true"), "--tokenizer byte: "},
		{"far too wide", book, "", settings(t, "steps=2", "emsize=100000000"), "--emsize 100000000: outside [1, 1048576)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := c.out
			if out == "" {
				out = filepath.Join(dir, "out "+c.name)
			}
			j, err := train.Prepare(context.Background(), c.s, train.Input{Sources: sources(t, c.path), Out: out}, quiet)
			if err == nil {
				j.Close()
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
			if _, err := os.Stat(out); c.out == "" && !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s was left behind", out)
			}
		})
	}
}

// TestStoppedWhileMeasuring: a stop is heeded before there is anything to save.
func TestStoppedWhileMeasuring(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	in := train.Input{Sources: sources(t, write(t, dir, "book.txt", prose(100))), Out: filepath.Join(dir, "out")}
	_, err := train.Prepare(ctx, settings(t, "time=10m"), in, func(e train.Event) {
		if e.Kind == train.EventPilot {
			cancel()
		}
	})
	if !errors.Is(err, train.ErrStopped) {
		t.Errorf("error %v, want ErrStopped", err)
	}
}

func TestDryRunLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	text := write(t, dir, "book.txt", prose(200))
	in := train.Input{Sources: sources(t, text), Out: filepath.Join(dir, "run"), DryRun: true}
	j, err := train.Prepare(context.Background(), settings(t, tiny...), in, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if p := j.Plan(); p.Steps != 40 || p.Memory() < 1e6 || p.Settings.Origin["lr"] != "flag" || p.Settings.Origin["clip"] != "plan" {
		t.Errorf("plan %+v", p)
	}
	at := j.Dir()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{at, in.Out} {
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s was left behind", path)
		}
	}
}

// TestTimedRunKeepsItsBudget also checks that the recorded plan, run again by
// steps, gives the same model.
func TestTimedRunKeepsItsBudget(t *testing.T) {
	dir := t.TempDir()
	text := write(t, dir, "book.txt", prose(400))
	o := runWhole(t, filepath.Join(dir, "timed"), settings(t, "time=3s", "nhid=16", "emsize=8"), text)
	if o.Elapsed.Seconds() > 3.5 {
		t.Errorf("training alone took %v of a budget of 3s", o.Elapsed)
	}
	if o.Steps < 5 {
		t.Errorf("only %d steps in 3s", o.Steps)
	}
}

func TestModelFolderOpens(t *testing.T) {
	dir := t.TempDir()
	text := write(t, dir, "book.txt", prose(200))
	for _, pairs := range [][]string{{}, {"tokenizer=byte"}, {"tokenizer=word", "words=punct", "tied=true"}, {"cell=gru", "gru-reset=before"}, {"cell=lstm-nog"}, {"cell=rnn", "nlayers=2"}} {
		t.Run(strings.Join(pairs, " "), func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "run")
			o := runWhole(t, out, settings(t, append(tiny, pairs...)...), text)
			m, err := eval.Open(out)
			if err != nil {
				t.Fatal(err)
			}
			valid := write(t, dir, "valid.txt", prose(40))
			r, err := eval.Stream(context.Background(), m, sources(t, valid), nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			if r.Tokens < 100 || !(r.Loss() > 0) || r.Loss() > 2*o.Best {
				t.Errorf("eval of like text: %+v, loss %v; validation had %v", r, r.Loss(), o.Best)
			}
			if stats, err := eval.ReadLineStats(out); err != nil || stats.Lines == 0 {
				t.Errorf("lines.json: %+v, %v", stats, err)
			}
			if len(o.Samples) != 3 {
				t.Errorf("%d samples", len(o.Samples))
			}
		})
	}
}

// TestShared: a run that shares another's text gives the bits of one that reads it.
func TestShared(t *testing.T) {
	dir := t.TempDir()
	text := write(t, dir, "text", prose(300))
	own, other, shared := filepath.Join(dir, "own"), filepath.Join(dir, "other"), filepath.Join(dir, "shared")
	run := func(j *train.Job, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := j.Run(context.Background(), nil); err != nil {
			t.Fatal(err)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
	run(prepare(t, own, settings(t, tiny...), text), nil)
	j := prepare(t, other, settings(t, append(tiny, "cell=rnn", "seed=2")...), text)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	run(train.Prepare(context.Background(), settings(t, tiny...), train.Input{Shared: other, Out: shared}, nil))
	for _, name := range []string{"model.safetensors", "tokenizer.json", "README.md"} {
		a, err := os.ReadFile(filepath.Join(own, name))
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(shared, name))
		if err != nil {
			t.Fatal(err)
		}
		if name != "README.md" && !bytes.Equal(a, b) || len(b) == 0 {
			t.Errorf("%s differs", name)
		}
	}
}

// TestTrial: a trial has the losses of any run, but writes no samples and measures
// nothing when it has ended.
func TestTrial(t *testing.T) {
	dir := t.TempDir()
	text := write(t, dir, "text", prose(300))
	var best [2]float64
	for i, in := range []train.Input{{}, {Trial: true, NoSamples: true}} {
		in.Sources, in.Out = sources(t, text), filepath.Join(dir, fmt.Sprint(i))
		j, err := train.Prepare(context.Background(), settings(t, tiny...), in, nil)
		if err != nil {
			t.Fatal(err)
		}
		wrote := 0
		out, err := j.Run(context.Background(), func(e train.Event) {
			if e.Kind == train.EventValid {
				wrote += len(e.Text)
			}
		})
		if err := errors.Join(err, j.Close()); err != nil {
			t.Fatal(err)
		}
		best[i] = out.Best
		card, err := os.ReadFile(filepath.Join(in.Out, "README.md"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = os.Stat(filepath.Join(in.Out, eval.LineStatsFile))
		whole := err == nil && len(out.Samples) == 3 && wrote > 0 && bytes.Contains(card, []byte("perplexity"))
		bare := err != nil && len(out.Samples) == 0 && wrote == 0 && !bytes.Contains(card, []byte("perplexity"))
		if in.Trial && !bare || !in.Trial && !whole {
			t.Errorf("trial %v: %d samples, %d bytes on the way, lines: %v, card:\n%s", in.Trial, len(out.Samples), wrote, err, card)
		}
	}
	if best[0] != best[1] {
		t.Errorf("as a trial the loss is %v, else %v", best[1], best[0])
	}
}

// TestCheckpointModel: the weights of a step are those that the run had there.
func TestCheckpointModel(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "model")
	j := prepare(t, out, settings(t, append(tiny, "average=0", "tied=true")...), write(t, dir, "text", prose(300)))
	if _, err := j.Run(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	first, err := train.InitialModel(out)
	if err != nil {
		t.Fatal(err)
	}
	last, err := train.CheckpointModel(out, 40)
	if err != nil {
		t.Fatal(err)
	}
	best, err := eval.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	bestIsLast, moved := true, false
	for i, p := range last.Params() {
		for k, v := range p.Value {
			bestIsLast = bestIsLast && v == best.LM.Params()[i].Value[k]
			moved = moved || v != first.Params()[i].Value[k]
		}
	}
	if !bestIsLast || !moved {
		t.Errorf("the last checkpoint is the best model: %v (its loss falls to the end); it differs from the first weights: %v", bestIsLast, moved)
	}
	if _, err := train.CheckpointModel(out, 39); err == nil {
		t.Error("a step without a checkpoint was read")
	}
}
