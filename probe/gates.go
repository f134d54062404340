package probe

import (
	"math"
	"slices"

	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/lm"
	"github.com/refrain-lm/refrain/nn"
)

// The bounds of Karpathy et al. 2015: a gate above the one is open, below the
// other shut, and passes little gradient to what sets it.
const (
	openAbove = 0.9
	shutBelow = 0.1
)

// Gate says how often the units of one gate of one layer are stuck.
type Gate struct {
	Layer int    // from 1, the bottom
	Name  string // input, forget, output, reset, update; state: |h|, of cells without gates
	// Over and Under have a share for each unit: of the tokens, how many have it
	// above 0.9, and below 0.1.
	Over, Under []float64
}

// gateNames are the words for the letters of the equations; the tanh of the
// candidate is no gate.
var gateNames = map[string]string{"i": "input", "f": "forget", "o": "output", "r": "reset", "z": "update"}

// Gates measures the gates of every layer of m, and |h| where there are none, on
// all tokens of the windows of r, as in evaluation.
func Gates(m *lm.Model, r data.Reader, o Options) ([]Gate, error) {
	o = o.withDefaults()
	counts := make([]GateCounts, m.Config().Layers)
	tape := lm.Tape{Mode: nn.Mode{Pool: o.Pool}, Trace: make([]nn.Trace, len(counts))}
	err := o.windows(r, func(warm, in, next []int32) {
		state := m.NewState(len(next))
		none := slices.Repeat([]int32{-1}, max(len(in), len(warm)))
		out := make([]float32, len(none))
		m.LogProbs(&lm.Tape{Mode: tape.Mode}, warm, none[:len(warm)], state, out[:len(warm)])
		m.LogProbs(&tape, in, none[:len(in)], state, out[:len(in)])
		for layer := range counts {
			counts[layer].Add(tape.Trace[layer])
		}
	})
	if err != nil {
		return nil, err
	}
	return GatesOf(counts), nil
}

// GatesOf sums up the counts of each layer.
func GatesOf(counts []GateCounts) []Gate {
	var out []Gate
	for layer, c := range counts {
		for _, g := range c.gates {
			n := float64(c.tokens)
			gate := Gate{Layer: layer + 1, Name: g.name}
			for unit := range g.over {
				gate.Over = append(gate.Over, float64(g.over[unit])/n)
				gate.Under = append(gate.Under, float64(g.under[unit])/n)
			}
			out = append(out, gate)
		}
	}
	return out
}

// GateCounts counts for one layer how often each unit of each gate is stuck. The
// zero value is ready.
type GateCounts struct {
	tokens int
	gates  []gateCount
}

type gateCount struct {
	name        string
	over, under []int // [H]
}

// Add takes in a window.
func (c *GateCounts) Add(t nn.Trace) {
	if c.gates == nil {
		for _, g := range t.Gates {
			if name, ok := gateNames[g.Name]; ok {
				c.gates = append(c.gates, gateCount{name, make([]int, t.Width), make([]int, t.Width)})
			}
		}
		if t.Gates == nil {
			c.gates = []gateCount{{"state", make([]int, t.Width), make([]int, t.Width)}}
		}
	}
	c.tokens += t.Steps * t.Lanes
	if t.Gates == nil {
		c.gates[0].add(t.States[0])
		return
	}
	at := 0
	for _, g := range t.Gates {
		if _, ok := gateNames[g.Name]; ok {
			c.gates[at].add(g.Values)
			at++
		}
	}
}

func (g *gateCount) add(values []float32) {
	width := len(g.over)
	for k, v := range values {
		switch v := math.Abs(float64(v)); {
		case v > openAbove:
			g.over[k%width]++
		case v < shutBelow:
			g.under[k%width]++
		}
	}
}
