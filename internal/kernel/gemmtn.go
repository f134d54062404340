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
	GemmTNWith(TN{}, pool, c, ldc, m, n, k, a, lda, b, ldb)
}

// TN is how [GemmTNWith] differs from [GemmTN].
type TN struct {
	Fresh bool      // begin with zeros instead of with C
	Pairs bool      // round both operands to bfloat16; the chain is one of pairs
	Sums  []float32 // nil, or [m]: do to the bit what [ColumnSums] does with A, while it is being read
}

// GemmTNWith is [GemmTN] with options.
func GemmTNWith(with TN, pool *parallel.Pool, c []float32, ldc, m, n, k int, a []float32, lda int, b []float32, ldb int) {
	sums := with.Sums
	wantMatrix("GemmTN", "a", len(a), k, m, lda)
	wantMatrix("GemmTN", "b", len(b), k, n, ldb)
	wantMatrix("GemmTN", "c", len(c), m, n, ldc)
	if sums != nil {
		wantLen("GemmTN", "sums", len(sums), m)
	}
	from := start{fresh: with.Fresh}
	if m == 0 || n == 0 || k == 0 {
		from.fill(c, ldc, m, 0, n)
		if sums != nil {
			ColumnSums(pool, sums, a, k, m, lda)
		}
		return
	}
	if float64(m)*float64(n)*float64(k) < minShared {
		pool = nil
	}
	if with.Pairs && sums != nil {
		ColumnSums(pool, sums, a, k, m, lda)
		sums = nil
	}
	packed := packedScratch.Get().(*Packed)
	defer packedScratch.Put(packed)
	for k0 := 0; k0 < k; {
		k1 := nextCut(k0, k, blockDepth, 4)
		if with.Pairs {
			packed.PackPairs(pool, b[k0*ldb:], k1-k0, n, ldb)
		} else {
			packed.Pack(pool, b[k0*ldb:], k1-k0, n, ldb)
		}
		gemmTNBlock(pool, c, ldc, m, a[k0*lda:], lda, packed, from, sums)
		k0, from = k1, continued
	}
}

var (
	packedScratch = sync.Pool{New: func() any { return new(Packed) }}
	stripScratch  = sync.Pool{New: func() any { return new([]float32) }}
)

// gemmTNBlock does the steps of b, at most blockDepth. The workers whose panels
// are the first take the sums.
func gemmTNBlock(pool *parallel.Pool, c []float32, ldc, m int, a []float32, lda int, b *Packed, from start, sums []float32) {
	if pool.Size() == 1 { // allocates nothing
		gemmTNPart(c, ldc, a, lda, 0, m, b, 0, b.Panels(), from, sums)
		return
	}
	grid := divide(pool.Size(), tileCount(m), b.Panels(), 1)
	pool.Run(func(worker int) {
		t0, t1, p0, p1 := grid.part(worker)
		gemmTNPart(c, ldc, a, lda, tileStart(m, t0), tileStart(m, t1), b, p0, p1, from, sums)
	})
}

// gemmTNPart does rows r0 to r1 of C in panels p0 to p1.
func gemmTNPart(c []float32, ldc int, a []float32, lda, r0, r1 int, b *Packed, p0, p1 int, from start, sums []float32) {
	if r0 == r1 || p0 == p1 {
		return
	}
	sums = part(sums, r0, r1)
	if p0 > 0 {
		sums = nil
	}
	if b.Storage == Pairs {
		gemmTNPairs(c[r0*ldc:], ldc, r1-r0, a[r0:], lda, b, p0, p1, from)
		return
	}
	if useAsm {
		gemmTNTiles(c[r0*ldc:], ldc, r1-r0, a[r0:], lda, b, p0, p1, from, sums)
		return
	}
	from.fill(c[r0*ldc:], ldc, r1-r0, p0*PanelWidth, min(p1*PanelWidth, b.N))
	if sums != nil {
		ColumnSums(nil, sums, a[r0:], b.K, r1-r0, lda)
	}
	for p := p0; p < p1; p++ {
		j := p * PanelWidth
		tileGeneric(c[r0*ldc+j:], ldc, a[r0:], 1, lda, r1-r0, b.K, b.panel(p), min(PanelWidth, b.N-j))
	}
}

// gemmTNTiles copies blocks of columns of A into strips that tiles read from
// front to back: in place, every step of a tile would be in another line.
func gemmTNTiles(c []float32, ldc, m int, a []float32, lda int, b *Packed, p0, p1 int, from start, sums []float32) {
	scratch := stripScratch.Get().(*[]float32)
	defer stripScratch.Put(scratch)
	tiles := tileCount(m)
	for t0 := 0; t0 < tiles; {
		t1 := nextCut(t0, tiles, blockRows/tileHeight(), 1)
		r0, r1 := tileStart(m, t0), tileStart(m, t1)
		*scratch = grow(*scratch, (r1-r0)*b.K)
		strips := columnStrips(*scratch, a[r0:], lda, r1-r0, b.K, part(sums, r0, r1))
		multiply(c[r0*ldc:], ldc, &strips, b, 0, b.K, p0, p1, from)
		t0 = t1
	}
}

// part is x[lo:hi], nil for nil.
func part(x []float32, lo, hi int) []float32 {
	if x == nil {
		return nil
	}
	return x[lo:hi]
}

// columnStrips copies the given number of columns of A, k rows of them lda
// apart, into buffer, tile after tile and step after step. It adds the rows to
// sums, if not nil.
func columnStrips(buffer, a []float32, lda, columns, k int, sums []float32) (strips [2]strip) {
	tiles := tileCount(columns)
	height, taller := columns/tiles, columns%tiles
	if taller > 0 {
		strips[0] = strip{taller, height + 1, buffer, 1, height + 1, (height + 1) * k}
	}
	cut := taller * (height + 1)
	strips[1] = strip{tiles - taller, height, buffer[cut*k:], 1, height, height * k}
	const steps = 64 // rows of A that stay in the first-level cache over all tiles
	for l := 0; l < k; l += steps {
		n := min(steps, k-l)
		strips[0].copySteps(a[l*lda:], lda, l, n, part(sums, 0, cut))
		strips[1].copySteps(a[l*lda+cut:], lda, l, n, part(sums, cut, columns))
	}
	return strips
}

// copySteps puts n steps of all tiles in place, from step l on.
func (s *strip) copySteps(a []float32, lda, l, n int, sums []float32) {
	for t := range s.tiles {
		to, from, sums := s.a[t*s.tileStride+l*s.height:], a[t*s.height:], part(sums, t*s.height, (t+1)*s.height)
		switch {
		case s.height < packLowest:
			for i := range n {
				copy(to[i*s.height:(i+1)*s.height], from[i*lda:])
				add(sums, from[i*lda:][:len(sums)])
			}
		case sums != nil:
			packSums[s.height-packLowest](n, &to[0], &from[0], lda*4, &sums[0])
		default:
			packSteps[s.height-packLowest](n, &to[0], &from[0], lda*4)
		}
	}
}

const packLowest = 4

// packSteps copies the steps of one tile, by height less packLowest.
var packSteps = [...]func(k int, dst, src *float32, ld int){
	packSteps4, packSteps5, packSteps6, packSteps7, packSteps8, packSteps9, packSteps10, packSteps11, packSteps12,
}

// packSums does so too, and adds the rows to the sums.
var packSums = [...]func(k int, dst, src *float32, ld int, sums *float32){
	packSums4, packSums5, packSums6, packSums7, packSums8, packSums9, packSums10, packSums11, packSums12,
}
