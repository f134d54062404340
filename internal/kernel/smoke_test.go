package kernel_test

import (
	"math"
	"testing"

	"github.com/refrain-lm/refrain/internal/kernel"
)

func TestSigmoidTanhGeneric(t *testing.T) {
	for x := float32(-100); x < 100; x += 0.01 {
		s, h := []float32{x}, []float32{x}
		kernel.Sigmoid(s)
		kernel.Tanh(h)
		if e := math.Abs(float64(s[0]) - 1/(1+math.Exp(-float64(x)))); e > 3e-7 {
			t.Fatal(x, s[0], e)
		}
		if e := math.Abs(float64(h[0]) - math.Tanh(float64(x))); e > 3e-7 {
			t.Fatal(x, h[0], e)
		}
	}
}
