package lm

import "github.com/refrain-lm/refrain/nn"

// Stepper runs a model one token at a time for one stream. It holds that
// stream's state and scratch, so it is not for concurrent use; any number of
// steppers share one model. No method allocates after NewStepper.
type Stepper struct {
	batch *BatchStepper // of one lane
	id    [1]int32
}

// theLane is the one of a Stepper.
var theLane = []int{0}

// NewStepper returns a stepper with a zero state. The threads of pool share the
// work of each token; nil is the caller alone, with the same bits.
func (m *Model) NewStepper(pool *nn.Pool) *Stepper {
	return &Stepper{batch: m.NewBatchStepper(1, pool)}
}

// Reset forgets the stream.
func (s *Stepper) Reset() { s.batch.whole.Reset() }

// StateBytes is the size of one stream's state.
func (s *Stepper) StateBytes() int {
	n := 0
	for _, widths := range s.batch.whole.widths {
		for _, w := range widths {
			n += 4 * w
		}
	}
	return n
}

// Top is h [H] of the top recurrent layer after the last token: the stepper's own
// memory, not to be changed.
func (s *Stepper) Top() []float32 {
	state := s.batch.whole
	for i := len(state.parts) - 1; ; i-- {
		if len(state.widths[i]) > 0 {
			return state.parts[i][0]
		}
	}
}

// CopyState makes s continue where o stands. Both must be steppers of one model.
func (s *Stepper) CopyState(o *Stepper) {
	if s.batch.m != o.batch.m {
		panic("lm: CopyState between steppers of different models")
	}
	s.batch.whole.copyLane(0, o.batch.whole, 0)
}

// Step consumes one token and returns the logits [V] of the next one, valid
// until the next call. The caller may overwrite them.
func (s *Stepper) Step(id int32) []float32 {
	s.id[0] = id
	return s.batch.Step(theLane, s.id[:])[0]
}

// Feed consumes ids and returns the logits after the last one (nil for none);
// the head is computed only once.
func (s *Stepper) Feed(ids []int32) []float32 {
	for i, id := range ids {
		if i == len(ids)-1 {
			return s.Step(id)
		}
		s.id[0] = id
		s.batch.Feed(theLane, s.id[:])
	}
	return nil
}
