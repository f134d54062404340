package lm

import "github.com/refrain-lm/refrain/nn"

// Layers returns the recurrent layers of cfg alone, over inputs of width
// cfg.EmSize and without dropout, for models that read or give numbers instead
// of tokens. Vocab and Tied play no part.
func Layers(cfg Config, in nn.InitConfig, seed uint64) ([]nn.Block, error) {
	cfg.Vocab, cfg.Tied = 1, false
	cfg.DropoutInput, cfg.DropoutLayer, cfg.DropoutOutput, cfg.DropoutWeight = 0, 0, 0, 0
	m, err := New(cfg, in, seed)
	if err != nil {
		return nil, err
	}
	return m.blocks, nil
}

// WithoutDropout returns a copy of m with weights of its own and no dropout, for
// measuring what training does without touching m.
func (m *Model) WithoutDropout() *Model {
	cfg := m.cfg
	cfg.DropoutInput, cfg.DropoutLayer, cfg.DropoutOutput, cfg.DropoutWeight = 0, 0, 0, 0
	out, err := build(cfg)
	if err != nil {
		panic(err) // m was built from it
	}
	for i, p := range out.params {
		if c := m.params[i].Compact(); c != nil {
			p.SetCompact(c)
		}
		copy(p.Value, m.params[i].Value)
	}
	return out
}
