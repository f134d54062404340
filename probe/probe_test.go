package probe_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/internal/parallel"
	"github.com/refrain-lm/refrain/lm"
	"github.com/refrain-lm/refrain/nn"
	"github.com/refrain-lm/refrain/probe"
)

const vocab = 11

func randomIDs(n int) data.Slice {
	r := rand.New(rand.NewPCG(7, 7))
	ids := make(data.Slice, n)
	for i := range ids {
		ids[i] = int32(r.IntN(vocab))
	}
	return ids
}

func newModel(t *testing.T, cfg lm.Config, in nn.InitConfig) *lm.Model {
	t.Helper()
	if cfg.Vocab = vocab; cfg.Hidden == 0 {
		cfg.Hidden = 12
	}
	m, err := lm.New(cfg, in, 3)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func param(t *testing.T, m *lm.Model, name string) *nn.Param {
	t.Helper()
	i := slices.IndexFunc(m.Params(), func(p *nn.Param) bool { return p.Name == name })
	if i < 0 {
		t.Fatal("no parameter " + name)
	}
	return m.Params()[i]
}

// linear makes a relu network whose units all stay positive, so that it is
// linear, with ρ times an orthogonal matrix in the recurrence: its gradients fall
// or grow by exactly ρ a step.
func linear(t *testing.T, rho float32) *lm.Model {
	m := newModel(t, lm.Config{Cell: lm.RNN, Nonlinearity: "relu"}, nn.InitConfig{})
	bias, w := param(t, m, "rnn.bias_ih_l0").Value, param(t, m, "rnn.weight_hh_l0").Value
	clear(w)
	for i := range bias {
		bias[i] = 1e4
		w[i*len(bias)+i^1] = rho // units change places in pairs
	}
	m.Refresh(nil, false)
	return m
}

func TestGradientsOfLinearNetwork(t *testing.T) {
	for _, rho := range []float32{0.8, 1, 1.25} {
		reach, err := probe.Gradients(linear(t, rho), randomIDs(500), probe.Options{Lags: 30, Targets: 5})
		if err != nil {
			t.Fatal(err)
		}
		r := reach[0]
		if len(reach) != 1 || r.Layer != 1 || r.Targets != 5 || len(r.Median) != 31 {
			t.Fatalf("layer %d of %d: %d targets, %d lags", r.Layer, len(reach), r.Targets, len(r.Median))
		}
		for lag := range r.Median {
			want := math.Pow(float64(rho), float64(lag))
			for _, got := range []float64{r.Low[lag], r.Median[lag], r.High[lag]} {
				if math.Abs(got/want-1) > 1e-4 { // float32, a few roundings a step
					t.Errorf("ρ = %v, lag %d: %v, want %v", rho, lag, got, want)
				}
			}
		}
		if lag, ok := r.Below(0.01); ok != (rho < 1) || ok && lag != 21 { // 0.8²⁰ = 0.0115
			t.Errorf("ρ = %v: below 1 %% from lag %d on: %v", rho, lag, ok)
		}
	}
}

// TestForgetBias: at the start, an LSTM whose forget gates stand open carries the
// gradient across lags where the plain cell has lost it.
func TestForgetBias(t *testing.T) {
	at := func(cfg lm.Config, forget float64) float64 {
		reach, err := probe.Gradients(newModel(t, cfg, nn.InitConfig{ForgetBias: &forget}), randomIDs(2000), probe.Options{Lags: 50, Targets: 20})
		if err != nil {
			t.Fatal(err)
		}
		return reach[0].Median[50]
	}
	rnn, shut, open := at(lm.Config{Cell: lm.RNN}, 0), at(lm.Config{Cell: lm.LSTM}, -2), at(lm.Config{Cell: lm.LSTM}, 3)
	if rnn > 1e-2 || shut > 1e-6 || open < 1e-2 {
		t.Errorf("relative gradients at lag 50: rnn %.2g, forget bias -2 %.2g, 3 %.2g", rnn, shut, open)
	}
}

// TestGradientsChangeNothing: neither weights nor running statistics of the model
// change, and threads change no bit.
func TestGradientsChangeNothing(t *testing.T) {
	for _, cfg := range []lm.Config{
		{Cell: lm.LSTM, Norm: lm.RecurrentBatchNorm, DropoutLayer: 0.5, Layers: 2},
		{Cell: lm.GRU, Norm: lm.BatchNorm, Residual: true, Layers: 3, Tied: true},
	} {
		m := newModel(t, cfg, nn.InitConfig{})
		var before [][]float32
		for _, p := range m.Params() {
			before = append(before, slices.Clone(p.Value))
		}
		one, err := probe.Gradients(m, randomIDs(500), probe.Options{Lags: 5})
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range m.Params() {
			if !slices.Equal(p.Value, before[i]) || p.Grad != nil {
				t.Errorf("%s changed", p.Name)
			}
		}
		pool := parallel.New(2)
		defer pool.Close()
		two, err := probe.Gradients(m, randomIDs(500), probe.Options{Lags: 5, Pool: pool})
		if err != nil {
			t.Fatal(err)
		}
		if len(one) != cfg.Layers {
			t.Errorf("%d layers, want %d", len(one), cfg.Layers)
		}
		for i := range one {
			if !slices.Equal(one[i].Median, two[i].Median) {
				t.Errorf("layer %d: two threads give %v, one gave %v", i+1, two[i].Median, one[i].Median)
			}
		}
	}
}

// TestGates counts against a plain loop over single steps.
func TestGates(t *testing.T) {
	for _, c := range []struct {
		cfg   lm.Config
		names []string
	}{
		{lm.Config{Cell: lm.RNN}, []string{"state"}},
		{lm.Config{Cell: lm.LSTM}, []string{"input", "forget", "output"}},
		{lm.Config{Cell: lm.LSTMNoG}, []string{"input", "forget"}},
		{lm.Config{Cell: lm.GRU}, []string{"reset", "update"}},
		{lm.Config{Cell: lm.LSTM, Norm: lm.LayerNorm, Layers: 2}, []string{"input", "forget", "output", "input", "forget", "output"}},
	} {
		m := newModel(t, c.cfg, nn.InitConfig{Name: nn.InitUniform, Range: 2})
		ids := randomIDs(60)
		gates, err := probe.Gates(m, ids, probe.Options{Lags: 28, Warm: 30, Targets: 1})
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, g := range gates {
			names = append(names, g.Name)
			if len(g.Over) != 12 || len(g.Under) != 12 {
				t.Errorf("%s: %d and %d shares, want one a unit", g.Name, len(g.Over), len(g.Under))
			}
		}
		if !slices.Equal(names, c.names) {
			t.Errorf("%s: gates %v, want %v", c.cfg.Cell, names, c.names)
		}
		if c.cfg.Cell != lm.RNN {
			continue
		}
		over, under := make([]float64, 12), make([]float64, 12)
		s := m.NewStepper(nil)
		for i, id := range ids[:59] {
			s.Step(id)
			for unit, h := range s.Top() {
				switch h := math.Abs(float64(h)); {
				case i >= 30 && h > 0.9:
					over[unit] += 1.0 / 29
				case i >= 30 && h < 0.1:
					under[unit] += 1.0 / 29
				}
			}
		}
		for unit := range over {
			if math.Abs(over[unit]-gates[0].Over[unit]) > 1e-9 || math.Abs(under[unit]-gates[0].Under[unit]) > 1e-9 {
				t.Errorf("unit %d: %v and %v, by single steps %v and %v", unit, gates[0].Over[unit], gates[0].Under[unit], over[unit], under[unit])
			}
		}
	}
}

// TestGateCounts counts a window whose gates are known.
func TestGateCounts(t *testing.T) {
	gate := func(v ...float32) []float32 { return v } // 3 steps, 1 lane, 2 units
	var c probe.GateCounts
	for range 2 {
		c.Add(nn.Trace{Steps: 3, Lanes: 1, Width: 2, Gates: []nn.Gate{
			{Name: "r", Values: gate(0.95, 0.05, 0.91, 0.5, 0.9, 0.09)},
			{Name: "z", Values: gate(0.1, 1, 0.2, 1, 0, 1)},
			{Name: "n", Values: gate(1, 1, 1, 1, 1, 1)},
		}})
	}
	want := []probe.Gate{
		{Layer: 1, Name: "reset", Over: []float64{2. / 3, 0}, Under: []float64{0, 2. / 3}},
		{Layer: 1, Name: "update", Over: []float64{0, 1}, Under: []float64{1. / 3, 0}},
	}
	got := probe.GatesOf([]probe.GateCounts{c})
	for i := range want {
		if len(got) != 2 || got[i].Name != want[i].Name || !slices.Equal(got[i].Over, want[i].Over) || !slices.Equal(got[i].Under, want[i].Under) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

func TestMoves(t *testing.T) {
	m := newModel(t, lm.Config{Cell: lm.GRU}, nn.InitConfig{Name: nn.InitUniform, Range: 1})
	ids := randomIDs(40)
	moves, err := probe.Moves(m, ids)
	if err != nil {
		t.Fatal(err)
	}
	if len(moves) != 39 {
		t.Fatalf("%d moves of 40 tokens", len(moves))
	}
	for i, mv := range moves {
		if mv.ID != ids[i+1] || !(mv.Output > 0 && mv.Output <= 1) || !(mv.State > 0 && mv.State < 2) {
			t.Errorf("move %d: %+v", i, mv)
		}
	}
	for _, p := range m.Params() { // a model without weights rests
		clear(p.Value)
	}
	m.Refresh(nil, false)
	if moves, err = probe.Moves(m, ids); err != nil || slices.ContainsFunc(moves, func(m probe.Move) bool { return m.Output+m.State != 0 }) {
		t.Errorf("a model without weights moves: %v, %v", moves, err)
	}
}

func TestLargestTenth(t *testing.T) {
	alike := slices.Repeat([]float64{0.3}, 50)
	if got := probe.LargestTenth(alike); math.Abs(got-0.1) > 1e-12 {
		t.Errorf("of 50 moves alike: %v, want 0.1", got)
	}
	stairs := make([]float64, 50)
	stairs[7], stairs[20] = 1, 0.5
	if got := probe.LargestTenth(stairs); got != 1 {
		t.Errorf("of two steps: %v, want 1", got)
	}
}

func TestTooShort(t *testing.T) {
	m := newModel(t, lm.Config{Cell: lm.RNN}, nn.InitConfig{})
	if _, err := probe.Gradients(m, randomIDs(50), probe.Options{Lags: 40}); err == nil {
		t.Error("no error for a text shorter than its windows")
	}
	if _, err := probe.Moves(m, randomIDs(1)); err == nil {
		t.Error("no error for one token")
	}
}
