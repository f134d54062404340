package parallel_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/refrain-lm/refrain/internal/parallel"
)

func TestSplit(t *testing.T) {
	for n := range 70 {
		for _, grain := range []int{1, 4, 16} {
			for parts := 1; parts <= 5; parts++ {
				next, largest, smallest := 0, 0, n+grain
				for i := range parts {
					lo, hi := parallel.Split(n, grain, parts, i)
					if lo != next || hi < lo || lo < n && lo%grain != 0 {
						t.Fatalf("Split(%d, %d, %d, %d) = %d, %d after %d", n, grain, parts, i, lo, hi, next)
					}
					next, largest, smallest = hi, max(largest, hi-lo), min(smallest, hi-lo)
				}
				if next != n {
					t.Fatalf("Split(%d, %d, %d) ends at %d", n, grain, parts, next)
				}
				if largest-smallest > 2*grain-1 || grain == 1 && largest-smallest > 1 {
					t.Fatalf("Split(%d, %d, %d): parts of %d and %d", n, grain, parts, largest, smallest)
				}
			}
		}
	}
}

func TestSplitPanics(t *testing.T) {
	for _, args := range [][4]int{{-1, 1, 1, 0}, {1, 0, 1, 0}, {1, 1, 0, 0}, {1, 1, 2, 2}, {1, 1, 2, -1}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Split(%v) did not panic", args)
				}
			}()
			parallel.Split(args[0], args[1], args[2], args[3])
		}()
	}
}

func TestNilPool(t *testing.T) {
	var p *parallel.Pool
	if p.Size() != 1 {
		t.Errorf("size %d, want 1", p.Size())
	}
	calls := 0
	p.Run(func(worker int) {
		if worker != 0 {
			t.Errorf("worker %d", worker)
		}
		calls++
		p.NewBarrier().Wait()
	})
	p.For(5, 2, func(lo, hi int) {
		if lo != 0 || hi != 5 {
			t.Errorf("part %d to %d, want 0 to 5", lo, hi)
		}
		calls++
	})
	p.For(0, 1, func(lo, hi int) { t.Error("called for nothing") })
	p.Close()
	if calls != 2 {
		t.Errorf("%d calls, want 2", calls)
	}
}

// processors runs a test body with fewer, as many and more processors than
// workers.
func processors(t *testing.T, body func(t *testing.T, pool *parallel.Pool)) {
	for _, c := range []struct{ procs, workers int }{{1, 2}, {1, 4}, {2, 2}, {2, 5}, {4, 3}} {
		t.Run(fmt.Sprintf("GOMAXPROCS=%d,workers=%d", c.procs, c.workers), func(t *testing.T) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(c.procs))
			pool := parallel.New(c.workers)
			defer pool.Close()
			body(t, pool)
		})
	}
}

func TestRun(t *testing.T) {
	processors(t, func(t *testing.T, pool *parallel.Pool) {
		counts := make([]int, pool.Size())
		for range 500 {
			pool.Run(func(worker int) { counts[worker]++ })
		}
		for worker, n := range counts {
			if n != 500 {
				t.Errorf("worker %d ran %d times, want 500", worker, n)
			}
		}
	})
}

func TestFor(t *testing.T) {
	processors(t, func(t *testing.T, pool *parallel.Pool) {
		for _, n := range []int{1, 2, 7, 100, 1001} {
			seen := make([]int, n)
			pool.For(n, 3, func(lo, hi int) {
				for i := lo; i < hi; i++ {
					seen[i]++
				}
			})
			for i, count := range seen {
				if count != 1 {
					t.Fatalf("n=%d: index %d was visited %d times", n, i, count)
				}
			}
		}
	})
}

// TestBarrier lets each worker write its own cell in a phase and read all
// others' in the next.
func TestBarrier(t *testing.T) {
	processors(t, func(t *testing.T, pool *parallel.Pool) {
		const phases = 300
		cells := make([]int, pool.Size())
		barrier := pool.NewBarrier()
		var wrong atomic.Int32
		for range 3 {
			clear(cells)
			pool.Run(func(worker int) {
				for phase := 1; phase <= phases; phase++ {
					cells[worker] = phase
					barrier.Wait()
					for _, cell := range cells {
						if cell != phase {
							wrong.Add(1)
						}
					}
					barrier.Wait()
				}
			})
		}
		if n := wrong.Load(); n != 0 {
			t.Errorf("%d cells were not in step", n)
		}
	})
}

// TestCollector runs barriers while the garbage collector stops the world over
// and over, with garbage made by the workers.
func TestCollector(t *testing.T) {
	processors(t, func(t *testing.T, pool *parallel.Pool) {
		stop := make(chan struct{})
		var collector sync.WaitGroup
		collector.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					runtime.GC()
				}
			}
		})
		barrier := pool.NewBarrier()
		sums := make([]int, pool.Size())
		for range 20 {
			pool.Run(func(worker int) {
				for i := range 20 {
					sums[worker] += len(make([]byte, 1000+i))
					barrier.Wait()
				}
			})
		}
		close(stop)
		collector.Wait()
		for worker, sum := range sums {
			if want := 20 * (20*1000 + 190); sum != want {
				t.Errorf("worker %d summed %d, want %d", worker, sum, want)
			}
		}
	})
}

// TestSlowWorker makes everybody else park, at the barrier and at the end.
func TestSlowWorker(t *testing.T) {
	for slow := range 3 {
		pool := parallel.New(3)
		barrier := pool.NewBarrier()
		var passed atomic.Int32
		for range 5 {
			pool.Run(func(worker int) {
				for range 2 {
					if worker == slow {
						time.Sleep(time.Millisecond)
					}
					barrier.Wait()
					passed.Add(1)
				}
				if worker == slow {
					time.Sleep(time.Millisecond)
				}
			})
			time.Sleep(time.Millisecond) // the workers park between jobs
		}
		if passed.Load() != 30 {
			t.Errorf("slow worker %d: %d passed, want 30", slow, passed.Load())
		}
		pool.Close()
	}
}

// TestConcurrentRuns: callers take turns.
func TestConcurrentRuns(t *testing.T) {
	pool := parallel.New(2)
	defer pool.Close()
	var inside, total atomic.Int32
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			for range 50 {
				pool.Run(func(int) {
					if inside.Add(1) > 2 {
						t.Error("two runs at once")
					}
					runtime.Gosched()
					inside.Add(-1)
					total.Add(1)
				})
			}
		})
	}
	callers.Wait()
	if total.Load() != 400 {
		t.Errorf("%d calls, want 400", total.Load())
	}
}

// TestPanic: a panic anywhere reaches the caller, with others waiting at a
// barrier, and the pool goes on working.
func TestPanic(t *testing.T) {
	processors(t, func(t *testing.T, pool *parallel.Pool) {
		cause := errors.New("out of luck")
		for bad := range pool.Size() {
			barrier := pool.NewBarrier()
			func() {
				defer func() {
					got, ok := recover().(*parallel.Panic)
					if !ok {
						t.Fatalf("worker %d: recovered no *Panic", bad)
					}
					if got.Worker != bad || !errors.Is(got, cause) || !strings.Contains(got.Error(), "TestPanic") {
						t.Errorf("worker %d: recovered %v", bad, got)
					}
				}()
				pool.Run(func(worker int) {
					barrier.Wait()
					if worker == bad {
						time.Sleep(time.Millisecond) // the others park
						panic(cause)
					}
					barrier.Wait()
				})
				t.Errorf("worker %d: no panic", bad)
			}()
			var calls atomic.Int32
			pool.Run(func(int) { calls.Add(1) })
			if int(calls.Load()) != pool.Size() {
				t.Errorf("after a panic %d workers ran, want %d", calls.Load(), pool.Size())
			}
		}
	})
}

// TestClose leaves no goroutine, may be repeated, and refuses work afterwards.
func TestClose(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 20 {
		pool := parallel.New(4)
		pool.Run(func(int) {})
		pool.Close()
		pool.Close()
		if pool.Size() != 4 {
			t.Errorf("size %d, want 4", pool.Size())
		}
	}
	// Done is called just before a goroutine ends.
	for deadline := time.Now().Add(2 * time.Second); runtime.NumGoroutine() > before; {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
		time.Sleep(time.Millisecond)
	}
	pool := parallel.New(2)
	pool.Close()
	defer func() {
		if recover() == nil {
			t.Error("Run on a closed pool did not panic")
		}
	}()
	pool.Run(func(int) {})
}

func BenchmarkRun(b *testing.B) {
	pool := parallel.New(2)
	defer pool.Close()
	f := func(int) {}
	b.ReportAllocs()
	for b.Loop() {
		pool.Run(f)
	}
}

func BenchmarkBarrier(b *testing.B) {
	pool := parallel.New(2)
	defer pool.Close()
	barrier := pool.NewBarrier()
	pool.Run(func(int) {
		for range b.N {
			barrier.Wait()
		}
	})
}
