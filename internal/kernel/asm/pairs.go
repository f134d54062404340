package main

import (
	"strings"
	"sync"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The tiles of pairs are those of gemm512, each step two k of bfloat16 in a word. For
// what stands for their two instructions see unknown.
func pairs() {
	for rows := 1; rows <= wideHighest; rows++ {
		wideTile("pair", rows, 2)
		wideTile("pair", rows, 1)
	}
	pairColumns()
	pairRows("pairRowsAsm", false)
	pairRows("pairRowsSums", true)
	pairPeak()
}

// pairColumns rounds rows of a left operand.
func pairColumns() {
	TEXT("pairColumnsAsm", NOSPLIT, "func(rows, blocks int, dst *float32, dstStride int, src *float32, ld int, lo, hi, out uint16)")
	Doc("pairColumnsAsm rounds rows of 32·blocks elements and of those that lo and hi select behind them, into words of which out selects the last.",
		"Strides are in bytes. rows must be positive.")
	rows, blocks := Load(Param("rows"), GP64()), Load(Param("blocks"), GP64())
	dst, dstStride := Load(Param("dst"), GP64()), Load(Param("dstStride"), GP64())
	src, ld := Load(Param("src"), GP64()), Load(Param("ld"), GP64())
	masks := [3]reg.OpmaskVirtual{K(), K(), K()}
	for i, name := range []string{"lo", "hi", "out"} {
		m := GP32()
		Load(Param(name), m)
		KMOVW(m, masks[i])
	}
	from, to, left := GP64(), GP64(), GP64()
	low, high, words := ZMM(), ZMM(), ZMM()
	VPXORD(words, words, words)
	Label("row")
	MOVQ(src, from)
	MOVQ(dst, to)
	MOVQ(blocks, left)
	TESTQ(left, left)
	JZ(LabelRef("last"))
	Label("block")
	VMOVUPS(Mem{Base: from}, low)
	VMOVUPS(Mem{Base: from, Disp: 64}, high)
	VFNMADD231PS(low, high, words)
	VMOVUPS(words, Mem{Base: to})
	ADDQ(Imm(128), from)
	ADDQ(Imm(64), to)
	DECQ(left)
	JNZ(LabelRef("block"))
	Label("last")
	VMOVUPS_Z(Mem{Base: from}, masks[0], low)
	VMOVUPS_Z(Mem{Base: from, Disp: 64}, masks[1], high)
	VFNMADD231PS(low, high, words)
	VMOVUPS(words, masks[2], Mem{Base: to})
	ADDQ(ld, src)
	ADDQ(dstStride, dst)
	DECQ(rows)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}

// pairRows rounds and interleaves the rows of what a product goes down along, and adds
// them to sums if asked for.
func pairRows(name string, addUp bool) {
	signature := "func(pairs int, dst *float32, dstStride int, src *float32, ld int, in, out uint16)"
	contract := name + " makes words of two rows each: those of the columns that in selects, of which it writes what out selects."
	if addUp {
		signature = strings.Replace(signature, ")", ", sums *float32)", 1)
		contract += " It adds the rows to the sums, one after another."
	}
	TEXT(name, NOSPLIT, signature)
	Doc(contract, "Strides are in bytes. pairs must be positive.")
	left := Load(Param("pairs"), GP64())
	dst, dstStride := Load(Param("dst"), GP64()), Load(Param("dstStride"), GP64())
	src, ld := Load(Param("src"), GP64()), Load(Param("ld"), GP64())
	in, out := K(), K()
	m := GP32()
	Load(Param("in"), m)
	KMOVW(m, in)
	Load(Param("out"), m)
	KMOVW(m, out)
	order, low, high, words := ZMM(), ZMM(), ZMM(), ZMM()
	VMOVDQU32(interleaved(), order)
	VPXORD(words, words, words)
	var sums reg.Register
	sum := ZMM()
	if addUp {
		sums = Load(Param("sums"), GP64())
		VMOVUPS_Z(Mem{Base: sums}, in, sum)
	}
	Label("pair")
	VMOVUPS_Z(Mem{Base: src}, in, low)
	VMOVUPS_Z(Mem{Base: src, Index: ld, Scale: 1}, in, high)
	if addUp {
		VADDPS(low, sum, sum)
		VADDPS(high, sum, sum)
	}
	VFNMADD231PS(low, high, words)
	VPERMW(words, order, words)
	VMOVUPS(words, out, Mem{Base: dst})
	LEAQ(Mem{Base: src, Index: ld, Scale: 2}, src)
	ADDQ(dstStride, dst)
	DECQ(left)
	JNZ(LabelRef("pair"))
	if addUp {
		VMOVUPS(sum, in, Mem{Base: sums})
	}
	VZEROUPPER()
	RET()
}

// pairPeak keeps twelve chains going, as fmaPeak does.
func pairPeak() {
	TEXT("pairPeakWide", NOSPLIT, "func(rounds int)")
	Doc("pairPeakWide executes 24 multiply-adds of whole registers of words a round. rounds must be positive.")
	n := Load(Param("rounds"), GP64())
	factor := ZMM()
	VBROADCASTSS(bits(0x3f003f00), factor) // a half twice: the sums stay below 2²⁴
	var sums [12]reg.VecVirtual
	for i := range sums {
		sums[i] = ZMM()
		VPXORD(sums[i], sums[i], sums[i])
	}
	Label("loop")
	for range 2 {
		for _, sum := range sums {
			VFMADD231PS(factor, factor, sum)
		}
	}
	DECQ(n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// interleaved takes halves from the first and the second 16 in turn.
var interleaved = sync.OnceValue(func() Mem {
	m := GLOBL("interleavedHalves", RODATA|NOPTR)
	for i := range 16 {
		DATA(4*i, U32(i|(16+i)<<16))
	}
	return m
})
