package kernel

import (
	"math"

	"github.com/refrain-lm/refrain/internal/parallel"
)

// Products of bfloat16 for training. Both operands are rounded to bfloat16, the
// nearest, ties to even, and two steps k and k+1 that follow each other stand
// together as the lower and the upper half of a word, 0 beyond the last step. A
// word stands where a float32 would, so that tiles, strips and panels are those
// of float32 with half as many steps; only the microkernel is another. An
// element is a chain of words, ascending, in float32; how the two products of a
// word are rounded is up to the processor's instruction.

// PairsAreFast reports whether this processor multiplies bfloat16 faster than
// float32, and [Packed.PackPairs] is of use.
func PairsAreFast() bool { return usePairs }

// words is how many words k steps take.
func words(k int) int { return (k + 1) / 2 }

const (
	// tileWords are the words of a row of A that the matrix units take at once.
	tileWords = 16
	tileSteps = 2 * tileWords
	// amxRows are the rows of C that they take.
	amxRows = 32
)

// depthOf is how many words of operands stand for k steps, the last ones zeros:
// the matrix units want whole tiles.
func depthOf(k int) int {
	if useAMX {
		return (words(k) + tileWords - 1) / tileWords * tileWords
	}
	return words(k)
}

// inWords is B as the tiles see it.
func (b *Packed) inWords() Packed { return Packed{K: depthOf(b.K), N: b.N, Data: b.Data} }

func (b *Packed) shapePairs(k, n int) {
	b.K, b.N, b.Storage = k, n, Pairs
	b.Data = grow(b.Data, b.Panels()*depthOf(k)*PanelWidth)
}

// PackPairs is [Packed.Pack] with Storage Pairs.
func (b *Packed) PackPairs(pool *parallel.Pool, src []float32, k, n, ld int) {
	wantMatrix("PackPairs", "src", len(src), k, n, ld)
	b.shapePairs(k, n)
	depth := depthOf(k)
	pool.For(b.Panels(), 1, func(lo, hi int) {
		const group, steps = 8, 64 // panels that share lines of src, rows of it at a time
		for ; lo < hi; lo += group {
			for l := 0; l < k; l += steps {
				for p := lo; p < min(lo+group, hi); p++ {
					at := (p*depth + l/2) * PanelWidth
					pairRows(b.Data[at:], PanelWidth, min(steps, k-l), min(PanelWidth, n-p*PanelWidth), src[l*ld+p*PanelWidth:], ld, nil)
				}
			}
			for p := lo; p < min(lo+group, hi); p++ {
				clear(b.Data[(p*depth+words(k))*PanelWidth : (p+1)*depth*PanelWidth])
			}
		}
	})
}

// PackPairsT is [Packed.PackT] with Storage Pairs.
func (b *Packed) PackPairsT(pool *parallel.Pool, src []float32, k, n, ld int) {
	wantMatrix("PackPairsT", "src", len(src), n, k, ld)
	b.shapePairs(k, n)
	if k == 0 {
		return
	}
	pool.For(b.Panels(), 1, func(lo, hi int) {
		rounded := stripScratch.Get().(*[]float32)
		defer stripScratch.Put(rounded)
		depth := depthOf(k)
		*rounded = grow(*rounded, PanelWidth*depth)
		for p := lo; p < hi; p++ {
			columns := min(PanelWidth, n-p*PanelWidth)
			pairColumns(*rounded, depth, columns, k, src[p*PanelWidth*ld:], ld)
			packPanelT(at(b.Data, p, depth*PanelWidth), *rounded, depth, columns, depth)
		}
	})
}

// gemmPairs is gemm for a B of Pairs and for several of them, one after another
// width columns apart in C: rows of A are rounded once for all.
func gemmPairs(c []float32, ldc, width int, a []float32, lda, m int, bs []Packed, p0, p1 int, from start) {
	scratch := stripScratch.Get().(*[]float32)
	defer stripScratch.Put(scratch)
	k, height := bs[0].K, tileHeight(Pairs)
	ld := rowWords(k)
	tiles := tileCount(m, height)
	for t0 := 0; t0 < tiles; {
		t1 := nextCut(t0, tiles, max(1, pairBlock/ld/height), 1)
		r0, r1 := tileStart(m, height, t0), tileStart(m, height, t1)
		*scratch = grow(*scratch, (r1-r0)*ld)
		strips := pairRowStrips(*scratch, ld, r1-r0, k, a[r0*lda:], lda)
		for i := range bs {
			multiplyPairs(c[r0*ldc+i*width:], ldc, &strips, bs[i].inWords(), p0, p1, from)
		}
		t0 = t1
	}
}

// pairBlock is how many words of A stay in the second-level cache over all
// panels.
const pairBlock = 72 << 10

// rowWords is how many words a row of A takes. Rows side by side have an odd number
// of cache lines, so that lines of different ones do not compete; the matrix units'
// lie in blocks.
func rowWords(k int) int {
	if useAMX {
		return depthOf(k)
	}
	const line = 64 / 4
	return ((words(k)+line-1)/line | 1) * line
}

// pairRowStrips is [rowStrips] of rows of k elements, rounded into buffer, where a
// row takes ld words.
func pairRowStrips(buffer []float32, ld, rows, k int, a []float32, lda int) (strips [2]strip) {
	if useAMX {
		for l := 0; l < k; l += tileSteps {
			pairColumns(buffer[l/2*rows:], tileWords, rows, min(tileSteps, k-l), a[l:], lda)
		}
		return amxStrips(buffer, rows)
	}
	pairColumns(buffer, ld, rows, k, a, lda)
	return rowStrips(buffer, ld, rows, tileHeight(Pairs))
}

// multiplyPairs is multiply for strips and panels of words.
func multiplyPairs(c []float32, ldc int, strips *[2]strip, b Packed, p0, p1 int, from start) {
	switch {
	case useAMX:
		multiplyAMX(c, ldc, strips, &b, p0, p1, from)
	case usePairs:
		multiplyWide(&pairTiles, c, ldc, strips, &b, 0, b.K, p0, p1, from)
	default:
		multiplyPairsGeneric(c, ldc, strips, &b, p0, p1, from)
	}
}

func multiplyPairsGeneric(c []float32, ldc int, strips *[2]strip, b *Packed, p0, p1 int, from start) {
	row := 0
	for _, s := range strips {
		from.fill(c[row*ldc:], ldc, s.tiles*s.height, p0*PanelWidth, min(p1*PanelWidth, b.N))
		for t := range s.tiles {
			for p := p0; p < p1; p++ {
				tilePairsGeneric(c[row*ldc+p*PanelWidth:], ldc, s.a[t*s.tileStride:], s.rowStride, s.kStride, s.height, b.panel(p), min(PanelWidth, b.N-p*PanelWidth))
			}
			row += s.height
		}
	}
}

// pairStrips is columnStrips in words.
func pairStrips(buffer, a []float32, lda, columns, k int, sums []float32) (strips [2]strip) {
	if useAMX {
		amxColumns(buffer, a, lda, columns, k, sums)
		return amxStrips(buffer, columns)
	}
	tiles, depth := tileCount(columns, tileHeight(Pairs)), words(k)
	height, taller := columns/tiles, columns%tiles
	cut := taller * (height + 1)
	strips[0] = strip{taller, height + 1, buffer, 1, height + 1, (height + 1) * depth}
	strips[1] = strip{tiles - taller, height, buffer[cut*depth:], 1, height, height * depth}
	const steps = 64
	for l := 0; l < k; l += steps {
		column := 0
		for _, s := range strips {
			for t := range s.tiles {
				end := column + s.height
				pairRows(s.a[t*s.tileStride+l/2*s.height:], s.height, min(steps, k-l), s.height, a[l*lda+column:], lda, part(sums, column, end))
				column = end
			}
		}
	}
	return strips
}

// amxStrips are strips for the matrix units, in blocks: tileWords words of all rows,
// then the next words of all.
func amxStrips(buffer []float32, rows int) (strips [2]strip) {
	strips = rowStrips(buffer, tileWords, rows, amxRows)
	strips[0].kStride, strips[1].kStride = rows*tileWords, rows*tileWords
	return strips
}

// amxColumns writes such blocks of columns of A, and adds the rows to sums, if not nil.
func amxColumns(buffer, a []float32, lda, columns, k int, sums []float32) {
	var pairs [tileWords * PanelWidth]float32
	for l := 0; l < k; l += tileSteps {
		n := min(tileSteps, k-l)
		clear(pairs[words(n)*PanelWidth:])
		block := buffer[l/2*columns:]
		for j := 0; j < columns; j += PanelWidth {
			width := min(PanelWidth, columns-j)
			pairRows(pairs[:], PanelWidth, n, width, a[l*lda+j:], lda, part(sums, j, j+width))
			packPanelT(block[j*tileWords:], pairs[:], width, tileWords, PanelWidth)
		}
	}
}

// pairColumns rounds rows of k elements into words, ldw apart, and adds zeros up to
// [depthOf] k words.
func pairColumns(dst []float32, ldw, rows, k int, src []float32, ld int) {
	if !usePairs {
		pairColumnsGeneric(dst, ldw, rows, k, src, ld)
		return
	}
	const perBlock = 32
	blocks, left := k/perBlock, k%perBlock
	lo, hi, out := uint16(1<<min(left, 16)-1), uint16(1<<max(0, left-16)-1), uint16(1<<depthOf(left)-1)
	each := max(1, callLimit/max(1, k)) // rows a call
	for r := 0; r < rows; r += each {
		pairColumnsAsm(min(each, rows-r), blocks, &dst[r*ldw], ldw*4, &src[r*ld], ld*4, lo, hi, out)
	}
}

func pairColumnsGeneric(dst []float32, ldw, rows, k int, src []float32, ld int) {
	for r := range rows {
		row := src[r*ld : r*ld+k]
		for w := range words(k) {
			high := float32(0)
			if 2*w+1 < k {
				high = row[2*w+1]
			}
			dst[r*ldw+w] = word(row[2*w], high)
		}
	}
}

// pairRows makes rows of words, width apart, of each two rows of src: the given
// number of columns, and zeros for panels that have more. With assembly it adds the
// rows to sums, if not nil.
func pairRows(dst []float32, width, k, columns int, src []float32, ld int, sums []float32) {
	whole := k / 2
	if usePairs && whole > 0 {
		in, out := uint16(1<<columns-1), uint16(1<<width-1)
		if sums == nil {
			pairRowsAsm(whole, &dst[0], width*4, &src[0], ld*4, in, out)
		} else {
			pairRowsSums(whole, &dst[0], width*4, &src[0], ld*4, in, out, &sums[0])
		}
	} else {
		pairRowsGeneric(dst, width, whole, columns, src, ld)
	}
	if k%2 == 1 { // the last row has no other
		row := dst[whole*width : (whole+1)*width]
		clear(row[columns:])
		last := src[(k-1)*ld:][:columns]
		for j, v := range last {
			row[j] = word(v, 0)
		}
		add(sums, last[:len(sums)])
	}
}

func pairRowsGeneric(dst []float32, width, pairs, columns int, src []float32, ld int) {
	for i := range pairs {
		row := dst[i*width : (i+1)*width]
		clear(row[columns:])
		for j := range columns {
			row[j] = word(src[2*i*ld+j], src[(2*i+1)*ld+j])
		}
	}
}

// word rounds two elements and puts them together. Subnormal numbers become
// zeros, as with the processor's instruction.
func word(low, high float32) float32 {
	return math.Float32frombits(uint32(roundNormal(low)) | uint32(roundNormal(high))<<16)
}

func roundNormal(v float32) uint16 {
	bits := math.Float32bits(v)
	if bits>>23&0xff == 0 {
		return uint16(bits >> 16 & 0x8000)
	}
	return roundHalf(v)
}

// halves are the two numbers of a word.
func halves(w float32) (low, high float32) {
	bits := math.Float32bits(w)
	return math.Float32frombits(bits << 16), math.Float32frombits(bits &^ 0xffff)
}

// tilePairsGeneric is tileGeneric in words.
func tilePairsGeneric(c []float32, ldc int, a []float32, rs, ks, rows int, panel []float32, cols int) {
	for i := range rows {
		for j := range cols {
			sum := c[i*ldc+j]
			for k := range len(panel) / PanelWidth {
				aLow, aHigh := halves(a[i*rs+k*ks])
				bLow, bHigh := halves(panel[k*PanelWidth+j])
				sum += aHigh * bHigh
				sum += aLow * bLow
			}
			c[i*ldc+j] = sum
		}
	}
}
