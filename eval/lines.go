package eval

import (
	"bytes"
	"context"
	"encoding/json"
	"math"

	"github.com/refrain-lm/refrain/data"
)

// Surprisal is one token of a scored line.
type Surprisal struct {
	Text string  `json:"token"`
	Bits float64 `json:"bits"`
}

// LineScore is the score of one line, its line end included.
type LineScore struct {
	LogProb float64 // nats
	Tokens  int
	Bytes   int // raw bytes, the line end's among them
	Lossy   bool
	Part    int // 1, 2, … where a line too long was scored in parts; else 0
	Each    []Surprisal

	Hits   int  // tokens that were the model's first choice
	Ranked bool // whether Hits was counted
}

// Perplexity is exp of the nats a token.
func (s LineScore) Perplexity() float64 { return math.Exp(-s.LogProb / float64(s.Tokens)) }

// BitsPerByte is NaN where the tokenizer lost something.
func (s LineScore) BitsPerByte() float64 {
	if s.Lossy || s.Bytes == 0 {
		return math.NaN()
	}
	return -s.LogProb / math.Ln2 / float64(s.Bytes)
}

// MarshalJSON writes the measures under the names scripts rely on.
func (s LineScore) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		LogProb     *float64    `json:"logprob"`
		Perplexity  *float64    `json:"perplexity"`
		BitsPerByte *float64    `json:"bits_per_byte"`
		Tokens      int         `json:"tokens"`
		Bytes       int         `json:"bytes"`
		Part        int         `json:"part,omitempty"`
		Each        []Surprisal `json:"surprisal,omitempty"`
	}{number(s.LogProb), number(s.Perplexity()), number(s.BitsPerByte()), s.Tokens, s.Bytes, s.Part, s.Each})
}

// LineScorer scores line after line in constant memory.
type LineScorer struct {
	m      *Model
	scorer Scorer
	carry  bool
	fresh  bool // the state is zero and a line end is to be read first
	last   int32
	ids    []int32
	out    [streamWindow]float32
	text   []byte
}

// NewLineScorer scores lines from a fresh state each; with carry the state
// goes on from line to line.
func NewLineScorer(m *Model, carry bool) *LineScorer {
	return &LineScorer{m: m, scorer: m.Predictor.NewScorer(1, nil), carry: carry, fresh: true}
}

// Score scores one line, given with its line end. A line without one (the last
// of a text, or a part of a long line) is scored as it is; more says that the
// rest of the same line follows. With each, every token's surprisal is listed.
func (l *LineScorer) Score(line []byte, more, each bool) LineScore {
	if l.fresh {
		l.scorer.Reset()
		l.last = l.m.Tokenizer.LineEnd()
	}
	l.ids = l.m.Tokenizer.Encode(append(l.ids[:0], l.last), line)
	s := LineScore{Bytes: len(line), Tokens: len(l.ids) - 1, Lossy: l.m.Tokenizer.Loses(line)}
	l.text = l.text[:0]
	for at := 0; at < s.Tokens; at += streamWindow {
		n := min(streamWindow, s.Tokens-at)
		l.scorer.Score(l.ids[at:at+n], l.ids[at+1:at+n+1], l.out[:n])
		if r, ok := l.scorer.(ranker); ok {
			s.Hits, s.Ranked = s.Hits+r.Hits(), true
		}
		for i, lp := range l.out[:n] {
			s.LogProb += float64(lp)
			if each {
				s.Each = append(s.Each, Surprisal{l.m.Tokenizer.TokenText(l.ids[at+i+1]), -float64(lp) / math.Ln2})
			}
		}
	}
	l.last = l.ids[len(l.ids)-1]
	l.fresh = !more && !l.carry
	return s
}

// PerLine measures m with every line of src starting fresh after a line end;
// all its tokens and its line end count.
func PerLine(ctx context.Context, m *Model, src []data.Source, progress func(int64)) (Result, error) {
	res := Result{Unit: m.Tokenizer.Unit()}
	l := NewLineScorer(m, false)
	err := eachLine(src, func(line []byte, more bool) error {
		s := l.Score(line, more, false)
		res.NLL -= s.LogProb
		res.Tokens += int64(s.Tokens)
		res.Bytes += int64(s.Bytes)
		res.Hits, res.Ranked = res.Hits+int64(s.Hits), res.Ranked || s.Ranked
		res.Lossy = res.Lossy || s.Lossy
		if progress != nil {
			progress(res.Tokens)
		}
		return ctx.Err()
	})
	return res, err
}

// eachLine calls fn for every line of src with its line end; a chunk that ends
// within a line comes with more.
func eachLine(src []data.Source, fn func(line []byte, more bool) error) error {
	return data.Chunks(src, func(chunk []byte) error {
		for len(chunk) > 0 {
			n := bytes.IndexByte(chunk, '\n') + 1
			more := n == 0
			if more {
				n = len(chunk)
			}
			if err := fn(chunk[:n], more); err != nil {
				return err
			}
			chunk = chunk[n:]
		}
		return nil
	})
}
