package nn_test

import (
	"math"
	"testing"

	"github.com/refrain-lm/refrain/internal/parallel"
	"github.com/refrain-lm/refrain/nn"
)

// longAttention is attention whose windows have several blocks of queries, whose
// keys begin in the middle of panels, and whose state comes round.
func longAttention() (l block, steps, lanes int) {
	c := blockCase{make: func(in, out int) block { return nn.NewAttention("self_attn", 20, 2, 21) }}
	return c.build(20, 20), 75, 2
}

// attend is the definition in float64: y [T,B,Width] of x [T,B,Width], nothing
// seen before.
func attend(l block, x []float32, steps, lanes, heads, context int) []float64 {
	n := l.InSize()
	d := n / heads
	p := l.Params()
	row := func(w, b *nn.Param, x []float64) []float64 {
		y := make([]float64, len(b.Value))
		for i := range y {
			y[i] = float64(b.Value[i])
			for k, v := range x {
				y[i] += float64(w.Value[i*n+k]) * v
			}
		}
		return y
	}
	y := make([]float64, 0, len(x))
	qkv := make([][]float64, steps*lanes)
	for i := range qkv {
		in := make([]float64, n)
		for k := range in {
			in[k] = float64(x[i*n+k])
		}
		qkv[i] = row(p[0], p[1], in)
	}
	for t := range steps {
		for lane := range lanes {
			out := make([]float64, n)
			for h := range heads {
				slope := math.Pow(2, -8*float64(h+1)/float64(heads))
				var weights []float64
				sum, first := 0.0, max(0, t-context+1)
				for j := first; j <= t; j++ {
					score := -slope * float64(t-j)
					for k := h * d; k < (h+1)*d; k++ {
						score += qkv[t*lanes+lane][k] * qkv[j*lanes+lane][n+k] / math.Sqrt(float64(d))
					}
					weights = append(weights, math.Exp(score))
					sum += math.Exp(score)
				}
				for j, w := range weights {
					for k := h * d; k < (h+1)*d; k++ {
						out[k] += w / sum * qkv[(first+j)*lanes+lane][2*n+k]
					}
				}
			}
			y = append(y, row(p[2], p[3], out)...)
		}
	}
	return y
}

func TestAttentionIsItsDefinition(t *testing.T) {
	l, steps, lanes := longAttention()
	x := random(9, steps*lanes*l.InSize(), 1)
	var tape nn.Tape
	y := l.Forward(nn.Mode{}, &tape, steps, lanes, x, l.NewState(lanes))
	for i, want := range attend(l, x, steps, lanes, 2, 21) {
		if !near(y[i], want, 1e-5, 1e-5) { // sums of 20 terms near 1 in float32
			t.Fatalf("element %d is %v, want %v", i, y[i], want)
		}
	}
}

func TestLongAttentionKeepsItsBits(t *testing.T) {
	l, steps, lanes := longAttention()
	n := l.InSize()
	x := random(9, steps*lanes*n, 1)
	var tape nn.Tape
	whole := l.NewState(lanes)
	want := clone(l.Forward(nn.Mode{}, &tape, steps, lanes, x, whole))
	for _, cuts := range [][]int{{1}, {20}, {21}, {22}, {33, 64}, {2, 3, 50, 74}} {
		s, from := l.NewState(lanes), 0
		var y []float32
		for _, to := range append(cuts, steps) {
			y = append(y, l.Forward(nn.Mode{}, &tape, to-from, lanes, x[from*lanes*n:to*lanes*n], s)...)
			from = to
		}
		sameBits(t, "output", y, want)
		for i := range l.StateWidths() {
			sameBits(t, "state", s[i], whole[i])
		}
	}
	for lane := range lanes {
		sameBits(t, "steps", stepLane(l, l.NewState(lanes), x, steps, lanes, lane), pickLane(want, lanes, n, lane))
	}
	pool := parallel.New(3)
	defer pool.Close()
	dy := random(10, len(x), 1)
	y, dx, grads := runWindow(l, nn.Mode{Train: true}, steps, lanes, x, dy)
	y3, dx3, grads3 := runWindow(l, nn.Mode{Train: true, Pool: pool}, steps, lanes, x, dy)
	sameBits(t, "output of three threads", y3, y)
	sameBits(t, "gradient of three threads", dx3, dx)
	for i, p := range l.Params() {
		sameBits(t, p.Name, grads3[i], grads[i])
	}
}

// Some of the gradients of a long window, by differences.
func TestLongAttentionGradients(t *testing.T) {
	l, steps, lanes := longAttention()
	x := roundTo(random(9, steps*lanes*l.InSize(), 1))
	for _, p := range l.Params() {
		roundTo(p.Value)
	}
	l.Refresh(nil, true)
	dy := random(10, len(x), 1)
	_, dx, grads := runWindow(l, nn.Mode{Train: true}, steps, lanes, x, dy)
	var tape nn.Tape
	loss := func() float64 {
		l.Refresh(nil, false)
		return dot(l.Forward(nn.Mode{Train: true}, &tape, steps, lanes, x, randomState(l, lanes)), dy)
	}
	// Three thousand terms: ten times the noise of a short window.
	check := func(what string, x, grad []float32) {
		for i := 0; i < len(x); i += 1 + len(x)/40 {
			if want := difference(&x[i], gradientStep, loss); !near(grad[i], want, gradientRelative, 10*gradientAbsolute) {
				t.Errorf("%s[%d]: gradient %v, by differences %v", what, i, grad[i], want)
			}
		}
	}
	check("x", x, dx)
	for i, p := range l.Params() {
		check(p.Name, p.Value, grads[i])
	}
}

// A state of zeros has seen nothing: what stands in the place of its keys does
// not matter, and a token alone attends to itself.
func TestAttentionBegins(t *testing.T) {
	l, _, _ := longAttention()
	n := l.InSize()
	x := random(9, n, 1)
	blank, used := l.NewState(1), l.NewState(1)
	for _, part := range used[:2] {
		for i := range part {
			part[i] = float32(math.NaN())
		}
	}
	y, again := make([]float32, n), make([]float32, n)
	l.Refresh(nil, false)
	l.Step(nil, 1, blank, x, y)
	l.Step(nil, 1, used, x, again)
	sameBits(t, "first step", again, y)
	var tape nn.Tape
	for _, part := range used {
		for i := range part {
			part[i] = float32(math.NaN())
		}
	}
	used[2][0] = 0
	sameBits(t, "first window", l.Forward(nn.Mode{}, &tape, 1, 1, x, used), y)
}
