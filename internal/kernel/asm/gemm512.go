package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// wideHeights are the heights of the tiles with AVX-512. Fewer rows are left to
// the AVX2 tiles: they wait for memory, not for multipliers.
const wideLowest, wideHighest = 4, 12

// gemm512 writes the microkernels with AVX-512: two panels at a time, and the
// last one alone, of which a mask selects the columns.
func gemm512() {
	for rows := wideLowest; rows <= wideHighest; rows++ {
		wideTile("wide", rows, 2)
		wideTile("wide", rows, 1)
	}
}

// wideTile writes one microkernel. Its shape is that of tile, its signature the
// same for all heights and both numbers of panels, so that Go picks from a table.
func wideTile(kind string, rows, panels int) {
	name := fmt.Sprintf("%s%dx%d", kind, rows, panels*16)
	TEXT(name, NOSPLIT, "func(tiles, k int, a *float32, rowStride, kStride, tileStride int, b *float32, panelStride int, c *float32, ldc int, from *float32, fromStride int, mask uint16, ahead, next *float32)")
	Doc(fmt.Sprintf("%s writes tiles of %d rows and %d columns of C, one below the other, whose chains begin with the rows at from; mask selects the columns of the last panel.", name, rows, panels*16),
		"It asks for the lines of B from ahead on, and for the tile at next, which follows the last.",
		"Strides and ldc are in bytes. tiles and k must be positive.")
	w := newWide(rows, panels)
	Label("tile")
	w.loadC()
	w.begin()
	CMPQ(w.left, Imm(4))
	JLT(LabelRef("one"))
	Label("four")
	for u := range 4 {
		w.step(u)
	}
	w.fetchAhead()
	ADDQ(U32(4*panelBytes), w.b)
	SUBQ(Imm(4), w.left)
	CMPQ(w.left, Imm(4))
	JGE(LabelRef("four"))
	Label("one")
	TESTQ(w.left, w.left)
	JZ(LabelRef("store"))
	Label("rest")
	w.step(0)
	ADDQ(U32(panelBytes), w.b)
	DECQ(w.left)
	JNZ(LabelRef("rest"))
	Label("store")
	w.storeC()
	ADDQ(param("tileStride"), w.a)
	DECQ(param("tiles"))
	JNZ(LabelRef("tile"))
	VZEROUPPER()
	RET()
}

// param is the place of an argument in memory, for what is too rarely used to
// deserve a register.
func param(name string) Mem {
	b, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	return b.Addr
}

// wideRegisters are the registers of a microkernel. Rows 0 to 4 of A are
// addressed from the first base, 5 to 9 from the second, and so on.
type wideRegisters struct {
	rows, panels        int
	acc                 []reg.VecVirtual // row by row
	columns             []reg.VecVirtual // a step of B
	x                   reg.VecVirtual   // element of A
	mask                reg.Register
	a                   reg.Register
	bases               []reg.Register
	stride, stride3     reg.Register
	kStride, left       reg.Register
	b, panelStride      reg.Register
	c, ldc, ahead, temp reg.Register
}

const rowsPerBase = 5

func newWide(rows, panels int) *wideRegisters {
	w := &wideRegisters{rows: rows, panels: panels, x: ZMM(), mask: K()}
	for range rows * panels {
		w.acc = append(w.acc, ZMM())
	}
	for range panels {
		w.columns = append(w.columns, ZMM())
	}
	w.a = Load(Param("a"), GP64())
	w.stride, w.stride3 = Load(Param("rowStride"), GP64()), GP64()
	LEAQ(Mem{Base: w.stride, Index: w.stride, Scale: 2}, w.stride3)
	for range (rows + rowsPerBase - 1) / rowsPerBase {
		w.bases = append(w.bases, GP64())
	}
	w.kStride, w.left = Load(Param("kStride"), GP64()), GP64()
	w.b = GP64()
	if panels > 1 {
		w.panelStride = Load(Param("panelStride"), GP64())
	}
	w.c, w.ldc = Load(Param("c"), GP64()), Load(Param("ldc"), GP64())
	w.ahead, w.temp = Load(Param("ahead"), GP64()), GP64()
	mask := GP32()
	Load(Param("mask"), mask)
	KMOVW(mask, w.mask)
	return w
}

// begin points at the first step of the panels and of this tile's rows.
func (w *wideRegisters) begin() {
	MOVQ(param("k"), w.left)
	MOVQ(param("b"), w.b)
	MOVQ(w.a, w.bases[0])
	for i := 1; i < len(w.bases); i++ {
		LEAQ(Mem{Base: w.bases[i-1], Index: w.stride, Scale: 4}, w.bases[i])
		ADDQ(w.stride, w.bases[i])
	}
}

// element is the address of row r of A at the current step.
func (w *wideRegisters) element(r int) Mem {
	m := Mem{Base: w.bases[r/rowsPerBase]}
	switch r %= rowsPerBase; r {
	case 1, 2, 4:
		m.Index, m.Scale = w.stride, uint8(r)
	case 3:
		m.Index, m.Scale = w.stride3, 1
	}
	return m
}

// step adds one k to every accumulator, and moves to the next k of A.
func (w *wideRegisters) step(u int) {
	for p, column := range w.columns {
		m := Mem{Base: w.b, Disp: u * panelBytes}
		if p == 1 {
			m.Index, m.Scale = w.panelStride, 1
		}
		VMOVUPS(m, column)
	}
	for r := range w.rows {
		VBROADCASTSS(w.element(r), w.x)
		for p, column := range w.columns {
			VFMADD231PS(column, w.x, w.acc[r*w.panels+p])
		}
	}
	for _, base := range w.bases {
		ADDQ(w.kStride, base)
	}
}

// fetchAhead asks for one line of each panel that comes after this block.
func (w *wideRegisters) fetchAhead() {
	PREFETCHT1(Mem{Base: w.ahead})
	if w.panels > 1 {
		PREFETCHT1(Mem{Base: w.ahead, Index: w.panelStride, Scale: 1})
	}
	ADDQ(Imm(panelBytes), w.ahead)
}

// loadC reads what the tile's chains begin with and asks for the lines of the
// following tile.
func (w *wideRegisters) loadC() {
	row := w.temp
	MOVQ(param("from"), row)
	for r := range w.rows {
		for p := range w.panels {
			m := Mem{Base: row, Disp: p * panelBytes}
			if p == w.panels-1 {
				VMOVUPS_Z(m, w.mask, w.acc[r*w.panels+p])
			} else {
				VMOVUPS(m, w.acc[r*w.panels+p])
			}
		}
		ADDQ(param("fromStride"), row)
	}
	MOVQ(row, param("from"))
	IMUL3Q(U8(w.rows), w.ldc, row)
	ADDQ(w.c, row)
	CMPQ(param("tiles"), Imm(1))
	CMOVQEQ(param("next"), row)
	for range w.rows {
		for p := range w.panels {
			PREFETCHT0(Mem{Base: row, Disp: p * panelBytes})
		}
		PREFETCHT0(Mem{Base: row, Disp: w.panels*panelBytes - 4})
		ADDQ(w.ldc, row)
	}
}

func (w *wideRegisters) storeC() {
	for r := range w.rows {
		for p := range w.panels {
			m := Mem{Base: w.c, Disp: p * panelBytes}
			if p == w.panels-1 {
				VMOVUPS(w.acc[r*w.panels+p], w.mask, m)
			} else {
				VMOVUPS(w.acc[r*w.panels+p], m)
			}
		}
		ADDQ(w.ldc, w.c)
	}
}
