package parallel

import (
	"errors"
	"sync/atomic"
)

// errAbandoned ends workers that wait for one that has panicked.
var errAbandoned = errors.New("parallel: another worker panicked before the barrier")

// Barrier keeps the workers of one pool in step: inside Run, every worker
// calls Wait equally often, and no call returns before all have arrived.
// After a panic inside Run the barrier must not be used again.
type Barrier struct {
	pool    *Pool
	phase   counter // how many times all have met
	arrived atomic.Int32
}

// NewBarrier returns a barrier for all workers of the pool. With a nil pool,
// or one of size 1, Wait returns at once.
func (p *Pool) NewBarrier() *Barrier { return &Barrier{pool: p} }

// Wait returns when all workers have called it. What they wrote before is
// visible afterwards.
func (b *Barrier) Wait() {
	size := b.pool.Size()
	if size == 1 {
		return
	}
	phase := b.phase.n.Load()
	if int(b.arrived.Add(1)) == size {
		b.arrived.Store(0)
		b.pool.advance(&b.phase)
		return
	}
	b.pool.waitOr(&b.phase, phase, &b.pool.failed)
	if b.phase.n.Load() == phase {
		panic(errAbandoned)
	}
}
