package eval_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/refrain-lm/refrain/eval"
	"github.com/refrain-lm/refrain/internal/parallel"
	"github.com/refrain-lm/refrain/lm"
	"github.com/refrain-lm/refrain/nn"
	"github.com/refrain-lm/refrain/sample"
	"github.com/refrain-lm/refrain/tokenizer"
)

// byteModel is an untrained model over bytes.
func byteModel(t testing.TB, layers int) *eval.Model {
	t.Helper()
	tok := tokenizer.NewByte()
	m, err := lm.New(lm.Config{Cell: lm.LSTM, Vocab: tok.Size(), EmSize: 8, Hidden: 24, Layers: layers}, nn.InitConfig{}, 7)
	if err != nil {
		t.Fatal(err)
	}
	return eval.New("", m, tok)
}

// parrot is a model of byte tokens that says the same text over and over, and
// counts what it reads.
type parrot struct {
	says string
	read []int32
}

func (p *parrot) Vocab() int                       { return 256 }
func (p *parrot) NewStepper(*nn.Pool) eval.Stepper { return &parrotStepper{parrot: p} }

func (p *parrot) NewScorer(int, *parallel.Pool) eval.Scorer { panic("not scored here") }

type parrotStepper struct {
	*parrot
	at     int
	logits [256]float32
}

func (s *parrotStepper) Reset() { s.at = 0 }

func (s *parrotStepper) Feed(ids []int32) []float32 {
	s.read = append(s.read, ids...)
	return s.logits[:]
}

func (s *parrotStepper) Step(id int32) []float32 {
	s.read = append(s.read, id)
	clear(s.logits[:])
	s.logits[s.says[s.at%len(s.says)]] = 1
	s.at++
	return s.logits[:]
}

func newParrot(t *testing.T, says string, o eval.GenerateOptions) (*eval.Generator, *parrot) {
	t.Helper()
	p := &parrot{says: says}
	g, err := eval.NewGenerator(&eval.Model{Tokenizer: tokenizer.NewByte(), Predictor: p}, o)
	if err != nil {
		t.Fatal(err)
	}
	return g, p
}

func TestGeneratePieces(t *testing.T) {
	for _, test := range []struct {
		name, says string
		max        int
		stop       []string
		want       string
		reason     string
	}{
		{"plain", "abc", 5, nil, "abcab", eval.ReasonLength},
		{"whole characters", "春é", 5, nil, "春é", eval.ReasonLength},
		{"a cut character is left out", "春", 5, nil, "春", eval.ReasonLength},
		{"bytes that are no UTF-8 go through", "a\xffb", 3, nil, "a\xffb", eval.ReasonLength},
		{"a lead byte that leads nowhere", "\xe6ab", 3, nil, "\xe6ab", eval.ReasonLength},
		{"stop", "one two three ", -1, []string{"three", "two"}, "one ", eval.ReasonStop},
		{"almost a stop", "tw tw two", -1, []string{"two"}, "tw tw ", eval.ReasonStop},
		{"held back to the end", "abcd", 3, []string{"bcd"}, "abc", eval.ReasonLength},
		{"stop within characters", "a春b", -1, []string{"春"}, "a", eval.ReasonStop},
		{"empty stop strings say nothing", "ab", 2, []string{""}, "ab", eval.ReasonLength},
	} {
		t.Run(test.name, func(t *testing.T) {
			g, _ := newParrot(t, test.says, eval.GenerateOptions{MaxTokens: test.max, Stop: test.stop})
			var text strings.Builder
			reason, err := g.Generate(context.Background(), "", func(p []byte) error {
				if utf8.ValidString(test.says) && !utf8.Valid(p) {
					t.Errorf("piece %q ends within a character", p)
				}
				text.Write(p)
				return nil
			})
			if err != nil || reason != test.reason || text.String() != test.want {
				t.Errorf("%q, %s, %v; want %q, %s", text.String(), reason, err, test.want, test.reason)
			}
		})
	}
}

func TestGenerateReadsEverythingOnce(t *testing.T) {
	g, p := newParrot(t, "xyz", eval.GenerateOptions{MaxTokens: 2})
	for _, prompt := range []string{"ab", "", "\nc"} {
		if _, err := g.Generate(context.Background(), prompt, func([]byte) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	// The last token of an answer is read when the next answer begins.
	if got, want := string(bytesOf(p.read)), "\nabxyzx\ncy"; got != want {
		t.Errorf("the model read %q, want %q", got, want)
	}
}

func bytesOf(ids []int32) []byte {
	out := make([]byte, len(ids))
	for i, id := range ids {
		out[i] = byte(id)
	}
	return out
}

func TestGenerateInPartsIsOneText(t *testing.T) {
	m := byteModel(t, 2)
	all := func(parts ...int) string {
		g, err := eval.NewGenerator(m, eval.GenerateOptions{Sample: sample.Options{Temperature: 1, Seed: 3}})
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		for _, n := range parts {
			g.SetMaxTokens(n)
			if _, err := g.Generate(context.Background(), "", func(p []byte) error { text.Write(p); return nil }); err != nil {
				t.Fatal(err)
			}
		}
		return text.String()
	}
	// Cut characters are left out at each end, so ASCII is compared.
	ascii := func(s string) string {
		return strings.Map(func(r rune) rune {
			if r < utf8.RuneSelf {
				return r
			}
			return -1
		}, s)
	}
	if a, b := ascii(all(200)), ascii(all(1, 50, 149)); a != b {
		t.Errorf("at once %q\nin parts %q", a, b)
	}
}

func TestGenerateStops(t *testing.T) {
	g, _ := newParrot(t, "abc", eval.GenerateOptions{MaxTokens: -1})
	ctx, cancel := context.WithCancel(context.Background())
	n := 0
	reason, err := g.Generate(ctx, "", func([]byte) error {
		if n++; n == 10 {
			cancel()
		}
		return nil
	})
	if reason != eval.ReasonCancel || err != nil || n != 10 {
		t.Errorf("cancelled: %s, %v after %d pieces", reason, err, n)
	}
	full := errors.New("disk full")
	if _, err := g.Generate(context.Background(), "", func([]byte) error { return full }); !errors.Is(err, full) {
		t.Errorf("a failing reader: %v", err)
	}
}

func TestGenerateResets(t *testing.T) {
	m := byteModel(t, 1)
	g, err := eval.NewGenerator(m, eval.GenerateOptions{MaxTokens: 50, Sample: sample.Options{Temperature: 1, Seed: 9}})
	if err != nil {
		t.Fatal(err)
	}
	write := func() string {
		var text strings.Builder
		if _, err := g.Generate(context.Background(), "x", func(p []byte) error { text.Write(p); return nil }); err != nil {
			t.Fatal(err)
		}
		return text.String()
	}
	first, second := write(), write()
	g.Reset()
	if again := write(); again != first {
		t.Errorf("after Reset %q, at first %q", again, first)
	}
	if first == second {
		t.Error("the second answer did not keep the state")
	}
}

func TestGenerateAllocatesNothingPerToken(t *testing.T) {
	m := byteModel(t, 2)
	cost := func(tokens int) float64 {
		g, err := eval.NewGenerator(m, eval.GenerateOptions{MaxTokens: tokens, Stop: []string{"\x00\x01\x02\x03"},
			Sample: sample.Options{Temperature: 0.9, TopK: 40, TopP: 0.95, MinP: 0.01, RepetitionPenalty: 1.1, Seed: 1}})
		if err != nil {
			t.Fatal(err)
		}
		discard := func([]byte) error { return nil }
		return testing.AllocsPerRun(3, func() {
			if _, err := g.Generate(context.Background(), "", discard); err != nil {
				t.Fatal(err)
			}
		})
	}
	if few, many := cost(8000), cost(16000); many > few {
		t.Errorf("%v allocations for 8,000 tokens, %v for 16,000", few, many)
	}
}

func BenchmarkGenerate(b *testing.B) {
	m := byteModel(b, 2)
	g, err := eval.NewGenerator(m, eval.GenerateOptions{MaxTokens: b.N, Sample: sample.Options{Temperature: 0.8, Seed: 1}})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	if _, err := g.Generate(context.Background(), "", func([]byte) error { return nil }); err != nil {
		b.Fatal(err)
	}
}
