package compare

import (
	"context"
	"math"

	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/eval"
	"github.com/refrain-lm/refrain/internal/kernel"
	"github.com/refrain-lm/refrain/nn"
)

// scoreWindow is the number of tokens that a product covers; it changes no bit.
const scoreWindow = 512

// score is what one model makes of the test text.
type score struct {
	losses []float32 // nats of each prediction
	hits   []int     // of each block: predictions whose token was the most probable one
}

// hitCounter is a scorer that knows how many targets of its last window were the
// most probable token.
type hitCounter interface{ Hits() int }

// scoreTest runs a model over the test text as one stream from a zero state, as
// eval does.
func scoreTest(ctx context.Context, m *eval.Model, t testPart, pool *nn.Pool) (score, error) {
	s := score{losses: make([]float32, t.predictions())}
	scorer := m.Predictor.NewScorer(1, pool)
	counter, counts := scorer.(hitCounter)
	s.hits = make([]int, len(t.blocks))
	at := 0
	for b, n := range t.blocks {
		for end := at + n; at < end; {
			if err := ctx.Err(); err != nil {
				return s, err
			}
			w := min(scoreWindow, end-at)
			scorer.Score(t.ids[at:at+w], t.ids[at+1:at+1+w], s.losses[at:at+w])
			if counts {
				s.hits[b] += counter.Hits()
			}
			at += w
		}
	}
	for i := range s.losses {
		s.losses[i] = -s.losses[i]
	}
	if !counts {
		return s, s.countHits(ctx, m, t)
	}
	return s, nil
}

// countHits looks for the most probable token of each place, for models whose
// scorers only look at the wanted one.
func (s *score) countHits(ctx context.Context, m *eval.Model, t testPart) error {
	stepper := m.Predictor.NewStepper(nil)
	at := 0
	for b, n := range t.blocks {
		if err := ctx.Err(); err != nil {
			return err
		}
		for end := at + n; at < end; at++ {
			if kernel.ArgMax(stepper.Step(t.ids[at])) == int(t.ids[at+1]) {
				s.hits[b]++
			}
		}
	}
	return nil
}

// nats sums the losses of each block.
func (s score) nats(blocks []int) []float64 {
	sums := make([]float64, len(blocks))
	at := 0
	for b, n := range blocks {
		for _, loss := range s.losses[at : at+n] {
			sums[b] += float64(loss)
		}
		at += n
	}
	return sums
}

// mean is nats a token.
func (s score) mean() float64 {
	var sum float64
	for _, loss := range s.losses {
		sum += float64(loss)
	}
	return sum / float64(len(s.losses))
}

// fill writes the score into a run.
func (s score) fill(r *Run, t testPart) {
	r.Nats = s.nats(t.blocks)
	var sum float64
	for _, n := range r.Nats {
		sum += n
	}
	r.TestLoss = Number(sum / float64(t.predictions()))
	hits := 0
	for _, h := range s.hits {
		hits += h
	}
	r.Hits, r.Accuracy = s.hits, Number(float64(hits)/float64(t.predictions()))
}

// countTokens counts every token of the training part.
func countTokens(ids data.Reader, vocab int) ([]int64, error) {
	counts := make([]int64, vocab)
	buf := make([]int32, 1<<15)
	for at, n := int64(0), ids.Len(); at < n; at += int64(len(buf)) {
		buf = buf[:min(int64(len(buf)), n-at)]
		if err := ids.Read(buf, at); err != nil {
			return nil, err
		}
		for _, id := range buf {
			counts[id]++
		}
	}
	return counts, nil
}

// floors are the predictions that need no model: by each token's share of the
// training part, one added to every count, and by nothing.
func floors(counts []int64, t testPart) []Floor {
	var total, most int64
	top := 0
	for id, c := range counts {
		total += c
		if c > most {
			most, top = c, id
		}
	}
	var nats float64
	hits := 0
	for _, id := range t.ids[1:] {
		nats -= math.Log(float64(counts[id]+1) / float64(total+int64(len(counts))))
		if int(id) == top {
			hits++
		}
	}
	n := float64(t.predictions())
	return []Floor{
		{Name: "unigram", TestLoss: nats / n, Accuracy: Number(float64(hits) / n)},
		{Name: "uniform", TestLoss: math.Log(float64(len(counts))), Accuracy: Number(1 / float64(len(counts)))},
	}
}
