package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// peaks writes the loops that measure a machine: multiply-adds that wait for
// nothing, and reads whose values nobody wants.
func peaks() {
	fmaPeak("fmaPeakAsm", YMM)
	fmaPeak("fmaPeakWide", ZMM)
	readPeak()
}

// fmaPeak keeps twelve chains going, more than any processor has in flight.
func fmaPeak(name string, register func() reg.VecVirtual) {
	TEXT(name, NOSPLIT, "func(rounds int)")
	Doc(name + " executes 24 multiply-adds of whole registers a round. rounds must be positive.")
	n := Load(Param("rounds"), GP64())
	factor := register()
	VBROADCASTSS(bits(0x3f7fff00), factor) // just below 1, so that sums neither overflow nor vanish
	var sums [12]reg.VecVirtual
	for i := range sums {
		sums[i] = register()
		VBROADCASTSS(bits(0x3f800000), sums[i])
	}
	Label("loop")
	for range 2 {
		for _, sum := range sums {
			VFMADD213PS(factor, factor, sum)
		}
	}
	DECQ(n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

func readPeak() {
	TEXT("readPeakAsm", NOSPLIT, "func(blocks int, x *float32)")
	Doc("readPeakAsm reads 128·blocks elements. blocks must be positive.")
	n := Load(Param("blocks"), GP64())
	x := Load(Param("x"), GP64())
	into := YMM()
	Label("loop")
	for i := range 16 {
		VMOVUPS(Mem{Base: x, Disp: 32 * i}, into)
	}
	ADDQ(U32(512), x)
	DECQ(n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}
