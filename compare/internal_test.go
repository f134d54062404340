package compare

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/lm"
	"github.com/refrain-lm/refrain/tokenizer"
)

func TestSolveWidth(t *testing.T) {
	reference := lm.Config{Cell: lm.LSTM, Vocab: 300, EmSize: 64, Hidden: 128, Layers: 1}
	for _, c := range []struct {
		name   string
		change func(*lm.Config)
	}{
		{"rnn", func(c *lm.Config) { c.Cell = lm.RNN }},
		{"gru", func(c *lm.Config) { c.Cell = lm.GRU }},
		{"lstm-nog", func(c *lm.Config) { c.Cell = lm.LSTMNoG }},
		{"lstm", func(c *lm.Config) {}},
		{"gru of two layers", func(c *lm.Config) { c.Cell, c.Layers = lm.GRU, 2 }},
		{"tied gru", func(c *lm.Config) { c.Cell, c.Tied = lm.GRU, true }},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := reference
			probe := reference
			c.change(&probe)
			want.Tied, want.Layers = probe.Tied, probe.Layers
			config := func(h int) lm.Config { p := probe; p.Hidden = h; return p }
			got, err := SolveWidth(c.name, want.Params(), config)
			if err != nil {
				t.Fatal(err)
			}
			off := func(h int) int64 { d := config(h).Params() - want.Params(); return max(d, -d) }
			for h := 1; h < 2000; h++ {
				if off(h) < off(got) {
					t.Fatalf("width %d is %d parameters off, %d only %d", got, off(got), h, off(h))
				}
			}
			if c.name == "lstm" && got != 128 {
				t.Errorf("the reference itself gets width %d, want its own 128", got)
			}
		})
	}
	_, err := SolveWidth("rnn", 100, func(h int) lm.Config { return lm.Config{Cell: lm.RNN, Vocab: 50, EmSize: 64, Hidden: h} })
	if err == nil || !strings.Contains(err.Error(), "% off") {
		t.Errorf("no width comes near 100 parameters, but the error is %v", err)
	}
}

func TestSolveTransformer(t *testing.T) {
	for _, want := range []int64{20000, 43648, 411904, 3e6} {
		config := func(h, f int) lm.Config {
			return lm.Config{Kind: lm.KindTransformer, Vocab: 256, Hidden: h, Feedforward: f}
		}
		h, f, err := SolveTransformer(want, config)
		if err != nil {
			t.Fatal(err)
		}
		got := config(h, f).Params()
		if off := math.Abs(float64(got-want)) / float64(want); off > tolerance || h%8 != 0 || f < h || f > 16*h {
			t.Errorf("%d parameters wanted, width %d with %d after attention has %d", want, h, f, got)
		}
	}
	if _, _, err := SolveTransformer(100, func(h, f int) lm.Config {
		return lm.Config{Kind: lm.KindTransformer, Vocab: 256, Hidden: h, Feedforward: f}
	}); err == nil {
		t.Error("a transformer of 100 parameters was found")
	}
}

func TestSearchLadder(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		name    string
		loss    func(lr float64) float64
		tried   []float64
		chosen  float64
		widened int
		edge    bool
	}{
		{"within", func(lr float64) float64 { return math.Abs(math.Log(lr / 0.003)) }, []float64{3e-4, 1e-3, 3e-3, 1e-2, 3e-2}, 3e-3, 0, false},
		{"one more above", func(lr float64) float64 { return math.Abs(math.Log(lr / 0.03)) }, []float64{3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1}, 3e-2, 1, false},
		{"two more below, still at the edge", func(lr float64) float64 { return lr }, []float64{3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2}, 3e-5, 2, true},
		{"diverged above", func(lr float64) float64 {
			if lr > 0.002 {
				return nan
			}
			return -100 * lr
		}, []float64{3e-4, 1e-3, 3e-3, 1e-2, 3e-2}, 1e-3, 0, false},
		{"a smaller one as good", func(lr float64) float64 {
			return map[float64]float64{3e-4: 2.17, 1e-3: 1.79, 3e-3: 1.66, 1e-2: 1.63, 3e-2: 2.06}[lr]
		}, []float64{3e-4, 1e-3, 3e-3, 1e-2, 3e-2}, 3e-3, 0, false},
		{"all diverged", func(float64) float64 { return nan }, []float64{3e-4, 1e-3, 3e-3, 1e-2, 3e-2}, 0, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := searchLadder(func(lr float64) (Trial, error) {
				loss := c.loss(lr)
				return Trial{Value: lr, Loss: Number(loss), Diverged: math.IsNaN(loss)}, nil
			})
			if err != nil {
				t.Fatal(err)
			}
			var tried []float64
			for _, trial := range s.Trials {
				tried = append(tried, trial.Value)
			}
			if !slices.Equal(tried, c.tried) || s.Chosen != c.chosen || s.Widened != c.widened || s.AtEdge != c.edge {
				t.Errorf("tried %v, chose %v, widened %d, at edge %v; want %v, %v, %d, %v", tried, s.Chosen, s.Widened, s.AtEdge, c.tried, c.chosen, c.widened, c.edge)
			}
		})
	}
}

func TestBudget(t *testing.T) {
	rates := []float64{100_000, 50_000, 25_000}
	n := fitTokens(10*time.Minute, 3, rates)
	var seconds float64
	for _, r := range rates {
		seconds += 3*float64(n)/r + 5*searchShare*float64(n)/r // three seeds, and five runs of a fifth
	}
	if math.Abs(seconds-360) > 0.1 {
		t.Errorf("training takes %.1f s of 600, want three fifths", seconds)
	}
	if got := fitSeconds(10*time.Minute, 3, 3) * 3 * 4; math.Abs(got-360) > 0.1 {
		t.Errorf("equal time: training takes %.1f s of 600, want three fifths", got)
	}
	for _, steps := range []int64{0, 1, 23, 24, 25, 1000} {
		if got := wholeMarks(steps); got%24 != 0 || got < 24 || got > max(steps, 24) {
			t.Errorf("%d steps become %d, want a multiple of 24 no larger", steps, got)
		}
	}
}

func TestSplit(t *testing.T) {
	lines := strings.Repeat("twenty bytes a line\n", 1000)
	for _, c := range []struct {
		name, text, valid, test string
		train, validated        int64 // bytes
	}{
		{"line ends", lines, "", "", 16000, 2000},
		{"no line ends", strings.Repeat("né", 5004), "", "", 12009, 1501},
		{"given test text", lines, "", "of another\n", 18000, 2000},
		{"both given", lines, "to validate\n", "to test\n", 20000, 12},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "text")
			in := Input{Sources: []data.Source{data.Text("text", []byte(c.text))}}
			if c.valid != "" {
				in.Valid = []data.Source{data.Text("valid", []byte(c.valid))}
			}
			if c.test != "" {
				in.Test = []data.Source{data.Text("test", []byte(c.test))}
			}
			got, err := split(dir, in)
			if err != nil {
				t.Fatal(err)
			}
			if got.Train.Bytes != c.train || got.Valid.Bytes != c.validated {
				t.Errorf("%d bytes train and %d validate, want %d and %d", got.Train.Bytes, got.Valid.Bytes, c.train, c.validated)
			}
			var all string
			for _, name := range []string{trainText, validText, testText} {
				raw, err := os.ReadFile(filepath.Join(dir, name))
				if err != nil {
					t.Fatal(err)
				}
				all += string(raw)
			}
			if want := c.text + c.valid + c.test; all != want {
				t.Errorf("the parts make %d bytes, want %d in their order", len(all), len(want))
			}
		})
	}
}

func TestSentences(t *testing.T) {
	tok := tokenizer.NewByte()
	p := testPart{tok: tok, ids: tok.Encode(nil, []byte("One two. Three?\nno end"))}
	var got []string
	p.sentences(func(from, to int) {
		var s []byte
		for _, id := range p.ids[from:to] {
			s = tok.AppendDecode(s, id)
		}
		got = append(got, string(s))
	})
	if want := []string{"One two.", "Three?\n"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestFindCopy(t *testing.T) {
	for _, c := range []struct {
		text, found string
		from, to    int
	}{
		{"xx the king", "the", 3, 6},
		{"a \t  b c", "a b", 0, 6},
		{"nothing", "", 0, 0},
		{"nothing", "else", 0, 0},
	} {
		if from, to := findCopy(c.text, c.found); from != c.from || to != c.to {
			t.Errorf("findCopy(%q, %q) = %d, %d, want %d, %d", c.text, c.found, from, to, c.from, c.to)
		}
	}
}

// TestAgain: the command that repeats a comparison names what its search read where
// that is no fifth, however often it is repeated.
func TestAgain(t *testing.T) {
	p := Protocol{Settings: Settings{Tokens: 48000}, Entries: []Entry{{Kind: KindLSTM, Steps: 48, SearchSteps: 9}}}
	p.Settings.Shared.BatchSize, p.Settings.Shared.BPTT = 10, 100
	for _, c := range []struct {
		given, search int64
		want          bool
	}{{0, 9, false}, {0, 20, true}, {20000, 20, true}} {
		p.Settings.SearchTokens, p.Entries[0].SearchSteps = c.given, c.search
		if got := slices.Contains(p.Again(), "--search-tokens"); got != c.want {
			t.Errorf("%d given, %d steps: %v", c.given, c.search, p.Again())
		}
	}
}
