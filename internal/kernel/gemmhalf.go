package kernel

import (
	"math"
	"sync"
)

var packedScratch = sync.Pool{New: func() any { return new(Packed) }}

// gemmHalf continues the chains of C with a B of BFloat16, which is widened on
// the way: the bits are those of the same product in float32. Tiles of a few rows
// read B as it is; more rows share panels that were widened for them.
func gemmHalf(c []float32, ldc int, a []float32, lda, m int, b *Packed, p0, p1 int) {
	const fewRows = 32
	p, size := p0, words(b.K)*2*PanelWidth
	if m <= fewRows && useX86 {
		for whole := min(p1, b.N/PanelWidth); p < whole; {
			tiles := halfTilesFor(min(m, tileRows), whole-p)
			for r := 0; r < m; r += tileRows {
				height := min(tileRows, m-r)
				tiles.byRows[height-1](b.K, &a[r*lda], lda*4, &b.Half[p*size], size*2, &c[r*ldc+p*PanelWidth], ldc*4)
			}
			p += tiles.panels
		}
	}
	widened := packedScratch.Get().(*Packed)
	defer packedScratch.Put(widened)
	const group = 2 // panels that the widest tiles of float32 take
	for ; p < p1; p += group {
		end := min(p+group, p1)
		widened.shape(b.K, min(end*PanelWidth, b.N)-p*PanelWidth)
		for i := range end - p {
			widenPanel(widened.panel(i), b.halves(p+i))
		}
		gemm(c[p*PanelWidth:], ldc, a, lda, 0, m, widened, 0, end-p, continued)
	}
}

// tileRows are the rows of the highest tiles of weights in fewer bits.
const tileRows = 4

// tileGroup are microkernels over the same number of panels, by rows less one.
// Heights that are nil have too few registers for so many panels.
type tileGroup[F any] struct {
	panels, heights int
	byRows          [tileRows]F
}

// widest is the first of the groups, from the widest on, that has such a height and
// no more panels than there are.
func widest[F any](groups []tileGroup[F], height, panels int) *tileGroup[F] {
	i := 0
	for groups[i].panels > panels || groups[i].heights < height {
		i++
	}
	return &groups[i]
}

// halfTile is a microkernel of whole panels: see half1x64.
type halfTile func(k int, a *float32, lda int, b *uint16, panelStride int, c *float32, ldc int)

var (
	halfTilesAVX2 = []tileGroup[halfTile]{
		{4, 1, [tileRows]halfTile{half1x64}},
		{2, 2, [tileRows]halfTile{half1x32, half2x32}},
		{1, 4, [tileRows]halfTile{half1x16, half2x16, half3x16, half4x16}},
	}
	halfTilesAVX512 = append([]tileGroup[halfTile]{
		{8, 1, [tileRows]halfTile{half1x128Wide}},
		{4, 4, [tileRows]halfTile{half1x64Wide, half2x64Wide, half3x64Wide, half4x64Wide}},
	}, halfTilesAVX2...)
)

func halfTilesFor(height, panels int) *tileGroup[halfTile] {
	if useAVX512 {
		return widest(halfTilesAVX512, height, panels)
	}
	return widest(halfTilesAVX2, height, panels)
}

// widenPanel writes a panel of float32 from one of halves, step after step.
func widenPanel(panel []float32, halves []uint16) {
	const row = 2 * PanelWidth // both have two steps
	done := 0
	if useX86 && len(panel) >= row {
		inBlocks(len(panel)/row, func(block, n int) {
			widenPanelAsm(n, &halves[block*row], &panel[block*row])
		})
		done = len(panel) / row * row
	}
	for i := range panel[done:] {
		k, j := i/PanelWidth, i%PanelWidth
		panel[done+i] = math.Float32frombits(uint32(halves[done+k/2*row+2*j+k%2]) << 16)
	}
}
