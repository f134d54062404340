package nn

import (
	"fmt"

	"github.com/refrain-lm/refrain/internal/kernel"
)

// WeightDrop is dropout of single recurrent weights (DropConnect, Wan et al.
// 2013, in the form of Merity, Keskar and Socher 2018): a window runs with
//
//	W_hh⊙m,   m = 0 with probability p, else 1/(1−p)
//
// one m for the whole window and all lanes. Between [WeightDrop.Drop] and
// [WeightDrop.Restore] the parameters hold the dropped weights.
//
// A mask is a function of Mode.Seed, Mode.Step and the parameter's place alone.
type WeightDrop struct {
	p      float32
	params []*Param
	kept   [][]float32 // the whole weights while dropped ones are in place
	masks  [][]float32
}

// NewWeightDrop returns weight dropout with probability 0 ≤ p < 1 of the
// recurrent weights among params.
func NewWeightDrop(p float64, params []*Param) *WeightDrop {
	if !(p >= 0 && p < 1) {
		panic(fmt.Sprintf("nn: NewWeightDrop: p = %v: want 0 ≤ p < 1", p))
	}
	d := &WeightDrop{p: float32(p)}
	for _, q := range params {
		if q.role == recurrentWeight {
			d.params = append(d.params, q)
			d.kept = append(d.kept, make([]float32, len(q.Value)))
			d.masks = append(d.masks, make([]float32, len(q.Value)))
		}
	}
	return d
}

// Drop puts dropped weights in place. The cells want a Refresh after it.
func (d *WeightDrop) Drop(m Mode) {
	for i, q := range d.params {
		seed := scramble(scramble(scramble(m.Seed^weightDropStream)+m.Step) + uint64(i))
		d.each(m.Pool, i, func(lo, hi int) {
			kernel.DropoutMask(d.masks[i][lo:hi], seed, uint64(lo), d.p)
			copy(d.kept[i][lo:hi], q.Value[lo:hi])
			kernel.Mul(q.Value[lo:hi], d.masks[i][lo:hi])
		})
	}
}

// weightDropStream keeps these masks apart from those of [Dropout].
const weightDropStream = 0x5ee0_d20b

// Restore puts the whole weights back and turns the gradients that Backward
// left into theirs: dW = d(W⊙m)⊙m. The gradients must have been zero before.
// The cells want a Refresh after it.
func (d *WeightDrop) Restore(m Mode) {
	for i, q := range d.params {
		grad := q.grad()
		d.each(m.Pool, i, func(lo, hi int) {
			copy(q.Value[lo:hi], d.kept[i][lo:hi])
			kernel.Mul(grad[lo:hi], d.masks[i][lo:hi])
		})
	}
}

func (d *WeightDrop) each(pool *Pool, i int, do func(lo, hi int)) {
	pool.For(len(d.params[i].Value), 4096, do)
}
