package speed

import (
	"time"

	"github.com/refrain-lm/refrain/internal/kernel"
	"github.com/refrain-lm/refrain/internal/parallel"
	"github.com/refrain-lm/refrain/lm"
)

// Generation writes greedily, a token at a time.
type Generation struct {
	stepper *lm.BatchStepper
	lanes   []int
	ids     []int32
}

// NewGeneration makes a model with weights as lm.Config.Weights says, and writes
// some tokens of so many streams side by side on the pool.
func NewGeneration(w Work, weights string, streams int, pool *parallel.Pool) (*Generation, error) {
	model, err := w.NewModel()
	if err != nil {
		return nil, err
	}
	if weights != "" {
		if model, err = model.Quantize(weights); err != nil {
			return nil, err
		}
	}
	g := &Generation{stepper: model.NewBatchStepper(streams, pool), ids: make([]int32, streams)}
	for lane := range streams {
		g.lanes = append(g.lanes, lane)
	}
	g.Steps(20)
	return g, nil
}

// Steps takes n steps, each a token of every stream, and returns the seconds of
// each.
func (g *Generation) Steps(n int) []float64 {
	seconds := make([]float64, n)
	for i := range seconds {
		start := time.Now()
		for lane, logits := range g.stepper.Step(g.lanes, g.ids) {
			g.ids[lane] = int32(kernel.ArgMax(logits))
		}
		seconds[i] = time.Since(start).Seconds()
	}
	return seconds
}
