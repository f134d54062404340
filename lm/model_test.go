package lm_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/refrain-lm/refrain/checkpoint"
	"github.com/refrain-lm/refrain/internal/parallel"
	"github.com/refrain-lm/refrain/lm"
	"github.com/refrain-lm/refrain/nn"
)

// shapes are small models of every kind, at awkward sizes.
var shapes = []struct {
	name string
	cfg  lm.Config
}{
	{"rnn", lm.Config{Cell: lm.RNN, Vocab: 13, EmSize: 6, Hidden: 7, Layers: 2}},
	{"relu", lm.Config{Cell: lm.RNN, Nonlinearity: "relu", Vocab: 13, EmSize: 6, Hidden: 7}},
	{"lstm", lm.Config{Cell: lm.LSTM, Vocab: 13, EmSize: 6, Hidden: 7, Layers: 2}},
	{"lstm tied", lm.Config{Cell: lm.LSTM, Vocab: 13, EmSize: 7, Hidden: 7, Layers: 1, Tied: true}},
	{"lstm projected", lm.Config{Cell: lm.LSTM, Vocab: 13, EmSize: 5, Hidden: 9, Layers: 1, Tied: true}},
	{"lstm one bias", lm.Config{Cell: lm.LSTM, Vocab: 13, EmSize: 6, Hidden: 17, Layers: 1, Bias: "one"}},
	{"lstm-nog", lm.Config{Cell: lm.LSTMNoG, Vocab: 13, EmSize: 6, Hidden: 7, Layers: 2}},
	{"gru after", lm.Config{Cell: lm.GRU, Vocab: 13, EmSize: 6, Hidden: 7, Layers: 2}},
	{"gru before", lm.Config{Cell: lm.GRU, GRUReset: "before", Vocab: 13, EmSize: 6, Hidden: 7, Layers: 2}},
	{"dropout", lm.Config{Cell: lm.LSTM, Vocab: 13, EmSize: 6, Hidden: 7, Layers: 2, DropoutInput: 0.2, DropoutLayer: 0.3, DropoutOutput: 0.4}},
	{"dropped weights", lm.Config{Cell: lm.LSTM, Vocab: 13, EmSize: 6, Hidden: 7, Layers: 2, DropoutWeight: 0.4}},
	{"variational", lm.Config{Cell: lm.GRU, Vocab: 13, EmSize: 6, Hidden: 7, Layers: 2, DropoutInput: 0.2, DropoutLayer: 0.3, DropoutOutput: 0.4, Variational: true}},
	{"rnn layer norm", lm.Config{Cell: lm.RNN, Norm: "layer", Vocab: 13, EmSize: 6, Hidden: 19, Layers: 2}},
	{"lstm layer norm", lm.Config{Cell: lm.LSTM, Norm: "layer", Vocab: 13, EmSize: 6, Hidden: 19, Layers: 2}},
	{"gru layer norm", lm.Config{Cell: lm.GRU, Norm: "layer", Vocab: 13, EmSize: 6, Hidden: 19, Layers: 2}},
	{"lstm batch norm", lm.Config{Cell: lm.LSTM, Norm: "batch", Vocab: 13, EmSize: 6, Hidden: 7, Layers: 2}},
	{"lstm recurrent batch norm", lm.Config{Cell: lm.LSTM, Norm: "recurrent-batch", Vocab: 13, EmSize: 6, Hidden: 7, Layers: 2}},
	{"gru recurrent batch norm", lm.Config{Cell: lm.GRU, Norm: "recurrent-batch", Vocab: 13, EmSize: 6, Hidden: 7, Layers: 2}},
	{"rnn recurrent batch norm", lm.Config{Cell: lm.RNN, Norm: "recurrent-batch", Vocab: 13, EmSize: 6, Hidden: 7, Layers: 2}},
	{"residual", lm.Config{Cell: lm.LSTM, Norm: "batch", Residual: true, Vocab: 13, EmSize: 6, Hidden: 7, Layers: 3, DropoutLayer: 0.3}},
	{"transformer", lm.Config{Kind: lm.KindTransformer, Vocab: 13, Hidden: 8, Layers: 2, Heads: 2, Context: 5}},
	{"transformer tied", lm.Config{Kind: lm.KindTransformer, Vocab: 13, Hidden: 9, Heads: 3, Context: 3, Feedforward: 7, Tied: true, DropoutInput: 0.2, DropoutLayer: 0.3, DropoutOutput: 0.4}},
	{"ffn", lm.Config{Kind: lm.KindFFN, Vocab: 13, EmSize: 6, Hidden: 7}},
	{"ffn bigram", lm.Config{Kind: lm.KindFFN, Order: 2, Vocab: 13, EmSize: 6, Hidden: 7}},
	{"ffn deep", lm.Config{Kind: lm.KindFFN, Order: 4, Vocab: 13, EmSize: 5, Hidden: 9, Layers: 3, Tied: true, DropoutInput: 0.2, DropoutLayer: 0.3, DropoutOutput: 0.4}},
}

func newModel(t testing.TB, cfg lm.Config) *lm.Model {
	t.Helper()
	m, err := lm.New(cfg, nn.InitConfig{Name: "uniform", Range: 0.4}, 3)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func randomIDs(n, vocab int, seed uint64) []int32 {
	r := rand.New(rand.NewPCG(seed, 1))
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = int32(r.IntN(vocab))
	}
	return ids
}

func TestParamCount(t *testing.T) {
	for _, s := range shapes {
		t.Run(s.name, func(t *testing.T) {
			m := newModel(t, s.cfg)
			var n int64
			for _, p := range m.Params() {
				if !p.Frozen {
					n += int64(len(p.Value))
				}
			}
			if n != s.cfg.Params() {
				t.Errorf("the model has %d weights, Config.Params says %d", n, s.cfg.Params())
			}
		})
	}
}

// TestGradients checks the whole model's gradients by central differences.
func TestGradients(t *testing.T) {
	const steps = 4
	for _, s := range shapes {
		if s.cfg.Nonlinearity == "relu" || s.cfg.Kind == lm.KindTransformer {
			continue // central differences cross its kinks; nn checks it away from them
		}
		t.Run(s.name, func(t *testing.T) {
			lanes := 3
			if s.cfg.Norm == lm.RecurrentBatchNorm {
				lanes = 16 // few values that are nearly the same bend too sharply when divided by their deviation
			}
			m := newModel(t, s.cfg)
			in, want := randomIDs(steps*lanes, s.cfg.Vocab, 1), randomIDs(steps*lanes, s.cfg.Vocab, 2)
			want[4] = -1
			tape := lm.Tape{Mode: nn.Mode{Train: true, Seed: 5, Step: 9}, Scale: 1}
			loss := func() float64 {
				m.Refresh(nil, true)
				m.DropWeights(tape.Mode)
				sum, _ := m.Loss(&tape, in, want, m.NewState(lanes))
				m.Backward(&tape)
				m.RestoreWeights(tape.Mode)
				return sum
			}
			for _, p := range m.Params() {
				p.ZeroGrad()
			}
			loss()
			grads := map[string][]float32{}
			for _, p := range m.Params() {
				grads[p.Name] = append([]float32(nil), p.Grad...)
			}
			for _, p := range m.Params() {
				if p.Frozen {
					continue
				}
				checkGradient(t, p, grads[p.Name], s.cfg.Norm == lm.LayerNorm || s.cfg.Norm == lm.RecurrentBatchNorm, loss)
			}
		})
	}
}

func checkGradient(t *testing.T, p *nn.Param, grad []float32, bends bool, loss func() float64) {
	t.Helper()
	// A float32 loss of about 30 nats carries 2e-6 of noise; divided by the
	// step that is 2e-4, hence the absolute tolerance.
	const abs, rel = 1.5e-3, 1e-2
	step := float32(1e-2)
	if bends { // division by the deviation of small products does
		step = 2.5e-3
	}
	for k := 0; k < len(p.Value); k += 1 + len(p.Value)/17 {
		old := p.Value[k]
		p.Value[k] = old + step
		up := loss()
		p.Value[k] = old - step
		down := loss()
		p.Value[k] = old
		num := (up - down) / float64(2*step)
		if d := math.Abs(num - float64(grad[k])); d > abs+rel*math.Abs(num) {
			t.Errorf("%s[%d]: gradient %.6f, central difference %.6f", p.Name, k, grad[k], num)
		}
	}
}

// TestStepperMatchesWindow: T steps at once give the bits of T single steps,
// wherever a window is split, whatever shares the batch, on any number of threads.
func TestStepperMatchesWindow(t *testing.T) {
	const steps, lanes = 11, 3
	for _, s := range shapes {
		t.Run(s.name, func(t *testing.T) {
			for _, m := range inEveryStorage(t, newModel(t, s.cfg), 1) {
				stepperMatchesWindow(t, m, steps, lanes)
			}
		})
	}
}

func stepperMatchesWindow(t *testing.T, m *lm.Model, steps, lanes int) {
	vocab := m.Config().Vocab
	in, want := randomIDs(steps*lanes, vocab, 1), randomIDs(steps*lanes, vocab, 2)
	whole := make([]float32, steps*lanes)
	m.LogProbs(&lm.Tape{}, in, want, m.NewState(lanes), whole)

	for _, threads := range []int{2, 3} {
		pool := parallel.New(threads)
		defer pool.Close()
		split := make([]float32, steps*lanes)
		state, tape := m.NewState(lanes), lm.Tape{Mode: nn.Mode{Pool: pool}}
		for _, cut := range [][2]int{{0, 1}, {1, 5}, {5, 11}} {
			lo, hi := cut[0]*lanes, cut[1]*lanes
			m.LogProbs(&tape, in[lo:hi], want[lo:hi], state, split[lo:hi])
		}
		equalBits(t, fmt.Sprintf("split window on %d threads", threads), split, whole)
	}
	for lane := range lanes {
		one, state := make([]float32, steps), m.NewState(1)
		for k := range steps {
			m.LogProbs(&lm.Tape{}, in[k*lanes+lane:][:1], want[k*lanes+lane:][:1], state, one[k:k+1])
		}
		st, got := m.NewStepper(nil), make([]float32, steps)
		for k := range steps {
			logits := st.Step(in[k*lanes+lane])
			got[k] = logits[want[k*lanes+lane]] - logSumExp(logits)
		}
		for k := range steps {
			if one[k] != whole[k*lanes+lane] {
				t.Fatalf("lane %d step %d alone: %v, in the batch %v", lane, k, one[k], whole[k*lanes+lane])
			}
			if d := math.Abs(float64(got[k] - one[k])); d > 1e-5 {
				t.Errorf("stepper: lane %d step %d: %v, window %v", lane, k, got[k], one[k])
			}
		}
	}
}

func logSumExp(x []float32) float32 {
	var sum float64
	for _, v := range x {
		sum += math.Exp(float64(v))
	}
	return float32(math.Log(sum))
}

func equalBits(t *testing.T, what string, got, want []float32) {
	t.Helper()
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Fatalf("%s: element %d is %v, want %v to the bit", what, i, got[i], want[i])
		}
	}
}

// TestThreadsChangeNoGradientBit runs a training step on one and two threads.
func TestThreadsChangeNoGradientBit(t *testing.T) {
	const steps, lanes = 9, 5
	for _, s := range shapes {
		t.Run(s.name, func(t *testing.T) {
			in, want := randomIDs(steps*lanes, s.cfg.Vocab, 1), randomIDs(steps*lanes, s.cfg.Vocab, 2)
			var ref []*nn.Param
			for _, threads := range []int{1, 2, 4} {
				m := newModel(t, s.cfg)
				pool := parallel.New(threads)
				defer pool.Close()
				tape := lm.Tape{Mode: nn.Mode{Pool: pool, Train: true, Seed: 5}, Scale: 0.1}
				m.Refresh(pool, true)
				for _, p := range m.Params() {
					p.ZeroGrad()
				}
				m.Loss(&tape, in, want, m.NewState(lanes))
				m.Backward(&tape)
				if ref == nil {
					ref = m.Params()
					continue
				}
				for i, p := range m.Params() {
					equalBits(t, fmt.Sprintf("%s on %d threads", p.Name, threads), p.Grad, ref[i].Grad)
				}
			}
		})
	}
}

func TestStepAllocatesNothing(t *testing.T) {
	pool := parallel.New(2)
	defer pool.Close()
	for _, s := range shapes {
		for _, m := range inEveryStorage(t, newModel(t, s.cfg), 1) {
			if raceEnabled && m.Config().Weights != "" {
				continue // the race detector drops what a sync.Pool holds, on purpose
			}
			st, batch := m.NewStepper(nil), m.NewBatchStepper(3, pool)
			lanes, ids := []int{0, 2}, []int32{3, 4}
			if n := testing.AllocsPerRun(50, func() { st.Step(3) }); n != 0 {
				t.Errorf("%s %s: Step allocates %v times", s.name, m.Config().Weights, n)
			}
			if n := testing.AllocsPerRun(50, func() { batch.Step(lanes, ids) }); n != 0 {
				t.Errorf("%s %s: a step of two lanes allocates %v times", s.name, m.Config().Weights, n)
			}
		}
	}
}

// TestBatchStepper: streams that come, go and step in any company have the bits
// that they have alone.
func TestBatchStepper(t *testing.T) {
	const steps, lanes = 25, 5
	pools := []*parallel.Pool{parallel.New(2), parallel.New(3)}
	shapes := append(shapes[:len(shapes):len(shapes)], struct { // large enough to be shared
		name string
		cfg  lm.Config
	}{"large", lm.Config{Cell: lm.GRU, Vocab: 500, EmSize: 60, Hidden: 120, Layers: 2}})
	for _, s := range shapes {
		t.Run(s.name, func(t *testing.T) {
			for i, m := range inEveryStorage(t, newModel(t, s.cfg), 2) {
				batch, alone := m.NewBatchStepper(lanes, pools[i%2]), make([]*lm.Stepper, lanes)
				for lane := range alone {
					alone[lane] = m.NewStepper(nil)
				}
				r := rand.New(rand.NewPCG(4, 4))
				for range steps {
					var some []int
					var ids []int32
					for lane := range lanes {
						if r.IntN(3) > 0 {
							some, ids = append(some, lane), append(ids, int32(r.IntN(s.cfg.Vocab)))
						}
					}
					for i, logits := range batch.Step(some, ids) {
						equalBits(t, fmt.Sprintf("lane %d in company", some[i]), logits, alone[some[i]].Step(ids[i]))
					}
					switch lane := r.IntN(lanes); r.IntN(8) {
					case 0:
						batch.ResetLane(lane)
						alone[lane].Reset()
					case 1:
						batch.CopyLane(lane, 2)
						alone[lane].CopyState(alone[2])
					case 2:
						batch.Feed([]int{lane}, []int32{7})
						alone[lane].Feed([]int32{7})
					}
				}
			}
		})
	}
	for _, pool := range pools {
		pool.Close()
	}
}

func TestStepperCopyState(t *testing.T) {
	m := newModel(t, shapes[2].cfg)
	a, b := m.NewStepper(nil), m.NewStepper(nil)
	a.Feed([]int32{1, 2, 3})
	b.CopyState(a)
	equalBits(t, "copied stepper", b.Step(4), a.Step(4))
}

func save(t *testing.T, m *lm.Model) string {
	t.Helper()
	dir := t.TempDir()
	var cfg, weights bytes.Buffer
	if err := m.Config().Write(&cfg); err != nil {
		t.Fatal(err)
	}
	if err := checkpoint.WriteSafetensors(&weights, m.Tensors()); err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{lm.ConfigFile: cfg.Bytes(), lm.WeightsFile: weights.Bytes()} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestSaveLoad(t *testing.T) {
	for _, s := range shapes {
		t.Run(s.name, func(t *testing.T) {
			m := newModel(t, s.cfg)
			got, err := lm.Load(save(t, m))
			if err != nil {
				t.Fatal(err)
			}
			if got.Config() != m.Config() {
				t.Errorf("config %+v, want %+v", got.Config(), m.Config())
			}
			equalBits(t, "logits", got.NewStepper(nil).Step(2), m.NewStepper(nil).Step(2))
		})
	}
}

func TestLoadErrors(t *testing.T) {
	edit := func(old, new string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			path := filepath.Join(dir, lm.ConfigFile)
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			changed := strings.Replace(string(raw), old, new, 1)
			if changed == string(raw) {
				t.Fatalf("%s holds no %s", raw, old)
			}
			if err := os.WriteFile(path, []byte(changed), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range []struct {
		name  string
		spoil func(t *testing.T, dir string)
		want  string
	}{
		{"no config", func(t *testing.T, dir string) { os.Remove(filepath.Join(dir, lm.ConfigFile)) }, "no config.json"},
		{"unknown key", edit(`"cell"`, `"celll"`), "unknown field"},
		{"other version", edit(`"version": 1`, `"version": 7`), "version 7"},
		{"bad cell", edit(`"lstm"`, `"lstn"`), "lstn"},
		{"wider", edit(`"nhid": 7`, `"nhid": 8`), "weights"},
		{"huge", edit(`"nhid": 7`, `"nhid": 1000000`), "weights"},
		{"narrower", edit(`"nhid": 7`, `"nhid": 6`), "shape"},
		{"negative", edit(`"vocab": 13`, `"vocab": -13`), "vocab"},
		{"cut weights", func(t *testing.T, dir string) {
			path := filepath.Join(dir, lm.WeightsFile)
			if err := os.Truncate(path, 900); err != nil {
				t.Fatal(err)
			}
		}, "cut"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := save(t, newModel(t, shapes[2].cfg))
			c.spoil(t, dir)
			_, err := lm.Load(dir)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestValidateReportsEverything(t *testing.T) {
	err := lm.Config{Cell: "gru", GRUReset: "after", Bias: "one", DropoutInput: 1, Hidden: 3}.Validate()
	for _, want := range []string{"bias one", "vocab", "dropout_input"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not mention %s", err, want)
		}
	}
}

func FuzzReadConfig(f *testing.F) {
	var b bytes.Buffer
	if err := newModel(f, shapes[0].cfg).Config().Write(&b); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte(`{"version":1,"kind":"recurrent"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		cfg, err := lm.ReadConfig(bytes.NewReader(raw))
		if err == nil && cfg.Validate() != nil {
			t.Errorf("accepted an invalid config %+v", cfg)
		}
	})
}
