package lm_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/refrain-lm/refrain/lm"
	"github.com/refrain-lm/refrain/nn"
)

// TestTrace: with the loss of a window's last step alone, the gradient of an
// earlier state of the top layer is how the loss changes when the state that
// step hands on does.
func TestTrace(t *testing.T) {
	const steps, lanes, cut = 4, 3, 2
	for _, s := range shapes {
		if s.cfg.Kind != "" {
			continue // only recurrent layers have one
		}
		if s.cfg.DropoutLayer+s.cfg.DropoutWeight > 0 || s.cfg.Norm == lm.BatchNorm || s.cfg.Norm == lm.RecurrentBatchNorm {
			continue // what they do depends on the window
		}
		t.Run(s.name, func(t *testing.T) {
			m := newModel(t, s.cfg)
			m.Refresh(nil, true)
			layers := m.Config().Layers
			in, want := randomIDs(steps*lanes, s.cfg.Vocab, 1), slices.Repeat([]int32{-1}, steps*lanes)
			copy(want[(steps-1)*lanes:], randomIDs(lanes, s.cfg.Vocab, 2))
			tape := lm.Tape{Mode: nn.Mode{Train: true}, Scale: 1, Trace: make([]nn.Trace, layers)}
			m.Loss(&tape, in, want, m.NewState(lanes))
			m.Backward(&tape)
			top := tape.Trace[layers-1]
			if top.Steps != steps || top.Lanes != lanes || top.Width != s.cfg.Hidden {
				t.Fatalf("window of %d steps, %d lanes and %d units", top.Steps, top.Lanes, top.Width)
			}

			var plain lm.Tape
			state := m.NewState(lanes)
			m.LogProbs(&plain, in[:cut*lanes], want[:cut*lanes], state, make([]float32, cut*lanes))
			for part := range top.States {
				name := fmt.Sprintf("state.%d.%d", layers-1, part)
				values := partOf(m, state, name)
				if !slices.Equal(values, top.States[part][(cut-1)*lanes*top.Width:cut*lanes*top.Width]) {
					t.Fatal("the states of the trace are not those that the window hands on")
				}
				grads := top.Grads[part][(cut-1)*lanes*top.Width:]
				for i := range values {
					num := difference(&values[i], func() float64 {
						sum, _ := m.Loss(&plain, in[cut*lanes:], want[cut*lanes:], copyState(m, state))
						return sum
					})
					if d := math.Abs(num - float64(grads[i])); d > 1e-3+1e-2*math.Abs(num) { // as checkGradient, with a loss of few terms
						t.Errorf("%s[%d]: gradient %.6f, central difference %.6f", name, i, grads[i], num)
					}
				}
			}
		})
	}
}

func partOf(m *lm.Model, s *lm.State, name string) []float32 {
	for _, p := range m.StateParts(s) {
		if p.Name == name {
			return p.Values
		}
	}
	panic("no part " + name)
}

func copyState(m *lm.Model, s *lm.State) *lm.State {
	out := m.NewState(s.B)
	for i, p := range m.StateParts(s) {
		copy(m.StateParts(out)[i].Values, p.Values)
	}
	return out
}

func difference(x *float32, f func() float64) float64 {
	const step = 1e-2
	old := *x
	defer func() { *x = old }()
	*x = old + step
	up := f()
	*x = old - step
	return (up - f()) / (2 * step)
}

func TestLayers(t *testing.T) {
	cfg := lm.Config{Cell: lm.GRU, EmSize: 2, Hidden: 5, Layers: 3, Residual: true, Norm: lm.BatchNorm, DropoutLayer: 0.5, Tied: true}
	blocks, err := lm.Layers(cfg, nn.InitConfig{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	states := 0
	for _, b := range blocks {
		states += len(b.StateWidths())
	}
	if blocks[0].InSize() != 2 || blocks[len(blocks)-1].OutSize() != 5 || states != 3 {
		t.Errorf("%d blocks from %d to %d with %d states", len(blocks), blocks[0].InSize(), blocks[len(blocks)-1].OutSize(), states)
	}
	if _, err := lm.Layers(lm.Config{Cell: "gnu", Hidden: 5}, nn.InitConfig{}, 1); err == nil {
		t.Error("no error for a cell that is none")
	}
}
