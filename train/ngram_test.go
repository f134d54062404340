package train_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/eval"
	"github.com/refrain-lm/refrain/train"
)

var counted = []string{"model=ngram", "order=3", "tokenizer=word"}

// ngramFiles is what an n-gram run must reproduce to the byte.
func ngramFiles(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, name := range []string{"plan.json", "config.json", "model.ngram", "tokenizer.json", "data.ids", "lines.json", "README.md"} {
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(raw)
	}
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		if e.IsDir() {
			t.Errorf("%s was left in the folder", e.Name())
		}
	}
	return files
}

func sameNgram(t *testing.T, dir string, want map[string]string) {
	t.Helper()
	for name, text := range ngramFiles(t, dir) {
		if text != want[name] {
			t.Errorf("%s differs from that of a run never disturbed", name)
		}
	}
}

// TestNgram counts a text of each kind of token; its folder opens as any does
// and measures what the run said.
func TestNgram(t *testing.T) {
	dir := t.TempDir()
	text := write(t, dir, "book.txt", prose(300))
	for _, kind := range []string{"byte", "char", "word"} {
		out := filepath.Join(dir, kind)
		notes := 0
		j := prepare(t, out, settings(t, "model=ngram", "tokenizer="+kind), text)
		outcome, err := j.Run(context.Background(), func(e train.Event) {
			if e.Kind == train.EventNote {
				notes++
			}
		})
		if err := errors.Join(err, j.Close()); err != nil {
			t.Fatal(err)
		}
		m, err := eval.Open(out)
		if err != nil {
			t.Fatal(err)
		}
		c := m.Ngram.Config()
		if (notes > 0) != strings.Contains(fmt.Sprint(c.Discounts), "true") {
			t.Errorf("%s: %d notes about discounts %v", kind, notes, c.Discounts)
		}
		if lines := kind == "word"; lines != (c.LineEnd >= 0) || lines != (c.Order == 5) {
			t.Errorf("%s: order %d, line end %d", kind, c.Order, c.LineEnd)
		}
		ids, err := m.OpenIDs()
		if err != nil {
			t.Fatal(err)
		}
		got, err := eval.StreamIDs(context.Background(), m, ids.Valid(), 0, 0, false, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got.Loss() != outcome.Best || got.Loss() != outcome.Result.Loss() {
			t.Errorf("%s: eval %v, the run said %v", kind, got.Loss(), outcome.Best)
		}
		if uniform := math.Log(float64(c.Vocab)); got.Loss() > uniform {
			t.Errorf("%s: %v nats, no better than chance (%v)", kind, got.Loss(), uniform)
		}
		events, err := train.ReadMetrics(out)
		if err != nil || len(events) != notes+1 || events[notes].Kind != train.EventValid || events[notes].Valid != outcome.Best {
			t.Errorf("%s: metrics %+v, %v", kind, events, err)
		}
		if err := ids.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestNgramResume wants a finished run to say so, whatever it is asked, and not
// to change.
func TestNgramResume(t *testing.T) {
	dir := t.TempDir()
	text := write(t, dir, "book.txt", prose(100))
	out := filepath.Join(dir, "run")
	runWhole(t, out, settings(t, counted...), text)
	want := ngramFiles(t, out)
	for _, c := range []struct{ set, says string }{
		{"threads=2", "finished"}, {"order=3", "finished"}, {"order=4", "has order 3, not 4"},
		{"time=10s", "counts its text once"}, {"lr=0.1", "means nothing to --model ngram"}, {"model=recurrent", "has model ngram"},
	} {
		_, err := train.Resume(context.Background(), out, settings(t, c.set), quiet)
		if err == nil || !strings.Contains(err.Error(), c.says) || errors.Is(err, train.ErrFinished) != (c.says == "finished") {
			t.Errorf("--resume with %s: %v, want %q", c.set, err, c.says)
		}
	}
	sameNgram(t, out, want)
}

// TestNgramStopped stops and kills runs; what they leave is counted to the same
// end.
func TestNgramStopped(t *testing.T) {
	dir := t.TempDir()
	text := write(t, dir, "book.txt", prose(100))
	whole := &badDisk{}
	if err := runOn(whole, filepath.Join(dir, "whole"), text, "", counted, quiet); err != nil {
		t.Fatal(err)
	}
	want := ngramFiles(t, filepath.Join(dir, "whole"))
	for _, kind := range []string{train.EventCount, train.EventFinal} {
		out := filepath.Join(dir, "stopped at "+kind)
		j := prepare(t, out, settings(t, counted...), text)
		ctx, cancel := context.WithCancel(context.Background())
		_, err := j.Run(ctx, func(e train.Event) {
			if e.Kind == kind {
				cancel()
			}
		})
		cancel()
		if cerr := j.Close(); cerr != nil || !errors.Is(err, train.ErrStopped) {
			t.Errorf("stopped at %s: %v, %v", kind, err, cerr)
		}
		if err := resumeOn(out); err != nil {
			t.Fatal(err)
		}
		sameNgram(t, out, want)
	}
	for n := 1; n <= whole.steps; n += 3 * stride(4) {
		out := filepath.Join(dir, fmt.Sprint("killed at ", n))
		killed(t, child{Text: text, Out: out, Settings: counted, KillAt: n}, 0)
		if _, err := os.Stat(out); err != nil {
			continue // before there was anything to keep
		}
		if err := resumeOn(out); err != nil && !errors.Is(err, train.ErrFinished) {
			t.Fatalf("killed at step %d of the disk: %v", n, err)
		}
		sameNgram(t, out, want)
	}
	for _, f := range faults {
		for at := 1; at <= whole.steps; at += 5 * stride(3) {
			out := filepath.Join(dir, f.name)
			disk := &badDisk{at: at, fault: f}
			err := runOn(disk, out, text, "", counted, quiet)
			if _, serr := os.Stat(out); serr == nil {
				if err := resumeOn(out); err != nil && !errors.Is(err, train.ErrFinished) {
					t.Fatalf("%s, then on a good disk: %v", disk.hit, err)
				}
				sameNgram(t, out, want)
			} else if err == nil {
				t.Errorf("%s: no folder and no error", disk.hit)
			}
			if err := os.RemoveAll(out); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestNgramSettings(t *testing.T) {
	for _, c := range []struct {
		pairs []string
		says  string
	}{
		{[]string{"model=ngram", "lr=0.1"}, "--lr means nothing to --model ngram"},
		{[]string{"model=ngram", "cell=gru"}, "--cell means nothing to --model ngram, which counts; leave it out"},
		{[]string{"model=ngram", "epochs=3"}, "--epochs means nothing to --model ngram"},
		{[]string{"model=ngram", "order=0"}, "--order 0: outside [1, 33)"},
		{[]string{"order=3"}, "--order goes with --model ngram or ffn, this is --model recurrent"},
		{[]string{"model=ngrm"}, "did you mean ngram?"},
		{[]string{"model=kenlm"}, "did you mean ngram?"},
		{[]string{"model=ngram", "order=2", "seed=3", "time=1m", "threads=1", "across-lines=true", "tokenizer=word", "words=punct"}, ""},
	} {
		s := settings(t, c.pairs...)
		err := s.Validate()
		if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%v: %v, want %q", c.pairs, err, c.says)
		}
	}
	var s train.Settings
	for name, value := range map[string]string{"model": "ngram", "lr": "0.1", "recipe": "none"} {
		if err := s.Set(name, value, "config"); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Validate(); err != nil {
		t.Errorf("a config file that serves other runs too: %v", err)
	}
}

// TestNgramDryRun plans and leaves nothing.
func TestNgramDryRun(t *testing.T) {
	dir := t.TempDir()
	src := sources(t, write(t, dir, "book.txt", prose(100)))
	out := filepath.Join(dir, "run")
	j, err := train.Prepare(context.Background(), settings(t, counted...), train.Input{Sources: src, Out: out, DryRun: true}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	p := j.Plan()
	if !p.Complete || p.Ngram == nil || p.Ngram.Order != 3 || p.Memory() < 1e6 || p.Disk() < 1e3 {
		t.Errorf("plan %+v, %d bytes of memory, %d of disk", p.Ngram, p.Memory(), p.Disk())
	}
	if err := j.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("a dry run left its folder")
	}
}

// TestNgramNoise wants the text counted as it is: other models' training text
// has unknown words strewn in.
func TestNgramNoise(t *testing.T) {
	dir := t.TempDir()
	words := strings.Repeat("one two three four\n", 4000)
	src := sources(t, write(t, dir, "book.txt", words))
	j, err := train.Prepare(context.Background(), settings(t, counted...), train.Input{Sources: src, Out: filepath.Join(dir, "run")}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	ids, err := data.OpenIDs(filepath.Join(dir, "run", eval.IDsFile))
	if err != nil {
		t.Fatal(err)
	}
	defer ids.Close()
	got := make([]int32, ids.Train().Len())
	if err := ids.Train().Read(got, 0); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(fmt.Appendf(nil, " %v ", got), []byte(" 0 ")) {
		t.Error("the training ids hold unknown words that the text does not")
	}
}
