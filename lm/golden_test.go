package lm_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/refrain-lm/refrain/checkpoint"
	"github.com/refrain-lm/refrain/internal/parallel"
	"github.com/refrain-lm/refrain/lm"
	"github.com/refrain-lm/refrain/nn"
	"github.com/refrain-lm/refrain/optim"
)

// golden is ten optimizer steps of a whole model as PyTorch or Keras made them in
// float64; bench/golden/torch_training.py, torch_kinds.py and keras_training.py
// say what the fields mean.
type golden struct {
	Kind                  string
	Order, Heads, Context int
	Feedforward           int
	Cell, Reset, Bias     string
	ReLU                  bool
	Vocab, EmSize, Hidden int
	Layers, Lanes, Steps  int
	Tied                  bool

	Optimizer struct {
		Name        string
		LR          float32
		WeightDecay float64 `json:"weight_decay"`
		Betas       []float64
		Eps, Lambd  float64
		KerasEps    bool `json:"keras_eps"`
		T0          float64
	}
	Clip         float64
	IDs, Targets []int32
	Weights      map[string]goldenArray
	Losses       []float64
	Norms        []float64
	Grads        map[string]goldenArray
	Final        map[string]goldenArray
	Averages     map[string]goldenArray
	FinalState   map[string]goldenArray `json:"final_state"`
}

type goldenArray struct {
	Shape []int
	Data  []float64
}

func readGolden(t *testing.T, path string) golden {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(raw, &g); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	if g.Optimizer.Lambd != 0 || g.Optimizer.T0 != 0 {
		t.Fatalf("%s: optim.ASGD has no lambd, and starts averaging at 0", path)
	}
	return g
}

// model is the fixture's model with its first weights.
func (g golden) model(t *testing.T) *lm.Model {
	t.Helper()
	cfg := lm.Config{
		Kind: g.Kind, Order: g.Order, Heads: g.Heads, Context: g.Context, Feedforward: g.Feedforward,
		Cell: lm.Cell(g.Cell), GRUReset: g.Reset, Bias: g.Bias, Vocab: g.Vocab,
		EmSize: g.EmSize, Hidden: g.Hidden, Layers: g.Layers, Tied: g.Tied,
	}
	if g.ReLU {
		cfg.Nonlinearity = "relu"
	}
	m, err := lm.New(cfg, nn.InitConfig{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	var ts []checkpoint.Tensor
	add := func(name string, a goldenArray) {
		ts = append(ts, checkpoint.Tensor{Name: name, Shape: a.Shape, Data: narrow(a.Data)})
	}
	for name, a := range g.Weights {
		add(name, a)
	}
	if g.Tied {
		add("decoder.weight", g.Weights["encoder.weight"])
	}
	if err := m.SetTensors(ts); err != nil {
		t.Fatal(err)
	}
	return m
}

func narrow(x []float64) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = float32(v)
	}
	return y
}

func (g golden) optimizer(t *testing.T, params []optim.Slice) optim.Optimizer {
	t.Helper()
	c := optim.Config{Name: g.Optimizer.Name, WeightDecay: g.Optimizer.WeightDecay, Eps: g.Optimizer.Eps, Keras: g.Optimizer.KerasEps}
	if len(g.Optimizer.Betas) == 2 {
		c.Beta1, c.Beta2 = g.Optimizer.Betas[0], g.Optimizer.Betas[1]
	}
	o, err := optim.New(c, params)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// replay makes the fixture's steps and compares everything on the way.
func (g golden) replay(t *testing.T, pool *parallel.Pool) {
	m := g.model(t)
	var params []optim.Slice
	for _, p := range m.Params() {
		p.ZeroGrad()
		params = append(params, optim.Slice{Name: p.Name, Value: p.Value, Grad: p.Grad})
	}
	opt := g.optimizer(t, params)
	state, tape := m.NewState(g.Lanes), lm.Tape{Mode: nn.Mode{Pool: pool, Train: true}}
	window := g.Steps * g.Lanes
	for k := range g.Losses {
		for _, p := range m.Params() {
			p.ZeroGrad()
		}
		in, want := g.IDs[k*window:][:window], g.Targets[k*window:][:window]
		counted := 0
		for _, id := range want {
			if id >= 0 {
				counted++
			}
		}
		tape.Scale = 1 / float32(counted)
		m.Refresh(pool, true)
		sum, n := m.Loss(&tape, in, want, state)
		m.Backward(&tape)
		if n != counted {
			t.Errorf("step %d: %d targets counted, want %d", k+1, n, counted)
		}
		if k == 0 && g.Grads != nil {
			for _, p := range m.Params() {
				near(t, "gradient of "+p.Name, widen(p.Grad), g.Grads[p.Name].Data)
			}
		}
		near(t, fmt.Sprintf("loss of step %d", k+1), []float64{sum / float64(n)}, g.Losses[k:k+1])
		norm := optim.GlobalNorm(pool, params)
		near(t, fmt.Sprintf("gradient norm of step %d", k+1), []float64{norm}, g.Norms[k:k+1])
		opt.Step(pool, g.Optimizer.LR, optim.ClipScale(norm, g.Clip))
	}
	for _, p := range m.Params() {
		near(t, "final "+p.Name, widen(p.Value), g.Final[p.Name].Data)
	}
	g.compareState(t, m, state)
	if a, ok := opt.(*optim.ASGD); ok {
		a.Average().Swap(pool)
		for _, p := range m.Params() {
			near(t, "average of "+p.Name, widen(p.Value), g.Averages[p.Name].Data)
		}
	}
}

// compareState compares the state after the last window.
func (g golden) compareState(t *testing.T, m *lm.Model, s *lm.State) {
	t.Helper()
	parts := m.StateParts(s)
	at := 0
	for at < len(parts) && g.Kind != "" {
		want, ok := g.FinalState[fmt.Sprintf("part_%d", at)]
		if !ok {
			break
		}
		near(t, fmt.Sprintf("part %d of the final state", at), widen(parts[at].Values), want.Data)
		at++
	}
	if g.Kind != "" && at != len(g.FinalState) {
		t.Errorf("%d parts of state compared, the fixture has %d", at, len(g.FinalState))
	}
	for layer := range g.Layers {
		for _, part := range []string{"h", "c"} {
			want, ok := g.FinalState[fmt.Sprintf("%s_l%d", part, layer)]
			if !ok {
				continue
			}
			if at >= len(parts) {
				t.Fatalf("%d parts of state, want more", len(parts))
			}
			near(t, fmt.Sprintf("final %s of layer %d", part, layer), widen(parts[at].Values), want.Data)
			at++
		}
	}
	if at != len(parts) {
		t.Errorf("%d parts of state compared, there are %d", at, len(parts))
	}
}

func widen(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

// near compares with what was computed in float64. A value here went through
// some tens of float32 roundings of 6e-8 a step, which ten steps at these large
// rates amplify a few times: 3e-6 relative and absolute leaves a factor of
// ten over the largest difference seen.
func near(t *testing.T, what string, got, want []float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d values, want %d", what, len(got), len(want))
		return
	}
	for i, w := range want {
		if d := math.Abs(got[i] - w); !(d <= 3e-6*(1+math.Abs(w))) {
			t.Errorf("%s: element %d is %.9g, want %.9g", what, i, got[i], w)
			return
		}
	}
}

// TestGoldenTraining replays PyTorch's and Keras' training: loss and gradient norm of
// every step, and the weights, averages and state at the end.
func TestGoldenTraining(t *testing.T) {
	paths, err := filepath.Glob("testdata/train_*.json")
	if err != nil || len(paths) != 8 {
		t.Fatalf("%d fixtures, want 8 (%v)", len(paths), err)
	}
	pool := parallel.New(2)
	defer pool.Close()
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			g := readGolden(t, path)
			if len(g.Losses) != 10 || len(g.Norms) != 10 {
				t.Fatalf("%d steps, want 10", len(g.Losses))
			}
			g.replay(t, nil)
			g.replay(t, pool)
		})
	}
}
