package lm

import (
	"fmt"

	"github.com/refrain-lm/refrain/nn"
)

// Stepper runs a model one token at a time for one stream. It holds that
// stream's state and scratch, so it is not for concurrent use; any number of
// steppers share one model. No method allocates after NewStepper.
type Stepper struct {
	m      *Model
	state  *State
	widths [][]float32 // output of each block, then reused
	logits []float32   // [V]
}

// NewStepper returns a stepper with a zero state.
func (m *Model) NewStepper() *Stepper {
	s := &Stepper{m: m, state: m.NewState(1), logits: make([]float32, m.cfg.Vocab)}
	for _, b := range m.blocks {
		s.widths = append(s.widths, make([]float32, b.OutSize()))
	}
	return s
}

// Reset forgets the stream.
func (s *Stepper) Reset() { s.state.Reset() }

// StateBytes is the size of one stream's state.
func (s *Stepper) StateBytes() int {
	n := 0
	for i, b := range s.m.blocks {
		for j := range b.StateWidths() {
			n += 4 * len(s.state.parts[i][j])
		}
	}
	return n
}

// CopyState makes s continue where o stands. Both must be steppers of one model.
func (s *Stepper) CopyState(o *Stepper) {
	if s.m != o.m {
		panic("lm: CopyState between steppers of different models")
	}
	for i, parts := range o.state.parts {
		for j, p := range parts {
			copy(s.state.parts[i][j], p)
		}
	}
}

// Step consumes one token and returns the logits [V] of the next one, valid
// until the next call. The caller may overwrite them.
func (s *Stepper) Step(id int32) []float32 {
	s.m.head.Logits(s.advance(id), s.logits)
	return s.logits
}

// Feed consumes ids and returns the logits after the last one (nil for none);
// the head is computed only once.
func (s *Stepper) Feed(ids []int32) []float32 {
	for i, id := range ids {
		if i == len(ids)-1 {
			return s.Step(id)
		}
		s.advance(id)
	}
	return nil
}

// advance runs the blocks and returns the head's input.
func (s *Stepper) advance(id int32) []float32 {
	if id < 0 || int(id) >= s.m.cfg.Vocab {
		panic(fmt.Sprintf("lm: token %d outside vocabulary of %d", id, s.m.cfg.Vocab))
	}
	x := s.m.embed.Row(id)
	for i, b := range s.m.blocks {
		if _, ok := b.(*nn.Dropout); ok {
			continue
		}
		b.Step(s.state.parts[i], x, s.widths[i])
		x = s.widths[i]
	}
	return x
}
