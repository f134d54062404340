package train_test

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/refrain-lm/refrain/train"
)

// runFiles makes a short run and returns its plan, its newest state and its metrics.
func runFiles(f *testing.F) (plan, state, metrics []byte) {
	dir := f.TempDir()
	out := filepath.Join(dir, "run")
	s := settings(f, tiny...)
	runWhole(f, out, s, write(f, dir, "book.txt", prose(60)))
	read := func(name string) []byte {
		raw, err := os.ReadFile(filepath.Join(out, name))
		if err != nil {
			f.Fatal(err)
		}
		return raw
	}
	return read("plan.json"), read("checkpoint-40/state.json"), read("metrics.jsonl")
}

func FuzzPlan(f *testing.F) {
	plan, _, _ := runFiles(f)
	f.Add(plan)
	f.Add(bytes.Replace(plan, []byte(`"complete": true`), []byte(`"complete": false`), 1))
	f.Add([]byte(`{"version":1}`))
	f.Add([]byte(`{"version":1,"complete":true,"model":{"version":1,"kind":"recurrent"}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := train.ParsePlan(raw)
		if err != nil {
			return
		}
		if p.Complete && (p.Model.Validate() != nil || p.Steps < p.From || p.TokensPerStep() < 1) {
			t.Errorf("accepted an impossible plan %+v", p)
		}
		if err := p.Settings.Validate(); err != nil {
			t.Errorf("accepted impossible settings: %v", err)
		}
		p.Memory()
		p.Disk()
		p.Passes()
		again, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := train.ParsePlan(again); err != nil {
			t.Errorf("an accepted plan, written again, is refused: %v", err)
		}
	})
}

func FuzzState(f *testing.F) {
	_, state, _ := runFiles(f)
	f.Add(state)
	f.Add([]byte(`{"step":-1}`))
	f.Add([]byte(`{"step":1,"steps":2,"lr_scale":0.5,"cursor":{"pass":-1,"window":7}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := train.ParseState(raw)
		if err != nil {
			return
		}
		if s.Step < 0 || s.OptSteps < 0 || s.Averaged < 0 || !(s.LRScale > 0) {
			t.Errorf("accepted an impossible state %+v", s)
		}
		again, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if r, err := train.ParseState(again); err != nil || r != s {
			t.Errorf("%+v, written and read: %+v, %v", s, r, err)
		}
	})
}

func FuzzMetrics(f *testing.F) {
	_, _, metrics := runFiles(f)
	f.Add(metrics)
	f.Add(metrics[:len(metrics)-9])
	f.Add([]byte(`{"kind":"step","step":1,"loss":null,"elapsed_seconds":1e300}` + "\n\n{"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		events, err := train.ParseMetrics(bytes.NewReader(raw))
		if err != nil {
			return
		}
		var out bytes.Buffer
		for _, e := range events {
			line, err := json.Marshal(e)
			if err != nil {
				t.Fatalf("event %+v cannot be written: %v", e, err)
			}
			out.Write(append(line, '\n'))
		}
		again, err := train.ParseMetrics(&out)
		if err != nil || len(again) != len(events) {
			t.Fatalf("%d events, written and read: %d, %v", len(events), len(again), err)
		}
		for i, e := range events {
			if a := again[i]; a.Kind != e.Kind || a.Step != e.Step || a.Text != e.Text || a.Loss != e.Loss && !math.IsNaN(e.Loss) {
				t.Fatalf("event %+v, written and read: %+v", e, a)
			}
		}
	})
}
