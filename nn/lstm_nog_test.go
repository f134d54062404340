package nn_test

import (
	"math"
	"testing"

	"github.com/refrain-lm/refrain/nn"
)

// noGateReference is the lstm-nog in float64, written from its equations one
// unit at a time: x [T][B][In], weights as in PyTorch, h and c [B][H] updated.
// It returns the outputs [T·B·H].
func noGateReference(w [][]float64, in, hidden, steps, lanes int, x, h, c []float64) []float64 {
	sigma := func(v float64) float64 { return 1 / (1 + math.Exp(-v)) }
	wih, whh, bih, bhh := w[0], w[1], w[2], w[3]
	var out []float64
	for t := range steps {
		next := make([]float64, len(h))
		for b := range lanes {
			for u := range hidden {
				var pre [3]float64
				for gate := range pre {
					row := gate*hidden + u
					pre[gate] = bih[row] + bhh[row]
					for k := range in {
						pre[gate] += wih[row*in+k] * x[(t*lanes+b)*in+k]
					}
					for k := range hidden {
						pre[gate] += whh[row*hidden+k] * h[b*hidden+k]
					}
				}
				i, f, g := sigma(pre[0]), sigma(pre[1]), math.Tanh(pre[2])
				cell := &c[b*hidden+u]
				*cell = f**cell + i*g
				next[b*hidden+u] = sigma(*cell)
			}
		}
		copy(h, next)
		out = append(out, next...)
	}
	return out
}

func widen(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

// PyTorch and Keras have no such cell, so this reference takes their place:
// outputs, final states, and every gradient, by differences in float64.
func TestLSTMNoGateAgainstEquations(t *testing.T) {
	const steps, lanes, in, h = 5, 3, 6, 7
	l := blockCase{make: func(in, h int) block { return nn.NewLSTMNoGate("rnn", 0, in, h, nn.TwoBiases) }}.build(in, h)
	x, dy := random(9, steps*lanes*in, 1), random(10, steps*lanes*h, 1)
	y, dx, grads := runWindow(l, nn.Mode{Train: true}, steps, lanes, x, dy)
	final := randomState(l, lanes)
	var tape nn.Tape
	l.Forward(nn.Mode{}, &tape, steps, lanes, x, final)

	var w [][]float64
	for _, p := range l.Params() {
		w = append(w, widen(p.Value))
	}
	x64, dy64 := widen(x), widen(dy)
	run := func() (y, h64, c64 []float64) {
		s := randomState(l, lanes)
		h64, c64 = widen(s[0]), widen(s[1])
		return noGateReference(w, in, h, steps, lanes, x64, h64, c64), h64, c64
	}
	wantY, wantH, wantC := run()
	compare(t, "output", y, wantY)
	compare(t, "final h", final[0], wantH)
	compare(t, "final c", final[1], wantC)

	loss := func() (sum float64) {
		y, _, _ := run()
		for i, v := range y {
			sum += v * dy64[i]
		}
		return sum
	}
	compare(t, "dx", dx, differences64(x64, loss))
	for i, p := range l.Params() {
		compare(t, p.Name, grads[i], differences64(w[i], loss))
	}
}

// differences64 is the gradient of f by central differences; with a step of
// 1e-4 in float64 it is exact to about 1e-8.
func differences64(x []float64, f func() float64) []float64 {
	const step = 1e-4
	grad := make([]float64, len(x))
	for i, v := range x {
		x[i] = v + step
		up := f()
		x[i] = v - step
		grad[i] = (up - f()) / (2 * step)
		x[i] = v
	}
	return grad
}

// compare allows what float32 costs over a few steps: sums of some dozens of
// terms under 1, each rounded to 6e-8 of it, and activations exact to 3e-7.
// All implementations of the kernels stay under half of that.
func compare(t *testing.T, what string, got []float32, want []float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	for i := range got {
		if !near(got[i], want[i], 2e-6, 6e-7) {
			t.Errorf("%s[%d] = %v, want %v", what, i, got[i], want[i])
		}
	}
}

// The article writes 1−z where this package, PyTorch and Keras write z: the
// same function with the signs of that gate's weights turned.
func TestArticleGRU(t *testing.T) {
	const steps, in, h = 4, 6, 7
	l := blockCase{make: func(in, h int) block { return nn.NewGRU("rnn", 0, in, h, nn.TwoBiases, nn.ResetBefore) }}.build(in, h)
	x := random(9, steps*in, 1)
	state := make([]float64, h)
	var want []float64
	var w [][]float64
	for _, p := range l.Params() {
		v := widen(p.Value)
		width := len(v) / (3 * h)
		for k := h * width; k < 2*h*width; k++ {
			v[k] = -v[k] // the article's z
		}
		w = append(w, v)
	}
	for s := range steps {
		state = articleGRU(w, in, h, widen(x[s*in:(s+1)*in]), state)
		want = append(want, state...)
	}
	var tape nn.Tape
	compare(t, "h", l.Forward(nn.Mode{}, &tape, steps, 1, x, l.NewState(1)), want)
}

// articleGRU is one step of section 3.3: h = z⊙h̃ + (1−z)⊙h₋₁.
func articleGRU(w [][]float64, in, hidden int, x, h []float64) []float64 {
	sigma := func(v float64) float64 { return 1 / (1 + math.Exp(-v)) }
	affine := func(gate, u int, h []float64) float64 {
		row := gate*hidden + u
		sum := w[2][row] + w[3][row]
		for k := range in {
			sum += w[0][row*in+k] * x[k]
		}
		for k := range hidden {
			sum += w[1][row*hidden+k] * h[k]
		}
		return sum
	}
	reset := make([]float64, hidden)
	for u := range reset {
		reset[u] = sigma(affine(0, u, h)) * h[u]
	}
	next := make([]float64, hidden)
	for u := range next {
		z := sigma(affine(1, u, h))
		next[u] = z*math.Tanh(affine(2, u, reset)) + (1-z)*h[u]
	}
	return next
}
