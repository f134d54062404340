package kernel

import "sync"

// byteRows are rows of A, quantized: each lies in q with zeros behind it up to a
// multiple of four, and is q·scale.
type byteRows struct {
	stride int
	q      []int8
	scale  []float32
	start  []int32 // −128·Σq: what bytes raised by 128 add too much
}

var byteScratch = sync.Pool{New: func() any { return new(byteRows) }}

// quantizeRows fills r with m rows of k elements, lda apart.
func (r *byteRows) quantizeRows(a []float32, lda, m, k int) {
	r.stride = (k + 3) / 4 * 4
	if cap(r.q) < m*r.stride || cap(r.scale) < m {
		r.q, r.scale, r.start = make([]int8, m*r.stride), make([]float32, m), make([]int32, m)
	}
	r.q, r.scale, r.start = r.q[:m*r.stride], r.scale[:m], r.start[:m]
	for i := range m {
		row := r.q[i*r.stride : (i+1)*r.stride]
		clear(row[k:])
		scale, sum := quantize(row[:k], a[i*lda:i*lda+k])
		r.scale[i], r.start[i] = scale, -128*sum
	}
}

// gemmInt8 adds the product with a B of Int8. Each row of A is quantized by
// itself; sums of bytes are exact, and an element ends with three roundings in a
// fixed order:
//
//	C[i,j] += (Σ_k q[i,k]·b[k,j])·scale[j] · scale[i]
//
// All paths give the same bits, and no row sees another. There may be several B
// of one shape, as in [GemmEach].
func gemmInt8(c []float32, ldc, width int, a []float32, lda, m int, bs []Packed, p0, p1 int, from start) {
	rows := byteScratch.Get().(*byteRows)
	defer byteScratch.Put(rows)
	rows.quantizeRows(a, lda, m, bs[0].K)
	for i := range bs {
		rows.multiply(c[i*width:], ldc, &bs[i], p0, p1, from)
	}
}

// multiply adds the product of all rows with panels p0 to p1 of b. What C begins with
// is written tile by tile: a line that another worker has read arrives while the
// tile's weights do.
func (rows *byteRows) multiply(c []float32, ldc int, b *Packed, p0, p1 int, from start) {
	m := len(rows.scale)
	if !useX86 {
		from.fill(c, ldc, m, p0*PanelWidth, min(p1*PanelWidth, b.N))
		for p := p0; p < p1; p++ {
			bytesGeneric(c[p*PanelWidth:], ldc, rows, b, p)
		}
		return
	}
	for p := p0; p < p1; {
		tiles := widest(b.byteTiles(), min(m, tileRows), min(p1-p, panelGroup-p%panelGroup))
		first, stride := b.linesOf(p)
		ahead := b.aheadOf(p, tiles.panels)
		columns := min(PanelWidth, b.N-(p+tiles.panels-1)*PanelWidth)
		from.fill(c, ldc, m, p*PanelWidth, (p+tiles.panels-1)*PanelWidth+columns)
		for r := 0; r < m; r += tileRows {
			height := min(tileRows, m-r)
			tiles.byRows[height-1](rows.stride/4, &rows.q[r*rows.stride], rows.stride, &rows.start[r], &rows.scale[r],
				&b.Byte[first], &b.Byte[min(ahead, len(b.Byte)-1)], stride, &b.Scale[p*PanelWidth],
				&c[r*ldc+p*PanelWidth], ldc*4, &edgeMasks[PanelWidth-columns])
		}
		p += tiles.panels
	}
}

// byteTile is a microkernel: see bytes1x16.
type byteTile func(quads int, a *int8, lda int, start *int32, scales *float32, b, ahead *uint8, quadStride int, columnScales, c *float32, ldc int, mask *int32)

var (
	byteTilesAVX2 = []tileGroup[byteTile]{
		{4, 1, [tileRows]byteTile{bytes1x64}},
		{2, 2, [tileRows]byteTile{bytes1x32, bytes2x32}},
		{1, 4, [tileRows]byteTile{bytes1x16, bytes2x16, bytes3x16, bytes4x16}},
	}
	byteTilesVNNI = []tileGroup[byteTile]{
		{4, 1, [tileRows]byteTile{bytes1x64VNNI}},
		{2, 3, [tileRows]byteTile{bytes1x32VNNI, bytes2x32VNNI, bytes3x32VNNI}},
		{1, 4, [tileRows]byteTile{bytes1x16VNNI, bytes2x16VNNI, bytes3x16VNNI, bytes4x16VNNI}},
	}
	byteTilesVNNI512 = []tileGroup[byteTile]{
		{4, 4, [tileRows]byteTile{bytes1x64VNNI512, bytes2x64VNNI512, bytes3x64VNNI512, bytes4x64VNNI512}},
		{2, 4, [tileRows]byteTile{bytes1x32VNNI512, bytes2x32VNNI512, bytes3x32VNNI512, bytes4x32VNNI512}},
		{1, 4, [tileRows]byteTile{bytes1x16VNNI512, bytes2x16VNNI512, bytes3x16VNNI512, bytes4x16VNNI512}},
	}
)

// byteTiles are the microkernels that take bytes with this base.
func (b *Packed) byteTiles() []tileGroup[byteTile] {
	switch {
	case b.base == 0:
		return byteTilesAVX2
	case useAVX512:
		return byteTilesVNNI512
	}
	return byteTilesVNNI
}

// bytesGeneric adds one panel of products. c begins at its first column.
func bytesGeneric(c []float32, ldc int, rows *byteRows, b *Packed, p int) {
	first, stride := b.linesOf(p)
	columns := min(PanelWidth, b.N-p*PanelWidth)
	for i, scale := range rows.scale {
		q := rows.q[i*rows.stride : (i+1)*rows.stride]
		for j := range columns {
			sum := int32(0)
			for k := 0; k < len(q); k += 4 {
				for l, w := range b.Byte[first+k/4*stride+4*j:][:4] {
					sum += int32(int8(w-b.base)) * int32(q[k+l])
				}
			}
			product := float32(float32(sum) * b.Scale[p*PanelWidth+j])
			c[i*ldc+j] += float32(product * scale)
		}
	}
}
