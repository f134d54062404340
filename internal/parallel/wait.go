package parallel

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// spinLooks × pauseLength pause instructions are about 5 µs: longer than
	// the steps of a window drift apart, shorter than anyone would notice.
	spinLooks   = 200
	pauseLength = 4
	// yieldTime is how long a waiting worker keeps yielding before it parks. Waking
	// a parked one takes long where processors are virtual, and workers drift
	// apart by more than one expects: with 40 µs, one twentieth of a training
	// step was lost.
	yieldTime = 500 * time.Microsecond
)

// counter only grows; waiters wait for a value to pass. It has a cache line to
// itself, so that spinning on it disturbs nobody else.
type counter struct {
	_ [64]byte
	n atomic.Uint32
	_ [60]byte
}

// parking is where waiters sleep: all those of one pool, whatever for.
type parking struct {
	mu     sync.Mutex
	wake   sync.Cond
	parked atomic.Int32
}

func (k *parking) broadcast() {
	if k.parked.Load() > 0 {
		k.mu.Lock()
		k.wake.Broadcast()
		k.mu.Unlock()
	}
}

// spinsFor says how often a waiter looks before it yields: not at all when the
// one it waits for may need its processor.
func spinsFor(workers int) int32 {
	if runtime.GOMAXPROCS(0) < workers {
		return 0
	}
	return spinLooks
}

// advance increments the counter and wakes those who sleep. The waiter counts
// itself as parked before it looks a last time, so one of both sees the other.
func (p *Pool) advance(c *counter) {
	c.n.Add(1)
	p.park.broadcast()
}

// wait returns when the counter differs from old.
func (p *Pool) wait(c *counter, old uint32) {
	if c.n.Load() != old {
		return
	}
	p.waitOr(c, old, nil)
}

// waitOr returns when the counter differs from old, or when stop (if not nil)
// holds.
func (p *Pool) waitOr(c *counter, old uint32, stop *atomic.Bool) {
	over := func() bool { return c.n.Load() != old || stop != nil && stop.Load() }
	for range p.spins.Load() {
		if over() {
			return
		}
		pause(pauseLength)
	}
	for begin := time.Now(); time.Since(begin) < yieldTime; {
		if over() {
			return
		}
		runtime.Gosched()
	}
	p.park.mu.Lock()
	p.park.parked.Add(1)
	for !over() {
		p.park.wake.Wait()
	}
	p.park.parked.Add(-1)
	p.park.mu.Unlock()
}
