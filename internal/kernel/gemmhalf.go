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
	p := p0
	if m <= fewRows && useX86 {
		for whole := min(p1, b.N/PanelWidth); p < whole; {
			if m == 1 {
				p += b.halfRow(c, a, p, whole)
			} else {
				p += b.halfRows(c, ldc, a, lda, m, p, whole)
			}
		}
	}
	widened := packedScratch.Get().(*Packed)
	defer packedScratch.Put(widened)
	const group = 2 // panels that the widest tiles of float32 take
	for ; p < p1; p += group {
		end := min(p+group, p1)
		widened.shape(b.K, min(end*PanelWidth, b.N)-p*PanelWidth)
		for i := range end - p {
			b.widenPanel(p+i, widened.panel(i))
		}
		gemm(c[p*PanelWidth:], ldc, a, lda, 0, m, widened, 0, end-p, continued)
	}
}

// halfRow continues one row of a tile's whole panels from p on, and says how many.
func (b *Packed) halfRow(c, a []float32, p, end int) int {
	side := end - p // whole groups follow each other
	if p%panelGroup != 0 {
		side = min(side, panelGroup-p%panelGroup)
	}
	tiles := halfTilesFor(1, side)
	first, stride := b.linesOf(p)
	tiles.byRows[0](b.K, &a[0], 0, &b.Half[first/2], nil, stride, &c[p*PanelWidth], 0)
	return tiles.panels
}

// halfRows continues several rows of whole panels from p on that stand side by side,
// and says how many. Tiles of AVX2, which take one or two of the panels, go through
// blocks of lines that stay in the first-level cache, and each asks for its share of
// the next block.
func (b *Packed) halfRows(c []float32, ldc int, a []float32, lda, m, p, end int) int {
	block := 64
	if useAVX512 {
		block = b.lines()
	}
	end = min(end, p+panelGroup-p%panelGroup)
	first, stride := b.linesOf(p)
	for l := 0; l < b.lines(); l += block {
		ahead := first + (l+block)*stride
		for q := p; q < end; {
			tiles := halfTilesFor(min(m, tileRows), end-q)
			at := first + l*stride + (q-p)*lineBytes
			for r := 0; r < m; r += tileRows {
				height := min(tileRows, m-r)
				tiles.byRows[height-1](min(2*block, b.K-2*l), &a[r*lda+2*l], lda*4,
					&b.Half[at/2], &b.Half[min(ahead/2, len(b.Half)-1)], stride, &c[r*ldc+q*PanelWidth], ldc*4)
			}
			ahead += tiles.panels * block * lineBytes
			q += tiles.panels
		}
	}
	return end - p
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
type halfTile func(k int, a *float32, lda int, b, ahead *uint16, lineStride int, c *float32, ldc int)

var (
	halfTilesAVX2 = []tileGroup[halfTile]{
		{4, 1, [tileRows]halfTile{half1x64}},
		{2, 3, [tileRows]halfTile{half1x32, half2x32, half3x32}},
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

// widenPanel writes panel p in float32, step after step.
func (b *Packed) widenPanel(p int, panel []float32) {
	first, stride := b.linesOf(p)
	halves, done := b.Half[first/2:], 0
	if pairs := b.K / 2; useX86 && pairs > 0 {
		inBlocks(pairs, func(block, n int) {
			widenPanelAsm(n, &halves[block*stride/2], stride, &panel[block*2*PanelWidth])
		})
		done = pairs * 2
	}
	for k := done; k < b.K; k++ {
		for j := range PanelWidth {
			panel[k*PanelWidth+j] = math.Float32frombits(uint32(halves[k/2*stride/2+2*j+k%2]) << 16)
		}
	}
}
