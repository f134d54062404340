package kernel

import "github.com/refrain-lm/refrain/internal/parallel"

// PanelWidth is the number of columns in one panel of a [Packed] matrix.
const PanelWidth = 16

// Packed is the right operand B [K,N] of a product, cut into panels of
// [PanelWidth] columns that a product reads from front to back:
//
//	Data[(p*K+k)*PanelWidth+j] = B[k, p*PanelWidth+j]
//
// with zeros beyond column N. The zero value is ready; packing again reuses the
// memory. Products may share a Packed; packing needs it alone.
//
// Other storages than Float32 come from [Packed.PackCompact]. Two steps of a column
// stand together in Half, four in Byte, so that a panel is lines of 64 bytes; groups of
// four panels stand side by side (the last group may be of fewer), so that one row
// reads them as one stream:
//
//	Half[(first(p)+k/2*stride(p))/2+2*j+k%2] = B[k, p*PanelWidth+j]
//	Byte[first(p)+k/4*stride(p)+4*j+k%4] = base + B[k, p*PanelWidth+j]
//
// as if zeros lay beyond row K and column N; see [Packed.linesOf]. Scale has each
// column's. The base is what the processor's instruction wants: 128 of VPDPBUSD,
// which takes bytes without a sign, else 0.
type Packed struct {
	K, N    int
	Storage Storage
	Data    []float32
	Half    []uint16
	Byte    []uint8
	Scale   []float32
	base    uint8
}

// PackedSize is how many values of Data a matrix [k,n] takes at most, in float32 or in
// pairs.
func PackedSize(k, n int) int {
	return max(k, depthOf(k)) * ((n + PanelWidth - 1) / PanelWidth * PanelWidth)
}

// Panels is the number of panels, the last of which may be partly zeros.
func (b *Packed) Panels() int { return (b.N + PanelWidth - 1) / PanelWidth }

// Pack copies B from src [k,n] with leading dimension ld.
func (b *Packed) Pack(pool *parallel.Pool, src []float32, k, n, ld int) {
	wantMatrix("Pack", "src", len(src), k, n, ld)
	b.shape(k, n)
	if k == 0 {
		return
	}
	if pool.Size() == 1 { // allocates nothing
		b.packPanels(src, ld, 0, b.Panels())
		return
	}
	pool.For(b.Panels(), 1, func(lo, hi int) { b.packPanels(src, ld, lo, hi) })
}

func (b *Packed) packPanels(src []float32, ld, lo, hi int) {
	if useAsm {
		lo = b.packWhole(src, lo, min(hi, b.N/PanelWidth), ld)
	}
	for p := lo; p < hi; p++ {
		packPanel(b.panel(p), src[p*PanelWidth:], b.K, min(PanelWidth, b.N-p*PanelWidth), ld)
	}
}

// packWhole copies the panels lo to hi, which have all columns, several at once
// so that whole lines of src are read, and returns the next panel.
func (b *Packed) packWhole(src []float32, lo, hi, ld int) int {
	const group, steps = 8, 256
	for lo < hi {
		panels := min(group, hi-lo)
		for k := 0; k < b.K; k += steps {
			packRows(min(steps, b.K-k), panels, &b.Data[(lo*b.K+k)*PanelWidth], b.K*PanelWidth*4, &src[k*ld+lo*PanelWidth], ld*4)
		}
		lo += panels
	}
	return lo
}

// PackT copies the transpose of src [n,k] with leading dimension ld, so that
// B[k,n] = src[n,k]: the form in which weights [out,in] multiply rows.
func (b *Packed) PackT(pool *parallel.Pool, src []float32, k, n, ld int) {
	wantMatrix("PackT", "src", len(src), n, k, ld)
	b.shape(k, n)
	if k == 0 {
		return
	}
	if pool.Size() == 1 { // allocates nothing
		b.packPanelsT(src, ld, 0, b.Panels())
		return
	}
	pool.For(b.Panels(), 1, func(lo, hi int) { b.packPanelsT(src, ld, lo, hi) })
}

func (b *Packed) packPanelsT(src []float32, ld, lo, hi int) {
	for p := lo; p < hi; p++ {
		packPanelT(b.panel(p), src[p*PanelWidth*ld:], b.K, min(PanelWidth, b.N-p*PanelWidth), ld)
	}
}

// PackCompact copies the transpose of rows r0 to r1 of w, as [Packed.PackT] does,
// and keeps w's storage.
func (b *Packed) PackCompact(pool *parallel.Pool, w *Compact, r0, r1 int) {
	b.K, b.N, b.Storage = w.Columns, r1-r0, w.Storage
	n := b.Panels() * PanelWidth
	switch w.Storage {
	case BFloat16:
		b.Half = buffer[uint16](n * b.lines() * 2)
	case Int8:
		b.Byte, b.Scale, b.base = buffer[uint8](n*b.lines()*4), make([]float32, n), 0
		if useVNNI {
			b.base = 128
		}
		copy(b.Scale, w.Scale[r0:r1])
	}
	pool.For(b.Panels(), 1, func(lo, hi int) {
		for p := lo; p < hi; p++ {
			at := r0 + p*PanelWidth
			if w.Storage == Int8 {
				b.packBytes(w, p, at, min(at+PanelWidth, r1))
			} else {
				b.packHalves(w, p, at, min(at+PanelWidth, r1))
			}
		}
	})
}

// lines is the number of lines of a panel of Half or Byte.
func (b *Packed) lines() int {
	if b.Storage == BFloat16 {
		return words(b.K)
	}
	return (b.K + 3) / 4
}

const (
	lineBytes  = 4 * PanelWidth
	panelGroup = 4 // panels of Half or Byte side by side
)

// linesOf is where the lines of panel p begin, in bytes, and from one to the next.
func (b *Packed) linesOf(p int) (first, stride int) {
	at := p % panelGroup
	return ((p-at)*b.lines() + at) * lineBytes, min(panelGroup, b.Panels()-(p-at)) * lineBytes
}

// aheadOf is where, in bytes, a tile of so many panels from p on asks for what comes
// after: a few lines on, or its share of the next group, in the order of memory.
// Most comes from the third cache, for which 8 lines are enough; of 32 the first loses
// some before their turn.
func (b *Packed) aheadOf(p, panels int) int {
	first, stride := b.linesOf(p)
	if panels*lineBytes == stride {
		return first + 8*stride
	}
	next := (p/panelGroup + 1) * panelGroup
	return (next + p%panelGroup) * b.lines() * lineBytes
}

// packHalves copies rows r0 to r1 of w into panel p.
func (b *Packed) packHalves(w *Compact, p, r0, r1 int) {
	first, stride := b.linesOf(p)
	for r := r0; r < r1; r++ {
		for k, v := range at(w.Half, r, b.K) {
			b.Half[(first+k/2*stride)/2+2*(r-r0)+k%2] = v
		}
	}
}

func (b *Packed) packBytes(w *Compact, p, r0, r1 int) {
	first, stride := b.linesOf(p)
	for i := range b.lines() {
		line := b.Byte[first+i*stride:][:lineBytes]
		for j := range line {
			line[j] = b.base
		}
	}
	for r := r0; r < r1; r++ {
		for k, v := range at(w.Byte, r, b.K) {
			b.Byte[first+k/4*stride+4*(r-r0)+k%4] = uint8(v) + b.base
		}
	}
}

// at is part i of x, each of n elements.
func at[T any](x []T, i, n int) []T { return x[i*n : (i+1)*n] }

// Columns is panels p0 to p1 of b, in float32, as a matrix of its own in b's memory.
func (b *Packed) Columns(p0, p1 int) Packed {
	size := b.K * PanelWidth
	return Packed{K: b.K, N: min(p1*PanelWidth, b.N) - p0*PanelWidth, Data: b.Data[p0*size : p1*size]}
}

// Rows is rows k0 to k1 of panel p of b, in float32, as a matrix of its own in b's
// memory.
func (b *Packed) Rows(p, k0, k1 int) Packed {
	return Packed{K: k1 - k0, N: min(PanelWidth, b.N-p*PanelWidth), Data: b.panel(p)[k0*PanelWidth : k1*PanelWidth]}
}

func (b *Packed) panel(p int) []float32 {
	size := b.K * PanelWidth
	return b.Data[p*size : (p+1)*size]
}

func (b *Packed) shape(k, n int) {
	b.K, b.N, b.Storage = k, n, Float32
	b.Data = grow(b.Data, b.Panels()*k*PanelWidth)
}

// packPanel copies k rows of cols ≤ PanelWidth columns and fills up with zeros.
func packPanel(panel, src []float32, k, cols, ld int) {
	for i := range k {
		row := panel[i*PanelWidth : (i+1)*PanelWidth]
		copy(row, src[i*ld:i*ld+cols])
		clear(row[cols:])
	}
}

// packPanelT does the same with src transposed: cols rows of k columns.
func packPanelT(panel, src []float32, k, cols, ld int) {
	done := 0
	if useAsm && k >= 8 {
		for ; done+8 <= cols; done += 8 {
			packTransposed(k/8, &panel[done], &src[done*ld], ld*4)
			packColumns(panel, src, k/8*8, k, done, done+8, ld)
		}
	}
	packColumns(panel, src, 0, k, done, cols, ld)
	for j := cols; j < PanelWidth; j++ {
		for i := range k {
			panel[i*PanelWidth+j] = 0
		}
	}
}

// packColumns copies steps k0 to k1 of columns j0 to j1 for packPanelT.
func packColumns(panel, src []float32, k0, k1, j0, j1, ld int) {
	for j := j0; j < j1; j++ {
		for k := k0; k < k1; k++ {
			panel[k*PanelWidth+j] = src[j*ld+k]
		}
	}
}
