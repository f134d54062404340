package nn

import "github.com/refrain-lm/refrain/internal/kernel"

// BFloat16IsFast reports whether this processor multiplies bfloat16 faster than
// float32.
func BFloat16IsFast() bool { return kernel.PairsAreFast() }

// The products of a weight with [Param.BFloat16] set round both operands to
// bfloat16 in training, and sum in float32; all else stays float32.

// packBack packs rows r0 to r1, for products dy·W. packT does so for x·Wᵀ.
func (p *Param) packBack(pool *Pool, to *kernel.Packed, r0, r1 int) {
	width := p.Shape[1]
	rows := p.Value[r0*width : r1*width]
	if p.BFloat16 {
		to.PackPairs(pool, rows, r1-r0, width, width)
		return
	}
	to.Pack(pool, rows, r1-r0, width, width)
}

// addProduct adds dyᵀ·x to all of the weight's gradient [out,in], and the column
// sums of dy to sums, if not nil: dy [rows,out], rows ld apart, x [rows,in].
func (p *Param) addProduct(pool *Pool, dy []float32, ld int, x []float32, rows int, sums []float32) {
	with := kernel.TN{Pairs: p.BFloat16, Sums: sums}
	kernel.GemmTNEach(with, pool, p.Shape[0], rows, dy, ld, p.product(x, true))
}

// product is the weight's gradient as the place of a product with x [rows,in]; whole
// says that every element of it gets one.
func (p *Param) product(x []float32, whole bool) kernel.Right {
	in := p.Shape[1]
	if !whole {
		return kernel.Right{C: p.grad(), LDC: in, B: x, LDB: in, N: in}
	}
	grad, fresh := p.freshGrad()
	return kernel.Right{C: grad, LDC: in, B: x, LDB: in, N: in, Fresh: fresh}
}

// addProductTo does the same with some rows of the gradient.
func (p *Param) addProductTo(pool *Pool, row, out int, dy []float32, ld int, x []float32, rows int, sums []float32) {
	to := p.product(x, false)
	to.C = to.C[row*to.LDC:]
	kernel.GemmTNEach(kernel.TN{Pairs: p.BFloat16, Sums: sums}, pool, out, rows, dy, ld, to)
}
