package parallel

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// Pool is a fixed set of workers. A nil *Pool is one worker: the caller.
// Several goroutines may call Run; the calls take turns. A function passed to
// Run must not call Run on the same pool, nor end with runtime.Goexit.
type Pool struct {
	size int
	run  sync.Mutex // one Run at a time

	start  counter // incremented to start a job or to close
	finish counter // incremented when the last worker has finished
	left   atomic.Int32
	failed atomic.Bool // a worker has panicked in the current job
	closed bool        // written before the last increment of start
	f      func(worker int)

	spins  atomic.Int32 // how often to look before yielding; 0 without enough processors
	park   parking
	panics struct {
		sync.Mutex
		first *Panic
	}
	workers sync.WaitGroup
}

// Panic is what Run panics with when a worker panicked: the worker's own
// value and where it happened.
type Panic struct {
	Worker int
	Value  any
	Stack  string // of the worker
}

func (p *Panic) Error() string {
	return fmt.Sprintf("parallel: worker %d panicked: %v\n%s", p.Worker, p.Value, p.Stack)
}

// Unwrap returns the value if it is an error, such as a runtime.Error.
func (p *Panic) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

// New starts a pool of the given number of workers; fewer than one means
// runtime.GOMAXPROCS(0). Close it when done: its goroutines keep it alive.
func New(threads int) *Pool {
	if threads < 1 {
		threads = runtime.GOMAXPROCS(0)
	}
	p := &Pool{size: threads}
	p.park.wake.L = &p.park.mu
	p.workers.Add(threads - 1)
	for worker := 1; worker < threads; worker++ {
		go p.work(worker)
	}
	return p
}

// Size is the number of workers, the caller of Run among them; 1 for nil.
func (p *Pool) Size() int {
	if p == nil {
		return 1
	}
	return p.size
}

// Run calls f(0), …, f(Size()-1) at the same time, f(0) in the calling
// goroutine, and returns when all have returned. Everything written before
// Run is visible to f, and everything f wrote is visible after Run. If a
// worker panics, Run panics with a *[Panic] after the others have ended.
func (p *Pool) Run(f func(worker int)) {
	if p.Size() == 1 {
		f(0)
		return
	}
	p.run.Lock()
	defer p.run.Unlock()
	if p.closed {
		panic("parallel: Run on a closed pool")
	}
	p.f = f
	p.left.Store(int32(p.size))
	p.spins.Store(spinsFor(p.size))
	finished := p.finish.n.Load()
	p.advance(&p.start)
	p.call(0)
	p.wait(&p.finish, finished)
	p.f = nil
	if p.failed.Load() {
		p.rethrow()
	}
}

// For cuts [0,n) into Size() parts at multiples of grain (see [Split]) and
// calls f on the parts that are not empty, one per worker.
func (p *Pool) For(n, grain int, f func(lo, hi int)) {
	if p.Size() == 1 || n <= grain {
		if n > 0 {
			f(0, n)
		}
		return
	}
	p.Run(func(worker int) {
		if lo, hi := Split(n, grain, p.size, worker); lo < hi {
			f(lo, hi)
		}
	})
}

// Close ends the workers and waits until their goroutines have returned. It
// may be called twice, and on nil. No Run may follow.
func (p *Pool) Close() {
	if p.Size() == 1 {
		return
	}
	p.run.Lock()
	defer p.run.Unlock()
	if !p.closed {
		p.closed = true
		p.advance(&p.start)
	}
	p.workers.Wait()
}

// work is the life of one worker.
func (p *Pool) work(worker int) {
	defer p.workers.Done()
	for seen := uint32(0); ; seen++ {
		p.wait(&p.start, seen)
		if p.closed {
			return
		}
		p.call(worker)
	}
}

// call runs one worker's share, keeps the first panic, and counts the end.
func (p *Pool) call(worker int) {
	defer func() {
		if value := recover(); value != nil {
			p.keep(&Panic{Worker: worker, Value: value, Stack: string(debug.Stack())})
		}
		if p.left.Add(-1) == 0 {
			p.advance(&p.finish)
		}
	}()
	p.f(worker)
}

// keep records a panic and frees the workers that wait for this one at a
// barrier; their own panics (errAbandoned) come later and are dropped.
func (p *Pool) keep(panicked *Panic) {
	p.panics.Lock()
	if p.panics.first == nil {
		p.panics.first = panicked
	}
	p.panics.Unlock()
	p.failed.Store(true)
	p.park.broadcast()
}

func (p *Pool) rethrow() {
	p.panics.Lock()
	first := p.panics.first
	p.panics.first = nil
	p.panics.Unlock()
	p.failed.Store(false)
	panic(first)
}
