package ngram

import "math"

// estimator turns counted n-grams into a model. Until the end the levels' logp
// hold probabilities.
type estimator struct {
	m      *Model
	count  [][]uint32 // by level: how often an n-gram occurs, then its adjusted count
	suffix [][]uint32 // by level: the place of the n-gram without its first token, one level below; none in level 0
	used   []uint32   // n-grams of each level filled in so far
	last   []uint32   // the record before
}

// estimatorBytes is what an estimator of so many n-grams holds.
func estimatorBytes(sizes []int64) int64 {
	longest := sizes[len(sizes)-1]
	return 24*(sum(sizes)-longest) + 16*longest
}

func newEstimator(cfg Config, sizes []int64) *estimator {
	e := &estimator{m: &Model{cfg: cfg}, used: make([]uint32, cfg.Order)}
	for k, n := range sizes {
		l := level{logp: make([]float32, n)}
		if k > 0 {
			l.word = make([]int32, n)
			e.suffix = append(e.suffix, make([]uint32, n))
		} else {
			e.suffix = append(e.suffix, nil)
		}
		if k < cfg.Order-1 {
			l.begin, l.backoff = make([]uint32, n+1), make([]float32, n)
		}
		e.m.levels = append(e.m.levels, l)
		e.count = append(e.count, make([]uint32, n))
	}
	return e
}

// add takes the next sorted record: it and each of its beginnings is an n-gram.
func (e *estimator) add(record []uint32, count uint32) {
	same := common(e.last, record)
	for k, cell := range record {
		if cell == 0 {
			break
		}
		if k >= same {
			e.open(k, int32(cell)-1)
		}
		e.count[k][e.used[k]-1] += count
	}
	e.last = append(e.last[:0], record...)
}

// open begins the n-gram of level k that ends with w. Tokens that never occur
// have a place in level 0 too.
func (e *estimator) open(k int, w int32) {
	l := &e.m.levels[k]
	if k > 0 {
		l.word[e.used[k]] = w
		e.begin(k)
		return
	}
	for e.used[0] <= uint32(w) {
		e.begin(0)
	}
}

// begin notes where the continuations of the next n-gram of level k begin.
func (e *estimator) begin(k int) {
	if l := &e.m.levels[k]; l.begin != nil {
		l.begin[e.used[k]] = e.used[k+1]
	}
	e.used[k]++
}

// close ends every level.
func (e *estimator) close() {
	for e.used[0] < uint32(e.m.cfg.Vocab) {
		e.begin(0)
	}
	for k := range e.m.levels {
		if l := &e.m.levels[k]; l.begin != nil {
			l.begin[e.used[k]] = e.used[k+1]
		}
	}
}

// estimate is the model of what was added.
func (e *estimator) estimate() *Model {
	e.link()
	e.adjust()
	cfg := &e.m.cfg
	for k := range e.m.levels {
		cfg.Discounts = append(cfg.Discounts, discount(e.count[k]))
	}
	e.single()
	for k := 1; k < cfg.Order; k++ {
		e.interpolate(k)
	}
	for _, l := range e.m.levels {
		for i, p := range l.logp {
			l.logp[i] = float32(math.Log(float64(p)))
		}
	}
	return e.m
}

// link finds each n-gram's suffix. The continuations of an n-gram are among
// those of its suffix, both ascending, so one walk beside the other meets all.
func (e *estimator) link() {
	if len(e.m.levels) > 1 {
		for i, w := range e.m.levels[1].word {
			e.suffix[1][i] = uint32(w)
		}
	}
	for k := 2; k < len(e.m.levels); k++ {
		context, shorter := &e.m.levels[k-1], &e.m.levels[k-2]
		word, among := e.m.levels[k].word, context.word
		for p := range context.logp {
			s := shorter.begin[e.suffix[k-1][p]]
			for i := context.begin[p]; i < context.begin[p+1]; i++ {
				for among[s] != word[i] {
					s++
				}
				e.suffix[k][i] = s
			}
		}
	}
}

// adjust replaces the counts of all but the longest n-grams by the number of
// distinct tokens before them. N-grams that begin a line have none before them
// and keep their counts.
func (e *estimator) adjust() {
	for k := range len(e.m.levels) - 1 {
		from, to := e.lineStarts(k)
		kept := append([]uint32(nil), e.count[k][from:to]...)
		clear(e.count[k])
		for _, s := range e.suffix[k+1] {
			e.count[k][s]++
		}
		copy(e.count[k][from:to], kept)
	}
}

// lineStarts is the range of n-grams of level k that begin with a line end:
// none in level 0, where that is a token to predict.
func (e *estimator) lineStarts(k int) (from, to uint32) {
	end := e.m.cfg.LineEnd
	if end < 0 || k == 0 {
		return 0, 0
	}
	from, to = uint32(end), uint32(end)+1
	for _, l := range e.m.levels[:k] {
		from, to = l.begin[from], l.begin[to]
	}
	return from, to
}

// usual are the discounts where counts give none.
var usual = [3]float64{0.5, 1, 1.5}

// discount estimates the discounts of an order from its adjusted counts.
func discount(counts []uint32) Discount {
	var n [5]float64
	for _, c := range counts {
		if c < 5 {
			n[c]++
		}
	}
	var d Discount
	y := n[1] / (n[1] + 2*n[2])
	for j := 1; j <= 3; j++ {
		v := float64(j) - float64(j+1)*y*n[j+1]/n[j]
		if !(v > 0 && v <= float64(j)) || n[j+1] == 0 {
			return Discount{D: usual, Usual: true}
		}
		d.D[j-1] = v
	}
	return d
}

// off is what is taken off a count.
func (d Discount) off(count uint32) float64 {
	if count == 0 {
		return 0
	}
	return d.D[min(count, 3)-1]
}

// share is the sum of some counts and the part of it that discounts free.
func (d Discount) share(counts []uint32) (total, gamma float64) {
	var freed float64
	for _, c := range counts {
		total += float64(c)
		freed += d.off(c)
	}
	if total == 0 {
		return 1, 1 // seen once, with nothing before it: the shorter context decides
	}
	return total, freed / total
}

// single estimates single tokens over the uniform distribution.
func (e *estimator) single() {
	d := e.m.cfg.Discounts[0]
	total, gamma := d.share(e.count[0])
	uniform := gamma / float64(e.m.cfg.Vocab)
	for w, c := range e.count[0] {
		e.m.levels[0].logp[w] = float32((float64(c)-d.off(c))/total + uniform)
	}
}

// interpolate estimates level k over the level below.
func (e *estimator) interpolate(k int) {
	d, counts := e.m.cfg.Discounts[k], e.count[k]
	context, p, shorter := &e.m.levels[k-1], e.m.levels[k].logp, e.m.levels[k-1].logp
	for h := range context.backoff {
		from, to := context.begin[h], context.begin[h+1]
		if from == to {
			continue // no context: ln γ is 0
		}
		total, gamma := d.share(counts[from:to])
		context.backoff[h] = float32(math.Log(gamma))
		for i := from; i < to; i++ {
			p[i] = float32((float64(counts[i])-d.off(counts[i]))/total + gamma*float64(shorter[e.suffix[k][i]]))
		}
	}
}
