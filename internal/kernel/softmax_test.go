package kernel_test

import (
	"math"
	"testing"

	"github.com/refrain-lm/refrain/internal/kernel"
)

func exactLogSumExp(row []float32) float64 {
	largest := math.Inf(-1)
	for _, v := range row {
		largest = max(largest, float64(v))
	}
	sum := 0.0
	for _, v := range row {
		sum += math.Exp(float64(v) - largest)
	}
	return math.Log(sum) + largest
}

func TestSoftmaxLoss(t *testing.T) {
	eachBackend(t, func(t *testing.T) {
		r := newRand(1)
		for _, n := range append([]int{10000, 1<<15 + 3}, lengths[1:]...) {
			const rows, scale = 3, float32(0.25)
			logits := newGuarded(rows*n, n%7).fill(r, 8)
			without := logits.clone()
			want := []int32{int32(n / 2), -1, int32(n - 1)}
			exact := make([]float64, rows*n)
			loss := make([]float64, rows)
			for i, id := range want {
				if id < 0 {
					continue
				}
				row := logits.x[i*n : (i+1)*n]
				lse := exactLogSumExp(row)
				loss[i] = lse - float64(row[id])
				for j, v := range row {
					exact[i*n+j] = float64(scale) * math.Exp(float64(v)-lse)
				}
				exact[i*n+int(id)] -= float64(scale)
			}
			got, again := make([]float32, rows), make([]float32, rows)
			kernel.SoftmaxLoss(logits.x, n, want, got, true, scale)
			kernel.SoftmaxLoss(without.x, n, want, again, false, scale)
			wantNear(t, "loss", got, loss, 2e-6, 2e-7)
			wantSame(t, "loss without gradient", again, got)
			wantNear(t, "gradient", logits.x, exact, 1e-7, 2e-6)
			logits.check(t, "gradient")
			without.check(t, "no gradient")
		}
	})
}

func TestArgMax(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	eachBackend(t, func(t *testing.T) {
		for _, c := range []struct {
			x    []float32
			want int
		}{
			{nil, 0}, {[]float32{nan, nan}, 0}, {[]float32{nan, -inf}, 1}, {[]float32{-2, nan, -1, -1}, 2}, {[]float32{3, inf, nan, inf}, 1},
		} {
			if got := kernel.ArgMax(c.x); got != c.want {
				t.Errorf("ArgMax(%v) = %d, want %d", c.x, got, c.want)
			}
		}
		r := newRand(1)
		for _, n := range append([]int{1023, 1024, 1025, 10000}, lengths[1:]...) {
			x := randomSlice(r, n, 8)
			want := r.IntN(n)
			x[want], x[n-1] = 9, 9
			if got := kernel.ArgMax(x); got != want {
				t.Errorf("ArgMax of %d elements = %d, want %d", n, got, want)
			}
		}
	})
}

// TestSoftmaxLossHits: hits are rows whose largest logit is the wanted one, the
// first of equals; NaN is none.
func TestSoftmaxLossHits(t *testing.T) {
	nan := float32(math.NaN())
	eachBackend(t, func(t *testing.T) {
		for _, c := range []struct {
			name string
			row  []float32
			want int32
			hits int
		}{
			{"largest", []float32{1, 3, 2}, 1, 1},
			{"not the largest", []float32{1, 3, 2}, 2, 0},
			{"first of equals", []float32{0, 0, 0}, 0, 1},
			{"second of equals", []float32{0, 0, 0}, 1, 0},
			{"not counted", []float32{1, 3, 2}, -1, 0},
			{"NaN", []float32{nan, 3, 2}, 0, 0},
		} {
			for _, grad := range []bool{false, true} {
				if got := kernel.SoftmaxLoss(append([]float32(nil), c.row...), len(c.row), []int32{c.want}, make([]float32, 1), grad, 1); got != c.hits {
					t.Errorf("%s, grad %v: %d hits, want %d", c.name, grad, got, c.hits)
				}
			}
		}
	})
}

func TestLogSumExpAndSoftmax(t *testing.T) {
	eachBackend(t, func(t *testing.T) {
		r := newRand(2)
		for _, n := range append([]int{5000}, lengths[1:]...) {
			row := newGuarded(n, 3).fill(r, 20)
			want := exactLogSumExp(row.x)
			before := row.clone()
			wantNear(t, "LogSumExp", []float32{kernel.LogSumExp(row.x)}, []float64{want}, 1e-6, 2e-7)
			wantSame(t, "LogSumExp changed its row", row.x, before.x)
			kernel.Softmax(row.x)
			row.check(t, "Softmax")
			sum := 0.0
			exact := make([]float64, n)
			for i, v := range before.x {
				exact[i] = math.Exp(float64(v) - want)
				sum += float64(row.x[i])
			}
			wantNear(t, "Softmax", row.x, exact, 1e-7, 3e-6)
			if math.Abs(sum-1) > 3e-6 {
				t.Errorf("n=%d: probabilities sum to %v", n, sum)
			}
		}
	})
}

// TestSoftmaxLimits: large and small logits, equal ones, infinities and NaN.
func TestSoftmaxLimits(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	tests := []struct {
		name string
		row  []float32
		want float64
	}{
		{"equal", []float32{3, 3, 3, 3}, 3 + math.Log(4)},
		{"huge", []float32{1e30, 1e30}, 1e30},
		{"far apart", []float32{1000, -1000, 0}, 1000},
		{"all small", []float32{-1e4, -1e4}, -1e4 + math.Log(2)},
		{"masked", []float32{-inf, 2, -inf}, 2},
		{"all masked", []float32{-inf, -inf}, math.Inf(-1)},
		{"infinite", []float32{1, inf}, math.Inf(1)},
		{"NaN first", []float32{nan, 1, 2}, math.NaN()},
		{"NaN last", []float32{1, 2, 3, 4, 5, 6, 7, 8, nan}, math.NaN()},
	}
	eachBackend(t, func(t *testing.T) {
		for _, test := range tests {
			got := float64(kernel.LogSumExp(test.row))
			if math.IsNaN(test.want) != math.IsNaN(got) || !math.IsNaN(got) && math.Abs(got-test.want) > 1e-6*math.Abs(test.want) && got != test.want {
				t.Errorf("%s: %v, want %v", test.name, got, test.want)
			}
		}
		if got := kernel.LogSumExp(nil); !math.IsInf(float64(got), -1) {
			t.Errorf("LogSumExp of nothing is %v", got)
		}
		kernel.Softmax(nil)
	})
}

func TestSoftmaxLossPanics(t *testing.T) {
	for name, f := range map[string]func(){
		"id":     func() { kernel.SoftmaxLoss(make([]float32, 4), 4, []int32{4}, make([]float32, 1), true, 1) },
		"under":  func() { kernel.SoftmaxLoss(make([]float32, 4), 4, []int32{-2}, make([]float32, 1), true, 1) },
		"logits": func() { kernel.SoftmaxLoss(make([]float32, 3), 4, []int32{1}, make([]float32, 1), true, 1) },
		"loss":   func() { kernel.SoftmaxLoss(make([]float32, 4), 4, []int32{1}, nil, true, 1) },
		"empty":  func() { kernel.SoftmaxLoss(nil, 0, nil, nil, true, 1) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f()
		})
	}
}

func TestSoftmaxGrad(t *testing.T) {
	eachBackend(t, func(t *testing.T) {
		r := newRand(5)
		for _, n := range append([]int{1000}, lengths[1:]...) {
			d, p := newGuarded(n, n%5).fill(r, 2), newGuarded(n, n%3).fill(r, 4)
			kernel.Softmax(p.x)
			along := 0.0
			for j, v := range d.x {
				along += float64(v) * float64(p.x[j])
			}
			want := make([]float64, n)
			for j, v := range d.x {
				want[j] = float64(p.x[j]) * (float64(v) - along)
			}
			kernel.SoftmaxGrad(d.x, p.x)
			wantNear(t, "gradient", d.x, want, 1e-6, 1e-7)
			d.check(t, "gradient")
			p.check(t, "probabilities")
		}
	})
}
