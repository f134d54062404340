package lm

import (
	"fmt"
	"math"
	"slices"

	"github.com/refrain-lm/refrain/nn"
)

// Quantize returns a copy of m whose matrices of weights are kept as weights says,
// BFloat16 or Int8; biases and normalisations stay float32. With BFloat16 it is a
// float32 model with rounded weights, with Int8 whatever is multiplied with a
// matrix is rounded to int8 as well, each row by itself. It can be used as m is,
// not trained.
func (m *Model) Quantize(weights string) (*Model, error) {
	if m.cfg.Weights != "" {
		return nil, fmt.Errorf("lm: the model's weights are %s already: quantize the one it was made of", m.cfg.Weights)
	}
	cfg := m.cfg
	cfg.Weights = weights
	out, err := build(cfg)
	if err != nil {
		return nil, err
	}
	for i, p := range out.params {
		from := m.params[i]
		if slices.ContainsFunc(from.Value, notFinite) {
			return nil, fmt.Errorf("lm: %s holds a value that is not finite: train again", from.Name)
		}
		if c := p.Compact(); c != nil {
			c.Round(from.Value)
		} else {
			copy(p.Value, from.Value)
		}
	}
	out.Refresh(nil, false)
	return out, nil
}

func notFinite(v float32) bool { return math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) }

// compact makes the matrices of weights zeros of another storage.
func (m *Model) compact(s nn.Storage) {
	for _, p := range m.params {
		if p.Matrix() {
			p.SetCompact(nn.NewCompact(s, p.Shape[0], p.Shape[1]))
		}
	}
}
