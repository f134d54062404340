package train_test

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/lm"
	"github.com/refrain-lm/refrain/optim"
	"github.com/refrain-lm/refrain/train"
)

// hmm is a source with hidden states: in state s it emits symbol x and goes to
// state n with probability p[s][x][n].
type hmm struct {
	name    string
	p       [][][]float64
	entropy float64 // in nats a symbol, by hand
}

// runs emits, again and again, a run of ones whose length is a multiple of m,
// with q the probability of each m more, and a zero. (For m = 2 it is the even
// process of Weiss 1973.) In state 0 it chooses, elsewhere it must go on; so
// its entropy rate is the share of steps in state 0, 1/(1+(m−1)q), times H(q).
// How many ones were there modulo m cannot be told from any number of symbols
// that are all ones.
func runs(name string, m int, q float64) hmm {
	p := make([][][]float64, m)
	for s := range p {
		p[s] = [][]float64{make([]float64, m), make([]float64, m)}
		p[s][1][(s+1)%m] = 1
	}
	p[0][0][0], p[0][1][1] = 1-q, q
	h := -q*math.Log(q) - (1-q)*math.Log(1-q)
	return hmm{name, p, h / (1 + float64(m-1)*q)}
}

// sample draws n symbols from state 0 on.
func (h hmm) sample(n int, seed uint64) data.Slice {
	r := rand.New(rand.NewPCG(seed, 0))
	ids, s := make(data.Slice, n), 0
	for i := range ids {
		u := r.Float64()
	draw:
		for x, to := range h.p[s] {
			for next, p := range to {
				if u -= p; u < 0 {
					ids[i], s = int32(x), next
					break draw
				}
			}
		}
	}
	return ids
}

// loss is the mean of −ln p(x | all before), in nats, by the forward algorithm:
// no predictor does better.
func (h hmm) loss(ids data.Slice) float64 {
	alpha, next := make([]float64, len(h.p)), make([]float64, len(h.p))
	alpha[0] = 1
	sum := 0.0
	for _, x := range ids {
		clear(next)
		total := 0.0
		for s, a := range alpha {
			for n, p := range h.p[s][x] {
				next[n] += a * p
				total += a * p
			}
		}
		for n := range next {
			alpha[n] = next[n] / total
		}
		sum -= math.Log(total)
	}
	return sum / float64(len(ids))
}

// ngramLoss is what predicting from the five symbols before gives, with the
// smoothing of Witten and Bell (1991) towards ever shorter contexts.
func ngramLoss(learn, test data.Slice, symbols int) float64 {
	const order = 5
	type node struct {
		count []float64
		total float64
		kinds float64
	}
	table := map[string]*node{}
	key := func(ids data.Slice, i, n int) string {
		b := make([]byte, n)
		for k := range b {
			b[k] = byte(ids[i-n+k])
		}
		return string(b)
	}
	for i := order; i < len(learn); i++ {
		for n := 0; n <= order; n++ {
			k := key(learn, i, n)
			c := table[k]
			if c == nil {
				c = &node{count: make([]float64, symbols)}
				table[k] = c
			}
			if c.count[learn[i]] == 0 {
				c.kinds++
			}
			c.count[learn[i]]++
			c.total++
		}
	}
	sum := 0.0
	for i := order; i < len(test); i++ {
		p := 1 / float64(symbols)
		for n := 0; n <= order; n++ {
			if c := table[key(test, i, n)]; c != nil {
				p = (c.count[test[i]] + c.kinds*p) / (c.total + c.kinds)
			}
		}
		sum -= math.Log(p)
	}
	return sum / float64(len(test)-order)
}

// TestLearnsHiddenStates: a small LSTM comes within 1 % of the entropy rate of
// sources that an n-gram of order 5 misses by more than 10 %.
func TestLearnsHiddenStates(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes it take minutes")
	}
	for _, h := range []hmm{runs("even runs", 2, 0.7), runs("runs of threes", 3, 0.75)} {
		t.Run(h.name, func(t *testing.T) {
			t.Parallel()
			learn, test := h.sample(1<<19, 1), h.sample(1<<17, 2)
			truth := h.loss(test)
			// The mean of 2¹⁷ terms with a deviation near 0.5 strays by about 0.0014.
			if math.Abs(truth-h.entropy) > 0.006 {
				t.Fatalf("the forward algorithm gives %.4f nats a symbol, by hand the entropy rate is %.4f", truth, h.entropy)
			}
			ngram := ngramLoss(learn, test, 2)
			if ngram < 1.1*truth {
				t.Fatalf("an n-gram reaches %.4f of %.4f nats: the source is too easy", ngram, truth)
			}
			m := model(t, lm.Config{Cell: lm.LSTM, Vocab: 2, EmSize: 4, Hidden: 16})
			s, err := data.NewStream(learn, 32, 64)
			if err != nil {
				t.Fatal(err)
			}
			o := train.Options{Steps: 250, Threads: 1, Optim: optim.Config{Name: "adam"}, Clip: 1, Seed: 1, Valid: h.sample(1<<14, 3), ValidEvery: 50,
				Schedule: optim.Schedule{Name: "cosine", LR: 0.02, WarmUp: 0.05}}
			if _, err := train.Run(context.Background(), m, s, o); err != nil {
				t.Fatal(err)
			}
			loss := windowLoss(m, test)
			t.Logf("entropy rate %.4f, forward algorithm %.4f, LSTM %.4f (%+.2f %%), 5-gram %.4f (%+.1f %%)",
				h.entropy, truth, loss, 100*(loss/truth-1), ngram, 100*(ngram/truth-1))
			if loss > 1.01*truth {
				t.Errorf("the LSTM reaches %.4f nats a symbol, the source has %.4f", loss, truth)
			}
		})
	}
}

// windowLoss is the model's mean loss on ids as one stream from a zero state.
func windowLoss(m *lm.Model, ids data.Slice) float64 {
	var tape lm.Tape
	state := m.NewState(1)
	sum, count := 0.0, 0
	for at := 0; at+1 < len(ids); at += 1024 {
		n := min(1024, len(ids)-1-at)
		s, k := m.Loss(&tape, ids[at:at+n], ids[at+1:at+n+1], state)
		sum += s
		count += k
	}
	return sum / float64(count)
}
