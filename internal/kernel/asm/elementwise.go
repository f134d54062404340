package main

import (
	"math"
	"strings"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// vec is a vector register that avo assigns.
type vec = reg.VecVirtual

// wide chooses the registers: ZMM instead of YMM. Both forms of a routine do the
// same to each element.
var wide bool

func register() vec {
	if wide {
		return ZMM()
	}
	return YMM()
}

// width is the number of float32 in a register.
func width() int {
	if wide {
		return 2 * lanes
	}
	return lanes
}

// pass gives the body of an elementwise routine its elements, a register at a time.
type pass struct {
	pointers map[string]reg.Register
	offset   reg.Register
	mask     reg.Register // nil in the main loop
}

func (p *pass) at(name string) Mem {
	return Mem{Base: p.pointers[name], Index: p.offset, Scale: 1}
}

func (p *pass) load(name string) vec {
	x := register()
	loadMasked(p.at(name), p.mask, x)
	return x
}

func (p *pass) store(x vec, name string) {
	storeMasked(x, p.mask, p.at(name))
}

// loadMasked reads the lanes that mask selects, and zeros else; all for nil.
func loadMasked(m Mem, mask reg.Register, x vec) {
	switch {
	case mask == nil:
		VMOVUPS(m, x)
	case wide:
		VMOVUPS_Z(m, mask, x)
	default:
		VMASKMOVPS(m, mask, x)
	}
}

func storeMasked(x vec, mask reg.Register, m Mem) {
	switch {
	case mask == nil:
		VMOVUPS(x, m)
	case wide:
		VMOVUPS(x, mask, m)
	default:
		VMASKMOVPS(x, mask, m)
	}
}

// begin opens a routine of two forms. The AVX2 form leaves at once for the other
// where that can run: both have the same arguments, at the same place.
func begin(name, signature string, doc ...string) {
	if wide {
		TEXT(wideName(name), NOSPLIT, signature)
		Doc(wideName(name) + " is " + name + " with AVX-512.")
		return
	}
	TEXT(name, NOSPLIT, signature)
	Doc(doc...)
	CMPB(Mem{Symbol: Symbol{Name: "·useAVX512"}, Base: reg.StaticBase}, Imm(0))
	JNE(LabelRef("wide"))
}

// end closes what begin opened.
func end(name string) {
	VZEROUPPER()
	RET()
	if !wide {
		Label("wide")
		Instruction(&ir.Instruction{Opcode: "JMP", Operands: []Op{LabelRef("·" + wideName(name) + "(SB)")}, IsTerminal: true})
	}
}

func wideName(name string) string { return strings.TrimSuffix(name, "Asm") + "Wide" }

// elementwise writes a routine over the given number of elements (units)
// of the named slices. The body is
// written twice, for whole vectors and for a masked rest, so that an element
// has the same bits wherever it lies. prepare, if not nil, comes before the
// loop, after the slices' pointers are loaded.
func elementwise(name, doc, slices, more string, prepare func(), body func(p *pass)) {
	begin(name, "func(units int, "+strings.Join(strings.Fields(slices), ", ")+" *float32"+more+")", name+" "+doc)
	n := GP64()
	Load(Param("units"), n)
	p := &pass{pointers: map[string]reg.Register{}, offset: GP64()}
	for _, slice := range strings.Fields(slices) {
		p.pointers[slice] = Load(Param(slice), GP64())
	}
	if prepare != nil {
		prepare()
	}
	XORQ(p.offset, p.offset)
	each := Imm(uint64(width()))
	SUBQ(each, n)
	JLT(LabelRef("tail"))
	Label("loop")
	body(p)
	ADDQ(Imm(uint64(width()*4)), p.offset)
	SUBQ(each, n)
	JGE(LabelRef("loop"))
	Label("tail")
	ADDQ(each, n)
	JZ(LabelRef("done"))
	p.mask = tailMask(n)
	body(p)
	Label("done")
	end(name)
}

// tailMask makes a mask of the first n lanes, fewer than all, and changes n.
func tailMask(n reg.GPVirtual) reg.Register {
	if wide {
		one, mask := GP64(), K()
		MOVQ(U32(1), one)
		SHLXQ(n, one, n)
		DECQ(n)
		KMOVW(n.As32(), mask)
		return mask
	}
	table, mask := GP64(), YMM()
	LEAQ(tailMasks(), table)
	NEGQ(n)
	VMOVUPS(Mem{Base: table, Index: n, Scale: 4, Disp: lanes * 4}, mask)
	return mask
}

var tailTable, constants = Mem{}, map[uint32]Mem{}

// tailMasks is eight words of ones, then eight of zeros.
func tailMasks() Mem {
	if tailTable.Symbol.Name == "" {
		tailTable = GLOBL("tailMasks", RODATA|NOPTR)
		for i := range 2 * lanes {
			word := uint32(0)
			if i < lanes {
				word = math.MaxUint32
			}
			DATA(i*4, U32(word))
		}
	}
	return tailTable
}

// bits is a constant in all lanes, float the same for a number.
func bits(word uint32) Mem {
	m, ok := constants[word]
	if !ok {
		m = GLOBL("const"+strings.ToUpper(hex(word)), RODATA|NOPTR)
		for i := range width() {
			DATA(i*4, U32(word))
		}
		constants[word] = m
	}
	return m
}

func float(x float64) Mem { return bits(math.Float32bits(float32(x))) }

func hex(word uint32) string {
	const digits = "0123456789abcdef"
	var text [8]byte
	for i := range text {
		text[i] = digits[word>>(28-4*i)&15]
	}
	return string(text[:])
}

// The operations below return their result in a new register.

func mul(a vec, b Op) vec { x := register(); VMULPS(b, a, x); return x }
func add(a vec, b Op) vec { x := register(); VADDPS(b, a, x); return x }

// sub is a−b.
func sub(a vec, b Op) vec { x := register(); VSUBPS(b, a, x); return x }

// div is a/b.
func div(a vec, b Op) vec { x := register(); VDIVPS(b, a, x); return x }

func load(m Mem) vec { x := register(); VMOVUPS(m, x); return x }

func broadcast(name string) vec {
	m, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	x := register()
	VBROADCASTSS(m.Addr, x)
	return x
}

// oneMinus is 1−a.
func oneMinus(a vec) vec { return sub(load(float(1)), a) }

// slope is a·(1−a), the derivative of σ at the activation a.
func slope(a vec) vec { return mul(a, oneMinus(a)) }

// oneMinusSquare is 1−a², fused: the derivative of tanh at the activation a.
func oneMinusSquare(a vec) vec {
	x := load(float(1))
	VFNMADD231PS(a, a, x)
	return x
}

// arithmetic writes the simple vector routines.
func arithmetic() {
	elementwise("addAsm", "computes y += x.", "y x", "", nil, func(p *pass) {
		y := p.load("y")
		p.store(add(y, p.load("x")), "y")
	})
	elementwise("mulAsm", "computes y *= x.", "y x", "", nil, func(p *pass) {
		y := p.load("y")
		p.store(mul(y, p.load("x")), "y")
	})
	var s vec
	scalar := func() { s = broadcast("s") }
	elementwise("scaleAsm", "computes y *= s.", "y", ", s float32", scalar, func(p *pass) {
		p.store(mul(p.load("y"), s), "y")
	})
	elementwise("axpyAsm", "computes y += s·x, fused.", "y x", ", s float32", scalar, func(p *pass) {
		y := p.load("y")
		VFMADD231PS(p.load("x"), s, y)
		p.store(y, "y")
	})
	if !wide {
		sumSquares()
		nonFinite()
	}
}

// sumSquares adds squares in float64, element i to sum i mod 16.
func sumSquares() {
	TEXT("sumSquaresAsm", NOSPLIT, "func(blocks int, x *float32, sums *[16]float64)")
	Pragma("noescape")
	Doc("sumSquaresAsm adds the squares of 16·blocks elements to 16 sums, element i to sum i mod 16.")
	n := Load(Param("blocks"), GP64())
	x := Load(Param("x"), GP64())
	sums := Load(Param("sums"), GP64())
	var s [4]vec
	for i := range s {
		s[i] = load(Mem{Base: sums, Disp: 32 * i})
	}
	TESTQ(n, n)
	JZ(LabelRef("done"))
	Label("loop")
	for i := range s {
		v := YMM()
		VCVTPS2PD(Mem{Base: x, Disp: 16 * i}, v)
		VFMADD231PD(v, v, s[i])
	}
	ADDQ(Imm(64), x)
	DECQ(n)
	JNZ(LabelRef("loop"))
	Label("done")
	for i := range s {
		VMOVUPS(s[i], Mem{Base: sums, Disp: 32 * i})
	}
	VZEROUPPER()
	RET()
}

// nonFinite looks for exponents of all ones.
func nonFinite() {
	TEXT("anyNonFiniteAsm", NOSPLIT, "func(blocks int, x *float32) bool")
	Doc("anyNonFiniteAsm reports whether 8·blocks elements hold a NaN or an infinity.")
	n := Load(Param("blocks"), GP64())
	x := Load(Param("x"), GP64())
	exponent, found := load(bits(0x7f800000)), YMM()
	VPXOR(found, found, found)
	TESTQ(n, n)
	JZ(LabelRef("done"))
	Label("loop")
	v := YMM()
	VPAND(Mem{Base: x}, exponent, v)
	VPCMPEQD(exponent, v, v)
	VPOR(v, found, found)
	ADDQ(Imm(32), x)
	DECQ(n)
	JNZ(LabelRef("loop"))
	Label("done")
	any := GP8()
	VPTEST(found, found)
	SETNE(any)
	Store(any, ReturnIndex(0))
	VZEROUPPER()
	RET()
}
