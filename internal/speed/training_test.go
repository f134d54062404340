package speed_test

import (
	"slices"
	"testing"

	"github.com/refrain-lm/refrain/internal/parallel"
	"github.com/refrain-lm/refrain/internal/speed"
	"github.com/refrain-lm/refrain/lm"
	"github.com/refrain-lm/refrain/nn"
)

func tiny(cell lm.Cell) speed.Work {
	return speed.Work{Cell: cell, Vocab: 30, EmSize: 8, Hidden: 16, Layers: 2, Batch: 4, BPTT: 5, Optimizer: "adam", LR: 1e-3, Clip: 1}
}

// The operations are those of the weights that the model really has, the
// embedding, which is looked up, and the biases apart.
func TestOperations(t *testing.T) {
	for _, cell := range []lm.Cell{lm.RNN, lm.LSTM, lm.LSTMNoG, lm.GRU} {
		w := tiny(cell)
		model, err := w.NewModel()
		if err != nil {
			t.Fatal(err)
		}
		weights := 0
		for _, p := range model.Params() {
			if len(p.Shape) == 2 && p.Name != "encoder.weight" {
				weights += len(p.Value)
			}
		}
		if got := w.Operations(); got != 6*float64(weights) {
			t.Errorf("%s: %g operations for %d weights, want %d", cell, got, weights, 6*weights)
		}
	}
}

// TestExecuted counts the products of a table instead of the window's where there
// are many more rows than words.
func TestExecuted(t *testing.T) {
	w := tiny(lm.LSTM) // 20 rows, 30 words
	for _, c := range []struct {
		batch int
		less  float64 // 6 operations for each of the first layer's input weights
	}{{4, 0}, {40, 6 * 4 * 16 * 8 * (1 - 30./200)}} {
		w.Batch = c.batch
		training, err := speed.NewTraining(w, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := training.Executed(), w.Operations()-c.less; got != want {
			t.Errorf("batch %d: %g operations executed, want %g", c.batch, got, want)
		}
	}
}

func TestStepsAreTimedByPart(t *testing.T) {
	pool := parallel.New(2)
	defer pool.Close()
	training, err := speed.NewTraining(tiny(lm.GRU), pool)
	if err != nil {
		t.Fatal(err)
	}
	var total, parts float64
	for _, s := range training.Steps(5) {
		if s <= 0 {
			t.Errorf("a step took %g s", s)
		}
		total += s
	}
	for _, name := range []string{"embedding", "layers", "output", "layers back", "embedding back", "update"} {
		if training.Parts[name] <= 0 {
			t.Errorf("part %q took %g s", name, training.Parts[name])
		}
	}
	for _, s := range training.Parts {
		parts += s
	}
	if parts > total {
		t.Errorf("the parts took %g s of %g s", parts, total)
	}
	generation, err := speed.NewGeneration(tiny(lm.GRU), lm.Int8, 2, pool)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(generation.Steps(3)); n != 3 {
		t.Errorf("%d steps timed, want 3", n)
	}
}

// A cache is not slower than what is behind it, and no machine's limits are
// zero; on a shared machine, that is all that can be demanded.
func TestMachine(t *testing.T) {
	pool := parallel.New(2)
	defer pool.Close()
	m := speed.Measure(pool)
	if m.FMA.One < 1e8 || m.FMA.All < 1e8 {
		t.Errorf("multiply-adds: %g and %g a second", m.FMA.One, m.FMA.All)
	}
	if fast := nn.BFloat16IsFast(); fast != (m.BFloat16.One > m.FMA.One/2) || fast != (m.BFloat16.All > 0) {
		t.Errorf("bfloat16 is fast: %v, and %g and %g a second beside %g of float32", fast, m.BFloat16.One, m.BFloat16.All, m.FMA.One)
	}
	for _, r := range m.Reads {
		if r.One < 1e8 || r.All < 1e8 {
			t.Errorf("%s: %g and %g bytes a second", r.Level, r.One, r.All)
		}
	}
	if first, last := m.Reads[0], m.Reads[len(m.Reads)-1]; first.One < last.One/2 {
		t.Errorf("reading %s at %g bytes a second, %s at %g", first.Level, first.One, last.Level, last.One)
	}
}

// TestLosses: the same work gives the same losses, and start sees the weights
// before the first step.
func TestLosses(t *testing.T) {
	w := speed.Work{Cell: lm.GRU, Vocab: 9, EmSize: 5, Hidden: 7, Layers: 1, Batch: 2, BPTT: 4, Optimizer: "sgd", LR: 1}
	var runs [2][]speed.Window
	for i := range runs {
		started := false
		var err error
		if runs[i], err = speed.Losses(w, nil, 3, func(*lm.Model) error { started = true; return nil }); err != nil || !started {
			t.Fatal(err, started)
		}
	}
	for i, a := range runs[0] {
		if b := runs[1][i]; a.Loss != b.Loss || !slices.Equal(a.In, b.In) || !slices.Equal(a.Want, b.Want) || len(a.In) != 8 || a.Loss < 1 || a.Loss > 4 {
			t.Errorf("step %d: %v and %v", i, a, b)
		}
	}
}
