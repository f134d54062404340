package sample

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/refrain-lm/refrain/internal/kernel"
)

// Sampler chooses tokens for one stream of text. It is not for several
// goroutines at once.
type Sampler struct {
	o      Options
	vocab  int
	rng    rand.PCG
	ids    []int32   // candidates, [vocab]
	weight []float64 // their unnormalised probabilities, [vocab]
	recent ring
}

// New makes a sampler for logits of the given length.
func New(o Options, vocab int) (*Sampler, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if vocab < 1 || vocab > math.MaxInt32 {
		return nil, fmt.Errorf("sampling: a vocabulary of %d ids; want 1 to %d", vocab, math.MaxInt32)
	}
	s := &Sampler{o: o, vocab: vocab, ids: make([]int32, vocab), weight: make([]float64, vocab)}
	if o.RepetitionPenalty != 0 && o.RepetitionPenalty != 1 {
		window := o.RepeatWindow
		if window == 0 {
			window = defaultWindow
		}
		s.recent = newRing(window, vocab)
	}
	s.Reset(o.Seed)
	return s, nil
}

// Reset forgets the recent ids and starts the generator anew.
func (s *Sampler) Reset(seed uint64) {
	// The second word only has to be fixed; this one is the golden ratio's.
	s.rng.Seed(seed, 0x9e3779b97f4a7c15)
	s.recent.clear()
}

// Accept tells the repetition penalty about an id that did not come from Next:
// call it for a prompt's ids. Ids outside the vocabulary panic.
func (s *Sampler) Accept(id int32) {
	if id < 0 || int(id) >= s.vocab {
		panic(fmt.Sprintf("sample: Accept of id %d, want 0 to %d", id, s.vocab-1))
	}
	s.recent.add(id)
}

// Next chooses an id and accepts it. logits, [vocab], are overwritten.
func (s *Sampler) Next(logits []float32) int32 {
	if len(logits) != s.vocab {
		panic(fmt.Sprintf("sample: %d logits, want %d", len(logits), s.vocab))
	}
	s.recent.penalise(logits, float32(s.o.RepetitionPenalty))
	id := s.choose(logits)
	s.recent.add(id)
	return id
}

func (s *Sampler) choose(logits []float32) int32 {
	best := int32(kernel.ArgMax(logits))
	if s.o.Temperature == 0 {
		return best
	}
	dropNaN(logits)
	top := float64(logits[best])
	if math.IsInf(top, 0) {
		return best // also when nothing is finite: there is no distribution to draw from
	}
	ids := s.ids
	sorted := false
	if k := s.o.TopK; k > 0 && k < s.vocab {
		ids = topK(ids[:k], logits)
		sorted = true
	} else {
		for i := range ids {
			ids[i] = int32(i)
		}
	}
	weight := s.weight[:len(ids)]
	total := 0.0
	for i, id := range ids {
		weight[i] = exp((float64(logits[id]) - top) / s.o.Temperature)
		total += weight[i]
	}
	if p := s.o.TopP; p > 0 && p < 1 {
		ids, weight = topP(ids, weight, logits, p, total, sorted)
	}
	return s.draw(ids, weight)
}

// draw leaves out what min-p excludes and picks one of the rest.
func (s *Sampler) draw(ids []int32, weight []float64) int32 {
	total := 0.0
	for i, w := range weight {
		if w < s.o.MinP { // the likeliest weighs exp(0) = 1
			weight[i] = 0
			continue
		}
		total += w
	}
	// 53 random bits in [0,1), then the first id at which the running sum passes.
	at := float64(float64(s.rng.Uint64()>>11)*(1.0/(1<<53))) * total
	last := ids[0]
	for i, w := range weight {
		if w == 0 {
			continue
		}
		last = ids[i]
		if at -= w; at < 0 {
			break
		}
	}
	return last
}

// dropNaN turns NaN into −Inf, which is never drawn.
func dropNaN(logits []float32) {
	if kernel.AllFinite(logits) {
		return
	}
	for i, l := range logits {
		if l != l {
			logits[i] = float32(math.Inf(-1))
		}
	}
}
