package nn

import (
	"fmt"
	"sync"

	"github.com/refrain-lm/refrain/internal/kernel"
)

// Scratch is memory for packed weights. In training a block packs its weights when
// a pass comes to it, and hands the memory on: all blocks together need that of the
// largest. The zero value is ready; any number of goroutines may share one, and a
// pass in each at the same time takes as much again.
type Scratch struct {
	mu   sync.Mutex
	free []*packs
}

// packs are a block's weights as its products take them: all that it has where they
// are kept for inference, those of one direction during a pass in training.
type packs struct {
	in kernel.Packed // Wᵀ [In,Out]; on the way back W [Out,In]
	// Of cells: W_hhᵀ [H,H] for each gate, so that a range of panels is the same
	// range of units in every gate; on the way back W_hh [gates·H,H] as
	// cell.backGates cuts it. Of a head, on the way back: W [V,H].
	recurrent []kernel.Packed
	memory    []float32 // of recurrent
}

// cut makes recurrent len(sizes) matrices of up to unit·size values, in one piece
// of memory.
func (p *packs) cut(unit int, sizes []int) {
	total := 0
	for _, n := range sizes {
		total += unit * n
	}
	p.memory = grow(p.memory, total)
	if cap(p.recurrent) < len(sizes) {
		p.recurrent = make([]kernel.Packed, len(sizes))
	}
	p.recurrent = p.recurrent[:len(sizes)]
	at := 0
	for i, n := range sizes {
		p.recurrent[i].Data = p.memory[at : at : at+unit*n]
		at += unit * n
	}
}

// recur continues the chains of gates [g0,g1) and panels [p0,p1) of one time
// step: pre [B,G·H] += h·W_hhᵀ, rows ld apart, h [B,H].
func (p *packs) recur(pre []float32, ld int, h []float32, b, g0, g1, p0, p1 int) {
	hidden := p.recurrent[0].K
	kernel.GemmEach(pre[g0*hidden:], ld, hidden, h, hidden, b, p.recurrent[g0:g1], p0, p1)
}

// keep is p with all of the weight packed for inference, or nil for training.
func (w *Param) keep(pool *Pool, p *packs, train bool) *packs {
	if train {
		return nil
	}
	if p == nil {
		p = new(packs)
	}
	w.packT(pool, &p.in, false, 0, w.Shape[0])
	return p
}

// forStep is p, which Step needs kept.
func (p *packs) forStep(w *Param) *packs {
	if p == nil {
		panic(fmt.Sprintf("nn: %s is refreshed for training, which packs it for each window alone: Refresh for inference first", w.Name))
	}
	return p
}

// scratch is m.Scratch, own where there is none.
func (m Mode) scratch(own *Scratch) *Scratch {
	if m.Scratch != nil {
		return m.Scratch
	}
	return own
}

// take is memory for one pass.
func (s *Scratch) take() *packs {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.free)
	if n == 0 {
		return new(packs)
	}
	p := s.free[n-1]
	s.free = s.free[:n-1]
	return p
}

// give hands on what take gave.
func (s *Scratch) give(p *packs) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = append(s.free, p)
}
