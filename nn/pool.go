package nn

import "github.com/refrain-lm/refrain/internal/parallel"

// Pool is a fixed set of threads for training, scoring and the optimizers of
// package optim. A nil *Pool is the caller's goroutine alone; no number of
// threads changes a bit of a result. Several goroutines may share a pool: they
// take turns. Its methods Size and Close are the ones that a program needs.
type Pool = parallel.Pool

// NewPool starts a pool of so many threads, the caller's among them; 0 is all
// cores. Close ends it.
func NewPool(threads int) *Pool { return parallel.New(threads) }
