package nn_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/refrain-lm/refrain/nn"
)

// model is one layer of everything, as lm puts it together.
func initModel(tied bool) map[string]*nn.Param {
	const vocab, in, h = 50, 24, 32
	table := nn.NewParam("encoder.weight", vocab, in)
	nn.NewEmbedding(table)
	params := []*nn.Param{table}
	params = append(params, nn.NewLSTM("rnn", 0, in, h, nn.TwoBiases).Params()...)
	params = append(params, nn.NewLinear("proj", h, in, true).Params()...)
	w := table
	if !tied {
		w = nn.NewParam("decoder.weight", vocab, in)
		params = append(params, w)
	}
	b := nn.NewParam("decoder.bias", vocab)
	nn.NewHead(w, b)
	byName := map[string]*nn.Param{}
	for _, p := range append(params, b) {
		byName[p.Name] = p
	}
	return byName
}

func initialize(t *testing.T, tied bool, c nn.InitConfig, seed uint64) map[string]*nn.Param {
	t.Helper()
	params := initModel(tied)
	if err := nn.Initialize(sorted(params), c, seed); err != nil {
		t.Fatal(err)
	}
	return params
}

func sorted(params map[string]*nn.Param) []*nn.Param {
	var out []*nn.Param
	for _, p := range params {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b *nn.Param) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return out
}

func TestInitRanges(t *testing.T) {
	root := func(x float64) float64 { return math.Sqrt(x) }
	tests := []struct {
		name  string
		c     nn.InitConfig
		tied  bool
		param string
		want  float64 // bound of the uniform distribution
	}{
		{"uniform", nn.InitConfig{Name: nn.InitUniform, Range: 0.04}, false, "rnn.bias_ih_l0", 0.04},
		{"uniform default", nn.InitConfig{Name: nn.InitUniform}, false, "decoder.weight", 0.1},
		{"pytorch cell", nn.InitConfig{Name: nn.InitPyTorch}, false, "rnn.weight_hh_l0", 1 / root(32)},
		{"pytorch cell bias", nn.InitConfig{Name: nn.InitPyTorch}, false, "rnn.bias_hh_l0", 1 / root(32)},
		{"pytorch linear", nn.InitConfig{Name: nn.InitPyTorch}, false, "proj.weight", 1 / root(32)},
		{"pytorch linear bias", nn.InitConfig{Name: nn.InitPyTorch}, false, "proj.bias", 1 / root(32)},
		{"pytorch head", nn.InitConfig{Name: nn.InitPyTorch}, false, "decoder.weight", 1 / root(24)},
		{"pytorch head bias", nn.InitConfig{Name: nn.InitPyTorch}, false, "decoder.bias", 1 / root(24)},
		{"keras embedding", nn.InitConfig{Name: nn.InitKeras}, false, "encoder.weight", 0.05},
		{"keras kernel", nn.InitConfig{Name: nn.InitKeras}, false, "rnn.weight_ih_l0", root(6.0 / (24 + 4*32))},
		{"keras head", nn.InitConfig{Name: nn.InitKeras}, false, "decoder.weight", root(6.0 / (24 + 50))},
		{"refrain kernel", nn.InitConfig{}, false, "rnn.weight_ih_l0", root(6.0 / (24 + 32))},
		{"refrain embedding", nn.InitConfig{}, false, "encoder.weight", 1},
		{"refrain tied embedding", nn.InitConfig{}, true, "encoder.weight", 0.1},
		{"refrain head bias", nn.InitConfig{}, false, "decoder.bias", 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			values := initialize(t, test.tied, test.c, 1)[test.param].Value
			var most, mean float64
			for _, v := range values {
				most = max(most, math.Abs(float64(v)))
				mean += float64(v) / float64(len(values))
			}
			if most > test.want*1.000001 || most < test.want*0.85 {
				t.Errorf("largest %v, want just under %v", most, test.want)
			}
			if math.Abs(mean) > 4*test.want/math.Sqrt(3*float64(len(values))) {
				t.Errorf("mean %v of uniform ±%v", mean, test.want)
			}
		})
	}
}

func TestInitPyTorchEmbeddingIsNormal(t *testing.T) {
	values := initialize(t, false, nn.InitConfig{Name: nn.InitPyTorch}, 1)["encoder.weight"].Value
	n := float64(len(values))
	var sum, squares float64
	for _, v := range values {
		sum += float64(v)
		squares += float64(v) * float64(v)
	}
	if math.Abs(sum/n) > 4/math.Sqrt(n) || math.Abs(squares/n-1) > 4*math.Sqrt(2/n) {
		t.Errorf("mean %v, variance %v of a standard normal distribution", sum/n, squares/n)
	}
}

// Columns of a recurrent matrix are orthonormal; that of refrain for each gate,
// that of Keras for all gates as one matrix. And no trace is left of the unit
// matrix that the construction starts from.
func TestInitOrthogonal(t *testing.T) {
	const h = 32
	for name, gates := range map[nn.Init]int{nn.InitRefrain: 4, nn.InitKeras: 1} {
		w := initialize(t, false, nn.InitConfig{Name: name}, 1)["rnn.weight_hh_l0"].Value
		rows := 4 * h / gates
		for g := range gates {
			checkOrthonormal(t, string(name), w[g*rows*h:(g+1)*rows*h], rows, h)
		}
	}
}

func checkOrthonormal(t *testing.T, name string, q []float32, rows, cols int) {
	t.Helper()
	var most float32
	for a := range cols {
		for b := range cols {
			var sum, want float64
			for r := range rows {
				sum += float64(q[r*cols+a]) * float64(q[r*cols+b])
			}
			if a == b {
				want = 1
			}
			if math.Abs(sum-want) > 1e-6 {
				t.Fatalf("%s: columns %d and %d: product %v, want %v", name, a, b, sum, want)
			}
		}
	}
	for _, v := range q {
		most = max(most, v, -v)
	}
	if limit := 5.5 / math.Sqrt(float64(rows)); float64(most) > limit {
		t.Errorf("%s: largest element %v, want under %v as in a random rotation", name, most, limit)
	}
}

func TestInitForgetBias(t *testing.T) {
	const h = 32
	two := 2.0
	tests := []struct {
		name string
		c    nn.InitConfig
		want float32 // sum of the two biases of a forget gate
	}{
		{"refrain", nn.InitConfig{}, 1},
		{"keras", nn.InitConfig{Name: nn.InitKeras}, 1},
		{"asked for", nn.InitConfig{ForgetBias: &two}, 2},
		{"asked for in pytorch", nn.InitConfig{Name: nn.InitPyTorch, ForgetBias: &two}, 2},
	}
	for _, test := range tests {
		params := initialize(t, false, test.c, 1)
		ih, hh := params["rnn.bias_ih_l0"].Value, params["rnn.bias_hh_l0"].Value
		for u := range h {
			if got := ih[h+u] + hh[h+u]; got != test.want {
				t.Errorf("%s: forget bias %v, want %v", test.name, got, test.want)
			}
			if got := ih[u] + hh[u]; test.c.Name != nn.InitPyTorch && got != 0 {
				t.Errorf("%s: input gate's bias %v, want 0", test.name, got)
			}
		}
	}
}

// TestInitChrono: the time constants 1 + exp(bias) of gates that keep lie between
// 2 and the longest lag, and reach for both ends.
func TestInitChrono(t *testing.T) {
	const in, h, longest = 3, 400, 100
	for _, c := range []struct {
		name        string
		cell        nn.Block
		keep, input int
	}{
		{"lstm", nn.NewLSTM("rnn", 0, in, h, nn.TwoBiases), 1, 0},
		{"lstm-nog", nn.NewLSTMNoGate("rnn", 0, in, h, nn.OneBias), 1, 0},
		{"gru", nn.NewGRU("rnn", 0, in, h, nn.TwoBiases, nn.ResetAfter), 1, -1},
		{"lstm, layer norm", nn.NewLayerNormLSTM("rnn", 0, in, h, nn.TwoBiases), 1, 0},
	} {
		if err := nn.Initialize(c.cell.Params(), nn.InitConfig{Name: nn.InitPyTorch, Chrono: longest}, 1); err != nil {
			t.Fatal(err)
		}
		ih, hh := c.cell.Params()[2].Value, c.cell.Params()[3].Value
		low, high := math.Inf(1), 0.0
		for u := range h {
			bias := ih[c.keep*h+u] + hh[c.keep*h+u]
			if c.input >= 0 && ih[c.input*h+u]+hh[c.input*h+u] != -bias {
				t.Fatalf("%s: input gate's bias %v, want %v", c.name, ih[c.input*h+u]+hh[c.input*h+u], -bias)
			}
			low, high = min(low, math.Exp(float64(bias))), max(high, math.Exp(float64(bias)))
		}
		if low < 1 || low > 5 || high > longest-1 || high < longest-5 {
			t.Errorf("%s: exp(bias) from %v to %v, want 1 to %d", c.name, low, high, longest-1)
		}
	}
	rnn := nn.NewRNN("rnn", 0, in, h, nn.TwoBiases, false)
	if err := nn.Initialize(rnn.Params(), nn.InitConfig{Chrono: longest}, 1); err != nil {
		t.Fatal(err)
	}
	if slices.ContainsFunc(rnn.Params()[2].Value, func(v float32) bool { return v != 0 }) {
		t.Error("a cell without gates has biases")
	}
}

// Values depend on seed and name alone.
func TestInitIsSeeded(t *testing.T) {
	for _, name := range []nn.Init{nn.InitRefrain, nn.InitPyTorch, nn.InitKeras, nn.InitUniform} {
		c := nn.InitConfig{Name: name}
		a, b := initialize(t, false, c, 1), initModel(false)
		backwards := sorted(b)
		slices.Reverse(backwards)
		for _, p := range backwards {
			if err := nn.Initialize([]*nn.Param{p}, c, 1); err != nil {
				t.Fatal(err)
			}
		}
		for key := range a {
			sameBits(t, key, a[key].Value, b[key].Value)
		}
		if ih, hh := a["rnn.bias_ih_l0"].Value, a["rnn.bias_hh_l0"].Value; name == nn.InitUniform && equal(ih, hh) {
			t.Error("two names give the same weights")
		}
		if other := initialize(t, false, c, 2); equal(a["rnn.weight_hh_l0"].Value, other["rnn.weight_hh_l0"].Value) {
			t.Errorf("%s: two seeds give the same weights", name)
		}
	}
}

func TestInitRefuses(t *testing.T) {
	nan := math.NaN()
	loose := nn.NewParam("x", 3)
	tests := []struct {
		name   string
		params []*nn.Param
		c      nn.InitConfig
	}{
		{"unknown set", nil, nn.InitConfig{Name: "kaiming"}},
		{"negative range", nil, nn.InitConfig{Range: -1}},
		{"forget bias", nil, nn.InitConfig{ForgetBias: &nan}},
		{"lag below two", nil, nn.InitConfig{Chrono: 1}},
		{"chrono and forget bias", nil, nn.InitConfig{Chrono: 10, ForgetBias: new(float64)}},
		{"parameter of no layer", []*nn.Param{loose}, nn.InitConfig{}},
	}
	for _, test := range tests {
		if err := nn.Initialize(test.params, test.c, 1); err == nil {
			t.Errorf("%s: no error", test.name)
		}
	}
}

func TestOneBiasKeepsTheOtherAtZero(t *testing.T) {
	for _, c := range cells {
		l := c.make(5, 7)
		if err := nn.Initialize(l.Params(), nn.InitConfig{Name: nn.InitUniform}, 3); err != nil {
			t.Fatal(err)
		}
		for _, p := range l.Params() {
			if strings.HasPrefix(p.Name, "rnn.norm") {
				continue // begins at a constant, whatever is drawn
			}
			if zero := !slices.ContainsFunc(p.Value, func(v float32) bool { return v != 0 }); zero != p.Frozen {
				t.Errorf("%s: %s frozen %v, all zero %v", c.name, p.Name, p.Frozen, zero)
			}
		}
	}
}
