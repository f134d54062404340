package nn_test

import (
	"math"
	"strings"
	"testing"

	"github.com/refrain-lm/refrain/nn"
)

// gradientStep and the tolerances: the difference formula has five points, so
// its own error is below h⁴·f⁽⁵⁾/30, about 1e-6; the forward pass is float32,
// so a loss of about a hundred terms near 1 carries 1e-6 of noise, divided by h.
const (
	gradientStep     = 1.0 / 32
	gradientFineStep = 1.0 / 128 // for functions that bend more: dividing by √(σ²+ε) of a few units does
	gradientRelative = 1e-3
	gradientAbsolute = 2e-4
)

// difference is the derivative of f at *x by central differences. It goes
// through float32 values that are exactly h and 2h away.
func difference(x *float32, h float32, f func() float64) float64 {
	at := *x
	defer func() { *x = at }()
	eval := func(d float32) float64 { *x = at + d; return f() }
	return (8*(eval(h)-eval(-h)) - (eval(2*h) - eval(-2*h))) / (12 * float64(h))
}

// roundTo makes x a multiple of 2⁻¹², so that adding the step is exact.
func roundTo(x []float32) []float32 {
	for i, v := range x {
		x[i] = float32(math.Round(float64(v)*4096) / 4096)
	}
	return x
}

// checkGradient compares an analytic gradient with differences of f.
func checkGradient(t *testing.T, what string, h float32, x, grad []float32, f func() float64) {
	t.Helper()
	for i := range x {
		if want := difference(&x[i], h, f); !near(grad[i], want, gradientRelative, gradientAbsolute) {
			t.Errorf("%s[%d]: gradient %v, by differences %v", what, i, grad[i], want)
		}
	}
}

func dot(a, b []float32) (sum float64) {
	for i, v := range a {
		sum += float64(v) * float64(b[i])
	}
	return sum
}

// prepareRelu moves preactivations away from the kink, half of the units to
// either side, where differences would mean nothing.
func prepareRelu(l block) {
	for _, p := range l.Params() {
		for i := range p.Value {
			p.Value[i] /= 4
			if len(p.Shape) == 1 {
				p.Value[i] += float32(2*(i%2)) - 1
			}
		}
	}
}

func TestGradientsByDifferences(t *testing.T) {
	const steps, in, h = 5, 6, 7
	mode := nn.Mode{Train: true, Seed: 3, Step: 8}
	for _, c := range blocks {
		t.Run(c.name, func(t *testing.T) {
			lanes, step := 3, float32(gradientStep)
			if strings.Contains(c.name, "norm") {
				step = gradientFineStep
			}
			if strings.Contains(c.name, "batch") {
				lanes = 8 // three values are too few to divide by their deviation
			}
			l := c.build(in, h)
			if c.name == "rnn-relu" {
				prepareRelu(l)
			}
			for _, p := range l.Params() {
				roundTo(p.Value)
			}
			l.Refresh(nil, true)
			x := roundTo(random(9, steps*lanes*l.InSize(), 1))
			if c.name == "relu" { // away from the kink
				for i := range x {
					x[i] += float32(2*(i%2)-1) * 2
				}
			}
			dy := random(10, steps*lanes*l.OutSize(), 1)
			_, dx, grads := runWindow(l, mode, steps, lanes, x, dy)
			var tape nn.Tape
			loss := func() float64 {
				l.Refresh(nil, false)
				return dot(l.Forward(mode, &tape, steps, lanes, x, randomState(l, lanes)), dy)
			}
			checkGradient(t, "x", step, x, dx, loss)
			for i, p := range l.Params() {
				if !p.Frozen {
					checkGradient(t, p.Name, step, p.Value, grads[i], loss)
				}
			}
		})
	}
}
