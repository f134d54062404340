package sample

import (
	"math"
	"testing"
)

func TestExp(t *testing.T) {
	for i := range 200000 {
		x := -float64(i) * 0.00035
		got, want := exp(x), math.Exp(x)
		if x < -60 {
			want = 0
		}
		if math.Abs(got-want) > 1e-12*want {
			t.Fatalf("exp(%v) = %v, want %v", x, got, want)
		}
	}
	for _, x := range []float64{math.Inf(-1), math.NaN(), -1e300} {
		if got := exp(x); got != 0 {
			t.Errorf("exp(%v) = %v, want 0", x, got)
		}
	}
	if exp(0) != 1 {
		t.Errorf("exp(0) = %v, want exactly 1", exp(0))
	}
}
