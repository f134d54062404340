package speed

import (
	"time"

	"github.com/refrain-lm/refrain/internal/kernel"
	"github.com/refrain-lm/refrain/internal/parallel"
)

// Reading reads the same bytes again and again and does nothing else: what
// weights cost that every token reads.
type Reading struct {
	pool  *parallel.Pool
	parts [][]float32 // one of each worker
}

// NewReading divides so many bytes over the workers of the pool.
func NewReading(bytes int, pool *parallel.Pool) *Reading {
	r := &Reading{pool, make([][]float32, pool.Size())}
	pool.Run(func(worker int) {
		part := kernel.Buffer(bytes / 4 / pool.Size())
		for i := range part {
			part[i] = float32(i)
		}
		r.parts[worker] = part
	})
	return r
}

// times reads all bytes n times.
func (r *Reading) times(n int) {
	r.pool.Run(func(worker int) {
		for range n {
			kernel.ReadAll(r.parts[worker])
		}
	})
}

// Steps reads all bytes n times, the workers meeting after each, and returns the
// seconds of each.
func (r *Reading) Steps(n int) []float64 {
	seconds := make([]float64, n)
	for i := range seconds {
		start := time.Now()
		r.times(1)
		seconds[i] = time.Since(start).Seconds()
	}
	return seconds
}

// readRate is how many bytes a second the threads of the pool read at best, all
// together so many again and again.
func readRate(pool *parallel.Pool, bytes int) float64 {
	again := max(1, 16<<20*pool.Size()/bytes) // so that starting the workers does not count
	r := NewReading(bytes, pool)
	return best(func() float64 {
		r.times(again)
		return float64(again * bytes)
	})
}
