package ngram_test

import (
	"math/rand/v2"
	"testing"

	"github.com/refrain-lm/refrain/ngram"
)

func TestNothingIsAllocated(t *testing.T) {
	m := small(t)
	stepper, scorer := m.NewStepper(), m.NewScorer(2)
	in, want, out := []int32{1, 2, 3, 4}, []int32{2, 3, 4, 5}, make([]float32, 4)
	if n := testing.AllocsPerRun(20, func() { stepper.Step(3); stepper.Feed(in); scorer.Score(in, want, out) }); n > 0 {
		t.Errorf("%v allocations a token", n)
	}
}

// TestLanes scores streams side by side as if alone.
func TestLanes(t *testing.T) {
	m := small(t)
	r := rand.New(rand.NewPCG(9, 9))
	const lanes, steps = 3, 40
	in, want := make([]int32, lanes*steps), make([]int32, lanes*steps)
	for i := range in {
		in[i], want[i] = r.Int32N(8), r.Int32N(9)-1
		if i >= lanes && want[i-lanes] >= 0 && r.IntN(4) > 0 {
			in[i] = want[i-lanes] // as streams mostly go
		}
	}
	got := make([]float32, len(in))
	s := m.NewScorer(lanes)
	s.Score(in[:lanes*7], want[:lanes*7], got[:lanes*7])
	s.Score(in[lanes*7:], want[lanes*7:], got[lanes*7:])
	for lane := range lanes {
		alone := m.NewStepper()
		for i := lane; i < len(in); i += lanes {
			logp := alone.Step(in[i])
			expect := float32(0)
			if want[i] >= 0 {
				expect = logp[want[i]]
			}
			if got[i] != expect {
				t.Fatalf("lane %d, step %d: %v, alone %v", lane, i/lanes, got[i], expect)
			}
		}
	}
}

// benchmark is a model of Penn Treebank's size, of a text that repeats itself
// about as much.
func benchmark(b *testing.B) (*ngram.Model, []int32) {
	b.Helper()
	r := rand.New(rand.NewPCG(2, 2))
	zipf := rand.NewZipf(r, 1.1, 3, 9999)
	ids := make([]int32, 900_000)
	for i := range ids {
		ids[i] = int32(zipf.Uint64())
		if i > 1000 && r.IntN(2) == 0 {
			ids[i] = ids[r.IntN(i)]
		}
	}
	return train(b, ids, ngram.Options{Order: 5, Vocab: 10_000, LineEnd: -1}), ids
}

func BenchmarkScore(b *testing.B) {
	m, ids := benchmark(b)
	s, out := m.NewScorer(1), make([]float32, 512)
	b.ResetTimer()
	at := 0
	for range b.N {
		s.Score(ids[at:at+512], ids[at+1:at+513], out)
		at = (at + 512) % (len(ids) - 600)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/512, "ns/query")
}

func BenchmarkStep(b *testing.B) {
	m, ids := benchmark(b)
	s := m.NewStepper()
	b.ResetTimer()
	for i := range b.N {
		s.Step(ids[i%len(ids)])
	}
}

func BenchmarkTrain(b *testing.B) {
	_, ids := benchmark(b)
	b.ResetTimer()
	for range b.N {
		train(b, ids, ngram.Options{Order: 5, Vocab: 10_000, LineEnd: -1})
	}
	b.ReportMetric(float64(len(ids))*float64(b.N)/b.Elapsed().Seconds(), "tokens/s")
}
