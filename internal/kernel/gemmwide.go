package kernel

// wide is a microkernel with AVX-512: see wide4x32.
type wide func(tiles, k int, a *float32, rowStride, kStride, tileStride int, b *float32, panelStride int, c *float32, ldc int, from *float32, fromStride int, mask uint16, ahead, next *float32)

const (
	wideLowest  = 4    // rows; fewer are left to the AVX2 tiles
	wideHighest = 12   // rows
	wideDepth   = 1024 // steps before C is written; panels stream from the second-level cache
)

// wideTiles are the microkernels by panels less one and by rows less one.
var wideTiles = [2][wideHighest]wide{
	{nil, nil, nil, wide4x16, wide5x16, wide6x16, wide7x16, wide8x16, wide9x16, wide10x16, wide11x16, wide12x16},
	{nil, nil, nil, wide4x32, wide5x32, wide6x32, wide7x32, wide8x32, wide9x32, wide10x32, wide11x32, wide12x32},
}

// pairTiles do the same with words of two steps of bfloat16.
var pairTiles = [2][wideHighest]wide{
	{pair1x16, pair2x16, pair3x16, pair4x16, pair5x16, pair6x16, pair7x16, pair8x16, pair9x16, pair10x16, pair11x16, pair12x16},
	{pair1x32, pair2x32, pair3x32, pair4x32, pair5x32, pair6x32, pair7x32, pair8x32, pair9x32, pair10x32, pair11x32, pair12x32},
}

// multiplyWide is multiply with AVX-512: two panels at a time.
func multiplyWide(microkernels *[2][wideHighest]wide, c []float32, ldc int, strips *[2]strip, b *Packed, k0, k1, p0, p1 int, from start) {
	for p := p0; p < p1; {
		panels := min(2, p1-p)
		columns := min(PanelWidth, b.N-(p+panels-1)*PanelWidth)
		mask := uint16(1<<columns - 1)
		after := p + panels
		if after == p1 {
			after = p
		}
		for k, from := k0, from; k < k1; {
			end := nextCut(k, k1, wideDepth, 4)
			ahead := (p*b.K + end) * PanelWidth
			if end == k1 {
				ahead = (after*b.K + k0) * PanelWidth
			}
			row := 0
			for i := range strips {
				s := &strips[i]
				if s.tiles == 0 {
					continue
				}
				panel, to := &b.Data[(p*b.K+k)*PanelWidth], &c[row*ldc+p*PanelWidth]
				row += s.tiles * s.height
				first, stride := from.at(to, ldc, p*PanelWidth)
				next := &c[after*PanelWidth]
				if i == 0 && strips[1].tiles > 0 {
					next = &c[row*ldc+p*PanelWidth]
				}
				microkernels[panels-1][s.height-1](s.tiles, end-k, &s.a[(k-k0)*s.kStride], s.rowStride*4, s.kStride*4, s.tileStride*4,
					panel, b.K*PanelWidth*4, to, ldc*4, first, stride, mask, &b.Data[min(ahead, len(b.Data)-1)], next)
				ahead += s.tiles * (end - k) / 4 * PanelWidth
			}
			k, from = end, continued
		}
		p += panels
	}
}
