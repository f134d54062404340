package lm

import (
	"fmt"

	"github.com/refrain-lm/refrain/nn"
)

// BatchStepper runs several streams of one model side by side, one token at a
// time. Those that step together share each read of the weights, which is most
// of what a token costs. What shares a step changes no bit of a stream, nor
// does the pool. It holds the streams' states and is not for concurrent use; no
// method allocates.
type BatchStepper struct {
	m     *Model
	pool  *nn.Pool
	whole *State // of all lanes
	part  *State // of the lanes that step, where these are not all

	workers []*nn.Worker
	work    func(worker int)

	// Of the current step.
	n      int         // lanes that step
	head   bool        // logits are wanted
	state  *State      // whole or part
	x      []float32   // [lanes,E]
	widths [][]float32 // output of each block, [lanes,width]
	logits []float32   // [lanes,V]
	rows   [][]float32 // the lanes of logits
}

// shared is how many bytes of weights, once for each lane, are worth a pool: with
// fewer, its workers would wait for each other most of the time.
const shared = 1 << 19

// NewBatchStepper returns a stepper for so many streams, all at a zero state.
// The threads of pool share each step; nil is the caller alone.
func (m *Model) NewBatchStepper(lanes int, pool *nn.Pool) *BatchStepper {
	if lanes < 1 {
		panic(fmt.Sprintf("lm: NewBatchStepper: %d lanes, want at least 1", lanes))
	}
	if m.cfg.ReadPerToken()*int64(lanes) < shared {
		pool = nil
	}
	b := &BatchStepper{
		m: m, pool: pool, whole: m.NewState(lanes), workers: nn.NewWorkers(pool),
		x: make([]float32, lanes*m.cfg.EmSize), logits: make([]float32, lanes*m.cfg.Vocab),
	}
	if lanes > 1 {
		b.part = m.NewState(lanes)
	}
	for _, blk := range m.blocks {
		b.widths = append(b.widths, make([]float32, lanes*blk.OutSize()))
	}
	for lane := range lanes {
		b.rows = append(b.rows, b.logits[lane*m.cfg.Vocab:(lane+1)*m.cfg.Vocab])
	}
	b.work = b.share
	return b
}

// Lanes is the number of streams.
func (b *BatchStepper) Lanes() int { return b.whole.B }

// Step feeds ids[i] to stream lanes[i], which must ascend, and returns the
// logits [V] of the next token of each, in the same order, valid until the next
// call. The caller may overwrite them. Streams that are not named stay where
// they are.
func (b *BatchStepper) Step(lanes []int, ids []int32) [][]float32 {
	b.run(lanes, ids, true)
	return b.rows[:len(lanes)]
}

// Feed is [BatchStepper.Step] without logits, for all tokens of a prompt but
// the last.
func (b *BatchStepper) Feed(lanes []int, ids []int32) { b.run(lanes, ids, false) }

// ResetLane makes a stream forget.
func (b *BatchStepper) ResetLane(lane int) { b.m.ResetLane(b.whole, lane) }

// CopyLane makes stream to continue where stream from stands.
func (b *BatchStepper) CopyLane(to, from int) { b.whole.copyLane(to, b.whole, from) }

func (b *BatchStepper) run(lanes []int, ids []int32, head bool) {
	if len(lanes) != len(ids) {
		panic(fmt.Sprintf("lm: %d lanes, but %d tokens for them", len(lanes), len(ids)))
	}
	if len(lanes) == 0 {
		return
	}
	b.n, b.head, b.state = len(lanes), head, b.whole
	for i, lane := range lanes {
		if lane < 0 || lane >= b.whole.B || i > 0 && lane <= lanes[i-1] {
			panic(fmt.Sprintf("lm: lanes %v: want some of 0 to %d, ascending", lanes, b.whole.B-1))
		}
		b.m.embed.Lookup(b.m.checkID(ids[i]), b.x[i*b.m.cfg.EmSize:(i+1)*b.m.cfg.EmSize])
	}
	if b.n < b.whole.B {
		b.state = b.part
		for i, lane := range lanes {
			b.part.copyLane(i, b.whole, lane)
		}
	}
	b.pool.Run(b.work)
	if b.n < b.whole.B {
		for i, lane := range lanes {
			b.whole.copyLane(lane, b.part, i)
		}
	}
}

// share is one worker's share of the current step.
func (b *BatchStepper) share(worker int) {
	w, x := b.workers[worker], b.x[:b.n*b.m.cfg.EmSize]
	for i, blk := range b.m.blocks {
		if _, ok := blk.(*nn.Dropout); ok {
			continue
		}
		y := b.widths[i][:b.n*blk.OutSize()]
		blk.Step(w, b.n, b.state.parts[i], x, y)
		x = y
	}
	if b.head {
		b.m.head.Logits(w, b.n, x, b.logits[:b.n*b.m.cfg.Vocab])
	}
}

func (m *Model) checkID(id int32) int32 {
	if id < 0 || int(id) >= m.cfg.Vocab {
		panic(fmt.Sprintf("lm: token %d outside vocabulary of %d", id, m.cfg.Vocab))
	}
	return id
}
