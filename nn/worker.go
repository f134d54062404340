package nn

import (
	"github.com/refrain-lm/refrain/internal/kernel"
	"github.com/refrain-lm/refrain/internal/parallel"
)

// Worker is one of the threads that take a step together: all call the same
// Step with the same arguments, each does its share, and they meet where one
// needs what the others did. A nil *Worker is alone. The bits are the same.
type Worker struct {
	index   int
	pool    *Pool
	barrier *parallel.Barrier
}

// NewWorkers returns the workers of a pool; number i belongs in the function
// that Pool.Run calls with i.
func NewWorkers(pool *Pool) []*Worker {
	barrier := pool.NewBarrier()
	workers := make([]*Worker, pool.Size())
	for i := range workers {
		workers[i] = &Worker{i, pool, barrier}
	}
	return workers
}

// wait returns when all workers have called it.
func (w *Worker) wait() {
	if w != nil {
		w.barrier.Wait()
	}
}

// share is the worker's fixed part of [0,n), cut at multiples of grain.
func (w *Worker) share(n, grain int) (lo, hi int) {
	if w == nil {
		return 0, n
	}
	return parallel.Split(n, grain, w.pool.Size(), w.index)
}

// panels is the worker's share of the panels of columns.
func (w *Worker) panels(columns int) (p0, p1 int) {
	return w.share((columns+kernel.PanelWidth-1)/kernel.PanelWidth, 1)
}

// affine is the worker's share of y [B,N] = bias + x·W for rows of x that are
// in apart and of y that are ld apart, then a meeting.
func (w *Worker) affine(y []float32, ld int, bias, x []float32, in, b int, weights *kernel.Packed) {
	p0, p1 := w.share(weights.Panels(), 1)
	kernel.AffinePanels(y, ld, bias, x, in, b, weights, p0, p1)
	w.wait()
}

// keep ends a step: when all have written their part of the new state y [B,H],
// it becomes the old one, h.
func (w *Worker) keep(h, y []float32) {
	w.wait()
	lo, hi := w.share(len(y), kernel.PanelWidth)
	copy(h[lo:hi], y[lo:hi])
}
