package ngram

import "fmt"

// Model is a trie of n-grams in reading order. Level k holds the n-grams of k+1
// tokens, sorted; the continuations of one are neighbours in the next level.
type Model struct {
	cfg    Config
	levels []level // [Order]
}

// level holds the n-grams of one length. Logarithms are natural.
type level struct {
	word    []int32   // last token; ascending within one context; nil in level 0, where the token is the place
	begin   []uint32  // where each n-gram's continuations begin in the next level, and at last where all end; nil in the highest
	logp    []float32 // ln p(last token | the others)
	backoff []float32 // ln γ of the n-gram as a context; nil in the highest
}

// none is the place of an n-gram that is not there.
const none = ^uint32(0)

// Config returns what the model is.
func (m *Model) Config() Config { return m.cfg }

// Vocab is the number of ids.
func (m *Model) Vocab() int { return m.cfg.Vocab }

// Grams counts the n-grams by length, single tokens first.
func (m *Model) Grams() []int64 {
	n := make([]int64, len(m.levels))
	for k := range m.levels {
		n[k] = int64(len(m.levels[k].logp))
	}
	return n
}

// Bytes is the size of the model in memory, and nearly that of its file.
func (m *Model) Bytes() int64 {
	var n int64
	for _, l := range m.levels {
		n += 4 * int64(len(l.word)+len(l.begin)+len(l.logp)+len(l.backoff))
	}
	return n
}

// child is the place in level k+1 of the n-gram that continues n-gram node of
// level k with w.
func (m *Model) child(k int, node uint32, w int32) uint32 {
	begin, word := m.levels[k].begin, m.levels[k+1].word
	lo, hi := begin[node], begin[node+1]
	end := hi
	for lo < hi {
		mid := lo + (hi-lo)/2
		if word[mid] < w {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo < end && word[lo] == w {
		return lo
	}
	return none
}

// history is where a stream stands: element k is the place in level k of its
// last k+1 tokens, none where they are no n-gram of the model. It has Order−1
// elements.
type history []uint32

// newHistory is the history of a stream that has not begun.
func (m *Model) newHistory() history {
	c := make(history, m.cfg.Order-1)
	c.reset()
	return c
}

func (h history) reset() {
	for k := range h {
		h[k] = none
	}
}

// score returns ln p(w | from) and writes the history after w to to, which must
// not be from.
func (m *Model) score(from history, w int32, to history) float32 {
	m.check(w)
	at, logp, backoff := uint32(w), m.levels[0].logp[w], float32(0)
	for k, node := range from {
		to[k] = at
		if at = none; node == none {
			continue
		}
		if at = m.child(k, node, w); at != none {
			logp, backoff = m.levels[k+1].logp[at], 0
		} else {
			backoff += m.levels[k].backoff[node]
		}
	}
	return logp + backoff
}

func (m *Model) check(w int32) {
	if w < 0 || int(w) >= m.cfg.Vocab {
		panic(fmt.Sprintf("ngram: token %d outside vocabulary of %d", w, m.cfg.Vocab))
	}
}

// distribution writes ln p(· | h) to out, [Vocab]: single tokens first, then
// what longer n-grams know better, so that only those are looked at.
func (m *Model) distribution(h history, out []float32) {
	rest := m.backoffs(h, 0)
	for w, logp := range m.levels[0].logp {
		out[w] = logp + rest
	}
	for k, node := range h {
		if node == none {
			continue
		}
		rest := m.backoffs(h, k+1)
		next := &m.levels[k+1]
		for i := m.levels[k].begin[node]; i < m.levels[k].begin[node+1]; i++ {
			out[next.word[i]] = next.logp[i] + rest
		}
	}
}

// backoffs is the sum of ln γ over the contexts of h longer than k tokens, in
// the order in which score adds them.
func (m *Model) backoffs(h history, k int) float32 {
	var sum float32
	for ; k < len(h); k++ {
		if h[k] != none {
			sum += m.levels[k].backoff[h[k]]
		}
	}
	return sum
}
