package eval_test

import (
	"context"
	"encoding/json"
	"errors"
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

func stream(t *testing.T, m *eval.Model, src []data.Source, pool *parallel.Pool) eval.Result {
	t.Helper()
	r, err := eval.Stream(context.Background(), m, src, pool, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// logProb is ln p(id) from logits.
func logProb(logits []float32, id int32) float64 {
	most := float64(logits[0])
	for _, v := range logits {
		most = max(most, float64(v))
	}
	var sum float64
	for _, v := range logits {
		sum += math.Exp(float64(v) - most)
	}
	return float64(logits[id]) - most - math.Log(sum)
}

// TestStreamIsTheStepper: N tokens make N−1 predictions from a zero state, the
// first one given, and their sum is that of single steps.
func TestStreamIsTheStepper(t *testing.T) {
	text := prose(60)
	each(t, text, func(t *testing.T, m *eval.Model) {
		ids := m.Tokenizer.Encode(nil, []byte(text))
		s := m.Predictor.NewStepper(nil)
		var want float64
		hits := 0
		for i := range len(ids) - 1 {
			logits := s.Step(ids[i])
			if slices.Index(logits, slices.Max(logits)) == int(ids[i+1]) {
				hits++
			}
			want -= logProb(logits, ids[i+1])
		}
		got := stream(t, m, texts(text), nil)
		if got.Tokens != int64(len(ids)-1) {
			t.Errorf("%d predictions of %d tokens, want one less", got.Tokens, len(ids))
		}
		if got.Bytes != int64(len(text)) {
			t.Errorf("%d bytes, the text has %d", got.Bytes, len(text))
		}
		if got.Ranked != (m.LM != nil) || got.Ranked && got.Hits != int64(hits) {
			t.Errorf("%d first choices (counted: %v), stepper %d", got.Hits, got.Ranked, hits)
		}
		if a := got.Accuracy(); got.Ranked && a != float64(hits)/float64(got.Tokens) || !got.Ranked && !math.IsNaN(a) {
			t.Errorf("accuracy %v", a)
		}
		// Each step's float32 log-sum-exp is off by a few 1e-7, randomly.
		if d := math.Abs(got.NLL - want); d > 2e-7*want {
			t.Errorf("%.9g nats, stepper %.9g", got.NLL, want)
		}
		if got.Unit != m.Tokenizer.Unit() {
			t.Errorf("unit %q", got.Unit)
		}
		if l := got.Loss(); math.Exp(l) != got.Perplexity() || l != got.NLL/float64(got.Tokens) {
			t.Errorf("loss %v, perplexity %v", l, got.Perplexity())
		}
		if bits := got.BitsPerByte(); bits != got.NLL/math.Ln2/float64(len(text)) {
			t.Errorf("%v bits per byte", bits)
		}
	})
}

// TestStreamWhateverThePieces: neither the pieces in which the text comes, nor
// threads, nor ids made before, change a bit.
func TestStreamWhateverThePieces(t *testing.T) {
	text := prose(60)
	lines := strings.SplitAfter(strings.TrimSuffix(text, "\n"), "\n")
	lines[len(lines)-1] += "\n"
	each(t, text, func(t *testing.T, m *eval.Model) {
		want := stream(t, m, texts(text), nil)
		pool := parallel.New(2)
		defer pool.Close()
		k := len(lines) / 3
		for name, got := range map[string]eval.Result{
			"three files":        stream(t, m, texts(strings.Join(lines[:k], ""), lines[k], strings.Join(lines[k+1:], "")), nil),
			"a file a line":      stream(t, m, texts(lines...), nil),
			"two threads":        stream(t, m, texts(text), pool),
			"ids made before":    streamIDs(t, m, text, 0),
			"more ids than are":  streamIDs(t, m, text, 1<<40),
			"just as many as is": streamIDs(t, m, text, want.Tokens+1),
		} {
			if got != want {
				t.Errorf("%s: %+v, in one piece %+v", name, got, want)
			}
		}
		if got := streamIDs(t, m, text, 100); got.Tokens != 99 {
			t.Errorf("%d predictions of the first 100 tokens, want 99", got.Tokens)
		}
	})
}

func streamIDs(t *testing.T, m *eval.Model, text string, most int64) eval.Result {
	t.Helper()
	ids := data.Slice(m.Tokenizer.Encode(nil, []byte(text)))
	r, err := eval.StreamIDs(context.Background(), m, ids, most, int64(len(text)), m.Tokenizer.Loses([]byte(text)), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestNoBitsPerByteWhereLossy: bytes that were not predicted are not counted.
func TestNoBitsPerByteWhereLossy(t *testing.T) {
	text := "a river\nan old bridge\n"
	for _, c := range []struct {
		name, text string
		o          tokenizer.Options
		lossy      bool
	}{
		{"byte", "\xff\x00\n\n", tokenizer.Options{Kind: tokenizer.Byte}, false},
		{"char", "河\xff\n", tokenizer.Options{Kind: tokenizer.Char}, false},
		{"lower case", "A River\n", tokenizer.Options{Kind: tokenizer.Char, Lower: true}, true},
		{"lower case of nothing", "a river\n", tokenizer.Options{Kind: tokenizer.Char, Lower: true}, false},
		{"known words", "an old river\n", tokenizer.Options{Kind: tokenizer.Word, Words: tokenizer.Punct}, false},
		{"unknown word", "an old ship\n", tokenizer.Options{Kind: tokenizer.Word, Words: tokenizer.Punct}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := random(t, newTokenizer(t, c.o, text), lm.LSTM)
			whole := stream(t, m, texts(c.text), nil)
			lines, err := eval.PerLine(context.Background(), m, texts(c.text), nil)
			if err != nil {
				t.Fatal(err)
			}
			score := eval.NewLineScorer(m, false).Score([]byte(c.text), false, false)
			for name, v := range map[string]interface{ BitsPerByte() float64 }{"Stream": whole, "PerLine": lines, "LineScorer": score} {
				if math.IsNaN(v.BitsPerByte()) != c.lossy {
					t.Errorf("%s: %v bits per byte, want a number: %v", name, v.BitsPerByte(), !c.lossy)
				}
				raw, err := json.Marshal(v)
				if err != nil {
					t.Fatal(err)
				}
				if strings.Contains(string(raw), `"bits_per_byte":null`) != c.lossy {
					t.Errorf("%s: %s", name, raw)
				}
			}
		})
	}
}

func TestStreamRefuses(t *testing.T) {
	m := random(t, tokenizer.NewByte(), lm.LSTM)
	stopped, stop := context.WithCancel(context.Background())
	stop()
	for _, c := range []struct {
		name, text string
		ctx        context.Context
		want       string
	}{
		{"one token", "a", context.Background(), "fewer than two"},
		{"no text", "", context.Background(), "fewer than two"},
		{"cancelled", "some text", stopped, context.Canceled.Error()},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := eval.Stream(c.ctx, m, texts(c.text), nil, nil)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
	if _, err := eval.StreamIDs(context.Background(), m, failing{}, 0, 0, false, nil, nil); !errors.Is(err, errRead) {
		t.Errorf("ids that cannot be read: %v", err)
	}
	if _, err := eval.LineBits(context.Background(), m, failing{}, 0, nil); !errors.Is(err, errRead) {
		t.Errorf("lines that cannot be read: %v", err)
	}
}

var errRead = errors.New("bad sector")

// failing is a reader of ids on a bad disk.
type failing struct{}

func (failing) Len() int64                { return 1000 }
func (failing) Read([]int32, int64) error { return errRead }

func TestProgressCountsPredictions(t *testing.T) {
	m := random(t, tokenizer.NewByte(), lm.GRU)
	text := prose(100)
	var last int64
	r, err := eval.Stream(context.Background(), m, texts(text), nil, func(done int64) {
		if done <= last {
			t.Errorf("progress went from %d to %d", last, done)
		}
		last = done
	})
	if err != nil || last != r.Tokens {
		t.Errorf("progress ended at %d of %d (%v)", last, r.Tokens, err)
	}
}
