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

// Few rows are cut into flat tiles, which have two panels: they need more columns to
// keep the multipliers busy, and read B in two places.
const (
	flatRows   = 9  // rows that AVX2 takes so; AVX-512 as many as have no wide tiles
	flatHeight = 3  // rows of a tile
	flatDepth  = 96 // steps of both panels that leave room for the next in the first-level cache
	loneAhead  = 64 // steps from where a tile without others reads to where it asks for B
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
	if m == 1 {
		from.fill(c, ldc, 1, p0*PanelWidth, min(p1*PanelWidth, b.N))
		p0, from = gemmRow(c, a, b, p0, p1), continued
	}
	if m < wideLowest || !useAVX512 && m <= flatRows {
		strips := rowStrips(a, lda, m, flatHeight)
		multiply(c, ldc, &strips, b, 0, b.K, p0, p1, from)
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
	count := strips[0].tiles + strips[1].tiles
	lines := (3 + count) / count // for four steps: together the tiles ask for what they use
	for p := p0; p < p1; {
		panels, depth := 1, panelDepth
		if flat(strips) && p+2 <= min(p1, b.N/PanelWidth) {
			panels, depth = 2, flatDepth
		}
		columns := min(PanelWidth, b.N-p*PanelWidth)
		after := p + panels
		if after == p1 {
			after = p
		}
		for k, from := k0, from; k < k1; {
			end, ahead := k1, (p*b.K+k+loneAhead)*PanelWidth
			if count > 1 { // which are to find the panels near
				end = nextCut(k, k1, depth, 4)
				ahead = (p*b.K + end) * PanelWidth
				if end == k1 {
					ahead = (after*b.K + k0) * PanelWidth
				}
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
				tiles(s, panels, k-k0, end-k, panel, b.K*PanelWidth, to, ldc, first, stride, &b.Data[min(ahead, len(b.Data)-1)], lines, next)
				ahead += s.tiles * (end - k) / 4 * lines * PanelWidth
			}
			k, from = end, continued
		}
		p += panels
	}
}

// flat reports whether all tiles have a form with two panels.
func flat(strips *[2]strip) bool {
	return strips[1].height > 1 && max(strips[0].height, strips[1].height) <= flatHeight
}

// edgeMasks selects the first n of 16 columns from element 16−n on.
var edgeMasks = [2 * PanelWidth]int32{
	-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
}

// tiles runs the microkernel of the strip's height over its tiles, on one panel or,
// where they are flat, on two. Meanwhile it fetches what comes after: so many lines
// of B from ahead on in four steps, and the tile of C at next.
func tiles(s *strip, panels, k, depth int, b *float32, panelStride int, c *float32, ldc int, from *float32, fromStride int, ahead *float32, lines int, next *float32) {
	a := &s.a[k*s.kStride]
	rs, ks, ts, ps := s.rowStride*4, s.kStride*4, s.tileStride*4, panelStride*4
	switch {
	case panels == 2 && s.height == 2:
		tile2x32(s.tiles, depth, a, rs, ks, ts, b, ps, c, ldc*4, from, fromStride, ahead, lines, next)
	case panels == 2:
		tile3x32(s.tiles, depth, a, rs, ks, ts, b, ps, c, ldc*4, from, fromStride, ahead, lines, next)
	case s.height == 1:
		tile1x16(s.tiles, depth, a, rs, ks, ts, b, 0, c, ldc*4, from, fromStride, ahead, lines, next)
	case s.height == 2:
		tile2x16(s.tiles, depth, a, rs, ks, ts, b, 0, c, ldc*4, from, fromStride, ahead, lines, next)
	case s.height == 3:
		tile3x16(s.tiles, depth, a, rs, ks, ts, b, 0, c, ldc*4, from, fromStride, ahead, lines, next)
	case s.height == 4:
		tile4x16(s.tiles, depth, a, rs, ks, ts, b, 0, c, ldc*4, from, fromStride, ahead, lines, next)
	case s.height == 5:
		tile5x16(s.tiles, depth, a, rs, ks, ts, b, 0, c, ldc*4, from, fromStride, ahead, lines, next)
	case s.height == 6:
		tile6x16(s.tiles, depth, a, rs, ks, ts, b, 0, c, ldc*4, from, fromStride, ahead, lines, next)
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

// gemmRow continues a single row with four panels at once, whose accumulators
// together keep the multipliers busy, and returns the panel that comes after.
func gemmRow(c, a []float32, b *Packed, p0, p1 int) int {
	const group = 4
	p, size := p0, b.K*PanelWidth
	for ; p+group <= min(p1, b.N/PanelWidth); p += group {
		to := &c[p*PanelWidth]
		tile1x64(1, b.K, &a[0], 0, 4, 0, &b.Data[p*size], size*4, to, 0, to, 0)
	}
	return p
}
