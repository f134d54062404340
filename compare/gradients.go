package compare

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/refrain-lm/refrain/lm"
	"github.com/refrain-lm/refrain/probe"
	"github.com/refrain-lm/refrain/train"
)

// stages are the points of a run at which gradients are looked at.
var stages = []string{"start", "half", "end"}

// gradients measures how far the gradients of the first seed's recurrent models
// reach, on validation text, and which of their gates are stuck.
func (m *measuring) gradients(ctx context.Context, _ *Result) error {
	window := m.c.protocol.Settings.Shared.BPTT
	if m.ids.Valid().Len() < int64(4*window+2) {
		return nil
	}
	var models []*measured
	for _, k := range m.models {
		if run := k.first(); run >= 0 && recurrent(k.entry.Kind) {
			k.result.Gradients = &Gradients{State: "h", Window: window, Stages: make([]GradientStage, len(stages))}
			models = append(models, k)
		}
	}
	o := probe.Options{Lags: 2 * window, Targets: m.c.protocol.GradientTargets}
	return m.each(ctx, "following gradients back", len(models)*len(stages), func(i int) error {
		k, stage := models[i/len(stages)], i%len(stages)
		model, tokens, err := m.atStage(k, stages[stage])
		if err != nil {
			return err
		}
		reach, err := probe.Gradients(model, m.ids.Valid(), o)
		if err != nil {
			return err
		}
		k.result.Gradients.Stages[stage] = gradientStage(stages[stage], tokens, reach)
		if stages[stage] != "end" {
			return nil
		}
		k.result.Gradients.State = stateName(k.entry.Model)
		gates, err := probe.Gates(model, m.ids.Valid(), o)
		for _, g := range gates {
			k.result.Gates = append(k.result.Gates, Gate{Layer: g.Layer, Name: g.Name, Over: g.Over, Under: g.Under})
		}
		return err
	})
}

// stateName names what a layer hands on; of several layers the last is looked at.
func stateName(c lm.Config) string {
	name := "h"
	if c.Cell == lm.LSTM || c.Cell == lm.LSTMNoG {
		name = "(h, c)"
	}
	if c.Layers > 1 {
		name += fmt.Sprintf(" of layer %d", c.Layers)
	}
	return name
}

// atStage is a model at a point of its first seed's run, and the tokens it had
// read.
func (m *measuring) atStage(k *measured, stage string) (*lm.Model, int64, error) {
	run := k.first()
	dir, o := m.dir(k.entry, run), k.outcomes[run]
	switch stage {
	case "start":
		model, err := train.InitialModel(dir)
		return model, 0, err
	case "half":
		model, err := lm.LoadWeights(k.entry.Model, filepath.Join(dir, halfFile))
		return model, o.Tokens / 2, err
	}
	model, err := lm.Load(dir)
	return model, o.BestAt, err
}

// gradientStage is the reach of the last layer.
func gradientStage(name string, tokens int64, layers []probe.Reach) GradientStage {
	r := layers[len(layers)-1]
	s := GradientStage{Name: name, Tokens: tokens}
	for lag := range r.Median {
		s.Lags = append(s.Lags, lag)
		s.Median = append(s.Median, Number(r.Median[lag]))
		s.Low = append(s.Low, Number(r.Low[lag]))
		s.High = append(s.High, Number(r.High[lag]))
	}
	return s
}
