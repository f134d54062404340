package train_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/refrain-lm/refrain/checkpoint"
	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/lm"
	"github.com/refrain-lm/refrain/nn"
	"github.com/refrain-lm/refrain/optim"
	"github.com/refrain-lm/refrain/train"
)

// counting is the text 0 1 2 … 9 0 1 2 …: a model that has learnt it has no loss.
func counting(n int) data.Slice {
	ids := make(data.Slice, n)
	for i := range ids {
		ids[i] = int32(i % 10)
	}
	return ids
}

func model(t testing.TB, cfg lm.Config) *lm.Model {
	t.Helper()
	m, err := lm.New(cfg, nn.InitConfig{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func stream(t testing.TB, ids data.Reader) *data.Stream {
	t.Helper()
	s, err := data.NewStream(ids, 4, 10)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var small = lm.Config{Cell: lm.GRU, Vocab: 10, EmSize: 8, Hidden: 16, DropoutOutput: 0.1, DropoutWeight: 0.1}

func options() train.Options {
	return train.Options{
		Steps: 60, Schedule: optim.Schedule{Name: "wsd", LR: 0.02, WarmUp: 0.1}, Clip: 1,
		Valid: counting(500), ValidEvery: 20, SaveEvery: 10, Average: 0.25, StateReset: 0.1, Seed: 3,
	}
}

func weights(m *lm.Model) []float32 {
	var all []float32
	for _, p := range m.Params() {
		all = append(all, p.Value...)
	}
	return all
}

func TestRunLearns(t *testing.T) {
	for _, name := range []string{"sgd", "asgd", "adam", "adamw"} {
		t.Run(name, func(t *testing.T) {
			m, o := model(t, small), options()
			o.Optim, o.Steps = optim.Config{Name: name}, 150
			if name == "sgd" || name == "asgd" {
				o.Schedule.LR = 4
			}
			r, err := train.Run(context.Background(), m, stream(t, counting(1000)), o)
			if err != nil {
				t.Fatal(err)
			}
			if r.Best > 0.2 {
				t.Errorf("validation loss %.3f nats after %d steps, chance is %.3f", r.Best, r.Steps, math.Log(10))
			}
		})
	}
}

// TestClipIsTold: every step's event has the norm before clipping and what
// clipping did with it.
func TestClipIsTold(t *testing.T) {
	for _, c := range []struct {
		name        string
		norm, value float64
	}{{"off", 0, 0}, {"norm", 0.3, 0}, {"value", 0, 0.01}} {
		t.Run(c.name, func(t *testing.T) {
			o := options()
			o.Clip, o.ClipEach, o.ReportEvery = c.norm, c.value, 1
			clipped, steps := 0, 0
			o.On = func(e train.Event) {
				if e.Kind != train.EventStep {
					return
				}
				steps++
				scale := 0.0
				if c.norm > 0 {
					scale = float64(optim.ClipScale(e.Norm, c.norm))
				}
				changed := scale > 0 && scale < 1 || e.Clip.Values > 0
				if changed {
					clipped++
				}
				if e.Clip.Scale != scale || (e.Clip.Steps == 1) != changed || e.Clip.Values > 0 && c.value == 0 {
					t.Errorf("step %d, norm %v: %+v", e.Step, e.Norm, e.Clip)
				}
			}
			if _, err := train.Run(context.Background(), model(t, small), stream(t, counting(1000)), o); err != nil {
				t.Fatal(err)
			}
			if some := clipped > 0 && clipped < steps; some != (c.name != "off") {
				t.Errorf("%d of %d steps were clipped", clipped, steps)
			}
		})
	}
}

// TestStoppedRunGoesOnToTheBit: stopping at any step and going on with the
// saved state gives the weights, losses and best step of a run never stopped,
// on other numbers of threads too.
func TestStoppedRunGoesOnToTheBit(t *testing.T) {
	batchNorm, recurrentNorm, recurrentGRU := small, small, small
	batchNorm.Norm = lm.BatchNorm
	recurrentNorm.Norm, recurrentNorm.Cell = lm.RecurrentBatchNorm, lm.LSTM
	recurrentGRU.Norm, recurrentGRU.Cell = lm.RecurrentBatchNorm, lm.GRU
	transformer := lm.Config{Kind: lm.KindTransformer, Vocab: 10, Hidden: 16, Layers: 2, Heads: 2, Context: 14, DropoutLayer: 0.1}
	ffn := lm.Config{Kind: lm.KindFFN, Order: 4, Vocab: 10, EmSize: 8, Hidden: 16, DropoutOutput: 0.1}
	for _, c := range []struct {
		name, optimizer string
		small           lm.Config
	}{
		{"sgd", "sgd", small}, {"asgd", "asgd", small}, {"adam", "adam", small},
		{"batch norm", "adam", batchNorm}, {"recurrent batch norm", "adam", recurrentNorm},
		{"recurrent batch norm of gru", "adam", recurrentGRU},
		{"ffn", "adam", ffn}, {"transformer", "adam", transformer},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, small := options(), c.small
			o.Optim = optim.Config{Name: c.optimizer}
			o.StateReset = 0.1
			want := model(t, small)
			o.Threads = 1
			wantReport, err := train.Run(context.Background(), want, stream(t, counting(1000)), o)
			if err != nil {
				t.Fatal(err)
			}
			for _, stop := range []int64{1, 7, 20, 33, 59} {
				keep := &memoryKeeper{}
				ctx, cancel := context.WithCancel(context.Background())
				p := o
				p.Keep, p.Threads, p.ReportEvery = keep, 2, 1
				p.On = func(e train.Event) {
					if e.Kind == train.EventStep && e.Step == stop {
						cancel()
					}
				}
				if _, err := train.Run(ctx, model(t, small), stream(t, counting(1000)), p); !errors.Is(err, train.ErrStopped) {
					t.Fatalf("stopping at %d: %v", stop, err)
				}
				if keep.last.Run.Step != stop {
					t.Fatalf("stopped at step %d, want %d", keep.last.Run.Step, stop)
				}
				got := model(t, small)
				p.On = nil
				report, err := train.Run(context.Background(), got, stream(t, counting(1000)), p)
				if err != nil {
					t.Fatal(err)
				}
				if report.Best != wantReport.Best || report.BestStep != wantReport.BestStep {
					t.Errorf("stopped at %d: best %v at %d, want %v at %d", stop, report.Best, report.BestStep, wantReport.Best, wantReport.BestStep)
				}
				if !slices.Equal(weights(got), weights(want)) {
					t.Errorf("stopped at %d: other weights than the run never stopped", stop)
				}
			}
		})
	}
}

// memoryKeeper keeps one snapshot, as a process that ends would on disk.
type memoryKeeper struct {
	last *train.Snapshot
	best []float32
}

func (k *memoryKeeper) Save(s train.Snapshot) error {
	s.Tensors = slices.Clone(s.Tensors)
	for i := range s.Tensors {
		s.Tensors[i].Data = slices.Clone(s.Tensors[i].Data)
	}
	k.last = &s
	return nil
}

func (k *memoryKeeper) Last() (train.Snapshot, error) {
	if k.last == nil {
		return train.Snapshot{}, train.ErrNoSnapshot
	}
	return *k.last, nil
}

func (k *memoryKeeper) KeepBest(ts []checkpoint.Tensor) error {
	k.best = nil
	for _, t := range ts {
		k.best = append(k.best, t.Data...)
	}
	return nil
}

func (k *memoryKeeper) LoadBest(m *lm.Model) error {
	at := 0
	for _, p := range m.Params() {
		at += copy(p.Value, k.best[at:])
	}
	m.Refresh(nil, false)
	return nil
}

// TestDivergence: a rate that is too high is halved from the last saved state,
// twice; then the run stops with what it had.
func TestDivergence(t *testing.T) {
	o := options()
	o.Optim, o.Schedule, o.Clip = optim.Config{Name: "sgd"}, optim.Schedule{Name: "constant", LR: 1e6}, 0
	var warnings []string
	o.On = func(e train.Event) {
		if e.Kind == train.EventWarning {
			warnings = append(warnings, e.Text)
		}
	}
	m := model(t, small)
	_, err := train.Run(context.Background(), m, stream(t, counting(1000)), o)
	if !errors.Is(err, train.ErrDiverged) {
		t.Fatalf("error %v, want ErrDiverged", err)
	}
	if len(warnings) != 2 {
		t.Errorf("%d warnings, want 2: %q", len(warnings), warnings)
	}
	for _, v := range weights(m) {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			t.Fatal("the last good weights were lost")
		}
	}
}

// TestNoRetreat: a run that may not change its learning rate ends where it diverges.
func TestNoRetreat(t *testing.T) {
	o := options()
	o.Optim, o.Schedule, o.Clip, o.NoRetreat = optim.Config{Name: "sgd"}, optim.Schedule{Name: "constant", LR: 1e6}, 0, true
	o.On = func(e train.Event) {
		if e.Kind == train.EventWarning {
			t.Errorf("went on: %s", e.Text)
		}
	}
	if _, err := train.Run(context.Background(), model(t, small), stream(t, counting(1000)), o); !errors.Is(err, train.ErrDiverged) {
		t.Fatalf("error %v, want ErrDiverged", err)
	}
}

func TestPatienceStopsEarly(t *testing.T) {
	o := options()
	o.Steps, o.Patience, o.ValidEvery = 10000, 2, 5
	o.Schedule = optim.Schedule{Name: "constant", LR: 0.02}
	other := make(data.Slice, 500) // nothing the training text teaches helps here
	for i := range other {
		other[i] = int32((i * i) % 7)
	}
	o.Valid = other
	r, err := train.Run(context.Background(), model(t, small), stream(t, counting(1000)), o)
	if err != nil {
		t.Fatal(err)
	}
	if r.Steps > 1000 {
		t.Errorf("still running at step %d, best was step %d", r.Steps, r.BestStep)
	}
}

// TestReplanIsObeyed: a recorded change of steps gives the same run again.
func TestReplanIsObeyed(t *testing.T) {
	o := options()
	o.Average = 0
	o.Replans = []train.Replan{{Step: 30, Steps: 45}}
	a, b := model(t, small), model(t, small)
	ra, err := train.Run(context.Background(), a, stream(t, counting(1000)), o)
	if err != nil {
		t.Fatal(err)
	}
	if ra.Steps != 45 {
		t.Errorf("the run made %d steps, the replan says 45", ra.Steps)
	}
	if _, err := train.Run(context.Background(), b, stream(t, counting(1000)), o); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(weights(a), weights(b)) {
		t.Error("two runs of one plan differ")
	}
}
