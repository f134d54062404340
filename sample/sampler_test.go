package sample_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/refrain-lm/refrain/sample"
)

// distribution is what the documentation promises, written plainly in float64.
func distribution(logits []float32, o sample.Options, recent []int32) []float64 {
	l := make([]float64, len(logits))
	order := make([]int, len(logits))
	for i := range l {
		l[i], order[i] = float64(logits[i]), i
		if o.RepetitionPenalty != 0 && slices.Contains(recent, int32(i)) {
			if l[i] > 0 {
				l[i] = float64(logits[i] / float32(o.RepetitionPenalty))
			} else {
				l[i] = float64(logits[i] * float32(o.RepetitionPenalty))
			}
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		if l[a] == l[b] {
			return a - b
		}
		if l[a] > l[b] {
			return -1
		}
		return 1
	})
	if o.TopK > 0 {
		order = order[:min(o.TopK, len(order))]
	}
	p := make([]float64, len(logits))
	share := func() {
		sum := 0.0
		for _, i := range order {
			p[i] = math.Exp((l[i] - l[order[0]]) / o.Temperature)
			sum += p[i]
		}
		for i := range p {
			if slices.Contains(order, i) {
				p[i] /= sum
			} else {
				p[i] = 0
			}
		}
	}
	share()
	if o.TopP > 0 {
		sum := 0.0
		for n, i := range order {
			if sum += p[i]; sum >= o.TopP {
				order = order[:n+1]
				break
			}
		}
		share()
	}
	if o.MinP > 0 {
		least := o.MinP * p[order[0]]
		order = slices.DeleteFunc(order, func(i int) bool { return p[i] < least })
		share()
	}
	return p
}

var logits = []float32{1.5, -0.5, 2.25, 0, 2.25, -3, 1, 0.75, -1, 0.5}

// TestFrequencies draws often and compares with the plain distribution: nothing
// excluded ever comes, and chi square stays below its 1 in 100,000 bound. The
// seeds are fixed, so the test either always passes or never.
func TestFrequencies(t *testing.T) {
	tests := []struct {
		name   string
		o      sample.Options
		recent []int32
	}{
		{"plain", sample.Options{Temperature: 1}, nil},
		{"hot", sample.Options{Temperature: 3}, nil},
		{"cold", sample.Options{Temperature: 0.4}, nil},
		{"top-k", sample.Options{Temperature: 1, TopK: 4}, nil},
		{"top-k cuts a tie", sample.Options{Temperature: 1, TopK: 1}, nil},
		{"top-k above vocabulary", sample.Options{Temperature: 1, TopK: 99}, nil},
		{"top-p", sample.Options{Temperature: 1, TopP: 0.8}, nil},
		{"top-p of one", sample.Options{Temperature: 1, TopP: 0.01}, nil},
		{"min-p", sample.Options{Temperature: 1, MinP: 0.2}, nil},
		{"min-p of all", sample.Options{Temperature: 1, MinP: 1}, nil},
		{"penalty", sample.Options{Temperature: 1, RepetitionPenalty: 2, RepeatWindow: 2}, []int32{4, 1, 0}},
		{"all", sample.Options{Temperature: 1.3, TopK: 8, TopP: 0.9, MinP: 0.1, RepetitionPenalty: 1.5, RepeatWindow: 3}, []int32{2, 2, 5}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			recent := test.recent
			if w := test.o.RepeatWindow; w > 0 && len(recent) > w {
				recent = recent[len(recent)-w:]
			}
			want := distribution(logits, test.o, recent)
			chi, free := chiSquare(t, test.o, test.recent, want)
			// Wilson and Hilferty's approximation at 4.26 standard deviations.
			k := float64(max(free, 1))
			if bound := k * math.Pow(1-2/(9*k)+4.26*math.Sqrt(2/(9*k)), 3); chi > bound {
				t.Errorf("chi square %.1f at %d degrees of freedom, want below %.1f", chi, free, bound)
			}
		})
	}
}

func chiSquare(t *testing.T, o sample.Options, recent []int32, want []float64) (chi float64, free int) {
	t.Helper()
	const draws = 40000
	s, err := sample.New(o, len(logits))
	if err != nil {
		t.Fatal(err)
	}
	got := make([]int, len(logits))
	for i := range draws {
		if o.RepetitionPenalty != 0 || i == 0 { // each draw sees the same recent ids
			s.Reset(uint64(i))
			for _, id := range recent {
				s.Accept(id)
			}
		}
		got[s.Next(slices.Clone(logits))]++
	}
	for i, p := range want {
		if p == 0 && got[i] > 0 {
			t.Fatalf("id %d came %d times, want never", i, got[i])
		}
		if p > 0 {
			d := float64(got[i]) - p*draws
			chi += d * d / (p * draws)
			free++
		}
	}
	return chi, free - 1
}

// TestAgainstPlain compares the set of ids that can come with the plain
// distribution's, for random logits with many ties.
func TestAgainstPlain(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		n := 1 + rng.IntN(40)
		l := make([]float32, n)
		for i := range l {
			l[i] = float32(rng.IntN(7)) - 3
		}
		o := sample.Options{Temperature: 0.5 + rng.Float64(), TopK: rng.IntN(n + 2), TopP: math.Round(rng.Float64()*20) / 20, MinP: float64(rng.IntN(2)) * 0.1}
		want := distribution(l, o, nil)
		s, err := sample.New(o, n)
		if err != nil {
			t.Fatal(err)
		}
		for range 50 {
			if id := s.Next(slices.Clone(l)); want[id] == 0 {
				t.Fatalf("%+v of %v: id %d came, want never", o, l, id)
			}
		}
	}
}

func TestGreedy(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	tests := []struct {
		name   string
		logits []float32
		want   int32
	}{
		{"largest", []float32{1, 3, 2}, 1},
		{"tie to the lowest id", []float32{1, 3, 3}, 1},
		{"NaN first", []float32{nan, 1, 2}, 2},
		{"NaN only", []float32{nan, nan}, 0},
		{"infinite", []float32{0, inf, inf}, 1},
		{"none", []float32{-inf, -inf}, 0},
		{"one id", []float32{-5}, 0},
	}
	for _, test := range tests {
		for _, temperature := range []float64{0, 1e-9} {
			s, err := sample.New(sample.Options{Temperature: temperature, TopK: 1}, len(test.logits))
			if err != nil {
				t.Fatal(err)
			}
			if got := s.Next(slices.Clone(test.logits)); got != test.want {
				t.Errorf("%s at %v: id %d, want %d", test.name, temperature, got, test.want)
			}
		}
	}
}

// TestNaNNeverComes has one number among NaN and −Inf.
func TestNaNNeverComes(t *testing.T) {
	for _, o := range []sample.Options{{Temperature: 1}, {Temperature: 1, TopP: 0.9}, {Temperature: 1, TopK: 2}, {Temperature: 1, RepetitionPenalty: 2}} {
		s, err := sample.New(o, 4)
		if err != nil {
			t.Fatal(err)
		}
		for range 100 {
			l := []float32{float32(math.NaN()), float32(math.Inf(-1)), -7, float32(math.NaN())}
			if id := s.Next(l); id != 2 {
				t.Fatalf("%+v: id %d, want 2", o, id)
			}
		}
	}
}

// TestSequence fixes ids for a seed: they may not change between platforms or
// versions.
func TestSequence(t *testing.T) {
	o := sample.Options{Temperature: 1, TopP: 0.95, RepetitionPenalty: 1.1, Seed: 7}
	s, err := sample.New(o, len(logits))
	if err != nil {
		t.Fatal(err)
	}
	draw := func() string {
		var ids []int32
		for range 16 {
			ids = append(ids, s.Next(slices.Clone(logits)))
		}
		return fmt.Sprint(ids)
	}
	const want = "[4 2 4 4 6 6 4 4 0 4 0 2 0 0 2 6]"
	if got := draw(); got != want {
		t.Errorf("ids %s, want %s", got, want)
	}
	if draw() == want {
		t.Error("the generator stands still")
	}
	s.Reset(7)
	if got := draw(); got != want {
		t.Errorf("after Reset: ids %s, want %s", got, want)
	}
}

// TestPenaltyWindow: ids leave the window in the order they came, and one that
// is in it twice stays until its second is gone.
func TestPenaltyWindow(t *testing.T) {
	s, err := sample.New(sample.Options{RepetitionPenalty: 10, RepeatWindow: 3}, 4)
	if err != nil {
		t.Fatal(err)
	}
	next := func() (ids string) {
		for range 9 {
			ids += fmt.Sprint(s.Next([]float32{5, 4, 3, -1})) // penalised: 0.5, 0.4, 0.3, −10
		}
		return ids
	}
	// 0, 1 and 2 fill the window, so 0 comes again; it drives out the first 0
	// but counts itself. Then 1 leaves the window and comes back, and so on.
	first := next()
	if want := "012001200"; first != want {
		t.Errorf("ids %s, want %s", first, want)
	}
	s.Reset(0)
	if again := next(); again != first {
		t.Errorf("after Reset: ids %s, want %s", again, first)
	}
	s.Reset(0)
	for _, id := range []int32{0, 0, 1} {
		s.Accept(id)
	}
	if id := s.Next([]float32{5, 4, 3, -1}); id != 2 {
		t.Errorf("after 0, 0, 1 comes %d, want 2", id)
	}
	if id := s.Next([]float32{5, 4, 3, -1}); id != 0 { // the window is 0 1 2: all penalised
		t.Errorf("after 0, 1, 2 comes %d, want 0", id)
	}
}

func TestNoAllocations(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	l, buf := make([]float32, 5000), make([]float32, 5000)
	for i := range l {
		l[i] = float32(rng.NormFloat64() * 3)
	}
	for name, o := range allOptions {
		s, err := sample.New(o, len(l))
		if err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(50, func() {
			copy(buf, l)
			s.Accept(s.Next(buf))
		}); n != 0 {
			t.Errorf("%s: %v allocations a token, want 0", name, n)
		}
	}
}

var allOptions = map[string]sample.Options{
	"greedy":  {},
	"plain":   {Temperature: 1},
	"top-k":   {Temperature: 1, TopK: 40},
	"top-p":   {Temperature: 1, TopP: 0.95},
	"min-p":   {Temperature: 1, MinP: 0.05},
	"penalty": {Temperature: 1, RepetitionPenalty: 1.1},
	"all":     {Temperature: 0.8, TopK: 200, TopP: 0.95, MinP: 0.05, RepetitionPenalty: 1.1, RepeatWindow: 256},
}

func TestValidate(t *testing.T) {
	nan := math.NaN()
	tests := []struct {
		name string
		o    sample.Options
		want []string
	}{
		{"zero", sample.Options{}, nil},
		{"usual", allOptions["all"], nil},
		{"negative", sample.Options{Temperature: -1, TopK: -1, TopP: -1, MinP: -1, RepetitionPenalty: -1, RepeatWindow: -1},
			[]string{"temperature", "top-k", "top-p", "min-p", "repetition penalty", "repeat window"}},
		{"NaN", sample.Options{Temperature: nan, TopP: nan, MinP: nan, RepetitionPenalty: nan}, []string{"temperature", "top-p", "min-p", "penalty"}},
		{"too large", sample.Options{Temperature: math.Inf(1), TopP: 1.5, MinP: 2, RepeatWindow: 1 << 30}, []string{"temperature", "top-p", "min-p", "window"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := sample.New(test.o, 10)
			if (err != nil) != (test.want != nil) {
				t.Fatalf("error %v, want one about %q", err, test.want)
			}
			for _, part := range test.want {
				if !strings.Contains(err.Error(), part) || strings.Contains(err.Error(), "\n") {
					t.Errorf("error %q, want one line about %s", err, part)
				}
			}
		})
	}
	if _, err := sample.New(sample.Options{}, 0); err == nil {
		t.Error("an empty vocabulary is accepted")
	}
}

func BenchmarkNext(b *testing.B) {
	rng := rand.New(rand.NewPCG(5, 6))
	for _, n := range []int{96, 10000} {
		l, buf := make([]float32, n), make([]float32, n)
		for i := range l {
			l[i] = float32(rng.NormFloat64() * 3)
		}
		for _, name := range []string{"greedy", "plain", "top-k", "top-p", "all"} {
			b.Run(fmt.Sprintf("%s/vocab=%d", name, n), func(b *testing.B) {
				s, err := sample.New(allOptions[name], n)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportAllocs()
				for b.Loop() {
					copy(buf, l)
					s.Next(buf)
				}
			})
		}
	}
}
