package eval

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/internal/kernel"
	"github.com/refrain-lm/refrain/nn"
)

// KindMix is the Kind of what Mix returns; no folder holds it.
const KindMix = "mix"

// Mix is the linear mixture weight·a + (1−weight)·b of two models' probabilities
// (Jelinek and Mercer 1980). They may be of any kinds, but must share a
// tokenizer. The rest of what it returns, its folder among it, is a's.
func Mix(a, b *Model, weight float64) (*Model, error) {
	if a.Tokenizer.ID() != b.Tokenizer.ID() {
		return nil, fmt.Errorf("%s and %s cannot be mixed: their tokenizers differ (SHA-256 %.8s, %.8s); train one with the text and tokenizer flags of the other",
			a.Dir, b.Dir, a.Tokenizer.ID(), b.Tokenizer.ID())
	}
	if !(weight >= 0 && weight <= 1) {
		return nil, fmt.Errorf("a mixing weight of %v: it is the first model's share, from 0 to 1", weight)
	}
	m := &Model{Dir: a.Dir, Kind: KindMix, Config: a.Config, Tokenizer: a.Tokenizer}
	if a.LM == nil {
		m.Config = b.Config
	}
	m.Predictor = mixture{a.Predictor, b.Predictor, weight}
	return m, nil
}

// mixture makes a Predictor of two.
type mixture struct {
	a, b   Predictor
	weight float64
}

func (m mixture) Vocab() int { return m.a.Vocab() }

func (m mixture) NewStepper(pool *nn.Pool) Stepper {
	return &mixStepper{a: m.a.NewStepper(pool), b: m.b.NewStepper(pool), share: float32(m.weight), rest: float32(1 - m.weight)}
}

func (m mixture) NewScorer(lanes int, pool *nn.Pool) Scorer {
	return &mixScorer{a: m.a.NewScorer(lanes, pool), b: m.b.NewScorer(lanes, pool), share: math.Log(m.weight), rest: math.Log1p(-m.weight)}
}

// mixStepper mixes distributions. What both models give less than 1e-30 of their
// likeliest is impossible.
type mixStepper struct {
	a, b        Stepper
	share, rest float32
}

func (s *mixStepper) Step(id int32) []float32 { return s.mix(s.a.Step(id), s.b.Step(id)) }

func (s *mixStepper) Feed(ids []int32) []float32 { return s.mix(s.a.Feed(ids), s.b.Feed(ids)) }

func (s *mixStepper) Reset() {
	s.a.Reset()
	s.b.Reset()
}

// mix leaves the logarithm of the mixture in a.
func (s *mixStepper) mix(a, b []float32) []float32 {
	kernel.Softmax(a)
	kernel.Softmax(b)
	for i, p := range a {
		// The conversions forbid a fused operation, which only some platforms have.
		a[i] = float32(math.Log(float64(float32(s.share*p) + float32(s.rest*b[i]))))
	}
	return a
}

// mixScorer mixes probabilities of given tokens, however small.
type mixScorer struct {
	a, b        Scorer
	share, rest float64 // logarithms of the weights
	other       []float32
}

func (s *mixScorer) Reset() {
	s.a.Reset()
	s.b.Reset()
}

func (s *mixScorer) Score(in, want []int32, out []float32) {
	if cap(s.other) < len(out) {
		s.other = make([]float32, len(out))
	}
	other := s.other[:len(out)]
	s.a.Score(in, want, out)
	s.b.Score(in, want, other)
	for i, id := range want {
		if id >= 0 {
			out[i] = float32(addLogs(s.share+float64(out[i]), s.rest+float64(other[i])))
		}
	}
}

// addLogs is ln(eˣ + eʸ).
func addLogs(x, y float64) float64 {
	if x < y {
		x, y = y, x
	}
	if math.IsInf(x, -1) {
		return x
	}
	return x + math.Log1p(math.Exp(y-x))
}

// mixTokens is how many tokens FitMix looks at.
const mixTokens = 1 << 17

// FitMix finds the weight of a under which the mixture of a and b predicts ids
// best, by expectation-maximisation, and says how many predictions it is fitted
// on: the first 131,071 at most, as one stream. The likelihood has one maximum.
func FitMix(ctx context.Context, a, b *Model, ids data.Reader, pool *nn.Pool, progress func(int64)) (weight float64, n int64, err error) {
	if _, err := Mix(a, b, 0); err != nil {
		return 0, 0, err
	}
	ratios, err := likelihoodRatios(ctx, a, b, ids, pool, progress)
	if err != nil {
		return 0, 0, err
	}
	weight = 0.5
	for range 10000 {
		before, sum := weight, 0.0
		for _, r := range ratios {
			sum += weight / (weight + (1-weight)*r)
		}
		weight = sum / float64(len(ratios))
		if math.Abs(weight-before) < 1e-7 {
			break
		}
	}
	return weight, int64(len(ratios)), nil
}

// likelihoodRatios is b's probability of each token over a's.
func likelihoodRatios(ctx context.Context, a, b *Model, ids data.Reader, pool *nn.Pool, progress func(int64)) ([]float64, error) {
	n := min(ids.Len(), mixTokens) - 1
	if n < 1 {
		return nil, errors.New("the validation text has fewer than two tokens: there is nothing to fit a mixing weight on; give --mix-weight")
	}
	first, second := a.Predictor.NewScorer(1, pool), b.Predictor.NewScorer(1, pool)
	var buf [streamWindow + 1]int32
	var ofA, ofB [streamWindow]float32
	ratios := make([]float64, 0, n)
	for at := int64(0); at < n; at += streamWindow {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		w := int(min(streamWindow, n-at))
		if err := ids.Read(buf[:w+1], at); err != nil {
			return nil, fmt.Errorf("eval: %w", err)
		}
		first.Score(buf[:w], buf[1:w+1], ofA[:w])
		second.Score(buf[:w], buf[1:w+1], ofB[:w])
		for i := range w {
			ratios = append(ratios, math.Exp(float64(ofB[i])-float64(ofA[i])))
		}
		if progress != nil {
			progress(int64(len(ratios)))
		}
	}
	return ratios, nil
}
