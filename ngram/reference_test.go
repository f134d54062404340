package ngram_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/refrain-lm/refrain/ngram"
)

// reference is modified Kneser-Ney from its definition: every n-gram is a
// string, every sum a loop. Histories are as the text has them: after a line
// end the line end alone, where lines are sentences.
type reference struct {
	order, vocab int
	lineEnd      int32
	adjusted     []map[string]int // by length−1
	discounts    [][3]float64
}

func key(ids []int32) string { return fmt.Sprint(ids) }

func newReference(ids []int32, order, vocab int, lineEnd int32) *reference {
	r := &reference{order: order, vocab: vocab, lineEnd: lineEnd}
	text := ids
	if lineEnd >= 0 && order > 1 {
		text = append([]int32{lineEnd}, ids...)
	}
	counts := make([]map[string]int, order)
	before := make([]map[string]map[int32]bool, order)
	for n := range order {
		counts[n], before[n] = map[string]int{}, map[string]map[int32]bool{}
		for i := 0; i+n < len(text); i++ {
			gram := text[i : i+n+1]
			if n > 0 && lineEnd >= 0 && slices.Contains(gram[1:n], lineEnd) {
				continue // it reaches across a line end
			}
			k := key(gram)
			counts[n][k]++
			if before[n][k] == nil {
				before[n][k] = map[int32]bool{}
			}
			if i > 0 && (n == 0 || gram[0] != lineEnd || lineEnd < 0) {
				before[n][k][text[i-1]] = true
			}
		}
	}
	for n := range order {
		r.adjusted = append(r.adjusted, map[string]int{})
		for k, c := range counts[n] {
			r.adjusted[n][k] = len(before[n][k])
			if n == order-1 || n > 0 && lineEnd >= 0 && k[:len(fmt.Sprint(lineEnd))+2] == fmt.Sprintf("[%d ", lineEnd) {
				r.adjusted[n][k] = c
			}
		}
		r.discounts = append(r.discounts, r.discount(n))
	}
	return r
}

func (r *reference) discount(n int) [3]float64 {
	var of [5]float64
	for _, a := range r.adjusted[n] {
		if a < 5 {
			of[a]++
		}
	}
	y := of[1] / (of[1] + 2*of[2])
	d := [3]float64{1 - 2*y*of[2]/of[1], 2 - 3*y*of[3]/of[2], 3 - 4*y*of[4]/of[3]}
	for j, v := range d {
		if of[j+1] == 0 || of[j+2] == 0 || !(v > 0) || v > float64(j+1) {
			return [3]float64{0.5, 1, 1.5}
		}
	}
	return d
}

// p is p(w|h) by recursion.
func (r *reference) p(h []int32, w int32) float64 {
	lower := 1 / float64(r.vocab)
	if len(h) > 0 {
		lower = r.p(h[1:], w)
	}
	n := len(h)
	var total, freed float64
	for x := range int32(r.vocab) {
		a := r.adjusted[n][key(append(slices.Clone(h), x))]
		total += float64(a)
		if a > 0 {
			freed += r.discounts[n][min(a, 3)-1]
		}
	}
	if total == 0 {
		return lower
	}
	a := r.adjusted[n][key(append(slices.Clone(h), w))]
	p := freed / total * lower
	if a > 0 {
		p += (float64(a) - r.discounts[n][min(a, 3)-1]) / total
	}
	return p
}

// history is the context that a model has after ids.
func (r *reference) history(ids []int32) []int32 {
	h := ids[max(0, len(ids)-r.order+1):]
	if r.lineEnd >= 0 {
		for i := len(h) - 1; i > 0; i-- {
			if h[i] == r.lineEnd {
				return h[i:]
			}
		}
	}
	return h
}

// randomText is text with repetition: later tokens often follow earlier ones as
// they did before.
func randomText(r *rand.Rand, length, vocab int) []int32 {
	var ids []int32
	for len(ids) < length {
		if n := len(ids); n > 8 && r.IntN(3) > 0 {
			from := r.IntN(n - 4)
			ids = append(ids, ids[from:from+1+r.IntN(4)]...)
			continue
		}
		ids = append(ids, int32(r.IntN(1+r.IntN(vocab))))
	}
	return ids
}

// TestReference holds every probability of small models to the definition, and
// sums to one, with lines and without, for stepper and scorer.
func TestReference(t *testing.T) {
	for seed := range uint64(24) {
		r := rand.New(rand.NewPCG(seed, 7))
		vocab, order := 3+r.IntN(9), 1+r.IntN(5)
		ids := randomText(r, 1+r.IntN(400), vocab)
		lineEnd := int32(-1)
		if seed%2 == 0 {
			lineEnd = 1
		}
		m := train(t, ids, ngram.Options{Order: order, Vocab: vocab + 2, LineEnd: lineEnd}) // two tokens never occur
		ref := newReference(ids, order, vocab+2, lineEnd)
		for k, d := range m.Config().Discounts {
			for j := range d.D {
				if math.Abs(d.D[j]-ref.discounts[k][j]) > 1e-12 {
					t.Errorf("seed %d: order %d: D%d %v, want %v", seed, k+1, j+1, d.D[j], ref.discounts[k][j])
				}
			}
		}
		s, scorer := m.NewStepper(), m.NewScorer(1)
		unseen := randomText(r, 60, vocab+2)
		for i, id := range unseen {
			logp := s.Step(id)
			h := ref.history(unseen[:i+1])
			sum := 0.0
			for w, lp := range logp {
				want := ref.p(h, int32(w))
				sum += math.Exp(float64(lp))
				if math.Abs(math.Exp(float64(lp))/want-1) > 2e-6 {
					t.Fatalf("seed %d: p(%d|%v) = %v, want %v", seed, w, h, math.Exp(float64(lp)), want)
				}
			}
			if math.Abs(sum-1) > 2e-6 {
				t.Errorf("seed %d: after %v the probabilities sum to %v", seed, h, sum)
			}
			if i+1 < len(unseen) {
				var out [1]float32
				next := unseen[i+1]
				want := logp[next]
				if scorer.Score([]int32{id}, []int32{next}, out[:]); out[0] != want {
					t.Errorf("seed %d: scorer %v, stepper %v", seed, out[0], want)
				}
			}
		}
	}
}
