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

// Lookup says that a window's rows are rows of a table [V,In], by their ids
// [T·B]. Where they are many more than the table has, a cell multiplies the table's
// rows instead and copies: the same bits, since a row's product is its own. On the
// way back it first sums up the gradients of equal rows.
type Lookup struct {
	Table []float32
	IDs   []int32
}

// Rows describes what the last Forward returned.
func (e *Embedding) Rows(t *EmbeddingTape) Lookup { return Lookup{e.w.Value, t.ids} }

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

// OfTable reports whether what the last Backward returned is the gradient of the
// table that x was looked up in, [V,In], and not that of x.
func (t *Tape) OfTable() bool { return t.looked }

// AddTable adds dw, the gradient of the whole table [V,E], for a block whose tape
// says that this is what its Backward returned.
func (e *Embedding) AddTable(m Mode, dw []float32) {
	checkLen("Embedding.AddTable", "dw", len(dw), e.vocab*e.width)
	if !e.w.Frozen {
		grad := e.w.grad()
		m.Pool.For(len(dw), 4096, func(lo, hi int) { kernel.Add(grad[lo:hi], dw[lo:hi]) })
	}
}
