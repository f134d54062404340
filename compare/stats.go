package compare

import (
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

const (
	minBlocks = 30 // fewer say too little about the text's noise
	level     = 0.95
)

// groupings are how many consecutive blocks of Text.Blocks make one that is
// drawn: dependence between neighbours makes larger blocks vary more.
var groupings = []int{1, 4, 16}

// Difference is Δ = a − b of two models' seed means of one measure, with its
// uncertainty.
type Difference struct {
	Delta Number `json:"delta"`
	// SeedsA and SeedsB are s²/S, the variance of each mean that comes from seeds;
	// 0 for a model without randomness. Text is the variance that comes from the
	// choice of test text.
	SeedsA   Number `json:"seeds_a"`
	SeedsB   Number `json:"seeds_b"`
	Text     Number `json:"text"`
	Grouping int    `json:"grouping"` // blocks in each that was drawn, for the largest Text
	Variance Number `json:"variance"` // the three together
	Freedom  Number `json:"freedom"`  // ν, Welch–Satterthwaite; null: no noise at all
	Low      Number `json:"low"`      // interval, simultaneous over all pairs
	High     Number `json:"high"`
	TextHalf Number `json:"text_half"` // half width of the interval for the text's noise alone
}

// Half is the half width of the interval.
func (d Difference) Half() float64 { return float64(d.High-d.Low) / 2 }

// sums are one model's block sums and test means over the runs that finished.
type sums struct {
	runs   int
	random bool      // seeds change it
	blocks []float64 // mean over runs of each block's sum
	means  []float64 // of each run, a token
}

func lossSums(m Model, tokens []int) sums {
	return newSums(m, tokens, func(r Run) []float64 { return r.Nats })
}

func accuracySums(m Model, tokens []int) sums {
	return newSums(m, tokens, func(r Run) []float64 {
		hits := make([]float64, len(r.Hits))
		for i, h := range r.Hits {
			hits[i] = float64(h)
		}
		return hits
	})
}

func newSums(m Model, tokens []int, of func(Run) []float64) sums {
	s := sums{random: m.Kind != KindNGram, blocks: make([]float64, len(tokens))}
	n := total(tokens)
	for _, r := range m.Runs {
		if r.Diverged {
			continue
		}
		sum := 0.0
		for i, v := range of(r) {
			s.blocks[i] += v
			sum += v
		}
		s.means = append(s.means, sum/n)
	}
	s.runs = len(s.means)
	for i := range s.blocks {
		s.blocks[i] /= float64(s.runs)
	}
	return s
}

func total(tokens []int) float64 {
	n := 0
	for _, t := range tokens {
		n += t
	}
	return float64(n)
}

// one says that a single run of a random model is all there is.
func (s sums) one() bool { return s.random && s.runs < 2 }

// seedVariance is s²/S; NaN where one run of a random model cannot tell.
func (s sums) seedVariance() float64 {
	if !s.random {
		return 0
	}
	return stat.Variance(s.means, nil) / float64(s.runs)
}

// bootstrap holds, for each grouping with enough blocks, every model's mean a
// token on test texts of drawn blocks. All models meet the same draws, so
// that differences between models keep what the blocks have in common.
type bootstrap struct {
	groupings []int
	blocks    []int         // at each grouping
	means     [][][]float64 // [grouping][model][resample]
}

func newBootstrap(models []sums, tokens []int, seed uint64, resamples int) bootstrap {
	var b bootstrap
	for _, g := range groupings {
		weights := group(tokens, g)
		if len(weights) < minBlocks {
			break
		}
		grouped := make([][]float64, len(models))
		for m, s := range models {
			grouped[m] = group(s.blocks, g)
		}
		b.groupings = append(b.groupings, g)
		b.blocks = append(b.blocks, len(weights))
		b.means = append(b.means, resample(grouped, weights, seed+uint64(g), resamples))
	}
	return b
}

// resample draws as many blocks as there are, with replacement, again and again.
func resample(models [][]float64, tokens []int, seed uint64, resamples int) [][]float64 {
	out := make([][]float64, len(models))
	for m := range out {
		out[m] = make([]float64, resamples)
	}
	counts := make([]float64, len(tokens)) // how often each block was drawn
	for r := range resamples {
		clear(counts)
		draw := rand.New(rand.NewPCG(seed, uint64(r)))
		n := 0
		for range tokens {
			at := draw.IntN(len(tokens))
			counts[at]++
			n += tokens[at]
		}
		for m, blocks := range models {
			sum := 0.0
			for i, c := range counts {
				sum += c * blocks[i]
			}
			out[m][r] = sum / float64(n)
		}
	}
	return out
}

// group sums runs of n consecutive values; a shorter rest joins the last.
func group[T int | float64](values []T, n int) []T {
	out := make([]T, max(1, len(values)/n))
	for i, v := range values {
		out[min(i/n, len(out)-1)] += v
	}
	return out
}

// textVariance is the variance of the difference of two models over the drawn
// texts, the largest among the groupings, with the grouping and its blocks.
func (b bootstrap) textVariance(a, c int) (v float64, grouping, blocks int) {
	v = math.Inf(-1)
	for g := range b.groupings {
		delta := make([]float64, len(b.means[g][a]))
		for r := range delta {
			delta[r] = b.means[g][a][r] - b.means[g][c][r]
		}
		if at := stat.Variance(delta, nil); at > v {
			v, grouping, blocks = at, b.groupings[g], b.blocks[g]
		}
	}
	return v, grouping, blocks
}

// difference compares models a and c; pairs is how many intervals hold at once.
func (b bootstrap) difference(models []sums, a, c, pairs int) Difference {
	ma, mc := models[a], models[c]
	text, grouping, blocks := b.textVariance(a, c)
	parts := []variance{
		{ma.seedVariance(), float64(ma.runs - 1)},
		{mc.seedVariance(), float64(mc.runs - 1)},
		{text, float64(blocks - 1)},
	}
	v, nu := combine(parts)
	delta := stat.Mean(ma.means, nil) - stat.Mean(mc.means, nil)
	half := halfWidth(v, nu, pairs)
	return Difference{
		Delta: Number(delta), SeedsA: Number(parts[0].v), SeedsB: Number(parts[1].v),
		Text: Number(text), Grouping: grouping, Variance: Number(v), Freedom: Number(nu),
		Low: Number(delta - half), High: Number(delta + half),
		TextHalf: Number(halfWidth(text, float64(blocks-1), pairs)),
	}
}

// variance is an estimate with its degrees of freedom.
type variance struct{ v, nu float64 }

// combine adds independent variances; the degrees of freedom of the sum are those
// of Welch (1947) and Satterthwaite (1946), NaN where the sum is 0.
func combine(parts []variance) (v, nu float64) {
	spread := 0.0
	for _, p := range parts {
		if p.v == 0 {
			continue
		}
		v += p.v
		spread += p.v * p.v / p.nu
	}
	return v, v * v / spread
}

// halfWidth is t(1−0.025/pairs, ν)·√v.
func halfWidth(v, nu float64, pairs int) float64 {
	if v == 0 {
		return 0
	}
	if math.IsNaN(v) || math.IsNaN(nu) {
		return math.NaN()
	}
	t := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: nu}
	return t.Quantile(1-(1-level)/2/float64(pairs)) * math.Sqrt(v)
}

// lowerShare is the share of pairs of runs in which a's mean is the lower.
func lowerShare(a, c sums) float64 {
	lower := 0.0
	for _, x := range a.means {
		for _, y := range c.means {
			switch {
			case x < y:
				lower++
			case x == y:
				lower += 0.5
			}
		}
	}
	return lower / float64(len(a.means)*len(c.means))
}
