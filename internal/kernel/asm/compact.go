package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// compact writes what products with weights of fewer bits need.
func compact() {
	for _, s := range [][2]int{{1, 1}, {1, 2}, {1, 4}, {2, 1}, {2, 2}, {3, 1}, {4, 1}} {
		bytesTile(s[0], s[1])
	}
	for _, s := range [][2]int{{1, 1}, {1, 2}, {1, 4}, {2, 1}, {2, 2}, {3, 1}, {3, 2}, {4, 1}} {
		bytesTileVNNI(s[0], s[1])
	}
	for rows := 1; rows <= 4; rows++ {
		for _, panels := range []int{1, 2, 4} {
			bytesTileVNNI512(rows, panels)
		}
	}
	maxBits()
	roundBytes()
	for _, s := range [][2]int{{1, 4}, {1, 2}, {2, 2}, {3, 2}, {1, 1}, {2, 1}, {3, 1}, {4, 1}} {
		halfTile(s[0], s[1], "", YMM, 32)
	}
	for _, s := range [][2]int{{1, 8}, {1, 4}, {2, 4}, {3, 4}, {4, 4}} {
		halfTile(s[0], s[1], "Wide", ZMM, 64)
	}
	widenHalf()
	widenPanel()
}

const bytesSignature = "func(quads int, a *int8, lda int, start *int32, scales *float32, b, ahead *uint8, lineStride int, columnScales, c *float32, ldc int, mask *int32)"

// compactOperands are the pointers of a tile: rows of A are lda bytes apart; panels
// stand side by side, their lines lineStride from two or four steps to the next.
type compactOperands struct {
	rows, panels               int
	left                       reg.Register
	a, lda, lda3               reg.Register
	b                          []reg.Register // of every group of panels
	lineStride, ahead          reg.Register
	columnScales, c, ldc, temp reg.Register
}

func newCompactOperands(name, how string, rows, panels int) *compactOperands {
	TEXT(name, NOSPLIT, bytesSignature)
	Doc(fmt.Sprintf("%s adds %d rows and %d panels of byte products to C, of the last panel the columns that mask selects, %s.", name, rows, panels, how),
		"Strides are in bytes. quads must be positive.")
	o := &compactOperands{rows: rows, panels: panels}
	o.left, o.a = Load(Param("quads"), GP64()), Load(Param("a"), GP64())
	if rows > 1 {
		o.lda = Load(Param("lda"), GP64())
	}
	if rows > 3 {
		o.lda3 = GP64()
		LEAQ(Mem{Base: o.lda, Index: o.lda, Scale: 2}, o.lda3)
	}
	o.b, o.lineStride = []reg.Register{Load(Param("b"), GP64())}, Load(Param("lineStride"), GP64())
	if rows > 1 {
		o.ahead = Load(Param("ahead"), GP64())
	}
	c := Load(Param("c"), GP64()) // another core may have written it
	for p := range panels {
		PREFETCHT0(Mem{Base: c, Disp: p * panelBytes})
	}
	return o
}

const panelGroup = 4 // panels that stand side by side

// loadPanels points at the groups of panels of halves, in front of k steps.
func (o *compactOperands) loadPanels() {
	o.b, o.lineStride = append(o.b, Load(Param("b"), GP64())), Load(Param("lineStride"), GP64())
	if o.panels > panelGroup {
		size, next := GP64(), GP64()
		LEAQ(Mem{Base: o.left, Disp: 1}, size)
		SHRQ(Imm(1), size)
		IMULQ(o.lineStride, size)
		LEAQ(Mem{Base: o.b[0], Index: size, Scale: 1}, next)
		o.b = append(o.b, next)
	}
}

// element is the address of row r at the current step, or four steps of bytes.
func (o *compactOperands) element(r int) Mem {
	m := Mem{Base: o.a}
	switch r {
	case 1, 2:
		m.Index, m.Scale = o.lda, uint8(r)
	case 3:
		m.Index, m.Scale = o.lda3, 1
	}
	return m
}

// halves is the address of panel p at the current two steps.
func (o *compactOperands) halves(p, offset int) Mem {
	return Mem{Base: o.b[p/panelGroup], Disp: p%panelGroup*panelBytes + offset}
}

// bytes is the address of panel p at the current four steps.
func (o *compactOperands) bytes(p, offset int) Mem {
	return Mem{Base: o.b[0], Disp: p*panelBytes + offset}
}

// fetchAhead asks for a line of panel p: one row, which does little with a line, for the
// panel's own so many lines later; several from ahead on, in the first-level cache if
// all panels that stand side by side are read together, which is soon.
func (o *compactOperands) fetchAhead(p, later int) {
	switch line := (Mem{Base: o.ahead, Disp: p * panelBytes}); {
	case o.rows == 1:
		PREFETCHT0(Mem{Base: o.b[0], Disp: (later*panelGroup + p) * panelBytes})
	case o.panels == panelGroup:
		PREFETCHT0(line)
	default:
		PREFETCHT1(line)
	}
}

// How many lines later those are: a model in the third cache is fastest with 8 of
// bytes, one in memory with 32.
const (
	bytesLater    = 24
	bytesLater512 = 16
	halvesLater   = 32
)

// next moves on by four steps of bytes.
func (o *compactOperands) next() {
	ADDQ(Imm(4), o.a)
	ADDQ(o.lineStride, o.b[0])
	if o.rows > 1 {
		ADDQ(U32(o.panels*panelBytes), o.ahead)
	}
	DECQ(o.left)
	JNZ(LabelRef("loop"))
}

func (o *compactOperands) loadResult() {
	o.columnScales, o.c, o.ldc = Load(Param("columnScales"), GP64()), Load(Param("c"), GP64()), Load(Param("ldc"), GP64())
}

// bytesTile multiplies with AVX2. VPMADDUBSW adds two products of an unsigned
// and a signed byte with saturation to 16 bits: |a| ≤ 127 and ±b ≤ 127 stay
// below it, where a and b+128 would not. B has its signs.
func bytesTile(rows, panels int) {
	o := newCompactOperands(fmt.Sprintf("bytes%dx%d", rows, panels*16), "with AVX2; start is not used", rows, panels)
	var acc []vec // row by row, half panels
	for range rows * panels * 2 {
		acc = append(acc, zeros())
	}
	ones := YMM()
	VMOVUPS(bits(0x00010001), ones)
	x, size, product := YMM(), YMM(), YMM()
	o.quadLoop(acc, func(r int) {
		VPBROADCASTD(o.element(r), x)
		VPABSB(x, size)
	}, func(w, to vec) {
		VPSIGNB(x, w, product)
		VPMADDUBSW(product, size, product)
		VPMADDWD(ones, product, product)
		VPADDD(product, to, to)
	})
	o.storeBytes(acc, x, size, product)
}

// bytesTileVNNI does the same with AVX-VNNI: see bytesTileVNNI512.
func bytesTileVNNI(rows, panels int) {
	o := newCompactOperands(fmt.Sprintf("bytes%dx%dVNNI", rows, panels*16), "with AVX-VNNI; sums begin at start", rows, panels)
	start := Load(Param("start"), GP64())
	var acc []vec
	for r := range rows {
		for range panels * 2 {
			sum := YMM()
			VPBROADCASTD(Mem{Base: start, Disp: 4 * r}, sum)
			acc = append(acc, sum)
		}
	}
	x := YMM()
	o.quadLoop(acc, func(r int) {
		VPBROADCASTD(o.element(r), x)
	}, func(w, to vec) {
		VFNMADD231PS(x, w, to) // stands for VPDPBUSD: see unknown
	})
	o.storeBytes(acc, x, YMM(), YMM())
}

// quadLoop takes all quads with AVX2's registers: row says which row of A is next, add
// multiplies it with half a panel.
func (o *compactOperands) quadLoop(acc []vec, row func(r int), add func(w, to vec)) {
	Label("loop")
	if o.rows == 1 {
		w := YMM()
		row(0)
		for i, to := range acc {
			if i%2 == 0 {
				o.fetchAhead(i/2, bytesLater)
			}
			VMOVDQU(o.bytes(i/2, i%2*lanes*4), w)
			add(w, to)
		}
	} else {
		for p := range o.panels {
			lo, hi := YMM(), YMM()
			o.fetchAhead(p, bytesLater)
			VMOVDQU(o.bytes(p, 0), lo)
			VMOVDQU(o.bytes(p, lanes*4), hi)
			for r := range o.rows {
				row(r)
				add(lo, acc[(r*o.panels+p)*2])
				add(hi, acc[(r*o.panels+p)*2+1])
			}
		}
	}
	o.next()
}

// storeBytes scales the sums and adds them to C.
func (o *compactOperands) storeBytes(acc []vec, scale, selected, old vec) {
	o.loadResult()
	mask, scales := Load(Param("mask"), GP64()), Load(Param("scales"), GP64())
	for r := range o.rows {
		VBROADCASTSS(Mem{Base: scales, Disp: 4 * r}, scale)
		for i := range o.panels * 2 {
			sum, offset := acc[r*o.panels*2+i], i*lanes*4
			VCVTDQ2PS(sum, sum)
			VMULPS(Mem{Base: o.columnScales, Disp: offset}, sum, sum)
			VMULPS(scale, sum, sum)
			to := Mem{Base: o.c, Disp: offset}
			if i/2 < o.panels-1 {
				VADDPS(to, sum, sum)
				VMOVUPS(sum, to)
				continue
			}
			VMOVUPS(Mem{Base: mask, Disp: i % 2 * lanes * 4}, selected)
			VMASKMOVPS(to, selected, old)
			VADDPS(old, sum, sum)
			VMASKMOVPS(sum, selected, to)
		}
		ADDQ(o.ldc, o.c)
	}
	VZEROUPPER()
	RET()
}

func zeros() vec {
	x := YMM()
	VPXOR(x, x, x)
	return x
}

// bytesTileVNNI512 does the same with VPDPBUSD, which does not saturate. B holds
// b+128, so sums begin at −128·Σa.
func bytesTileVNNI512(rows, panels int) {
	o := newCompactOperands(fmt.Sprintf("bytes%dx%dVNNI512", rows, panels*16), "with AVX-512 VNNI; sums begin at start", rows, panels)
	var acc, weights []reg.VecVirtual
	start := Load(Param("start"), GP64())
	for r := range rows {
		for range panels {
			sum := ZMM()
			VPBROADCASTD(Mem{Base: start, Disp: 4 * r}, sum)
			acc = append(acc, sum)
		}
	}
	for range panels {
		weights = append(weights, ZMM())
	}
	Label("loop")
	for p, w := range weights {
		o.fetchAhead(p, bytesLater512)
		VMOVDQU32(o.bytes(p, 0), w)
	}
	for r := range rows {
		for p, w := range weights {
			VPDPBUSD_BCST(o.element(r), w, acc[r*panels+p])
		}
	}
	o.next()
	o.loadResult()
	mask, scales := Load(Param("mask"), GP64()), Load(Param("scales"), GP64())
	selected, wide := K(), weights[0]
	VMOVDQU32(Mem{Base: mask}, wide)
	VPMOVD2M(wide, selected)
	for r := range rows {
		for p := range panels {
			sum, offset := acc[r*panels+p], p*panelBytes
			VCVTDQ2PS(sum, sum)
			VMULPS(Mem{Base: o.columnScales, Disp: offset}, sum, sum)
			VMULPS_BCST(Mem{Base: scales, Disp: 4 * r}, sum, sum)
			to := Mem{Base: o.c, Disp: offset}
			if p < panels-1 {
				VADDPS(to, sum, sum)
				VMOVUPS(sum, to)
				continue
			}
			VMOVUPS_Z(to, selected, wide)
			VADDPS(wide, sum, sum)
			VMOVUPS(sum, selected, to)
		}
		ADDQ(o.ldc, o.c)
	}
	VZEROUPPER()
	RET()
}

// byteBlock is how many elements a turn of the routines for rows takes.
const byteBlock = 32

func maxBits() {
	TEXT("maxBitsAsm", NOSPLIT, "func(blocks int, x *float32) uint32")
	Doc(fmt.Sprintf("maxBitsAsm is maxBits of %d·blocks elements. blocks must be positive.", byteBlock))
	n, x := Load(Param("blocks"), GP64()), Load(Param("x"), GP64())
	size := YMM()
	VMOVUPS(bits(0x7fffffff), size)
	var most [4]vec
	for i := range most {
		most[i] = zeros()
	}
	Label("loop")
	for i, m := range most {
		v := YMM()
		VPAND(Mem{Base: x, Disp: i * lanes * 4}, size, v)
		VPMAXUD(v, m, m)
	}
	ADDQ(U32(byteBlock*4), x)
	DECQ(n)
	JNZ(LabelRef("loop"))
	VPMAXUD(most[1], most[0], most[0])
	VPMAXUD(most[3], most[2], most[2])
	VPMAXUD(most[2], most[0], most[0])
	foldDwords(most[0], VPMAXUD)
	VZEROUPPER()
	RET()
}

// foldDwords reduces eight words to one and returns it.
func foldDwords(x vec, op func(ops ...Op)) {
	half, other, word := x.AsX(), XMM(), GP32()
	VEXTRACTI128(Imm(1), x, other)
	op(other, half, half)
	VPSHUFD(Imm(0x4e), half, other)
	op(other, half, half)
	VPSHUFD(Imm(0xb1), half, other)
	op(other, half, half)
	VMOVD(half, word)
	Store(word, ReturnIndex(0))
}

func roundBytes() {
	TEXT("roundBytesAsm", NOSPLIT, "func(blocks int, x *float32, factor float32, q *int8) int32")
	Doc(fmt.Sprintf("roundBytesAsm is roundBytes of %d·blocks elements. blocks must be positive.", byteBlock))
	n, x, q := Load(Param("blocks"), GP64()), Load(Param("x"), GP64()), Load(Param("q"), GP64())
	factor, order, sum := YMM(), YMM(), zeros()
	VBROADCASTSS(param("factor"), factor)
	table := GLOBL("unpackedOrder", RODATA|NOPTR)
	for i, word := range []uint32{0, 4, 1, 5, 2, 6, 3, 7} {
		DATA(4*i, U32(word))
	}
	VMOVDQU(table, order)
	Label("loop")
	var parts [4]vec
	for i := range parts {
		parts[i] = YMM()
		VMULPS(Mem{Base: x, Disp: i * lanes * 4}, factor, parts[i])
		VCVTPS2DQ(parts[i], parts[i])
		VPADDD(parts[i], sum, sum)
	}
	VPACKSSDW(parts[1], parts[0], parts[0])
	VPACKSSDW(parts[3], parts[2], parts[2])
	VPACKSSWB(parts[2], parts[0], parts[0])
	VPERMD(parts[0], order, parts[0])
	VMOVDQU(parts[0], Mem{Base: q})
	ADDQ(U32(byteBlock*4), x)
	ADDQ(Imm(byteBlock), q)
	DECQ(n)
	JNZ(LabelRef("loop"))
	foldDwords(sum, VPADDD)
	VZEROUPPER()
	RET()
}

// halfTile multiplies some rows with whole panels of bfloat16, in the registers
// of either path. A word holds two steps: shifted up it is the first, without its
// lower half the second.
func halfTile(rows, panels int, suffix string, register func() reg.VecVirtual, width int) {
	name := fmt.Sprintf("half%dx%d%s", rows, panels*16, suffix)
	TEXT(name, NOSPLIT, "func(k int, a *float32, lda int, b, ahead *uint16, lineStride int, c *float32, ldc int)")
	Doc(fmt.Sprintf("%s continues %d rows of %d whole panels of bfloat16. Strides are in bytes, k must be positive.", name, rows, panels))
	o := &compactOperands{rows: rows, panels: panels}
	o.left, o.a = Load(Param("k"), GP64()), Load(Param("a"), GP64())
	if rows > 1 {
		o.lda = Load(Param("lda"), GP64())
	}
	if rows > 3 {
		o.lda3 = GP64()
		LEAQ(Mem{Base: o.lda, Index: o.lda, Scale: 2}, o.lda3)
	}
	o.loadPanels()
	fetch := width == lanes*4
	if fetch && rows > 1 {
		o.ahead = Load(Param("ahead"), GP64())
	}
	o.c, o.ldc = Load(Param("c"), GP64()), Load(Param("ldc"), GP64())
	parts := panels * panelBytes / width // registers of a row
	var acc []reg.VecVirtual
	row := GP64()
	MOVQ(o.c, row)
	for range rows {
		for i := range parts {
			sum := register()
			VMOVUPS(Mem{Base: row, Disp: i * width}, sum)
			acc = append(acc, sum)
		}
		ADDQ(o.ldc, row)
	}
	w, x := register(), make([]reg.VecVirtual, rows)
	upperInMemory := width == lanes*4 && len(acc)+rows > 14 // there is no register left
	var upper reg.VecVirtual
	if !upperInMemory {
		upper = register()
		VBROADCASTSS(bits(0xffff0000), upper)
	}
	step := func(second int) {
		for r := range rows {
			m := o.element(r)
			m.Disp += 4 * second
			x[r] = register()
			VBROADCASTSS(m, x[r])
		}
		for i := range parts {
			p, offset := i*width/panelBytes, i*width%panelBytes
			m := o.halves(p, offset)
			if fetch && second+offset == 0 {
				o.fetchAhead(p, halvesLater)
			}
			switch {
			case second == 0:
				VMOVUPS(m, w)
				VPSLLD(Imm(16), w, w)
			case upperInMemory:
				VMOVUPS(m, w)
				VANDPS(bits(0xffff0000), w, w)
			default:
				VANDPS(m, upper, w)
			}
			for r := range rows {
				VFMADD231PS(w, x[r], acc[r*parts+i])
			}
		}
	}
	SUBQ(Imm(2), o.left)
	JLT(LabelRef("last"))
	Label("loop")
	step(0)
	step(1)
	ADDQ(Imm(8), o.a)
	for _, b := range o.b {
		ADDQ(o.lineStride, b)
	}
	if o.ahead != nil {
		ADDQ(U32(panels*panelBytes), o.ahead)
	}
	SUBQ(Imm(2), o.left)
	JGE(LabelRef("loop"))
	Label("last")
	CMPQ(o.left, I32(-1))
	JNE(LabelRef("store"))
	step(0)
	Label("store")
	for r := range rows {
		for i := range parts {
			VMOVUPS(acc[r*parts+i], Mem{Base: o.c, Disp: i * width})
		}
		ADDQ(o.ldc, o.c)
	}
	VZEROUPPER()
	RET()
}

// widenPanel is the way of halfTile's words to memory.
func widenPanel() {
	TEXT("widenPanelAsm", NOSPLIT, "func(words int, src *uint16, lineStride int, dst *float32)")
	Doc("widenPanelAsm writes the two steps of each line of 16 words. words must be positive.")
	n, src, dst := Load(Param("words"), GP64()), Load(Param("src"), GP64()), Load(Param("dst"), GP64())
	stride := Load(Param("lineStride"), GP64())
	w, first, upper := YMM(), YMM(), YMM()
	VBROADCASTSS(bits(0xffff0000), upper)
	Label("loop")
	for i := range 2 {
		VMOVUPS(Mem{Base: src, Disp: i * lanes * 4}, w)
		VPSLLD(Imm(16), w, first)
		VANDPS(w, upper, w)
		VMOVUPS(first, Mem{Base: dst, Disp: i * lanes * 4})
		VMOVUPS(w, Mem{Base: dst, Disp: panelBytes + i*lanes*4})
	}
	ADDQ(stride, src)
	ADDQ(U32(2*panelBytes), dst)
	DECQ(n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

func widenHalf() {
	TEXT("widenHalfAsm", NOSPLIT, "func(blocks int, src *uint16, dst *float32)")
	Doc("widenHalfAsm widens 16·blocks elements from bfloat16. blocks must be positive.")
	n, src, dst := Load(Param("blocks"), GP64()), Load(Param("src"), GP64()), Load(Param("dst"), GP64())
	Label("loop")
	for i := range 2 {
		w := YMM()
		VPMOVZXWD(Mem{Base: src, Disp: i * lanes * 2}, w)
		VPSLLD(Imm(16), w, w)
		VMOVUPS(w, Mem{Base: dst, Disp: i * lanes * 4})
	}
	ADDQ(Imm(panelBytes/2), src)
	ADDQ(Imm(panelBytes), dst)
	DECQ(n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}
