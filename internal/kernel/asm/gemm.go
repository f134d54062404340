package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// lanes is the number of float32 in a YMM register, panelBytes the bytes of
// one row of a panel.
const (
	lanes      = 8
	panelBytes = 64
)

// gemm writes the microkernels. Heights under four use several panels at once,
// because few accumulators leave the multipliers waiting.
func gemm() {
	for rows := 1; rows <= 6; rows++ {
		tile(rows, 1, false)
		tile(rows, 1, true)
	}
	tile(1, 4, false)
	tile(2, 2, false)
	tile(3, 2, false)
}

// tile writes one microkernel: the chains of tiles × (rows × 16·panels) of C, one
// below the other, begin with the rows at from, which may be those of C or the
// same row again and again, and go on for k steps with the same panels.
func tile(rows, panels int, edge bool) {
	name := fmt.Sprintf("tile%dx%d", rows, panels*panelBytes/4)
	what := fmt.Sprintf("%s writes tiles of %d rows and %d columns of C, one below the other, whose chains begin with the rows at from.", name, rows, panels*16)
	fetches := !edge && panels < 4
	more := ""
	if fetches {
		more = ", ahead *float32, lines int, next *float32"
	}
	if edge {
		name += "Edge"
		what = fmt.Sprintf("%s does so with tiles of %d rows and the columns that mask selects.", name, rows)
		more = ", mask *int32"
	}
	TEXT(name, NOSPLIT, "func(tiles, k int, a *float32, rowStride, kStride, tileStride int, b *float32, panelStride int, c *float32, ldc int, from *float32, fromStride int"+more+")")
	if fetches {
		what += " In four steps it asks for so many lines of each panel from ahead on, and at last for the tile at next, which follows."
	}
	Doc(what, "Strides and ldc are in bytes. tiles and k must be positive.")
	t := newTile(rows, panels, edge, fetches)

	Label("tile")
	t.loadC()
	t.begin()
	CMPQ(t.left, Imm(4))
	JLT(LabelRef("one"))
	Label("four")
	for u := range 4 {
		t.step(u)
	}
	if fetches {
		t.fetchAhead()
	}
	t.advance(4)
	SUBQ(Imm(4), t.left)
	CMPQ(t.left, Imm(4))
	JGE(LabelRef("four"))
	Label("one")
	TESTQ(t.left, t.left)
	JZ(LabelRef("store"))
	Label("rest")
	t.step(0)
	t.advance(1)
	DECQ(t.left)
	JNZ(LabelRef("rest"))
	Label("store")
	t.storeC()
	ADDQ(t.tileStride, t.a)
	DECQ(t.tiles)
	JNZ(LabelRef("tile"))
	VZEROUPPER()
	RET()
}

// tileRegisters are the registers of a microkernel. Rows 0 to 2 of A are
// addressed from near, rows 3 to 5 from far; panels 0 and 1 from b, 2 and 3
// from b2.
type tileRegisters struct {
	rows, panels       int
	acc                []reg.VecVirtual // row by row
	lo, hi             reg.VecVirtual   // columns of B, or masks around the loop
	x                  reg.VecVirtual   // element of A
	tiles, left        reg.Register
	a, near, far       reg.Register
	rowStride, kStride reg.Register
	tileStride         reg.Register
	b, b2, panelStride reg.Register
	c, ldc             reg.Register
	ahead, lines       reg.Register // nil: nothing is asked for
	masked             bool
}

func newTile(rows, panels int, edge, fetches bool) *tileRegisters {
	t := &tileRegisters{rows: rows, panels: panels, masked: edge}
	for range rows * panels * 2 {
		t.acc = append(t.acc, YMM())
	}
	t.lo, t.hi, t.x = YMM(), YMM(), YMM()
	t.tiles, t.left = Load(Param("tiles"), GP64()), GP64()
	t.a, t.near = Load(Param("a"), GP64()), GP64()
	if rows > 3 {
		t.far = GP64()
	}
	if rows > 1 {
		t.rowStride = Load(Param("rowStride"), GP64())
	}
	t.kStride = Load(Param("kStride"), GP64())
	t.tileStride = Load(Param("tileStride"), GP64())
	t.b = GP64()
	if panels > 1 {
		t.panelStride = Load(Param("panelStride"), GP64())
	}
	if panels > 2 {
		t.b2 = GP64()
	}
	t.c, t.ldc = Load(Param("c"), GP64()), Load(Param("ldc"), GP64())
	if fetches {
		t.ahead, t.lines = Load(Param("ahead"), GP64()), GP64()
	}
	return t
}

// begin points at the first step of the panels and of this tile's rows.
func (t *tileRegisters) begin() {
	MOVQ(param("k"), t.left)
	MOVQ(param("b"), t.b)
	if t.panels > 2 {
		LEAQ(Mem{Base: t.b, Index: t.panelStride, Scale: 2}, t.b2)
	}
	MOVQ(t.a, t.near)
	if t.rows > 3 {
		LEAQ(Mem{Base: t.rowStride, Index: t.rowStride, Scale: 2}, t.far)
		ADDQ(t.a, t.far)
	}
}

// element is the address of row r of A at the current step.
func (t *tileRegisters) element(r int) Mem {
	base := t.near
	if r >= 3 {
		base, r = t.far, r-3
	}
	if r == 0 {
		return Mem{Base: base}
	}
	return Mem{Base: base, Index: t.rowStride, Scale: uint8(r)}
}

// column is the address of half h of panel p, u steps ahead.
func (t *tileRegisters) column(p, h, u int) Mem {
	base := t.b
	if p >= 2 {
		base, p = t.b2, p-2
	}
	m := Mem{Base: base, Disp: u*panelBytes + h*lanes*4}
	if p == 1 {
		m.Index, m.Scale = t.panelStride, 1
	}
	return m
}

// step adds one k to every accumulator, and moves to the next k of A.
func (t *tileRegisters) step(u int) {
	if t.rows == 1 {
		VBROADCASTSS(t.element(0), t.x)
		for i, acc := range t.acc {
			VFMADD231PS(t.column(i/2, i%2, u), t.x, acc)
		}
	} else {
		for p := range t.panels {
			VMOVUPS(t.column(p, 0, u), t.lo)
			VMOVUPS(t.column(p, 1, u), t.hi)
			for r := range t.rows {
				VBROADCASTSS(t.element(r), t.x)
				acc := t.acc[(r*t.panels+p)*2:]
				VFMADD231PS(t.lo, t.x, acc[0])
				VFMADD231PS(t.hi, t.x, acc[1])
			}
		}
	}
	ADDQ(t.kStride, t.near)
	if t.rows > 3 {
		ADDQ(t.kStride, t.far)
	}
}

func (t *tileRegisters) advance(steps int) {
	ADDQ(U32(steps*panelBytes), t.b)
	if t.panels > 2 {
		ADDQ(U32(steps*panelBytes), t.b2)
	}
}

func (t *tileRegisters) loadMasks() {
	mask := Load(Param("mask"), GP64())
	VMOVUPS(Mem{Base: mask}, t.lo)
	VMOVUPS(Mem{Base: mask, Disp: lanes * 4}, t.hi)
}

// fetchAhead asks for lines of B that come after this block. Those that two panels
// at once need next are wanted in the first-level cache, where blocks leave room.
func (t *tileRegisters) fetchAhead() {
	MOVQ(param("lines"), t.lines)
	Label("ahead")
	if t.panels == 1 {
		PREFETCHT1(Mem{Base: t.ahead})
	} else {
		PREFETCHT0(Mem{Base: t.ahead})
		PREFETCHT0(Mem{Base: t.ahead, Index: t.panelStride, Scale: 1})
	}
	ADDQ(Imm(panelBytes), t.ahead)
	DECQ(t.lines)
	JNZ(LabelRef("ahead"))
}

// loadC reads what the tile's chains begin with, and asks for the lines of the
// following tile, which would else be waited for at its beginning.
func (t *tileRegisters) loadC() {
	if t.masked {
		t.loadMasks()
	}
	row := GP64()
	MOVQ(param("from"), row)
	for r := range t.rows {
		for v := range t.panels * 2 {
			m := Mem{Base: row, Disp: v * lanes * 4}
			acc := t.acc[r*t.panels*2+v]
			if t.masked {
				VMASKMOVPS(m, []reg.VecVirtual{t.lo, t.hi}[v], acc)
			} else {
				VMOVUPS(m, acc)
			}
		}
		ADDQ(param("fromStride"), row)
	}
	MOVQ(row, param("from"))
	if t.ahead == nil {
		return
	}
	IMUL3Q(U8(t.rows), t.ldc, row)
	ADDQ(t.c, row)
	CMPQ(t.tiles, Imm(1))
	CMOVQEQ(param("next"), row)
	for range t.rows {
		for p := range t.panels {
			PREFETCHT0(Mem{Base: row, Disp: p * panelBytes})
		}
		PREFETCHT0(Mem{Base: row, Disp: t.panels*panelBytes - 4})
		ADDQ(t.ldc, row)
	}
}

func (t *tileRegisters) storeC() {
	if t.masked {
		t.loadMasks()
	}
	for r := range t.rows {
		for v := range t.panels * 2 {
			m := Mem{Base: t.c, Disp: v * lanes * 4}
			acc := t.acc[r*t.panels*2+v]
			if t.masked {
				VMASKMOVPS(acc, []reg.VecVirtual{t.lo, t.hi}[v], m)
			} else {
				VMOVUPS(acc, m)
			}
		}
		ADDQ(t.ldc, t.c)
	}
}
