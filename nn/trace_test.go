package nn_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/refrain-lm/refrain/internal/parallel"
	"github.com/refrain-lm/refrain/nn"
)

// traced runs a window forwards and backwards with a trace.
func traced(l block, m nn.Mode, steps, lanes int, x, dy []float32) *nn.Trace {
	tape := nn.Tape{Trace: &nn.Trace{}}
	l.Forward(m, &tape, steps, lanes, x, randomState(l, lanes))
	l.Backward(m, &tape, clone(dy))
	return tape.Trace
}

// tracedBlocks are the cells, and one with a connection around it.
var tracedBlocks = slices.Concat(cells, batchCells, []blockCase{{"residual", func(_, h int) block {
	return nn.NewResidual(nn.NewLSTM("rnn", 0, h, h, nn.TwoBiases))
}}})

// TestStateGradientsByDifferences: a window is cut after every step, the state
// there moved, and the rest of the window run again.
func TestStateGradientsByDifferences(t *testing.T) {
	const steps, in, h = 4, 6, 7
	mode := nn.Mode{Train: true}
	for _, c := range tracedBlocks {
		t.Run(c.name, func(t *testing.T) {
			lanes, step := 3, float32(gradientStep)
			if strings.Contains(c.name, "norm") {
				lanes, step = 8, gradientFineStep
			}
			l := c.build(in, h)
			if c.name == "rnn-relu" {
				prepareRelu(l)
				l.Refresh(nil, true)
			}
			x, dy := random(9, steps*lanes*l.InSize(), 1), random(10, steps*lanes*h, 1)
			checkStates(t, l, mode, traced(l, mode, steps, lanes, x, dy), step, x, dy)
		})
	}
}

// checkStates compares a trace's gradients with differences, step by step.
func checkStates(t *testing.T, l block, mode nn.Mode, trace *nn.Trace, step float32, x, dy []float32) {
	t.Helper()
	steps, lanes, in, h := trace.Steps, trace.Lanes, l.InSize(), l.OutSize()
	var tape nn.Tape
	state := randomState(l, lanes)
	for s := range steps {
		l.Forward(mode, &tape, 1, lanes, x[s*lanes*in:(s+1)*lanes*in], state)
		for i, values := range trace.States {
			sameBits(t, "state", at(values, s, lanes*h), state[i])
			moved := cloneState(state)
			rest := func() float64 {
				sum := 0.0
				if i == 0 { // h is what the step puts out, too
					sum = dot(moved[0], at(dy, s, lanes*h))
				}
				if s == steps-1 {
					return sum
				}
				return sum + dot(l.Forward(mode, &tape, steps-s-1, lanes, x[(s+1)*lanes*in:], cloneState(moved)), dy[(s+1)*lanes*h:])
			}
			checkGradient(t, "state", step, moved[i], at(trace.Grads[i], s, lanes*h), rest)
		}
	}
}

func at(buf []float32, s, n int) []float32 { return buf[s*n : (s+1)*n] }

func cloneState(s nn.State) nn.State {
	out := make(nn.State, len(s))
	for i, part := range s {
		out[i] = clone(part)
	}
	return out
}

// TestTrace: gates are those of the equations, for any pool, and a tape without a
// trace gives the same gradients.
func TestTrace(t *testing.T) {
	const steps, lanes, in, h = 4, 3, 6, 37
	for _, c := range tracedBlocks {
		t.Run(c.name, func(t *testing.T) {
			l := c.build(in, h)
			x, dy := random(9, steps*lanes*l.InSize(), 1), random(10, steps*lanes*h, 1)
			trace := traced(l, nn.Mode{Train: true}, steps, lanes, x, dy)
			pool := parallel.New(3)
			defer pool.Close()
			again := traced(l, nn.Mode{Train: true, Pool: pool}, steps, lanes, x, dy)
			for i := range trace.States {
				sameBits(t, "states", trace.States[i], again.States[i])
				sameBits(t, "gradients of states", trace.Grads[i], again.Grads[i])
			}
			for g, gate := range trace.Gates {
				sameBits(t, "gate "+gate.Name, gate.Values, again.Gates[g].Values)
			}
			checkGates(t, trace)
		})
	}
}

// checkGates recomputes each state from the one before and the gates, where
// the cell's equations allow it.
func checkGates(t *testing.T, tr *nn.Trace) {
	t.Helper()
	names := ""
	values := map[string][]float32{}
	for _, g := range tr.Gates {
		names += g.Name
		values[g.Name] = g.Values
	}
	n := tr.Lanes * tr.Width
	state := tr.States[len(tr.States)-1] // c of an LSTM, h of a GRU
	for k := n; k < len(state); k++ {
		var want float32
		switch names {
		case "ifgo", "ifg":
			want = values["f"][k]*state[k-n] + values["i"][k]*values["g"][k]
		case "rzn":
			want = (1-values["z"][k])*values["n"][k] + values["z"][k]*state[k-n]
		case "":
			return
		default:
			t.Fatalf("gates %q", names)
		}
		if math.Abs(float64(state[k]-want)) > 1e-5 {
			t.Fatalf("state %d is %v, by its gates %v", k, state[k], want)
		}
	}
}
