//go:build unix

package kernel_test

import (
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/refrain-lm/refrain/internal/kernel"
)

// stressVariable asks for more rounds of TestStress on every goroutine.
const stressVariable = "REFRAIN_TEST_STRESS"

// TestStress runs products, gates and softmax on hundreds of goroutines while
// the collector runs all the time, signals arrive and a profile is taken: every
// result must have the bits of a quiet run.
func TestStress(t *testing.T) {
	const goroutines = 200
	rounds := 2
	if s := os.Getenv(stressVariable); s != "" {
		var err error
		if rounds, err = strconv.Atoi(s); err != nil {
			t.Fatalf("%s: %v", stressVariable, err)
		}
	}
	eachBackend(t, func(t *testing.T) {
		works := stressWorks()
		want := make([][]float32, len(works))
		for i, w := range works {
			want[i] = w()
		}
		calm := disturb(t)
		defer calm()
		var wrong, done atomic.Int64
		var all sync.WaitGroup
		for g := range goroutines {
			all.Go(func() {
				for r := range rounds * len(works) {
					i := (g + r) % len(works)
					for j, v := range works[i]() {
						if !sameBits(v, want[i][j]) {
							wrong.Add(1)
						}
					}
					done.Add(1)
				}
			})
		}
		all.Wait()
		t.Logf("%d results on %d goroutines, %d values wrong", done.Load(), goroutines, wrong.Load())
		if wrong.Load() > 0 {
			t.Errorf("%d values differ from a quiet run", wrong.Load())
		}
	})
}

// stressWorks are calls that share their inputs and allocate their results.
func stressWorks() []func() []float32 {
	r := newRand(9)
	var works []func() []float32
	for _, s := range []struct{ m, n, k int }{{1, 200, 130}, {3, 65, 128}, {20, 130, 65}, {33, 70, 200}} {
		a, b := randomSlice(r, s.m*s.k, 1), randomSlice(r, s.k*s.n, 1)
		var packed kernel.Packed
		packed.Pack(nil, b, s.k, s.n, s.n)
		var pairs kernel.Packed
		pairs.PackPairs(nil, b, s.k, s.n, s.n)
		works = append(works, func() []float32 {
			c := make([]float32, s.m*s.n)
			kernel.Gemm(c, s.n, a, s.k, s.m, &pairs, 0, pairs.Panels())
			return c
		}, func() []float32 {
			c := make([]float32, s.k*s.n)
			to := kernel.Right{C: c, LDC: s.n, B: b, LDB: s.n, N: s.n}
			kernel.GemmTNEach(kernel.TN{Pairs: true}, nil, s.k, s.m, a, s.k, to)
			return c
		}, func() []float32 {
			c := make([]float32, s.m*s.n)
			kernel.Gemm(c, s.n, a, s.k, s.m, &packed, 0, packed.Panels())
			return c
		}, func() []float32 {
			c := make([]float32, s.k*s.n)
			kernel.GemmTN(nil, c, s.n, s.k, s.n, s.m, a, s.k, b, s.n)
			return c
		})
	}
	const units = 333
	x := randomSlice(r, 8*units, 3)
	works = append(works, func() []float32 {
		y := append([]float32(nil), x...)
		at := func(i int) []float32 { return y[i*units : (i+1)*units] }
		kernel.LSTM(at(0), at(1), at(2), at(3), at(4), at(5), at(6), at(7))
		return y
	}, func() []float32 {
		y, loss := append([]float32(nil), x...), make([]float32, 8)
		kernel.SoftmaxLoss(y, units, []int32{0, 1, 2, 3, -1, 5, 6, 332}, loss, true, 0.5)
		return append(y, loss...)
	})
	return works
}

// disturb makes the process a restless one until the returned function is called.
func disturb(t *testing.T) (calm func()) {
	percent := debug.SetGCPercent(1)
	profiling := pprof.StartCPUProfile(io.Discard) == nil // not where the whole test is profiled
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGUSR1)
	stop := make(chan struct{})
	var restless sync.WaitGroup
	until := func(f func()) {
		restless.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					f()
				}
			}
		})
	}
	until(runtime.GC)
	until(func() {
		if err := syscall.Kill(os.Getpid(), syscall.SIGUSR1); err != nil {
			t.Error(err)
		}
		<-signals
	})
	return func() {
		close(stop)
		restless.Wait()
		signal.Stop(signals)
		if profiling {
			pprof.StopCPUProfile()
		}
		debug.SetGCPercent(percent)
	}
}
