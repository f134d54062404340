package nn

import (
	"fmt"

	"github.com/refrain-lm/refrain/internal/kernel"
)

// Storage is how a matrix of weights is kept. All but Float32 are for use, not for
// training.
type Storage = kernel.Storage

// The storages: float32; bfloat16, its upper half; int8 with a scale for each row.
const (
	Float32  = kernel.Float32
	BFloat16 = kernel.BFloat16
	Int8     = kernel.Int8
)

// Compact is a matrix in one of the smaller storages.
type Compact = kernel.Compact

// MaxInt8Width is the widest layer that Int8 can multiply.
const MaxInt8Width = kernel.MaxInt8Columns

// NewCompact returns a matrix [rows,columns] of zeros.
func NewCompact(s Storage, rows, columns int) *Compact { return kernel.NewCompact(s, rows, columns) }

// Matrix reports whether p holds weights that inputs are multiplied with, or that
// are looked up: most of a model, and what may be compact.
func (p *Param) Matrix() bool {
	switch p.role {
	case inputWeight, recurrentWeight, linearWeight, embeddingTable, headWeight:
		return true
	}
	return false
}

// Compact is what p holds in place of Value, nil in training.
func (p *Param) Compact() *Compact { return p.compact }

// SetCompact gives p the weights of c in place of Value, which becomes nil: p can
// be used, not trained. Refresh is due. It panics where p is no Matrix of c's shape.
func (p *Param) SetCompact(c *Compact) {
	if !p.Matrix() || c.Rows != p.Shape[0] || c.Columns != p.Shape[1] {
		panic(fmt.Sprintf("nn: SetCompact: %s is %v, the weights are [%d %d]", p.Name, p.Shape, c.Rows, c.Columns))
	}
	p.compact, p.Value, p.Grad = c, nil, nil
}

// packT packs the transpose of rows r0 to r1, for products x·Wᵀ.
func (p *Param) packT(pool *Pool, to *kernel.Packed, train bool, r0, r1 int) {
	if p.compact != nil {
		to.PackCompact(pool, p.compact, r0, r1)
		return
	}
	width := p.Shape[1]
	rows := p.Value[r0*width : r1*width]
	if train && p.BFloat16 {
		to.PackPairsT(pool, rows, width, r1-r0, width)
		return
	}
	to.PackT(pool, rows, width, r1-r0, width)
}

// row copies row i to x, widened.
func (p *Param) row(i int, x []float32) {
	if p.compact != nil {
		p.compact.Row(i, x)
		return
	}
	copy(x, at(p.Value, i, p.Shape[1]))
}
