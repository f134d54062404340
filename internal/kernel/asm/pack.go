package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// pack writes the routines that put operands in the order of the tiles.
func pack() {
	packTransposed()
	packRows()
	for height := 4; height <= wideHighest; height++ {
		packSteps(height, false)
		packSteps(height, true)
	}
}

// packRows copies whole panels.
func packRows() {
	TEXT("packRows", NOSPLIT, "func(k, panels int, dst *float32, panelStride int, src *float32, ld int)")
	Doc("packRows copies k rows, ld bytes apart, of 16·panels elements into panels, panelStride bytes apart.")
	k := Load(Param("k"), GP64())
	panels := Load(Param("panels"), GP64())
	dst := Load(Param("dst"), GP64())
	stride := Load(Param("panelStride"), GP64())
	src := Load(Param("src"), GP64())
	ld := Load(Param("ld"), GP64())
	from, to, left := GP64(), GP64(), GP64()
	lo, hi := YMM(), YMM()
	Label("row")
	MOVQ(src, from)
	MOVQ(dst, to)
	MOVQ(panels, left)
	Label("panel")
	VMOVUPS(Mem{Base: from}, lo)
	VMOVUPS(Mem{Base: from, Disp: lanes * 4}, hi)
	VMOVUPS(lo, Mem{Base: to})
	VMOVUPS(hi, Mem{Base: to, Disp: lanes * 4})
	ADDQ(Imm(panelBytes), from)
	ADDQ(stride, to)
	DECQ(left)
	JNZ(LabelRef("panel"))
	ADDQ(ld, src)
	ADDQ(Imm(panelBytes), dst)
	DECQ(k)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}

// packSteps copies the columns of one tile of a left operand, and may sum them.
func packSteps(height int, summed bool) {
	name, more := fmt.Sprintf("packSteps%d", height), ""
	doc := fmt.Sprintf("%s copies %d elements from each of k rows, ld bytes apart, one after another.", name, height)
	if summed {
		name, more = fmt.Sprintf("packSums%d", height), ", sums *float32"
		doc = fmt.Sprintf("%s does so with %d elements and adds each row to sums.", name, height)
	}
	TEXT(name, NOSPLIT, "func(k int, dst *float32, src *float32, ld int"+more+")")
	Doc(doc)
	k := Load(Param("k"), GP64())
	dst := Load(Param("dst"), GP64())
	src := Load(Param("src"), GP64())
	ld := Load(Param("ld"), GP64())
	// The first lanes, and the last four, some of them once more.
	parts := []reg.VecVirtual{XMM()}
	if height >= lanes {
		parts[0] = YMM()
	}
	at := []int{0, height*4 - 16}
	if height != 4 && height != lanes {
		parts = append(parts, XMM())
	}
	var sums []reg.VecVirtual
	var to reg.Register
	if summed {
		to = Load(Param("sums"), GP64())
		for i, part := range parts {
			sum := XMM()
			if part.Size() > 16 {
				sum = YMM()
			}
			VMOVUPS(Mem{Base: to, Disp: at[i]}, sum)
			sums = append(sums, sum)
		}
	}
	Label("row")
	for i, part := range parts {
		VMOVUPS(Mem{Base: src, Disp: at[i]}, part)
		VMOVUPS(part, Mem{Base: dst, Disp: at[i]})
		if summed {
			VADDPS(part, sums[i], sums[i])
		}
	}
	ADDQ(ld, src)
	ADDQ(Imm(uint64(height*4)), dst)
	DECQ(k)
	JNZ(LabelRef("row"))
	for i, sum := range sums {
		VMOVUPS(sum, Mem{Base: to, Disp: at[i]})
	}
	VZEROUPPER()
	RET()
}

// packTransposed writes the transposition of 8 columns of a panel.
func packTransposed() {
	TEXT("packTransposed", NOSPLIT, "func(steps int, dst *float32, src *float32, ld int)")
	Doc("packTransposed copies 8 rows of 8·steps elements, ld bytes apart, into 8 columns of a panel.")
	steps := Load(Param("steps"), GP64())
	dst := Load(Param("dst"), GP64())
	src := Load(Param("src"), GP64())
	ld := Load(Param("ld"), GP64())
	ld3, far := GP64(), GP64()
	LEAQ(Mem{Base: ld, Index: ld, Scale: 2}, ld3)
	LEAQ(Mem{Base: src, Index: ld, Scale: 4}, far)

	Label("block")
	var rows []reg.VecVirtual
	for r := range 8 {
		base := src
		if r >= 4 {
			base = far
		}
		m := Mem{Base: base}
		switch r % 4 {
		case 1, 2:
			m.Index, m.Scale = ld, uint8(r%4)
		case 3:
			m.Index, m.Scale = ld3, 1
		}
		row := YMM()
		VMOVUPS(m, row)
		rows = append(rows, row)
	}
	for i, column := range transpose8(rows) {
		VMOVUPS(column, Mem{Base: dst, Disp: i * panelBytes})
	}
	ADDQ(Imm(lanes*4), src)
	ADDQ(Imm(lanes*4), far)
	ADDQ(U32(lanes*panelBytes), dst)
	DECQ(steps)
	JNZ(LabelRef("block"))
	VZEROUPPER()
	RET()
}

// transpose8 turns 8 rows of 8 into columns: pairs, then quads, then halves.
func transpose8(rows []reg.VecVirtual) []reg.VecVirtual {
	pairs := make([]reg.VecVirtual, 8)
	for i := 0; i < 8; i += 2 {
		pairs[i], pairs[i+1] = YMM(), YMM()
		VUNPCKLPS(rows[i+1], rows[i], pairs[i])
		VUNPCKHPS(rows[i+1], rows[i], pairs[i+1])
	}
	quads := make([]reg.VecVirtual, 8)
	for i := 0; i < 8; i += 4 {
		for j := range 2 {
			quads[i+2*j], quads[i+2*j+1] = YMM(), YMM()
			VSHUFPS(Imm(0x44), pairs[i+2+j], pairs[i+j], quads[i+2*j])
			VSHUFPS(Imm(0xee), pairs[i+2+j], pairs[i+j], quads[i+2*j+1])
		}
	}
	columns := make([]reg.VecVirtual, 8)
	for j := range 4 {
		columns[j], columns[j+4] = YMM(), YMM()
		VPERM2F128(Imm(0x20), quads[4+j], quads[j], columns[j])
		VPERM2F128(Imm(0x31), quads[4+j], quads[j], columns[j+4])
	}
	return columns
}
