package optim_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/refrain-lm/refrain/internal/parallel"
	"github.com/refrain-lm/refrain/optim"
)

var configs = []optim.Config{
	{Name: "sgd", WeightDecay: 0.01},
	{Name: "asgd", AverageFrom: 2},
	{Name: "asgd", AverageFrom: -1},
	{Name: "adam", WeightDecay: 0.01},
	{Name: "adamw", WeightDecay: 0.01, Keras: true},
}

// lengths straddle the pieces in which the work is cut.
var lengths = []int{1<<14 + 3, 1, 5, 1 << 14, 3<<14 - 1}

func random(rng *rand.Rand, x []float32) {
	for i := range x {
		x[i] = rng.Float32()*2 - 1
	}
}

func sum(n []int) (s int) {
	for _, x := range n {
		s += x
	}
	return s
}

// TestSameBits: any pool size, and a run stopped, saved and resumed, give the
// bits of an uninterrupted run on one thread.
func TestSameBits(t *testing.T) {
	pools := map[string]*parallel.Pool{"one": nil, "two": parallel.New(2), "five": parallel.New(5)}
	for _, p := range pools {
		defer p.Close()
	}
	for _, c := range configs {
		t.Run(fmt.Sprintf("%s from %d", c.Name, c.AverageFrom), func(t *testing.T) {
			want := trainFor(t, c, nil, 0)
			for name, pool := range pools {
				for _, stop := range []int{0, 1, 3, 6} {
					if got := trainFor(t, c, pool, stop); !slices.Equal(got, want) {
						t.Errorf("pool of %s, resumed at step %d: other bits", name, stop)
					}
				}
			}
		})
	}
}

// trainFor makes 7 steps, moving everything into a new optimizer after stop of
// them, and returns the parameters and the whole state.
func trainFor(t *testing.T, c optim.Config, pool *parallel.Pool, stop int) []float32 {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	start := make([]float32, sum(lengths))
	random(rng, start)
	ps, value, grad := slicesOf(lengths, start)
	opt, err := optim.New(c, ps)
	if err != nil {
		t.Fatal(err)
	}
	for k := range 7 {
		if a, ok := opt.(*optim.ASGD); ok && c.AverageFrom < 0 && k == 4 {
			a.StartAveraging()
		}
		if k == stop && stop > 0 {
			ps, value, grad = slicesOf(lengths, value)
			opt = resumed(t, c, ps, opt)
		}
		random(rng, grad)
		opt.Step(pool, 0.01, optim.ClipScale(optim.GlobalNorm(pool, ps), 1))
	}
	all := slices.Clone(value)
	for _, s := range opt.State() {
		all = append(all, s.Value...)
	}
	return all
}

func resumed(t *testing.T, c optim.Config, ps []optim.Slice, old optim.Optimizer) optim.Optimizer {
	t.Helper()
	opt, err := optim.New(c, ps)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range opt.State() {
		if from := old.State()[i]; from.Name != s.Name {
			t.Fatalf("state %q, want %q", from.Name, s.Name)
		}
		copy(s.Value, old.State()[i].Value)
	}
	opt.SetSteps(old.Steps())
	if a, ok := opt.(*optim.ASGD); ok {
		a.SetStart(old.(*optim.ASGD).Start())
	}
	return opt
}

func TestNilGradientStays(t *testing.T) {
	for _, c := range configs {
		value := []float32{1, 2, 3}
		opt, err := optim.New(c, []optim.Slice{{Name: "fixed", Value: value}})
		if err != nil {
			t.Fatal(err)
		}
		opt.Step(nil, 1, 1)
		if !slices.Equal(value, []float32{1, 2, 3}) {
			t.Errorf("%s changed a parameter without gradient: %v", c.Name, value)
		}
	}
}

// TestKerasSteps holds single steps to Keras' own: moments by 1−β, corrections by powers
// of β in float32. With the right corrections the first ones are 6.4e-6 longer.
func TestKerasSteps(t *testing.T) {
	const beta1, beta2, lr, eps = 0.9, 0.999, 1e-3, 1e-7
	p := optim.Slice{Value: make([]float32, 1), Grad: make([]float32, 1)}
	o, err := optim.New(optim.Config{Name: "adam", Keras: true}, []optim.Slice{p})
	if err != nil {
		t.Fatal(err)
	}
	var m, v float64
	rng := rand.New(rand.NewPCG(1, 2))
	power := func(beta float32, n int) float64 { return float64(float32(math.Pow(float64(beta), float64(n)))) }
	for n := 1; n <= 300; n++ {
		random(rng, p.Grad)
		g := float64(p.Grad[0])
		m += (g - m) * (1 - beta1)
		v += (g*g - v) * (1 - beta2)
		want := -lr * math.Sqrt(1-power(beta2, n)) / (1 - power(beta1, n)) * m / (math.Sqrt(v) + eps)
		p.Value[0] = 0
		o.Step(nil, lr, 1)
		// The mean may nearly cancel; its float32 error is relative to what it sums.
		if got := float64(p.Value[0]); math.Abs(got-want) > 1.5e-6*math.Abs(want)+1e-7*lr {
			t.Fatalf("step %d: %.9g, want %.9g: %.1e apart", n, got, want, math.Abs(got-want)/math.Abs(want))
		}
	}
}

func TestConfigValidate(t *testing.T) {
	nan := math.NaN()
	tests := []struct {
		name string
		c    optim.Config
		want []string // parts of the one line; none: valid
	}{
		{"sgd", optim.Config{Name: "sgd"}, nil},
		{"typo", optim.Config{Name: "Adan"}, []string{`no optimizer "Adan": did you mean adam?`}},
		{"unknown", optim.Config{Name: "lbfgs"}, []string{"choose sgd, asgd, adam, adamw"}},
		{"all at once", optim.Config{Name: "adamq", Beta1: 1, Beta2: nan, Eps: -1, WeightDecay: nan},
			[]string{"adamq", "beta1", "beta2", "eps", "weight decay"}},
		{"rounds to 1", optim.Config{Name: "adam", Beta2: 1 - 1e-9}, []string{"beta2"}},
		{"average", optim.Config{Name: "adam", AverageFrom: 3}, []string{"asgd only"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { wantParts(t, test.c.Validate(), test.want) })
	}
	if _, err := optim.New(optim.Config{Name: "sgd"}, []optim.Slice{{Name: "w"}, {Name: "w"}}); err == nil {
		t.Error("a parameter given twice is accepted")
	}
}

func wantParts(t *testing.T, err error, parts []string) {
	t.Helper()
	if (err != nil) != (len(parts) > 0) {
		t.Fatalf("error %v, want one with %q", err, parts)
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) || strings.Contains(err.Error(), "\n") {
			t.Errorf("error %q, want one line with %q", err, p)
		}
	}
}

func TestClip(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	tests := []struct {
		name      string
		norm, max float64
		want      float64
	}{
		{"off", 10, 0, 1},
		{"below", 0.5, 1, 1},
		{"above", 10, 1, 1 / (10 + 1e-6)},
		{"zero norm", 0, 1, 1},
		{"infinite", inf, 1, nan},
		{"infinite, off", inf, 0, nan},
		{"NaN", nan, 1, nan},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := float64(optim.ClipScale(test.norm, test.max))
			if !(math.Abs(got-test.want) <= 1e-7) && !(got != got && test.want != test.want) {
				t.Errorf("ClipScale(%v, %v) = %v, want %v", test.norm, test.max, got, test.want)
			}
		})
	}
	g := []float32{-3, -1, 0.5, 2, float32(nan), float32(inf)}
	if n := optim.ClipValue([]optim.Slice{{Grad: g}}, 1); n != 3 {
		t.Errorf("%d values clipped, want -3, 2 and infinity", n)
	}
	if want := []float32{-1, -1, 0.5, 1}; !slices.Equal(g[:4], want) || g[4] == g[4] || g[5] != 1 {
		t.Errorf("clipped values %v, want %v NaN 1", g, want)
	}
	optim.ClipValue([]optim.Slice{{Grad: g}}, 0)
	if g[0] != -1 {
		t.Errorf("limit 0 changed a value to %v", g[0])
	}
}

func TestGlobalNorm(t *testing.T) {
	big := float32(1e30) // its square overflows float32
	got := optim.GlobalNorm(nil, []optim.Slice{{Grad: []float32{3 * big}}, {}, {Grad: []float32{0, 4 * big}}})
	if want := 5 * float64(big); math.Abs(got-want) > 1e-6*want {
		t.Errorf("norm %v, want %v", got, want)
	}
	if got := optim.GlobalNorm(nil, []optim.Slice{{Grad: []float32{1, float32(math.NaN())}}}); got == got {
		t.Errorf("norm of NaN is %v", got)
	}
}

func TestStalled(t *testing.T) {
	tests := []struct {
		name    string
		earlier []float64
		loss    float64
		n       int
		want    bool
	}{
		{"too few", []float64{1, 1, 1}, 9, 3, false},
		{"better", []float64{5, 4, 3, 2}, 1, 2, false},
		{"worse than recent only", []float64{5, 4, 3, 2}, 3.5, 2, false},
		{"worse than the old best", []float64{5, 3, 4, 4}, 3.5, 2, true},
		{"equal", []float64{3, 3, 3, 3}, 3, 2, false},
		{"NaN", []float64{3, 3, 3}, math.NaN(), 2, true},
		{"no window", []float64{3}, 4, 0, true},
	}
	for _, test := range tests {
		if got := optim.Stalled(test.earlier, test.loss, test.n); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

func TestAverage(t *testing.T) {
	value := []float32{0, 10}
	ps := []optim.Slice{{Name: "w", Value: value}}
	tests := []struct {
		name  string
		decay float64
		want  []float32
	}{
		{"mean", 0, []float32{2, 10}},              // of 0, 2, 4
		{"moving", 0.5, []float32{1 + 1.5, 10}},    // 0, 1, 2.5
		{"slow", 0.75, []float32{0.5 + 0.875, 10}}, // 0, 0.5, 1.375
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a := optim.NewAverage(ps, test.decay)
			for _, v := range []float32{0, 2, 4} {
				value[0] = v
				a.Update(nil)
			}
			a.Swap(nil)
			if !slices.Equal(value, test.want) {
				t.Errorf("average %v, want %v", value, test.want)
			}
			for what, f := range map[string]func(){"Update": func() { a.Update(nil) }, "State": func() { a.State() }, "Reset": a.Reset} {
				if !panics(f) {
					t.Errorf("%s while swapped does not panic", what)
				}
			}
			a.Swap(nil)
			if value[0] != 4 {
				t.Errorf("swapped back to %v, want 4", value[0])
			}
			a.Reset()
			a.Update(nil)
			if got := a.State()[0].Value[0]; got != 4 || a.Count() != 1 {
				t.Errorf("after Reset: %v from %d updates, want 4 from 1", got, a.Count())
			}
		})
	}
	if !panics(func() { optim.NewAverage(ps, 1) }) || !panics(func() { optim.NewAverage(ps, 0).Swap(nil) }) {
		t.Error("decay 1, or a Swap without Update, does not panic")
	}
}

func panics(f func()) (did bool) {
	defer func() { did = recover() != nil }()
	f()
	return false
}

func TestRates(t *testing.T) {
	tests := []struct {
		name string
		s    optim.Schedule
		n    int
		want []float64
	}{
		{"constant", optim.Schedule{Name: "constant", LR: 2}, 3, []float64{2, 2, 2, 2}},
		{"warm constant", optim.Schedule{Name: "constant", LR: 2, WarmUp: 0.5}, 8, []float64{0.5, 1, 1.5, 2, 2}},
		// Zaremba's small model: lr_decay ** max(epoch+1−max_epoch, 0), here 2 steps an epoch, 2 held.
		{"zaremba", optim.Schedule{Name: "zaremba", LR: 1, EpochSteps: 2, Hold: 2}, 10, []float64{1, 1, 1, 1, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125}},
		{"linear cool-down", optim.Schedule{Name: "wsd", LR: 4, WarmUp: 0.25, CoolDown: 0.5}, 8, []float64{2, 4, 4, 4, 4, 3, 2, 1, 1}},
		{"cool-down to a floor", optim.Schedule{Name: "wsd", LR: 4, CoolDown: 0.5, Final: 0.5}, 4, []float64{4, 4, 4, 3}},
		{"sqrt cool-down", optim.Schedule{Name: "wsd", LR: 4, CoolDown: 1, Shape: "sqrt"}, 4, []float64{4, 2, 4 - 4*math.Sqrt(0.5), 4 - 4*math.Sqrt(0.75)}},
		{"open end", optim.Schedule{Name: "wsd", LR: 4}, 0, []float64{4, 4}},
		{"warm cosine", optim.Schedule{Name: "cosine", LR: 1, WarmUp: 0.5}, 4, []float64{0.5, 1, 1, 0.5}},
		{"one step of one-cycle", optim.Schedule{Name: "one-cycle", LR: 1}, 1, []float64{1}},
		{"plateau", optim.Schedule{Name: "plateau", LR: 3}, 5, []float64{3, 3}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if err := test.s.Validate(); err != nil {
				t.Fatal(err)
			}
			for k, want := range test.want {
				if got := test.s.Rate(k, test.n); math.Abs(got-want) > 1e-12 {
					t.Errorf("step %d of %d: %v, want %v", k, test.n, got, want)
				}
			}
		})
	}
}

// TestRatesStayInRange tries every kind at odd lengths.
func TestRatesStayInRange(t *testing.T) {
	for _, name := range []string{"constant", "zaremba", "cosine", "one-cycle", "wsd", "plateau"} {
		for _, total := range []int{1, 2, 3, 4, 5, 10, 99} {
			for _, warm := range []float64{0, 0.03, 0.4, 1} {
				s := optim.Schedule{Name: name, LR: 1, WarmUp: warm, CoolDown: 0.6 * (1 - warm), EpochSteps: 3}
				if s.CoolDown == 0 {
					s.CoolDown = 1e-9
				}
				for step := range total + 2 {
					if r := s.Rate(step, total); !(r > 0 && r <= 1) {
						t.Errorf("%s, warm-up %v: step %d of %d has rate %v, want above 0 and at most 1", name, warm, step, total, r)
					}
				}
			}
		}
	}
}

func TestScheduleValidate(t *testing.T) {
	tests := []struct {
		name string
		s    optim.Schedule
		want []string
	}{
		{"typo", optim.Schedule{Name: "cosin", LR: 1}, []string{"did you mean cosine?"}},
		{"all at once", optim.Schedule{Name: "x", LR: math.NaN(), WarmUp: 2, CoolDown: -1, Final: 3, Decay: 7, Hold: -1, Patience: -1, Shape: "line"},
			[]string{"no schedule", "learning rate", "warm-up", "cool-down", "final", "decay", "hold", "patience", `did you mean linear`}},
		{"overlap", optim.Schedule{Name: "wsd", LR: 1, WarmUp: 0.5, CoolDown: 0.6}, []string{"more than the whole run"}},
		{"epoch", optim.Schedule{Name: "zaremba", LR: 1}, []string{"steps of an epoch"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { wantParts(t, test.s.Validate(), test.want) })
	}
}

func TestPlateau(t *testing.T) {
	nan := math.NaN()
	tests := []struct {
		name     string
		patience int
		losses   []float64
		cuts     string // y for each loss at which the rate is cut
	}{
		{"at once", 0, []float64{3, 2, 2, 1, 4, 5, 0.5}, "--y-yy-"},
		{"after two", 2, []float64{3, 3, 2, 2, 2, 2, 2}, "----y-y"},
		{"NaN first", 1, []float64{nan, 3, nan, math.Inf(1), 2}, "y-yy-"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := optim.Schedule{Name: "plateau", LR: 1, Patience: test.patience, Decay: 0.25}
			var p optim.Plateau
			got, cuts := "", 0
			for _, l := range test.losses {
				p = throughJSON(t, p) // as a resumed run would have it
				if p.Observe(s, l) {
					got += "y"
					cuts++
				} else {
					got += "-"
				}
			}
			if got != test.cuts {
				t.Errorf("cuts %s, want %s", got, test.cuts)
			}
			if want := math.Pow(0.25, float64(cuts)); p.Scale(s) != want {
				t.Errorf("scale %v, want %v", p.Scale(s), want)
			}
		})
	}
}

func throughJSON(t *testing.T, p optim.Plateau) (q optim.Plateau) {
	t.Helper()
	b, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &q); err != nil {
		t.Fatal(err)
	}
	return q
}

func BenchmarkStep(b *testing.B) {
	for _, c := range configs {
		b.Run(c.Name, func(b *testing.B) {
			const n = 1 << 20
			ps := []optim.Slice{{Name: "w", Value: make([]float32, n), Grad: make([]float32, n)}}
			random(rand.New(rand.NewPCG(1, 2)), ps[0].Grad)
			opt, err := optim.New(c, ps)
			if err != nil {
				b.Fatal(err)
			}
			pool := parallel.New(2)
			defer pool.Close()
			b.SetBytes(4 * n)
			for b.Loop() {
				opt.Step(pool, 1e-3, 1)
			}
		})
	}
}
