//go:build !purego

package kernel

import "sync"

// amxWork is what a call of the matrix units does: tiles of C, one below the other,
// over blocks of tileWords words of A and B. A tile has two halves of rows, the
// second a distance from the first. Strides and distances are in bytes.
type amxWork struct {
	config [64]byte // what LDTILECFG reads

	tiles, blocks                 int
	a                             *float32
	aRow, aBlock, aTile, aSecond  int
	b                             *float32
	bPanel                        int
	c                             *float32
	cRow, cTile, cSecond          int
	from                          *float32 // where the chains of C begin
	fromRow, fromTile, fromSecond int
}

// amxTiles32 writes tiles of two panels of C. tiles and blocks must be positive.
//
//go:noescape
func amxTiles32(w *amxWork)

// amxTiles16 writes tiles of one panel.
//
//go:noescape
func amxTiles16(w *amxWork)

// configure gives the halves of a tile their number of rows, and the last panel its
// columns.
func (w *amxWork) configure(rows, columns int) {
	const palette, bytes, heights = 0, 16, 48 // places in config, where bytes have two each
	w.config = [64]byte{palette: 1}
	for tile, shape := range [...]struct{ rows, columns int }{
		{rows, PanelWidth}, {rows, columns}, {rows, PanelWidth}, {rows, columns}, // of C
		{rows, tileWords}, {rows, tileWords}, // of A
		{tileWords, PanelWidth}, {tileWords, columns}, // of B
	} {
		w.config[bytes+2*tile] = byte(shape.columns * 4)
		w.config[heights+tile] = byte(shape.rows)
	}
}

// left gives the work the rows of s from word k on, and their height to its tiles. The
// halves overlap where it is odd: both compute the row in the middle.
func (w *amxWork) left(s *strip, k, columns int) {
	half := (s.height + 1) / 2
	second := s.height - half
	w.configure(half, columns)
	w.tiles, w.a = s.tiles, &s.a[k/tileWords*s.kStride]
	w.aRow, w.aBlock, w.aTile, w.aSecond = s.rowStride*4, s.kStride*4, s.tileStride*4, s.rowStride*second*4
	w.cTile, w.cSecond = s.height*w.cRow, second*w.cRow
	w.fromTile, w.fromSecond = s.height*w.fromRow, second*w.fromRow
}

// multiplyAMX is multiply with the matrix units, for words, of strips from
// [amxStrips].
func multiplyAMX(c []float32, ldc int, strips *[2]strip, b *Packed, p0, p1 int, from start) {
	var w amxWork
	w.cRow, w.bPanel = ldc*4, b.K*PanelWidth*4
	for p := p0; p < p1; {
		panels := min(2, p1-p)
		columns := min(PanelWidth, b.N-(p+panels-1)*PanelWidth)
		for k, from := 0, from; k < b.K; {
			end := nextCut(k, b.K, amxDepth, tileWords)
			w.b, w.blocks = &b.Data[(p*b.K+k)*PanelWidth], (end-k)/tileWords
			row := 0
			for i := range strips {
				s := &strips[i]
				if s.tiles == 0 {
					continue
				}
				w.c = &c[row*ldc+p*PanelWidth]
				w.from, w.fromRow = from.at(w.c, ldc, p*PanelWidth)
				w.left(s, k, columns)
				if panels == 2 {
					amxTiles32(&w)
				} else {
					amxTiles16(&w)
				}
				row += s.tiles * s.height
			}
			k, from = end, continued
		}
		p += panels
	}
}

// amxDepth is how many words of two panels lie in the first-level cache before C is
// written.
const amxDepth = 384

// amxPeak does about so many multiply-adds with operands in the first-level cache, and
// returns how many operations they were.
func amxPeak(multiplyAdds int) (operations float64) {
	const perTile, perCall = amxPeakBlocks * amxRows * tileWords * 2 * PanelWidth * 2, 256
	times := max(1, multiplyAdds/perTile)
	operands, c := amxPeakOperands(), Buffer(amxRows*2*PanelWidth)
	w := amxWork{blocks: amxPeakBlocks, c: &c[0], cRow: 2 * PanelWidth * 4, from: &noBias[0]}
	w.left(&strip{height: amxRows, a: operands, rowStride: tileWords}, 0, PanelWidth)
	w.b, w.bPanel = &operands[amxRows*tileWords], amxPeakBlocks*tileWords*PanelWidth*4
	w.aTile, w.cTile = 0, 0
	for done := 0; done < times; done += w.tiles {
		w.tiles = min(times-done, perCall)
		amxTiles32(&w)
	}
	return float64(times) * perTile * 2
}

const amxPeakBlocks = 16

// amxPeakOperands are a row of tiles of A and two panels of B. They are random: the
// units are faster with zeros.
var amxPeakOperands = sync.OnceValue(func() []float32 {
	operands := Buffer((amxRows + amxPeakBlocks*2*PanelWidth) * tileWords)
	random := uint32(1)
	for i := range operands {
		random = random*1664525 + 1013904223
		x := float32(random>>8)*0x1p-24 - 0.5
		operands[i] = word(x, -x)
	}
	return operands
})
