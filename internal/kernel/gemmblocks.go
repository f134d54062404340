package kernel

// How the assembly walks through a product. A block of rows of A stays in the
// second-level cache over all panels, a k block of one panel in the first level
// over all tiles of those rows (AVX-512's larger tiles take panels from the second
// as fast). Every block continues from C, so that blocking
// does not show in the results.
const (
	blockRows  = 72   // rows in a block
	blockDepth = 1024 // steps for which a block of rows is read
	panelDepth = 320  // steps of a panel in the first-level cache
)

// strip is the left operand for tiles of one height, one below the other.
// Element (i,k) of tile t is a[t·tileStride + i·rowStride + k·kStride].
type strip struct {
	tiles, height                  int
	a                              []float32
	rowStride, kStride, tileStride int
}

// rowStrips cuts rows of A, lda elements apart, into tiles as [tileStart] does.
func rowStrips(a []float32, lda, rows, highest int) (strips [2]strip) {
	tiles := tileCount(rows, highest)
	height, taller := rows/tiles, rows%tiles
	if taller > 0 {
		strips[0] = strip{taller, height + 1, a, lda, 1, (height + 1) * lda}
	}
	strips[1] = strip{tiles - taller, height, a[taller*(height+1)*lda:], lda, 1, height * lda}
	return strips
}

// gemmTiles is gemm for m ≥ 1 rows, p0 < p1 and K ≥ 1.
func gemmTiles(c []float32, ldc int, a []float32, lda, m int, b *Packed, p0, p1 int, from start) {
	if m <= 3 {
		from.fill(c, ldc, m, p0*PanelWidth, min(p1*PanelWidth, b.N))
		gemmFewRows(c, ldc, a, lda, m, b, p0, p1)
		return
	}
	height := tileHeight(Float32)
	tiles := tileCount(m, height)
	for k0 := 0; k0 < b.K; {
		k1 := nextCut(k0, b.K, blockDepth, 4)
		for t0 := 0; t0 < tiles; {
			t1 := nextCut(t0, tiles, blockRows/height, 1)
			r0, r1 := tileStart(m, height, t0), tileStart(m, height, t1)
			strips := rowStrips(a[r0*lda+k0:], lda, r1-r0, height)
			multiply(c[r0*ldc:], ldc, &strips, b, k0, k1, p0, p1, from)
			t0 = t1
		}
		k0, from = k1, continued
	}
}

// nextCut is the end of the block that begins at i, when what remains up to n
// is cut into as few equal blocks of at most limit as possible, at multiples of
// grain.
func nextCut(i, n, limit, grain int) int {
	blocks := (n - i + limit - 1) / limit
	each := (n - i + blocks - 1) / blocks
	return min(n, i+(each+grain-1)/grain*grain)
}

// multiply takes the rows of the strips in panels p0 to p1 of C, from what their
// chains begin with, through the steps k0 to k1 of B, which are 0 to k1−k0 in
// the strips.
func multiply(c []float32, ldc int, strips *[2]strip, b *Packed, k0, k1, p0, p1 int, from start) {
	if useAVX512 && strips[1].height >= wideLowest {
		multiplyWide(&wideTiles, c, ldc, strips, b, k0, k1, p0, p1, from)
		return
	}
	for p := p0; p < p1; p++ {
		columns := min(PanelWidth, b.N-p*PanelWidth)
		after := min(p+1, p1-1)
		for k, from := k0, from; k < k1; {
			end := nextCut(k, k1, panelDepth, 4)
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
				if columns < PanelWidth {
					edgeTiles(s, k-k0, end-k, panel, to, ldc, first, stride, &edgeMasks[PanelWidth-columns])
					continue
				}
				next := &c[after*PanelWidth]
				if i == 0 && strips[1].tiles > 0 {
					next = &c[row*ldc+p*PanelWidth]
				}
				tiles(s, k-k0, end-k, panel, to, ldc, first, stride, &b.Data[min(ahead, len(b.Data)-1)], next)
				ahead += s.tiles * (end - k) / 4 * PanelWidth
			}
			k, from = end, continued
		}
	}
}

// edgeMasks selects the first n of 16 columns from element 16−n on.
var edgeMasks = [2 * PanelWidth]int32{
	-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
}

// tiles runs the microkernel of the strip's height over its tiles. Meanwhile it
// fetches what comes after: B from ahead on, and the tile of C at next.
func tiles(s *strip, k, depth int, b, c *float32, ldc int, from *float32, fromStride int, ahead, next *float32) {
	a := &s.a[k*s.kStride]
	rs, ks, ts := s.rowStride*4, s.kStride*4, s.tileStride*4
	switch s.height {
	case 1:
		tile1x16(s.tiles, depth, a, rs, ks, ts, b, 0, c, ldc*4, from, fromStride, ahead, next)
	case 2:
		tile2x16(s.tiles, depth, a, rs, ks, ts, b, 0, c, ldc*4, from, fromStride, ahead, next)
	case 3:
		tile3x16(s.tiles, depth, a, rs, ks, ts, b, 0, c, ldc*4, from, fromStride, ahead, next)
	case 4:
		tile4x16(s.tiles, depth, a, rs, ks, ts, b, 0, c, ldc*4, from, fromStride, ahead, next)
	case 5:
		tile5x16(s.tiles, depth, a, rs, ks, ts, b, 0, c, ldc*4, from, fromStride, ahead, next)
	case 6:
		tile6x16(s.tiles, depth, a, rs, ks, ts, b, 0, c, ldc*4, from, fromStride, ahead, next)
	}
}

// edgeTiles does the same for the last, partial panel.
func edgeTiles(s *strip, k, depth int, b, c *float32, ldc int, from *float32, fromStride int, mask *int32) {
	a := &s.a[k*s.kStride]
	rs, ks, ts := s.rowStride*4, s.kStride*4, s.tileStride*4
	switch s.height {
	case 1:
		tile1x16Edge(s.tiles, depth, a, rs, ks, ts, b, 0, c, ldc*4, from, fromStride, mask)
	case 2:
		tile2x16Edge(s.tiles, depth, a, rs, ks, ts, b, 0, c, ldc*4, from, fromStride, mask)
	case 3:
		tile3x16Edge(s.tiles, depth, a, rs, ks, ts, b, 0, c, ldc*4, from, fromStride, mask)
	case 4:
		tile4x16Edge(s.tiles, depth, a, rs, ks, ts, b, 0, c, ldc*4, from, fromStride, mask)
	case 5:
		tile5x16Edge(s.tiles, depth, a, rs, ks, ts, b, 0, c, ldc*4, from, fromStride, mask)
	case 6:
		tile6x16Edge(s.tiles, depth, a, rs, ks, ts, b, 0, c, ldc*4, from, fromStride, mask)
	}
}

// gemmFewRows is for one to three rows: it reads several panels at once, whose
// accumulators together keep the multipliers busy, and is bound by the memory
// that B comes from.
func gemmFewRows(c []float32, ldc int, a []float32, lda, m int, b *Packed, p0, p1 int) {
	group := 2
	if m == 1 {
		group = 4
	}
	whole := min(p1, b.N/PanelWidth)
	p, size := p0, b.K*PanelWidth
	for ; p+group <= whole; p += group {
		from, to := &b.Data[p*size], &c[p*PanelWidth]
		switch m {
		case 1:
			tile1x64(1, b.K, &a[0], lda*4, 4, 0, from, size*4, to, ldc*4, to, ldc*4)
		case 2:
			tile2x32(1, b.K, &a[0], lda*4, 4, 0, from, size*4, to, ldc*4, to, ldc*4)
		case 3:
			tile3x32(1, b.K, &a[0], lda*4, 4, 0, from, size*4, to, ldc*4, to, ldc*4)
		}
	}
	strips := [2]strip{{1, m, a, lda, 1, 0}}
	multiply(c, ldc, &strips, b, 0, b.K, p, p1, continued)
}
