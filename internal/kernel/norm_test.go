package kernel_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/refrain-lm/refrain/internal/kernel"
)

// normalized is x̂ and r in float64.
func normalized(x []float32, eps float64) (hat []float64, mean, variance, r float64) {
	for _, v := range x {
		mean += float64(v) / float64(len(x))
	}
	for _, v := range x {
		variance += (float64(v) - mean) * (float64(v) - mean) / float64(len(x))
	}
	r = 1 / math.Sqrt(variance+eps)
	for _, v := range x {
		hat = append(hat, (float64(v)-mean)*r)
	}
	return hat, mean, variance, r
}

// normalizedGrad is the gradient of x in float64 by its definition.
func normalizedGrad(d []float32, hat []float64, r float64) (dx []float64) {
	var sum, along float64
	for i, v := range d {
		sum += float64(v) / float64(len(d))
		along += float64(v) * hat[i] / float64(len(d))
	}
	for i, v := range d {
		dx = append(dx, r*(float64(v)-sum-hat[i]*along))
	}
	return dx
}

func drawn(seed uint64, n int, offset float32) []float32 {
	random := newRand(seed)
	x := make([]float32, n)
	for i := range x {
		x[i] = offset + float32(random.Float64()*2-1)
	}
	return x
}

// A mean far from zero is what a sum of squares would lose digits to.
func TestNormalize(t *testing.T) {
	for _, n := range []int{1, 2, 3, 7, 64, 1000} {
		for _, offset := range []float32{0, 1000} {
			x, d := drawn(1, n, offset), drawn(2, n, 0)
			want, _, _, r := normalized(x, 1e-5)
			got := append([]float32(nil), x...)
			rate := kernel.Normalize(got, 1e-5)
			what := fmt.Sprintf("n=%d, around %g", n, offset)
			wantNear(t, what, got, want, 5e-7, 5e-7)
			wantNear(t, what+": r", []float32{rate}, []float64{r}, 0, 1e-7)
			wantGrad := normalizedGrad(d, want, r)
			kernel.NormalizeGrad(d, got, rate)
			wantNear(t, what+": gradient", d, wantGrad, 2e-6*r, 1e-6)
		}
	}
}

// Columns of a matrix with room between its rows, more of them than one block.
func TestNormalizeColumns(t *testing.T) {
	const m, n, ld = 11, 45, 50
	x, d := drawn(1, m*ld, 3), drawn(2, m*ld, 0)
	y := make([]float32, m*ld)
	mean, variance, r := make([]float32, n), make([]float32, n), make([]float32, n)
	kernel.NormalizeColumns(y, x, ld, m, 1e-5, mean, variance, r)
	dx := append([]float32(nil), d...)
	kernel.NormalizeColumnsGrad(dx, y, ld, m, r)
	for j := range ld {
		if j >= n {
			wantNear(t, "outside", column(y, j, ld), make([]float64, m), 0, 0)
			continue
		}
		want, mu, v, rate := normalized(column(x, j, ld), 1e-5)
		wantNear(t, "x̂", column(y, j, ld), want, 1e-6, 1e-6)
		wantNear(t, "moments", []float32{mean[j], variance[j], r[j]}, []float64{mu, v, rate}, 1e-7, 1e-6)
		wantNear(t, "gradient", column(dx, j, ld), normalizedGrad(column(d, j, ld), want, rate), 2e-6*rate, 1e-6)
	}
}

func TestColumnDots(t *testing.T) {
	a, b := drawn(1, 6*5, 0), drawn(2, 6*7, 0)
	got := []float32{1, 2, 3}
	kernel.ColumnDots(got, a, 5, b, 7, 6)
	for j := range got {
		want := float64(j + 1)
		for i := range 6 {
			want += float64(a[i*5+j]) * float64(b[i*7+j])
		}
		wantNear(t, "column", got[j:j+1], []float64{want}, 1e-6, 0)
	}
}

func column(x []float32, j, ld int) (out []float32) {
	for ; j < len(x); j += ld {
		out = append(out, x[j])
	}
	return out
}
