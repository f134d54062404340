package nn_test

import (
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/refrain-lm/refrain/internal/parallel"
	"github.com/refrain-lm/refrain/nn"
)

type block = nn.Block

type blockCase struct {
	name string
	make func(in, out int) block
}

// cells is every recurrent layer with every option.
var cells = []blockCase{
	{"rnn-tanh", func(in, h int) block { return nn.NewRNN("rnn", 0, in, h, nn.TwoBiases, false) }},
	{"rnn-relu", func(in, h int) block { return nn.NewRNN("rnn", 0, in, h, nn.TwoBiases, true) }},
	{"rnn-one-bias", func(in, h int) block { return nn.NewRNN("rnn", 0, in, h, nn.OneBias, false) }},
	{"lstm", func(in, h int) block { return nn.NewLSTM("rnn", 0, in, h, nn.TwoBiases) }},
	{"lstm-one-bias", func(in, h int) block { return nn.NewLSTM("rnn", 0, in, h, nn.OneBias) }},
	{"lstm-nog", func(in, h int) block { return nn.NewLSTMNoGate("rnn", 0, in, h, nn.TwoBiases) }},
	{"lstm-nog-one-bias", func(in, h int) block { return nn.NewLSTMNoGate("rnn", 0, in, h, nn.OneBias) }},
	{"gru-after", func(in, h int) block { return nn.NewGRU("rnn", 0, in, h, nn.TwoBiases, nn.ResetAfter) }},
	{"gru-before", func(in, h int) block { return nn.NewGRU("rnn", 0, in, h, nn.TwoBiases, nn.ResetBefore) }},
	{"gru-before-one-bias", func(in, h int) block { return nn.NewGRU("rnn", 0, in, h, nn.OneBias, nn.ResetBefore) }},
	{"rnn-layer-norm", func(in, h int) block { return nn.NewLayerNormRNN("rnn", 0, in, h, nn.TwoBiases, false) }},
	{"lstm-layer-norm", func(in, h int) block { return nn.NewLayerNormLSTM("rnn", 0, in, h, nn.TwoBiases) }},
	{"lstm-layer-norm-one-bias", func(in, h int) block { return nn.NewLayerNormLSTM("rnn", 0, in, h, nn.OneBias) }},
	{"gru-layer-norm", func(in, h int) block { return nn.NewLayerNormGRU("rnn", 0, in, h) }},
}

// remembering is every other layer that carries a state from window to window.
var remembering = []blockCase{
	{"window-1", func(in, out int) block { return nn.NewWindow(in, 1) }},
	{"window-2", func(in, out int) block { return nn.NewWindow(in, 2) }},
	{"window-4", func(in, out int) block { return nn.NewWindow(in, 4) }},
	{"attention", func(in, out int) block { return nn.NewAttention("layers.0.self_attn", 6, 2, 4) }},
	{"attention-one-token", func(in, out int) block { return nn.NewAttention("layers.0.self_attn", 6, 3, 1) }},
	{"attention-wide", func(in, out int) block { return nn.NewAttention("layers.0.self_attn", 18, 1, 37) }},
}

// stateful is every layer whose windows may be cut anywhere and whose lanes
// are independent, in training too.
var stateful = append(remembering, cells...)

// batchCells normalise over their lanes in training, so they keep the
// invariants of cells only in evaluation.
var batchCells = []blockCase{
	{"lstm-recurrent-batch-norm", func(in, h int) block { return seenSome(nn.NewBatchNormLSTM("rnn", 0, in, h, nn.TwoBiases)) }},
	{"gru-recurrent-batch-norm", func(in, h int) block { return seenSome(nn.NewBatchNormGRU("rnn", 0, in, h)) }},
	{"rnn-recurrent-batch-norm", func(in, h int) block {
		return seenSome(nn.NewBatchNormRNN("rnn", 0, in, h, nn.TwoBiases, false))
	}},
	{"rnn-recurrent-batch-norm-one-bias", func(in, h int) block {
		return seenSome(nn.NewBatchNormRNN("rnn", 0, in, h, nn.OneBias, false))
	}},
}

// seenSome gives a layer statistics of five positions.
func seenSome(l block) block {
	for i, p := range l.Params() {
		switch {
		case strings.HasSuffix(p.Name, "_mean_l0"):
			copy(p.Value, random(uint64(30+i), len(p.Value), 0.5))
		case strings.HasSuffix(p.Name, "_var_l0"):
			for k, v := range random(uint64(30+i), len(p.Value), 0.5) {
				p.Value[k] = 1 + v
			}
		case strings.HasSuffix(p.Name, "_seen_l0"):
			p.Value[0] = 5
		}
	}
	return l
}

// blocks is every layer.
var blocks = append(append([]blockCase{
	{"linear", func(in, out int) block { return nn.NewLinear("proj", in, out, false) }},
	{"linear-bias", func(in, out int) block { return nn.NewLinear("proj", in, out, true) }},
	{"dropout", func(in, out int) block { return nn.NewDropout(0.4, false, in, 3) }},
	{"dropout-variational", func(in, out int) block { return nn.NewDropout(0.4, true, in, 3) }},
	{"batch-norm", func(in, out int) block { return nn.NewBatchNorm("norm", in) }},
	{"residual", func(in, out int) block {
		return nn.NewResidual(nn.NewDropout(0.4, false, in, 3), nn.NewGRU("rnn", 0, in, in, nn.TwoBiases, nn.ResetAfter))
	}},
	{"tanh", func(in, out int) block { return nn.NewActivation(nn.Tanh, in) }},
	{"relu", func(in, out int) block { return nn.NewActivation(nn.ReLU, in) }},
	{"layer-norm", func(in, out int) block { return nn.NewLayerNorm("norm", in) }},
	{"residual-attention", func(in, out int) block {
		return nn.NewResidual(nn.NewLayerNorm("norm", in), nn.NewAttention("layers.0.self_attn", in, 1, 3), nn.NewDropout(0.4, false, in, 3))
	}},
}, stateful...), batchCells...)

// random returns n numbers from [-r, r).
func random(seed uint64, n int, r float64) []float32 {
	rng := rand.New(rand.NewPCG(seed, 77))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r * (2*rng.Float64() - 1))
	}
	return x
}

// build makes a block with random weights, ready for training.
func (c blockCase) build(in, out int) block {
	l := c.make(in, out)
	for i, p := range l.Params() {
		if !p.Frozen {
			copy(p.Value, random(uint64(i+1), len(p.Value), 0.6))
		}
	}
	l.Refresh(nil, true)
	return l
}

// randomState is a state in which every lane is somewhere else.
func randomState(l block, b int) nn.State {
	s := l.NewState(b)
	for i, w := range l.StateWidths() {
		copy(s[i], random(uint64(50+i), len(s[i]), 0.9))
		if w == 1 { // a count of steps
			for k := range s[i] {
				s[i][k] = 2
			}
		}
	}
	return s
}

// sameBits fails unless a and b are equal to the bit.
func sameBits(t *testing.T, what string, a, b []float32) {
	t.Helper()
	if len(a) != len(b) {
		t.Fatalf("%s: %d and %d values", what, len(a), len(b))
	}
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
			t.Fatalf("%s: element %d of %d: %v and %v", what, i, len(a), a[i], b[i])
		}
	}
}

func clone(x []float32) []float32 { return append([]float32(nil), x...) }

// widths around the panels of 16 units that workers share out.
var widths = []int{7, 16, 37}

func TestWindowEqualsSteps(t *testing.T) {
	const steps, lanes, in = 5, 3, 6
	for _, c := range blocks {
		t.Run(c.name, func(t *testing.T) {
			for _, h := range widths {
				l := c.build(in, h)
				state := randomState(l, lanes)
				x := random(9, steps*lanes*l.InSize(), 1)
				each := make([][]float32, lanes) // of one lane, [T,Out]
				for lane := range lanes {
					each[lane] = stepLane(l, state, x, steps, lanes, lane)
				}
				var tape nn.Tape
				y := l.Forward(nn.Mode{}, &tape, steps, lanes, x, state)
				n := l.OutSize()
				for s := range steps {
					for lane := range lanes {
						sameBits(t, "output", y[(s*lanes+lane)*n:][:n], each[lane][s*n:][:n])
					}
				}
			}
		})
	}
}

// stepLane runs one lane of x [T,B,In] by Step, starting from its part of state.
func stepLane(l block, state nn.State, x []float32, steps, lanes, lane int) []float32 {
	l.Refresh(nil, false)
	s := l.NewState(1)
	for i, w := range l.StateWidths() {
		copy(s[i], state[i][lane*w:(lane+1)*w])
	}
	in, out := l.InSize(), l.OutSize()
	y := make([]float32, steps*out)
	for k := range steps {
		l.Step(nil, 1, s, x[(k*lanes+lane)*in:][:in], y[k*out:][:out])
	}
	return y
}

// Lanes that step side by side, on any number of threads, give the bits of the
// window, which are those of single lanes.
func TestStepsOfManyLanes(t *testing.T) {
	const steps, lanes, in = 5, 3, 6
	for _, c := range blocks {
		t.Run(c.name, func(t *testing.T) {
			for _, h := range widths {
				l := c.build(in, h)
				x := random(9, steps*lanes*l.InSize(), 1)
				var tape nn.Tape
				after := randomState(l, lanes)
				want := l.Forward(nn.Mode{}, &tape, steps, lanes, x, after)
				l.Refresh(nil, false)
				for _, threads := range []int{1, 2, 3} {
					pool := parallel.New(threads)
					defer pool.Close()
					s, y, workers := randomState(l, lanes), make([]float32, len(want)), nn.NewWorkers(pool)
					n, m := lanes*l.InSize(), lanes*l.OutSize()
					for k := range steps {
						pool.Run(func(worker int) { l.Step(workers[worker], lanes, s, x[k*n:][:n], y[k*m:][:m]) })
					}
					sameBits(t, "output", y, want)
					for i := range l.StateWidths() {
						sameBits(t, "state", s[i], after[i])
					}
				}
			}
		})
	}
}

func TestWindowMayBeCutAnywhere(t *testing.T) {
	const steps, lanes, h = 6, 3, 19
	for _, c := range append(batchCells, stateful...) {
		t.Run(c.name, func(t *testing.T) {
			l := c.build(6, h)
			in := l.InSize()
			x := random(9, steps*lanes*in, 1)
			var tape nn.Tape
			whole := randomState(l, lanes)
			want := clone(l.Forward(nn.Mode{}, &tape, steps, lanes, x, whole))
			for cut := 1; cut < steps; cut++ {
				s := randomState(l, lanes)
				y := clone(l.Forward(nn.Mode{}, &tape, cut, lanes, x[:cut*lanes*in], s))
				y = append(y, l.Forward(nn.Mode{}, &tape, steps-cut, lanes, x[cut*lanes*in:], s)...)
				sameBits(t, "output", y, want)
				for i := range l.StateWidths() {
					sameBits(t, "state", s[i], whole[i])
				}
			}
		})
	}
}

// A lane must not see its neighbours: forward and in the gradient of its input.
func TestLanesAreIndependent(t *testing.T) {
	const steps, lanes = 4, 5
	for _, c := range stateful {
		t.Run(c.name, func(t *testing.T) {
			l := c.build(6, 19)
			in, h := l.InSize(), l.OutSize()
			x, dy := random(9, steps*lanes*in, 1), random(10, steps*lanes*h, 1)
			y, dx, _ := runWindow(l, nn.Mode{Train: true}, steps, lanes, x, dy)
			for lane := range lanes {
				one, done := pickLane(x, lanes, in, lane), pickLane(dy, lanes, h, lane)
				s := l.NewState(1)
				for i, w := range l.StateWidths() {
					copy(s[i], randomState(l, lanes)[i][lane*w:])
				}
				var tape nn.Tape
				got := l.Forward(nn.Mode{Train: true}, &tape, steps, 1, one, s)
				sameBits(t, "output", got, pickLane(y, lanes, h, lane))
				sameBits(t, "gradient", l.Backward(nn.Mode{Train: true}, &tape, done), pickLane(dx, lanes, in, lane))
			}
		})
	}
}

// pickLane returns [T,n] of one lane of x [T,B,n].
func pickLane(x []float32, lanes, n, lane int) []float32 {
	var out []float32
	for k := lane * n; k < len(x); k += lanes * n {
		out = append(out, x[k:k+n]...)
	}
	return out
}

// runWindow goes forward and backward once and returns copies of the output,
// the input's gradient, and the gradients of the parameters.
func runWindow(l block, m nn.Mode, steps, lanes int, x, dy []float32) (y, dx []float32, grads [][]float32) {
	var tape nn.Tape
	y = clone(l.Forward(m, &tape, steps, lanes, x, randomState(l, lanes)))
	for _, p := range l.Params() {
		p.ZeroGrad()
	}
	dx = clone(l.Backward(m, &tape, clone(dy)))
	for _, p := range l.Params() {
		grads = append(grads, clone(p.Grad))
	}
	return y, dx, grads
}

func TestPoolSizeChangesNoBit(t *testing.T) {
	const steps, lanes, in = 4, 3, 37
	for _, c := range blocks {
		t.Run(c.name, func(t *testing.T) {
			for _, h := range []int{7, 37, 80} {
				l := c.build(in, h)
				x, dy := random(9, steps*lanes*l.InSize(), 1), random(10, steps*lanes*l.OutSize(), 1)
				y, dx, grads := runWindow(l, nn.Mode{Train: true, Seed: 5}, steps, lanes, x, dy)
				for _, threads := range []int{1, 2, 3} {
					pool := parallel.New(threads)
					defer pool.Close()
					l.Refresh(pool, true)
					y2, dx2, grads2 := runWindow(l, nn.Mode{Pool: pool, Train: true, Seed: 5}, steps, lanes, x, dy)
					sameBits(t, "output", y2, y)
					sameBits(t, "input gradient", dx2, dx)
					for i, p := range l.Params() {
						sameBits(t, p.Name, grads2[i], grads[i])
					}
				}
			}
		})
	}
}

// What a tape held before, of a larger window, must not show.
func TestTapeIsReusable(t *testing.T) {
	const steps, lanes, in, h = 4, 3, 6, 19
	m := nn.Mode{Train: true, Seed: 5}
	for _, c := range blocks {
		l := c.build(in, h)
		x, dy := random(9, steps*lanes*l.InSize(), 1), random(10, steps*lanes*l.OutSize(), 1)
		y, dx, grads := runWindow(l, m, steps, lanes, x, dy)
		var tape nn.Tape
		l.Forward(m, &tape, 2*steps, lanes, random(11, 2*len(x), 1), randomState(l, lanes))
		l.Backward(m, &tape, random(12, 2*len(dy), 1))
		for _, p := range l.Params() {
			p.ZeroGrad()
		}
		sameBits(t, c.name+" output", l.Forward(m, &tape, steps, lanes, x, randomState(l, lanes)), y)
		sameBits(t, c.name+" input gradient", l.Backward(m, &tape, clone(dy)), dx)
		for i, p := range l.Params() {
			sameBits(t, c.name+" "+p.Name, p.Grad, grads[i])
		}
	}
}

// BeginGrad and SettleGrad are ZeroGrad, but later.
func TestBeginGrad(t *testing.T) {
	const steps, lanes, in, h = 3, 2, 5, 7
	m := nn.Mode{Train: true}
	for _, c := range blocks {
		l := c.build(in, h)
		x, dy := random(9, steps*lanes*l.InSize(), 1), random(10, steps*lanes*l.OutSize(), 1)
		_, _, grads := runWindow(l, m, steps, lanes, x, dy)
		for _, p := range l.Params() {
			p.BeginGrad()
		}
		var tape nn.Tape
		l.Forward(m, &tape, steps, lanes, x, randomState(l, lanes))
		l.Backward(m, &tape, clone(dy))
		for i, p := range l.Params() {
			p.SettleGrad()
			sameBits(t, c.name+" "+p.Name, p.Grad, grads[i])
		}
	}
	unused := nn.NewParam("unused", 2)
	unused.ZeroGrad()
	unused.Grad[1] = 3
	unused.BeginGrad()
	unused.SettleGrad()
	sameBits(t, "a parameter that nothing is added to", unused.Grad, []float32{0, 0})
}

func TestGradientsAccumulate(t *testing.T) {
	const steps, lanes, in, h = 3, 2, 5, 7
	for _, c := range blocks {
		l := c.build(in, h)
		x, dy := random(9, steps*lanes*l.InSize(), 1), random(10, steps*lanes*l.OutSize(), 1)
		_, _, grads := runWindow(l, nn.Mode{Train: true}, steps, lanes, x, dy)
		var tape nn.Tape
		l.Forward(nn.Mode{Train: true}, &tape, steps, lanes, x, randomState(l, lanes))
		l.Backward(nn.Mode{Train: true}, &tape, clone(dy))
		for i, p := range l.Params() {
			if p.Frozen {
				if p.Grad != nil {
					t.Errorf("%s: frozen %s has a gradient", c.name, p.Name)
				}
				continue
			}
			for k := range p.Grad {
				if !near(p.Grad[k], 2*float64(grads[i][k]), 1e-5, 1e-6) {
					t.Fatalf("%s: %s[%d] = %v after two passes, %v after one", c.name, p.Name, k, p.Grad[k], grads[i][k])
				}
			}
		}
	}
}

func near(got float32, want, relative, absolute float64) bool {
	return math.Abs(float64(got)-want) <= relative*math.Abs(want)+absolute
}

func TestNoInputGrad(t *testing.T) {
	for _, c := range cells {
		l := c.build(5, 7)
		tape := nn.Tape{NoInputGrad: true}
		l.Forward(nn.Mode{Train: true}, &tape, 2, 1, random(1, 10, 1), l.NewState(1))
		if dx := l.Backward(nn.Mode{Train: true}, &tape, random(2, 14, 1)); dx != nil {
			t.Errorf("%s: got an input gradient of %d values, want nil", c.name, len(dx))
		}
	}
}

func TestStepAllocatesNothing(t *testing.T) {
	for _, c := range blocks {
		l := c.build(20, 37)
		s, x, y := l.NewState(1), random(1, l.InSize(), 1), make([]float32, l.OutSize())
		l.Refresh(nil, false)
		if n := testing.AllocsPerRun(20, func() { l.Step(nil, 1, s, x, y) }); n != 0 {
			t.Errorf("%s: Step allocates %v times", c.name, n)
		}
	}
}

// In the steady state a window costs no buffers, only the closures of passes
// that are spread over a pool.
func TestWindowReusesItsBuffers(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector drops what a sync.Pool holds, on purpose, and products take scratch from one")
	}
	const steps, lanes, in, h = 8, 4, 20, 37
	for _, c := range blocks {
		l := c.build(in, h)
		s, x, dy := l.NewState(lanes), random(1, steps*lanes*l.InSize(), 1), random(2, steps*lanes*l.OutSize(), 1)
		var tape nn.Tape
		m := nn.Mode{Train: true}
		bytes := bytesPerRun(20, func() {
			l.Forward(m, &tape, steps, lanes, x, s)
			l.Backward(m, &tape, dy)
		})
		if bytes > 4096 {
			t.Errorf("%s: a window allocates %d bytes, want closures only", c.name, bytes)
		}
	}
}

// bytesPerRun is the least that f allocates once its buffers have grown. The
// least, because the collector may empty a sync.Pool at any time.
func bytesPerRun(runs int, f func()) uint64 {
	f()
	least := uint64(math.MaxUint64)
	var before, after runtime.MemStats
	for range runs {
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		least = min(least, after.TotalAlloc-before.TotalAlloc)
	}
	return least
}
