package eval_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/eval"
	"github.com/refrain-lm/refrain/internal/parallel"
	"github.com/refrain-lm/refrain/lm"
	"github.com/refrain-lm/refrain/tokenizer"
)

func perLine(t *testing.T, m *eval.Model, src []data.Source) eval.Result {
	t.Helper()
	r, err := eval.PerLine(context.Background(), m, src, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestLineIsScoredFresh: a line's score is that of single steps from a zero
// state that has read one line end; its own line end counts.
func TestLineIsScoredFresh(t *testing.T) {
	text := prose(30)
	each(t, text, func(t *testing.T, m *eval.Model) {
		l := eval.NewLineScorer(m, false)
		for i, line := range strings.SplitAfter(text, "\n")[:30] {
			got := l.Score([]byte(line), false, true)
			ids := m.Tokenizer.Encode(nil, []byte(line))
			s := m.Predictor.NewStepper(nil)
			last, want := m.Tokenizer.LineEnd(), 0.0
			for k, id := range ids {
				lp := logProb(s.Step(last), id)
				want += lp
				last = id
				if each := got.Each[k]; math.Abs(each.Bits+lp/math.Ln2) > 1e-5 || each.Text != m.Tokenizer.TokenText(id) {
					t.Errorf("line %d token %d: %+v, want %q of %v bits", i, k, each, m.Tokenizer.TokenText(id), -lp/math.Ln2)
				}
			}
			if got.Tokens != len(ids) || got.Bytes != len(line) || len(got.Each) != len(ids) {
				t.Errorf("line %d: %d tokens, %d bytes, %d surprisals; want %d, %d", i, got.Tokens, got.Bytes, len(got.Each), len(ids), len(line))
			}
			if d := math.Abs(got.LogProb - want); d > 1e-6*math.Abs(want) {
				t.Errorf("line %d: %.9g nats, stepper %.9g", i, got.LogProb, want)
			}
		}
	})
}

// TestLinesAddUp: eval --per-line, score and lines.json agree on every line.
func TestLinesAddUp(t *testing.T) {
	text := prose(60)
	lines := strings.SplitAfter(text, "\n")[:60]
	each(t, text, func(t *testing.T, m *eval.Model) {
		ids := data.Slice(m.Tokenizer.Encode(nil, []byte(text)))
		bits, err := eval.LineBits(context.Background(), m, ids, 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(bits) != len(lines) {
			t.Fatalf("%d lines of %d", len(bits), len(lines))
		}
		whole := perLine(t, m, texts(text))
		l := eval.NewLineScorer(m, false)
		var sum eval.Result
		for i, line := range lines {
			s := l.Score([]byte(line), false, false)
			sum.NLL -= s.LogProb
			sum.Tokens += int64(s.Tokens)
			sum.Bytes += int64(s.Bytes)
			sum.Hits, sum.Ranked = sum.Hits+int64(s.Hits), sum.Ranked || s.Ranked
			// One rounding more or less in float64.
			if d := math.Abs(bits[i] - s.BitsPerByte()); d > 1e-14*bits[i] {
				t.Errorf("line %d: LineBits %v, LineScorer %v bits per byte", i, bits[i], s.BitsPerByte())
			}
		}
		sum.Unit = m.Tokenizer.Unit()
		if whole != sum {
			t.Errorf("PerLine %+v, the lines' sum %+v", whole, sum)
		}
	})
}

// TestBatchmatesChangeNoBit: a line's score is the same to the bit alone, among
// others in any order, and on two threads.
func TestBatchmatesChangeNoBit(t *testing.T) {
	lines := strings.SplitAfter(prose(150), "\n")[:150]
	pool := parallel.New(2)
	defer pool.Close()
	each(t, strings.Join(lines, ""), func(t *testing.T, m *eval.Model) {
		bits := func(pool *parallel.Pool, lines ...string) []float64 {
			ids := data.Slice(m.Tokenizer.Encode(nil, []byte(strings.Join(lines, ""))))
			b, err := eval.LineBits(context.Background(), m, ids, 0, pool)
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
		together := bits(nil, lines...)
		if !slices.Equal(bits(pool, lines...), together) {
			t.Error("two threads change scores")
		}
		turned := slices.Clone(lines)
		slices.Reverse(turned)
		back := bits(nil, turned...)
		slices.Reverse(back)
		if !slices.Equal(back, together) {
			t.Error("the order of lines changes scores")
		}
		for _, i := range []int{0, 1, 2, 74, 75, 76, 149} {
			if alone := bits(nil, lines[i]); alone[0] != together[i] {
				t.Errorf("line %d (%d bytes): %v alone, %v among others", i, len(lines[i]), alone[0], together[i])
			}
		}
	})
}

// TestLineBlocks: lines are whole wherever blocks end; what is no whole line, or
// longer than a block, is left out.
func TestLineBlocks(t *testing.T) {
	many := strings.Repeat("abc\n\nde\n", 50)
	for _, c := range []struct {
		name, text string
		most       int64
		block      int64
		want       string
	}{
		{"nothing", "", 0, 8, ""},
		{"no line end", "abc", 0, 8, ""},
		{"last line open", "a\nb\nc", 0, 8, "a\nb\n"},
		{"empty lines", "\n\n\n", 0, 2, "\n\n\n"},
		{"only so many ids", "a\nb\nc\n", 5, 8, "a\nb\n"},
		{"as long as a block", "1234567\nb\n", 0, 8, "1234567\nb\n"},
		{"longer than a block", "a\n12345678\nb\n", 0, 8, "a\nb\n"},
		{"much longer than a block", "a\n123456789012345678901\nb\n", 0, 8, "a\nb\n"},
		{"nothing but a long line", "123456789012345678901", 0, 8, ""},
		{"ends within a long line", "a\n123456789012345678901", 0, 8, "a\n"},
		{"blocks of 4", many, 0, 4, many},
		{"blocks of 5", many, 0, 5, many},
		{"blocks of 64", many, 0, 64, many},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []byte
			ids := data.Slice(tokenizer.NewByte().Encode(nil, []byte(c.text)))
			err := eval.LineBlocks(ids, c.most, '\n', c.block, func(lines [][]int32) error {
				for _, line := range lines {
					for _, id := range line {
						got = append(got, byte(id))
					}
				}
				return nil
			})
			if err != nil || string(got) != c.want {
				t.Errorf("lines %q, want %q (%v)", got, c.want, err)
			}
		})
	}
}

// TestPartsOfALine: a long line in parts sums to the line; the next line is
// fresh again.
func TestPartsOfALine(t *testing.T) {
	m := random(t, tokenizer.NewByte(), lm.LSTM)
	line := strings.Repeat("a small river ", 100) + "\n"
	l := eval.NewLineScorer(m, false)
	want := l.Score([]byte(line), false, false)
	for _, cut := range []int{1, 511, 512, 513, len(line) - 1} {
		a, b := l.Score([]byte(line[:cut]), true, false), l.Score([]byte(line[cut:]), false, false)
		if d := math.Abs(a.LogProb + b.LogProb - want.LogProb); d > 1e-12*math.Abs(want.LogProb) {
			t.Errorf("cut at %d: %v + %v nats, whole %v", cut, a.LogProb, b.LogProb, want.LogProb)
		}
		if again := l.Score([]byte(line), false, false); again.LogProb != want.LogProb {
			t.Errorf("after a line in parts: %v nats, fresh %v", again.LogProb, want.LogProb)
		}
	}
}

// TestCarriedLinesAreAStream: with carry the first line end is read, and from
// there on everything is one stream.
func TestCarriedLinesAreAStream(t *testing.T) {
	text := prose(40)
	each(t, text, func(t *testing.T, m *eval.Model) {
		l := eval.NewLineScorer(m, true)
		var nats float64
		tokens := 0
		for _, line := range strings.SplitAfter(text, "\n")[:40] {
			s := l.Score([]byte(line), false, false)
			nats -= s.LogProb
			tokens += s.Tokens
		}
		want := stream(t, m, texts("\n"+text), nil)
		if int64(tokens) != want.Tokens || math.Abs(nats-want.NLL) > 1e-12*want.NLL {
			t.Errorf("%d tokens, %.15g nats carried; as a stream %d, %.15g", tokens, nats, want.Tokens, want.NLL)
		}
	})
}

// TestLineScorerForgets: what was scored before changes nothing.
func TestLineScorerForgets(t *testing.T) {
	m := random(t, tokenizer.NewByte(), lm.GRU)
	l := eval.NewLineScorer(m, false)
	line := []byte("an old bridge\n")
	first := l.Score(line, false, false).LogProb
	for i, before := range []string{"\n", "x", strings.Repeat("long ", 500) + "\n", "\xff\x00\n"} {
		l.Score([]byte(before), false, false)
		if got := l.Score(line, false, false).LogProb; got != first {
			t.Errorf("after line %d: %v nats, first %v", i, got, first)
		}
	}
}

func TestLineScoreJSON(t *testing.T) {
	m := random(t, tokenizer.NewByte(), lm.GRU)
	s := eval.NewLineScorer(m, false).Score([]byte("a\n"), false, true)
	raw, err := s.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{fmt.Sprintf(`"logprob":%v`, s.LogProb), `"perplexity":`, `"bits_per_byte":`, `"tokens":2`, `"bytes":2`, `"token":"a"`} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("%s holds no %s", raw, want)
		}
	}
	if strings.Contains(string(raw), "part") {
		t.Errorf("%s: a whole line has no part", raw)
	}
}
