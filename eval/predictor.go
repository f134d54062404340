package eval

import (
	"github.com/refrain-lm/refrain/lm"
	"github.com/refrain-lm/refrain/ngram"
	"github.com/refrain-lm/refrain/nn"
)

// Predictor is a model that predicts the next token, of whatever kind. It is
// read-only: any number of steppers and scorers may use it at the same time.
type Predictor interface {
	Vocab() int
	// NewStepper begins a stream. The threads of pool share the work of each
	// token (nil: one thread), which changes no bit.
	NewStepper(pool *nn.Pool) Stepper
	// NewScorer scores lanes streams side by side on pool (nil: one thread).
	// What shares a batch changes no bit of a score.
	NewScorer(lanes int, pool *nn.Pool) Scorer
}

// Stepper runs one stream token by token without allocating. Logits are of the
// next token, valid until the next call, and may be overwritten.
type Stepper interface {
	Step(id int32) []float32
	Feed(ids []int32) []float32 // the logits after the last id; nil for none
	Reset()
}

// Scorer scores windows of streams; the streams' state goes on from call to call.
type Scorer interface {
	// Score reads inputs in and targets want, both [T,lanes], and writes
	// ln p(want) to out, 0 where want is −1.
	Score(in, want []int32, out []float32)
	Reset()
}

// A ranker is a Scorer that knows how many targets of its last Score were the most
// probable token of their place.
type ranker interface{ Hits() int }

// recurrent makes a Predictor of an lm.Model.
type recurrent struct{ m *lm.Model }

func (r recurrent) Vocab() int                       { return r.m.Config().Vocab }
func (r recurrent) NewStepper(pool *nn.Pool) Stepper { return r.m.NewStepper(pool) }

func (r recurrent) NewScorer(lanes int, pool *nn.Pool) Scorer {
	return &recurrentScorer{m: r.m, state: r.m.NewState(lanes), tape: lm.Tape{Mode: nn.Mode{Pool: pool}}}
}

type recurrentScorer struct {
	m     *lm.Model
	state *lm.State
	tape  lm.Tape
}

func (s *recurrentScorer) Reset() { s.state.Reset() }

// Hits makes it a ranker.
func (s *recurrentScorer) Hits() int { return s.tape.Hits() }

func (s *recurrentScorer) Score(in, want []int32, out []float32) {
	s.m.LogProbs(&s.tape, in, want, s.state, out)
}

// counted makes a Predictor of an ngram.Model.
type counted struct{ m *ngram.Model }

func (c counted) Vocab() int                             { return c.m.Vocab() }
func (c counted) NewStepper(*nn.Pool) Stepper            { return c.m.NewStepper() }
func (c counted) NewScorer(lanes int, _ *nn.Pool) Scorer { return c.m.NewScorer(lanes) }
