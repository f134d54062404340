package kernel_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/refrain-lm/refrain/internal/kernel"
	"github.com/refrain-lm/refrain/internal/parallel"
)

// benchFlops times each call by itself and reports, besides the mean, the best:
// what the code can do on a machine that others use too.
func benchFlops(b *testing.B, flops float64, f func()) {
	best := time.Duration(math.MaxInt64)
	for b.Loop() {
		begin := time.Now()
		f()
		best = min(best, time.Since(begin))
	}
	b.ReportMetric(flops*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
	b.ReportMetric(flops/float64(best.Nanoseconds()), "best-GFLOP/s")
}

// eachPrecision runs a benchmark with operands in float32, and in bfloat16 where
// that is faster.
func eachPrecision(b *testing.B, body func(b *testing.B, half bool)) {
	b.Run("float32", func(b *testing.B) { body(b, false) })
	if kernel.PairsAreFast() {
		b.Run("bfloat16", func(b *testing.B) { body(b, true) })
	}
}

// BenchmarkGemm names products by the models they come from.
func BenchmarkGemm(b *testing.B) { eachPrecision(b, benchmarkGemm) }

func benchmarkGemm(b *testing.B, half bool) {
	for _, threads := range []int{1, 2} {
		for _, s := range []struct {
			what    string
			m, n, k int
		}{
			{"cache", 96, 128, 256},
			{"step1x128", 64, 512, 128}, {"head1x128", 128, 10000, 128}, {"head1x128grad", 128, 128, 10000},
			{"step2x650", 20, 2600, 650}, {"input2x650", 700, 2600, 650}, {"head2x650", 128, 10000, 650}, {"head2x650grad", 128, 650, 10000},
			{"back2x650", 20, 650, 2600}, {"inputgrad2x650", 700, 650, 2600},
			{"step2x512", 64, 2048, 512}, {"input2x512", 8192, 2048, 512}, {"inputgrad2x512", 8192, 512, 2048}, {"head2x512", 128, 96, 512},
			{"token2x650", 1, 2600, 650}, {"tokenhead", 1, 10000, 650}, {"token2x512", 1, 2048, 512},
		} {
			b.Run(fmt.Sprintf("%s/m=%d,n=%d,k=%d/threads=%d", s.what, s.m, s.n, s.k, threads), func(b *testing.B) {
				pool := parallel.New(threads)
				defer pool.Close()
				r := newRand(1)
				x, w := randomSlice(r, s.m*s.k, 1), randomSlice(r, s.k*s.n, 1)
				c := make([]float32, s.m*s.n)
				var packed kernel.Packed
				if half {
					packed.PackPairs(pool, w, s.k, s.n, s.n)
				} else {
					packed.Pack(pool, w, s.k, s.n, s.n)
				}
				benchFlops(b, 2*float64(s.m)*float64(s.n)*float64(s.k), func() {
					kernel.GemmPool(pool, c, s.n, x, s.k, s.m, &packed)
				})
			})
		}
	}
}

func BenchmarkGemmTN(b *testing.B) { eachPrecision(b, benchmarkGemmTN) }

func benchmarkGemmTN(b *testing.B, half bool) {
	for _, threads := range []int{1, 2} {
		for _, s := range []struct {
			what    string
			m, n, k int
		}{
			{"1x128", 512, 128, 2240}, {"head1x128", 10000, 128, 128},
			{"2x650", 2600, 650, 700}, {"head2x650", 10000, 650, 128}, {"2x512", 2048, 512, 8192}, {"head2x512", 96, 512, 128},
		} {
			b.Run(fmt.Sprintf("%s/m=%d,n=%d,k=%d/threads=%d", s.what, s.m, s.n, s.k, threads), func(b *testing.B) {
				pool := parallel.New(threads)
				defer pool.Close()
				r := newRand(1)
				x, y := randomSlice(r, s.m*s.k, 1), randomSlice(r, s.k*s.n, 1)
				c := make([]float32, s.m*s.n)
				benchFlops(b, 2*float64(s.m)*float64(s.n)*float64(s.k), func() {
					to := kernel.Right{C: c, LDC: s.n, B: y, LDB: s.n, N: s.n}
					kernel.GemmTNEach(kernel.TN{Pairs: half}, pool, s.m, s.k, x, s.m, to)
				})
			})
		}
	}
}

// BenchmarkElementwise runs each routine over one lane of a 650-unit layer.
func BenchmarkElementwise(b *testing.B) {
	for _, r := range routines {
		const n = 650
		b.Run(fmt.Sprintf("%s/n=%d", r.name, n), func(b *testing.B) {
			x := slices(r.arguments(1, n, 0))
			b.SetBytes(int64(4 * n * r.args))
			for b.Loop() {
				r.call(x)
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds()/1e9, "Gunits/s")
		})
	}
}

func BenchmarkSoftmaxLoss(b *testing.B) {
	for _, n := range []int{96, 10000} {
		for _, grad := range []bool{false, true} {
			b.Run(fmt.Sprintf("rows=128,n=%d,grad=%v", n, grad), func(b *testing.B) {
				const rows = 128
				logits := randomSlice(newRand(1), rows*n, 5)
				want, loss := make([]int32, rows), make([]float32, rows)
				for b.Loop() {
					kernel.SoftmaxLoss(logits, n, want, loss, grad, 0.1)
				}
				b.ReportMetric(rows*float64(b.N)/b.Elapsed().Seconds()/1e3, "krows/s")
			})
		}
	}
}

func BenchmarkPack(b *testing.B) {
	const k, n = 650, 2600
	w := randomSlice(newRand(1), k*n, 1)
	var packed kernel.Packed
	b.Run(fmt.Sprintf("rows/k=%d,n=%d", k, n), func(b *testing.B) {
		b.SetBytes(4 * k * n)
		for b.Loop() {
			packed.Pack(nil, w, k, n, n)
		}
	})
	b.Run(fmt.Sprintf("transposed/k=%d,n=%d", k, n), func(b *testing.B) {
		b.SetBytes(4 * k * n)
		for b.Loop() {
			packed.PackT(nil, w, k, n, k)
		}
	})
}

func BenchmarkDropoutMask(b *testing.B) {
	mask := make([]float32, 1<<16)
	b.SetBytes(int64(4 * len(mask)))
	for b.Loop() {
		kernel.DropoutMask(mask, 1, 0, 0.5)
	}
}
