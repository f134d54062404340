package speed

import (
	"time"

	"github.com/refrain-lm/refrain/internal/kernel"
	"github.com/refrain-lm/refrain/internal/parallel"
)

// Machine is what one thread, and all threads together, can do at most.
type Machine struct {
	Threads  int
	FMA      Peak // operations a second, two for a multiply-add
	BFloat16 Peak // the same of products of bfloat16; 0 where they are not faster
	Reads    []Read
}

// Peak is a limit for one thread and for all.
type Peak struct {
	One float64 `json:"one"`
	All float64 `json:"all"`
}

// Read is the rate of reading again and again what lies in one level of memory.
type Read struct {
	Level string `json:"level"`
	Bytes int    `json:"bytes"` // of each thread
	Peak         // bytes a second
}

// readLevels are sizes that fit their level, and not the one before, on nearly
// all processors: second levels have 256 KiB to 2 MiB, third ones 1 MiB a core
// and more.
var readLevels = []Read{
	{Level: "L2", Bytes: 192 << 10},
	{Level: "L3", Bytes: 3 << 20},
	{Level: "memory", Bytes: 128 << 20},
}

// trial is how long one figure is looked for. The best of some short
// measurements counts: others may use the machine as well.
const trial = 250 * time.Millisecond

// Measure takes about two seconds.
func Measure(pool *parallel.Pool) Machine {
	m := Machine{Threads: pool.Size(), FMA: FMAPeak(pool), BFloat16: peak(pool, kernel.PairsPeak)}
	for _, r := range readLevels {
		m.Reads = append(m.Reads, measureRead(pool, r))
	}
	return m
}

// FMAPeak is how many operations a second multiply-adds that wait for nothing do.
func FMAPeak(pool *parallel.Pool) Peak { return peak(pool, kernel.FMAPeak) }

// peak measures what does about so many multiply-adds and returns its operations.
func peak(pool *parallel.Pool, run func(multiplyAdds int) float64) (p Peak) {
	const multiplyAdds = 1 << 24
	p.One = best(func() float64 { return run(multiplyAdds) })
	p.All = best(func() float64 {
		var operations float64
		pool.Run(func(worker int) {
			if n := run(multiplyAdds); worker == 0 {
				operations = n
			}
		})
		return float64(pool.Size()) * operations
	})
	return p
}

func measureRead(pool *parallel.Pool, r Read) Read {
	r.One, r.All = readRate(nil, r.Bytes), readRate(pool, r.Bytes*pool.Size())
	return r
}

// best is the highest rate of work, which returns how much it did.
func best(work func() float64) float64 {
	rate := 0.0
	for end := time.Now().Add(trial); time.Now().Before(end); {
		start := time.Now()
		amount := work()
		rate = max(rate, amount/time.Since(start).Seconds())
	}
	return rate
}
