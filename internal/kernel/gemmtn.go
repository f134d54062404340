package kernel

import (
	"sync"

	"github.com/refrain-lm/refrain/internal/parallel"
)

// GemmTN adds the product of a transposed matrix:
//
//	C[i,j] += Σ_k A[k,i]·B[k,j]
//
// A is [k,m] with leading dimension lda, B [k,n] with ldb, C [m,n] with ldc:
// the gradient of weights, where k runs over the rows of a window. The sum is
// the chain of [Gemm], continuing from C.
func GemmTN(pool *parallel.Pool, c []float32, ldc, m, n, k int, a []float32, lda int, b []float32, ldb int) {
	wantMatrix("GemmTN", "a", len(a), k, m, lda)
	wantMatrix("GemmTN", "b", len(b), k, n, ldb)
	wantMatrix("GemmTN", "c", len(c), m, n, ldc)
	if m == 0 || n == 0 || k == 0 {
		return
	}
	packed := packedScratch.Get().(*Packed)
	defer packedScratch.Put(packed)
	packed.Pack(pool, b, k, n, ldb)
	pool.For(packed.Panels(), 1, func(lo, hi int) {
		for p := lo; p < hi; p++ {
			j := p * PanelWidth
			tileGeneric(c[j:], ldc, a, 1, lda, m, k, packed.panel(p), min(PanelWidth, n-j))
		}
	})
}

var packedScratch = sync.Pool{New: func() any { return new(Packed) }}
