package ngram

import "fmt"

// Stepper runs a model one token at a time for one stream. It is not for
// concurrent use; any number of steppers share one model. No method allocates.
type Stepper struct {
	m      *Model
	at, to history
	logp   []float32 // [Vocab]
}

// NewStepper returns a stepper of a stream that has not begun.
func (m *Model) NewStepper() *Stepper {
	return &Stepper{m: m, at: m.newHistory(), to: m.newHistory(), logp: make([]float32, m.cfg.Vocab)}
}

// Reset forgets the stream.
func (s *Stepper) Reset() { s.at.reset() }

// StateBytes is the size of one stream's state.
func (s *Stepper) StateBytes() int { return 4 * len(s.at) }

// Step consumes one token and returns ln p of each next one, [Vocab], valid
// until the next call. The caller may overwrite them.
func (s *Stepper) Step(id int32) []float32 {
	s.advance(id)
	s.m.distribution(s.at, s.logp)
	return s.logp
}

// Feed consumes ids and returns ln p after the last one, nil for none.
func (s *Stepper) Feed(ids []int32) []float32 {
	if len(ids) == 0 {
		return nil
	}
	for _, id := range ids {
		s.advance(id)
	}
	s.m.distribution(s.at, s.logp)
	return s.logp
}

func (s *Stepper) advance(id int32) {
	s.m.score(s.at, id, s.to)
	s.at, s.to = s.to, s.at
}

// Scorer scores windows of streams side by side. It is not for concurrent use.
type Scorer struct {
	m     *Model
	lanes []lane
}

// lane is one stream. The history after a token that was scored is known, and
// the stream mostly goes on with it.
type lane struct {
	at, to history
	scored int32 // the token that leads from at to to, −1: none
}

// NewScorer returns a scorer of that many streams.
func (m *Model) NewScorer(lanes int) *Scorer {
	s := &Scorer{m: m, lanes: make([]lane, lanes)}
	for i := range s.lanes {
		s.lanes[i] = lane{m.newHistory(), m.newHistory(), -1}
	}
	return s
}

// Reset forgets the streams.
func (s *Scorer) Reset() {
	for i := range s.lanes {
		s.lanes[i].at.reset()
		s.lanes[i].scored = -1
	}
}

// Score reads inputs in and targets want, both [T,lanes], and writes ln p(want)
// to out, 0 where want is −1.
func (s *Scorer) Score(in, want []int32, out []float32) {
	if len(want) != len(in) || len(out) != len(in) || len(in)%len(s.lanes) != 0 {
		panic(fmt.Sprintf("ngram: Score: %d inputs, %d targets, %d results; want equal multiples of %d", len(in), len(want), len(out), len(s.lanes)))
	}
	for i, id := range in {
		l := &s.lanes[i%len(s.lanes)]
		if id != l.scored {
			s.m.score(l.at, id, l.to)
		}
		l.at, l.to = l.to, l.at
		l.scored, out[i] = want[i], 0
		if want[i] >= 0 {
			out[i] = s.m.score(l.at, want[i], l.to)
		}
	}
}
