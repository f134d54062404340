package kernel

import (
	"slices"
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
	GemmTNEach(TN{}, pool, m, k, a, lda, Right{C: c, LDC: ldc, B: b, LDB: ldb, N: n})
}

// TN is what else [GemmTNEach] may do.
type TN struct {
	Pairs bool      // round both operands to bfloat16; the chain is one of pairs
	Sums  []float32 // nil, or [m]: do to the bit what [ColumnSums] does with A, while it is being read
}

// Right is a right operand B [k,N] and the C [m,N] that its product belongs to.
type Right struct {
	C     []float32
	LDC   int
	B     []float32
	LDB   int
	N     int
	Fresh bool // begin with zeros instead of with C
}

// GemmTNEach is [GemmTN] for one A and several B, each with its own C: what the
// tiles want of A is copied once for all.
func GemmTNEach(with TN, pool *parallel.Pool, m, k int, a []float32, lda int, rights ...Right) {
	wantMatrix("GemmTN", "a", len(a), k, m, lda)
	if with.Sums != nil {
		wantLen("GemmTN", "sums", len(with.Sums), m)
	}
	work := tnScratch.Get().(*[]tnProduct)
	defer tnScratch.Put(work)
	products, panels := (*work)[:0], 0
	for _, r := range rights {
		wantMatrix("GemmTN", "b", len(r.B), k, r.N, r.LDB)
		wantMatrix("GemmTN", "c", len(r.C), m, r.N, r.LDC)
		if m == 0 || r.N == 0 || k == 0 {
			start{fresh: r.Fresh}.fill(r.C, r.LDC, m, 0, r.N)
			continue
		}
		products = slices.Grow(products, 1)[:len(products)+1]
		p := &products[len(products)-1] // keeps the memory of its packed
		p.Right, p.first = r, panels
		panels += (r.N + PanelWidth - 1) / PanelWidth
	}
	*work = products
	if sums := with.Sums; sums != nil && (with.Pairs && !usePairs || panels == 0) {
		ColumnSums(pool, sums, a, k, m, lda)
		with.Sums = nil
	}
	if float64(m)*float64(panels*PanelWidth)*float64(k) < minShared {
		pool = nil
	}
	for k0 := 0; k0 < k && panels > 0; {
		k1 := nextCut(k0, k, blockDepth, tileSteps)
		for i := range products {
			products[i].pack(pool, with.Pairs, k0, k1)
		}
		gemmTNBlock(pool, m, a[k0*lda:], lda, products, panels, with.Sums)
		k0 = k1
	}
	for i := range products {
		products[i].Right = Right{} // the scratch keeps no one's memory but its own
	}
}

// tnProduct is a product under way: the panels of all stand in a row.
type tnProduct struct {
	Right
	packed Packed // the steps of B under way
	first  int    // number of its first panel
	from   start
}

func (p *tnProduct) pack(pool *parallel.Pool, pairs bool, k0, k1 int) {
	p.from = start{fresh: p.Fresh && k0 == 0}
	if pairs {
		p.packed.PackPairs(pool, p.B[k0*p.LDB:], k1-k0, p.N, p.LDB)
	} else {
		p.packed.Pack(pool, p.B[k0*p.LDB:], k1-k0, p.N, p.LDB)
	}
}

func (p *tnProduct) tileHeight() int { return tileHeight(p.packed.Storage) }

// own are those of panels p0 to p1 of all that belong to this product.
func (p *tnProduct) own(p0, p1 int) (lo, hi int) {
	return max(0, p0-p.first), min(p.packed.Panels(), p1-p.first)
}

var (
	tnScratch    = sync.Pool{New: func() any { return new([]tnProduct) }}
	stripScratch = sync.Pool{New: func() any { return new([]float32) }}
)

// gemmTNBlock does the steps that are packed, at most blockDepth. The workers whose
// panels are the first take the sums.
func gemmTNBlock(pool *parallel.Pool, m int, a []float32, lda int, products []tnProduct, panels int, sums []float32) {
	if pool.Size() == 1 { // allocates nothing
		gemmTNPart(a, lda, 0, m, products, 0, panels, sums)
		return
	}
	height := products[0].tileHeight()
	grid := divide(pool.Size(), tileCount(m, height), panels, 1)
	pool.Run(func(worker int) {
		t0, t1, p0, p1 := grid.part(worker)
		gemmTNPart(a, lda, tileStart(m, height, t0), tileStart(m, height, t1), products, p0, p1, sums)
	})
}

// gemmTNPart does rows r0 to r1 of every C in panels p0 to p1. It copies blocks of
// columns of A into strips that tiles read from front to back: in place, every step
// of a tile would be in another line.
func gemmTNPart(a []float32, lda, r0, r1 int, products []tnProduct, p0, p1 int, sums []float32) {
	if r0 == r1 || p0 == p1 {
		return
	}
	if p0 > 0 {
		sums = nil
	}
	k, pairs := products[0].packed.K, products[0].packed.Storage == Pairs
	if !useAsm && !pairs {
		if sums != nil {
			ColumnSums(nil, sums[r0:r1], a[r0:], k, r1-r0, lda)
		}
		for i := range products {
			products[i].generic(a, lda, r0, r1, p0, p1)
		}
		return
	}
	depth := k
	if pairs {
		depth = depthOf(k)
	}
	scratch := stripScratch.Get().(*[]float32)
	defer stripScratch.Put(scratch)
	height := products[0].tileHeight()
	tiles := tileCount(r1-r0, height)
	for t0 := 0; t0 < tiles; {
		t1 := nextCut(t0, tiles, max(1, blockRows/height), 1)
		c0, c1 := r0+tileStart(r1-r0, height, t0), r0+tileStart(r1-r0, height, t1)
		*scratch = grow(*scratch, (c1-c0)*depth)
		var strips [2]strip
		if pairs {
			strips = pairStrips(*scratch, a[c0:], lda, c1-c0, k, part(sums, c0, c1))
		} else {
			strips = columnStrips(*scratch, a[c0:], lda, c1-c0, k, part(sums, c0, c1))
		}
		for i := range products {
			products[i].multiply(&strips, c0, p0, p1)
		}
		t0 = t1
	}
}

// multiply does the rows of C from r0 on that the strips are for, in the product's
// own of panels p0 to p1.
func (p *tnProduct) multiply(strips *[2]strip, r0, p0, p1 int) {
	lo, hi := p.own(p0, p1)
	c, b := p.C[r0*p.LDC:], &p.packed
	switch {
	case lo >= hi:
	case b.Storage != Pairs:
		multiply(c, p.LDC, strips, b, 0, b.K, lo, hi, p.from)
	default:
		multiplyPairs(c, p.LDC, strips, b.inWords(), lo, hi, p.from)
	}
}

// generic is plain Go for rows r0 to r1.
func (p *tnProduct) generic(a []float32, lda, r0, r1, p0, p1 int) {
	lo, hi := p.own(p0, p1)
	if lo >= hi {
		return
	}
	c := p.C[r0*p.LDC:]
	p.from.fill(c, p.LDC, r1-r0, lo*PanelWidth, min(hi*PanelWidth, p.N))
	for ; lo < hi; lo++ {
		j := lo * PanelWidth
		tileGeneric(c[j:], p.LDC, a[r0:], 1, lda, r1-r0, p.packed.K, p.packed.panel(lo), min(PanelWidth, p.N-j))
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
	tiles := tileCount(columns, tileHeight(Float32))
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
