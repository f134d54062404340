package nn

import (
	"fmt"

	"github.com/refrain-lm/refrain/internal/kernel"
)

// Embedding looks vectors up in a table:
//
//	x = W[id]
type Embedding struct {
	vocab, width int
	w            *Param // [V,E]
}

// EmbeddingTape is what Embedding.Forward leaves for Backward. The zero value
// is ready; its buffers are reused.
type EmbeddingTape struct {
	ids []int32
	x   []float32 // [T·B,E]
}

// NewEmbedding returns an embedding with table w [V,E]. A [Head] may share w.
func NewEmbedding(w *Param) *Embedding {
	if len(w.Shape) != 2 {
		panic(fmt.Sprintf("nn: NewEmbedding: %s has shape %v: want [V,E]", w.Name, w.Shape))
	}
	w.tied = w.role == headWeight
	w.role = embeddingTable
	return &Embedding{vocab: w.Shape[0], width: w.Shape[1], w: w}
}

// Params returns the table.
func (e *Embedding) Params() []*Param { return []*Param{e.w} }

// Lookup copies the vector [E] of one id to x. It allocates nothing.
func (e *Embedding) Lookup(id int32, x []float32) {
	if id < 0 || int(id) >= e.vocab {
		panic(fmt.Sprintf("nn: Embedding: id %d: want 0 to %d", id, e.vocab-1))
	}
	checkLen("Embedding.Lookup", "x", len(x), e.width)
	e.w.row(int(id), x)
}

// Forward returns the vectors x [N,E] of ids [N], a window [T,B] in most cases.
func (e *Embedding) Forward(m Mode, t *EmbeddingTape, ids []int32) []float32 {
	t.ids = append(t.ids[:0], ids...)
	t.x = grow(t.x, len(ids)*e.width)
	m.Pool.For(len(ids), 64, func(lo, hi int) {
		for k := lo; k < hi; k++ {
			e.Lookup(t.ids[k], at(t.x, k, e.width))
		}
	})
	return t.x
}

// Backward takes dx, the gradient of x [N,E], and adds it to the rows of the
// table's gradient, in the order of the ids. Workers share the columns, so
// that order is the same for any number of them. A frozen table takes none.
func (e *Embedding) Backward(m Mode, t *EmbeddingTape, dx []float32) {
	checkLen("Embedding.Backward", "dx", len(dx), len(t.ids)*e.width)
	if e.w.Frozen {
		return
	}
	grad := e.w.grad()
	m.Pool.For(e.width, kernel.PanelWidth, func(lo, hi int) {
		for k, id := range t.ids {
			kernel.Add(at(grad, int(id), e.width)[lo:hi], at(dx, k, e.width)[lo:hi])
		}
	})
}
