package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func softmax() {
	if !wide {
		largest()
	}
	expSums("expSumAsm", "leaves the terms exp(x−less) in x and adds them to 32 sums, term j to sum j mod 32.", true)
	expSums("sumExpAsm", "adds the terms exp(x−less) to 32 sums, term j to sum j mod 32.", false)
}

// largest looks for the maximum of whole vectors; a NaN never replaces what
// stands in the second source.
func largest() {
	TEXT("maxAsm", NOSPLIT, "func(blocks int, x *float32, lanes *[8]float32)")
	Pragma("noescape")
	Doc("maxAsm takes the maximum of lanes and of 32·blocks elements, element i in lane i mod 8, without NaNs.")
	n := Load(Param("blocks"), GP64())
	x := Load(Param("x"), GP64())
	out := Load(Param("lanes"), GP64())
	var m [4]vec
	for i := range m {
		m[i] = load(Mem{Base: out})
	}
	TESTQ(n, n)
	JZ(LabelRef("done"))
	Label("loop")
	for i := range m {
		v := load(Mem{Base: x, Disp: 32 * i})
		VMAXPS(m[i], v, m[i])
	}
	ADDQ(Imm(128), x)
	DECQ(n)
	JNZ(LabelRef("loop"))
	Label("done")
	VMAXPS(m[1], m[0], m[0])
	VMAXPS(m[3], m[2], m[2])
	VMAXPS(m[2], m[0], m[0])
	VMOVUPS(m[0], Mem{Base: out})
	VZEROUPPER()
	RET()
}

func expSums(name, doc string, keep bool) {
	begin(name, "func(n int, x *float32, less float32, sums *[32]float32)", name+" "+doc)
	Pragma("noescape")
	n := GP64()
	Load(Param("n"), n)
	x := Load(Param("x"), GP64())
	sums := Load(Param("sums"), GP64())
	less := broadcast("less")
	s := make([]vec, 32/width())
	for i := range s {
		s[i] = register()
		VXORPS(s[i], s[i], s[i])
	}
	size := 4 * width()
	term := func(i int, mask reg.Register) {
		m, v := Mem{Base: x, Disp: size * i}, register()
		loadMasked(m, mask, v)
		e := expSoftmax(sub(v, less))
		switch {
		case mask != nil && wide:
			VMOVAPS_Z(e, mask, e)
		case mask != nil:
			VANDPS(mask, e, e)
		}
		VADDPS(e, s[i], s[i])
		if keep {
			storeMasked(e, mask, m)
		}
	}
	SUBQ(Imm(32), n)
	JLT(LabelRef("rest"))
	Label("loop")
	for i := range s {
		term(i, nil)
	}
	ADDQ(Imm(128), x)
	SUBQ(Imm(32), n)
	JGE(LabelRef("loop"))
	Label("rest")
	ADDQ(Imm(32), n)
	for i := range s {
		label := string(rune('a' + i))
		Label("vector" + label)
		CMPQ(n, Imm(uint64(width())))
		JL(LabelRef("partial" + label))
		term(i, nil)
		SUBQ(Imm(uint64(width())), n)
		if i == len(s)-1 {
			JMP(LabelRef("done"))
		} else {
			JMP(LabelRef("vector" + string(rune('b'+i))))
		}
		Label("partial" + label)
		TESTQ(n, n)
		JZ(LabelRef("done"))
		count := GP64()
		MOVQ(n, count)
		term(i, tailMask(count))
		if i < len(s)-1 {
			JMP(LabelRef("done"))
		}
	}
	Label("done")
	for i := range s {
		VMOVUPS(s[i], Mem{Base: sums, Disp: size * i})
	}
	end(name)
}
