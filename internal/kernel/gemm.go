package kernel

import (
	"fmt"

	"github.com/refrain-lm/refrain/internal/parallel"
)

// Gemm adds a product to some panels of columns of C:
//
//	C[i,j] += Σ_k A[i,k]·B[k,j]    for 16·p0 ≤ j < min(16·p1, N)
//
// c is the whole C [m,N] with leading dimension ldc, a is A [m,K] with lda. The
// sum is one chain of multiply-adds, k ascending, that continues from C. It
// allocates nothing.
func Gemm(c []float32, ldc int, a []float32, lda, m int, b *Packed, p0, p1 int) {
	wantProduct("Gemm", c, ldc, a, lda, m, b)
	wantPanels("Gemm", b, p0, p1)
	gemm(c, ldc, a, lda, 0, m, b, p0, p1, continued)
}

// GemmPool is [Gemm] for all panels, with rows and panels divided over the
// workers of the pool.
func GemmPool(pool *parallel.Pool, c []float32, ldc int, a []float32, lda, m int, b *Packed) {
	wantProduct("GemmPool", c, ldc, a, lda, m, b)
	gemmPool(pool, c, ldc, a, lda, m, b, continued)
}

// Affine is a product that begins with a bias instead of with C, on all workers
// of the pool:
//
//	C[i,j] = bias[j] + Σ_k A[i,k]·B[k,j]
//
// It has the bits of [FillRows] followed by [GemmPool], without the way through
// memory in between. A bias of nil is zero.
func Affine(pool *parallel.Pool, c []float32, ldc int, bias, a []float32, lda, m int, b *Packed) {
	wantProduct("Affine", c, ldc, a, lda, m, b)
	if bias != nil {
		wantLen("Affine", "bias", len(bias), b.N)
	}
	gemmPool(pool, c, ldc, a, lda, m, b, start{fresh: true, bias: bias})
}

// AffinePanels is the part of [Affine] that writes panels p0 to p1, by the
// caller alone.
func AffinePanels(c []float32, ldc int, bias, a []float32, lda, m int, b *Packed, p0, p1 int) {
	wantProduct("AffinePanels", c, ldc, a, lda, m, b)
	wantPanels("AffinePanels", b, p0, p1)
	if bias != nil {
		wantLen("AffinePanels", "bias", len(bias), b.N)
	}
	gemm(c, ldc, a, lda, 0, m, b, p0, p1, start{fresh: true, bias: bias})
}

// GemmEach is [Gemm] for several B of one shape, whose products stand side by
// side in C, those of bs[i] from column i·width on: the gates of a cell.
func GemmEach(c []float32, ldc, width int, a []float32, lda, m int, bs []Packed, p0, p1 int) {
	for i := range bs {
		wantProduct("GemmEach", c[i*width:], ldc, a, lda, m, &bs[i])
		wantPanels("GemmEach", &bs[i], p0, p1)
	}
	if m > 0 && p0 < p1 && bs[0].K > 0 { // what they want of A is made once for all
		switch bs[0].Storage {
		case Pairs:
			gemmPairs(c, ldc, width, a, lda, m, bs, p0, p1, continued)
			return
		case Int8:
			gemmInt8(c, ldc, width, a, lda, m, bs, p0, p1, continued)
			return
		}
	}
	for i := range bs {
		gemm(c[i*width:], ldc, a, lda, 0, m, &bs[i], p0, p1, continued)
	}
}

// gemmPool divides rows and panels over the workers.
func gemmPool(pool *parallel.Pool, c []float32, ldc int, a []float32, lda, m int, b *Packed, from start) {
	if pool.Size() == 1 || float64(m)*float64(b.N)*float64(b.K) < minShared {
		gemm(c, ldc, a, lda, 0, m, b, 0, b.Panels(), from)
		return
	}
	height := tileHeight(b.Storage)
	more := 0
	if b.Storage == Pairs {
		more = roundingPanels
	}
	grid := divide(pool.Size(), tileCount(m, height), b.Panels(), more)
	pool.Run(func(worker int) {
		t0, t1, p0, p1 := grid.part(worker)
		gemm(c, ldc, a, lda, tileStart(m, height, t0), tileStart(m, height, t1), b, p0, p1, from)
	})
}

// start is what the chains of a product begin with: what C holds, or a row of
// bias, nil for zeros.
type start struct {
	fresh bool
	bias  []float32
}

var continued = start{}

// at is where the chains of a tile begin, whose first element is c, of column j:
// a row, and the bytes from there to the row that comes after.
func (s start) at(c *float32, ldc, j int) (from *float32, stride int) {
	switch {
	case !s.fresh:
		return c, ldc * 4
	case s.bias == nil:
		return &noBias[0], 0
	}
	return &s.bias[j], 0
}

// noBias is as wide as the widest tile.
var noBias = Buffer(2 * PanelWidth)

// fill writes columns j0 to j1 of the given number of rows, where C is fresh.
func (s start) fill(c []float32, ldc, rows, j0, j1 int) {
	if !s.fresh {
		return
	}
	for i := range rows {
		row := c[i*ldc+j0 : i*ldc+j1]
		if s.bias == nil {
			clear(row)
		} else {
			copy(row, s.bias[j0:])
		}
	}
}

// roundingPanels is how many panels' products cost as much as rounding a tile of A
// to bfloat16, which may come from another core's cache.
const roundingPanels = 3

// minShared is the number of multiply-adds that pays for waking workers.
const minShared = 1 << 18

func wantProduct(routine string, c []float32, ldc int, a []float32, lda, m int, b *Packed) {
	wantMatrix(routine, "a", len(a), m, b.K, lda)
	wantMatrix(routine, "c", len(c), m, b.N, ldc)
}

func wantPanels(routine string, b *Packed, p0, p1 int) {
	if p0 < 0 || p1 > b.Panels() || p0 > p1 {
		panic(fmt.Sprintf("kernel: %s: panels %d to %d, want a part of 0 to %d", routine, p0, p1, b.Panels()))
	}
}

// gemm is Gemm for the rows r0 to r1.
func gemm(c []float32, ldc int, a []float32, lda, r0, r1 int, b *Packed, p0, p1 int, from start) {
	if r0 == r1 || p0 == p1 {
		return
	}
	c, a = c[r0*ldc:], a[r0*lda:]
	if b.K == 0 {
		from.fill(c, ldc, r1-r0, p0*PanelWidth, min(p1*PanelWidth, b.N))
		return
	}
	switch {
	case b.Storage == Int8:
		gemmInt8(c, ldc, 0, a, lda, r1-r0, []Packed{*b}, p0, p1, from)
		return
	case b.Storage == Pairs:
		gemmPairs(c, ldc, 0, a, lda, r1-r0, []Packed{*b}, p0, p1, from)
		return
	case b.Storage == BFloat16:
		from.fill(c, ldc, r1-r0, p0*PanelWidth, min(p1*PanelWidth, b.N))
		gemmHalf(c, ldc, a, lda, r1-r0, b, p0, p1)
		return
	case useAsm:
		gemmTiles(c, ldc, a, lda, r1-r0, b, p0, p1, from)
		return
	}
	from.fill(c, ldc, r1-r0, p0*PanelWidth, min(p1*PanelWidth, b.N))
	for p := p0; p < p1; p++ {
		j := p * PanelWidth
		tileGeneric(c[j:], ldc, a, lda, 1, r1-r0, b.K, b.panel(p), min(PanelWidth, b.N-j))
	}
}
