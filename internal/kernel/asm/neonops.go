package main

import (
	"fmt"
	"strings"
)

// operation translates one instruction with its operands, in the order of Go's
// assembler: the destination last.
type operation func(n *neon, args []string) error

var neonOperations map[string]operation

func init() {
	neonOperations = map[string]operation{
		"MOVQ": move, "LEAQ": lea, "XORQ": zero, "NEGQ": neg,
		"ADDQ": arithmetic64("ADDS"), "SUBQ": arithmetic64("SUBS"), "DECQ": decrement,
		"IMUL3Q": multiply64, "CMPQ": compare64, "CMPB": nothing, "JNE": nothing, // the last two lead to AVX-512
		"TESTQ": test, "CMOVQEQ": selectEqual, "SETNE": setNotEqual, "MOVB": moveByte,
		"JZ": jump("BEQ"), "JNZ": jump("BNE"), "JLT": jump("BLT"), "JL": jump("BLT"), "JGE": jump("BGE"), "JMP": jump("B"),
		"PREFETCHT0": prefetch("PLDL1KEEP"), "PREFETCHT1": prefetch("PLDL2KEEP"),
		"VZEROUPPER": nothing,
		"RET":        func(n *neon, _ []string) error { n.emit("RET"); return nil },

		"VMOVUPS": moveVector, "VMOVAPS": moveVector, "VBROADCASTSS": broadcastElement, "VMASKMOVPS": moveMasked,
		"VADDPS": both("FADD", 0x4e20d400), "VSUBPS": both("FSUB", 0x4ea0d400),
		"VMULPS": both("FMUL", 0x6e20dc00), "VDIVPS": both("FDIV", 0x6e20fc00), "VSQRTPS": squareRoot,
		"VMAXPS": extreme(false), "VMINPS": extreme(true), "VCMPPS": comparePS,
		"VANDPS": named("VAND", "B16"), "VPAND": named("VAND", "B16"), "VPOR": named("VORR", "B16"),
		"VXORPS": named("VEOR", "B16"), "VPXOR": named("VEOR", "B16"),
		"VPADDD": named("VADD", "S4"), "VPCMPEQD": named("VCMEQ", "S4"), "VPSLLD": shiftLeft, "VPTEST": testVector,
		"VFMADD231PS": fused231("VFMLA", "S4"), "VFNMADD231PS": fused231("VFMLS", "S4"), "VFMADD231PD": fused231("VFMLA", "D2"),
		"VFMADD213PS": fused213, "VFMSUB132PS": fusedSubtract132, "VCVTPS2PD": widen,
		"VUNPCKLPS": interleave("VZIP1", "S4"), "VUNPCKHPS": interleave("VZIP2", "S4"),
		"VSHUFPS": shuffle, "VPERM2F128": halves,
	}
}

// move is MOVQ between general registers, or from or to a parameter.
func move(n *neon, args []string) error {
	var names [2]string
	for i, arg := range args {
		if names[i] = arg; isParameter(arg) {
			continue
		}
		r, err := general(arg)
		if err != nil {
			return err
		}
		names[i] = r
	}
	n.emit("MOVD %s, %s", names[0], names[1])
	return nil
}

func isParameter(operand string) bool { return strings.HasSuffix(operand, "(FP)") }

func lea(n *neon, args []string) error {
	to, err := general(args[1])
	if err != nil {
		return err
	}
	at, err := n.locate(args[0])
	if err == nil {
		n.emit("MOVD %s, %s", at, to)
	}
	return err
}

func zero(n *neon, args []string) error {
	r, err := general(args[1])
	if err != nil || args[0] != args[1] {
		return fmt.Errorf("XORQ of two registers")
	}
	n.emit("MOVD ZR, %s", r)
	return nil
}

func neg(n *neon, args []string) error {
	r, err := general(args[0])
	n.emit("NEG %s, %s", r, r)
	return err
}

// value is an immediate or a general register.
func value(operand string) (string, error) {
	if strings.HasPrefix(operand, "$") {
		return operand, nil
	}
	return general(operand)
}

// arithmetic64 sets the flags as x86 does.
func arithmetic64(op string) operation {
	return func(n *neon, args []string) error {
		if isParameter(args[0]) {
			r, err := general(args[1])
			n.emit("MOVD %s, %s", args[0], element)
			n.emit("%s %s, %s, %s", op, element, r, r)
			return err
		}
		v, err := value(args[0])
		if err != nil {
			return err
		}
		r, err := general(args[1])
		n.emit("%s %s, %s, %s", op, v, r, r)
		return err
	}
}

// multiply64 is by an immediate.
func multiply64(n *neon, args []string) error {
	from, err := general(args[1])
	if err != nil {
		return err
	}
	to, err := general(args[2])
	n.emit("MOVD %s, %s", args[0], element)
	n.emit("MUL %s, %s, %s", from, element, to)
	return err
}

func decrement(n *neon, args []string) error {
	r, err := general(args[0])
	n.emit("SUBS $1, %s, %s", r, r)
	return err
}

func compare64(n *neon, args []string) error {
	r, err := general(args[0])
	if err != nil {
		return err
	}
	v, err := value(args[1])
	n.emit("CMP %s, %s", v, r)
	return err
}

func test(n *neon, args []string) error {
	r, err := general(args[0])
	if args[0] != args[1] {
		return fmt.Errorf("TESTQ of two registers")
	}
	n.emit("CMP $0, %s", r)
	return err
}

func selectEqual(n *neon, args []string) error {
	to, err := general(args[1])
	if err != nil {
		return err
	}
	from := element
	if isParameter(args[0]) {
		n.emit("MOVD %s, %s", args[0], from)
	} else if from, err = general(args[0]); err != nil {
		return err
	}
	n.emit("CSEL EQ, %s, %s, %s", from, to, to)
	return err
}

func setNotEqual(n *neon, args []string) error {
	n.emit("CSET NE, %s", element)
	return nil
}

func moveByte(n *neon, args []string) error {
	n.emit("MOVB %s, %s", element, args[1])
	return nil
}

// nothing is for what arm64 has no use for.
func nothing(*neon, []string) error { return nil }

func jump(op string) operation {
	return func(n *neon, args []string) error {
		if !strings.HasSuffix(args[0], "(SB)") {
			n.emit("%s %s", op, args[0])
		}
		return nil
	}
}

func prefetch(kind string) operation {
	return func(n *neon, args []string) error {
		at, err := n.locate(args[0])
		n.emit("PRFM (%s), %s", at, kind)
		return err
	}
}

// moveVector reads, writes or copies a register.
func moveVector(n *neon, args []string) error {
	to, whole, err := vector(args[1])
	if err != nil { // to memory
		from, whole, err := vector(args[0])
		if err != nil {
			return err
		}
		at, err := n.locate(args[1])
		if whole {
			n.emit("FSTPQ (F%d, F%d), (%s)", from, from+1, at)
		} else {
			n.emit("FMOVQ F%d, (%s)", from, at)
		}
		return err
	}
	if from, _, err := vector(args[0]); err == nil {
		n.copyPair(from, to)
		return nil
	}
	at, err := n.locate(args[0])
	if whole {
		n.emit("FLDPQ (%s), (F%d, F%d)", at, to, to+1)
	} else {
		n.emit("FMOVQ (%s), F%d", at, to)
	}
	return err
}

func (n *neon) copy(from, to int) {
	if from != to {
		n.emit("VORR V%d.B16, V%d.B16, V%d.B16", from, from, to)
	}
}

func (n *neon) copyPair(from, to int) {
	n.copy(from, to)
	n.copy(from+1, to+1)
}

func broadcastElement(n *neon, args []string) error {
	to, _, err := vector(args[1])
	if err != nil {
		return err
	}
	at, err := n.locate(args[0])
	n.emit("VLD1R (%s), [V%d.S4]", at, to)
	n.copy(to, to+1)
	return err
}

func moveMasked(n *neon, args []string) error {
	mask, _, err := vector(args[1])
	if err != nil {
		return err
	}
	if to, _, err := vector(args[2]); err == nil {
		err := n.locateToChange(args[0])
		for h := range 2 {
			n.emit("VEOR V%d.B16, V%d.B16, V%d.B16", scratch+h, scratch+h, scratch+h)
		}
		n.emit("LOADMASKED(V%d, V%d)", mask, mask+1)
		n.copyPair(scratch, to)
		return err
	}
	from, _, err := vector(args[0])
	if err != nil {
		return err
	}
	err = n.locateToChange(args[2])
	n.emit("STOREMASKED(V%d, V%d, V%d, V%d)", from, from+1, mask, mask+1)
	return err
}

// three are the pairs of an instruction b, a, d, which is d = a op b.
func (n *neon) three(args []string) (b, a, d int, err error) {
	if b, err = n.source(args[0]); err != nil {
		return
	}
	if a, _, err = vector(args[1]); err != nil {
		return
	}
	d, _, err = vector(args[2])
	return
}

// both is d = a op b by an instruction that Go's assembler cannot name.
func both(name string, code uint32) operation {
	return func(n *neon, args []string) error {
		b, a, d, err := n.three(args)
		for h := range 2 {
			n.word(name, code, d+h, a+h, b+h)
		}
		return err
	}
}

// named is d = a op b for operations that don't mind the order.
func named(op, arrangement string) operation {
	return func(n *neon, args []string) error {
		b, a, d, err := n.three(args)
		for h := range 2 {
			n.emit("%s V%d.%s, V%d.%s, V%d.%s", op, b+h, arrangement, a+h, arrangement, d+h, arrangement)
		}
		return err
	}
}

func squareRoot(n *neon, args []string) error {
	a, err := n.source(args[0])
	if err != nil {
		return err
	}
	d, _, err := vector(args[1])
	for h := range 2 {
		n.word("FSQRT", 0x6ea1f800, d+h, a+h, 0)
	}
	return err
}

const (
	greater = 0x6ea0e400 // FCMGT: all ones where a > b
	not     = 0x6e205800
	negate  = 0x6ea0f800
)

// extreme is x86's maximum and minimum: a where it is the greater (the less), b
// in all other cases, NaN among them.
func extreme(least bool) operation {
	return func(n *neon, args []string) error {
		b, a, d, err := n.three(args)
		if b == scratch {
			return fmt.Errorf("VMAXPS and VMINPS from memory")
		}
		for h := range 2 {
			if least {
				n.word("FCMGT", greater, scratch, b+h, a+h)
			} else {
				n.word("FCMGT", greater, scratch, a+h, b+h)
			}
			n.emit("VBSL V%d.B16, V%d.B16, V%d.B16", b+h, a+h, scratch)
			n.copy(scratch, d+h)
		}
		return err
	}
}

// comparePS has the three predicates of the AVX2 routines.
func comparePS(n *neon, args []string) error {
	b, a, d, err := n.three(args[1:])
	for h := range 2 {
		switch args[0] {
		case "$0x1e": // a > b
			n.word("FCMGT", greater, d+h, a+h, b+h)
		case "$0x1a": // not a > b
			n.word("FCMGT", greater, d+h, a+h, b+h)
			n.word("NOT", not, d+h, d+h, 0)
		case "$0x15": // not a < b
			n.word("FCMGT", greater, d+h, b+h, a+h)
			n.word("NOT", not, d+h, d+h, 0)
		default:
			return fmt.Errorf("predicate %s of VCMPPS", args[0])
		}
	}
	return err
}

func shiftLeft(n *neon, args []string) error {
	a, _, err := vector(args[1])
	if err != nil {
		return err
	}
	d, _, err := vector(args[2])
	for h := range 2 {
		n.emit("VSHL %s, V%d.S4, V%d.S4", args[0], a+h, d+h)
	}
	return err
}

// testVector sets the flags for SETNE: is any bit set?
func testVector(n *neon, args []string) error {
	v, _, err := vector(args[0])
	if args[0] != args[1] {
		return fmt.Errorf("VPTEST of two registers")
	}
	n.emit("VORR V%d.B16, V%d.B16, V%d.B16", v, v+1, scratch)
	n.emit("VMOV V%d.D[0], %s", scratch, element)
	n.emit("VMOV V%d.D[1], %s", scratch, address)
	n.emit("ORR %s, %s, %s", address, element, element)
	n.emit("CMP $0, %s", element)
	return err
}

// fused231 is d += a·b, or d −= a·b.
func fused231(op, arrangement string) operation {
	return func(n *neon, args []string) error {
		b, a, d, err := n.three(args)
		for h := range 2 {
			n.emit("%s V%d.%s, V%d.%s, V%d.%s", op, b+h, arrangement, a+h, arrangement, d+h, arrangement)
		}
		return err
	}
}

// fused213 is d = a·d + b.
func fused213(n *neon, args []string) error {
	b, a, d, err := n.three(args)
	n.copyPair(b, scratch)
	for h := range 2 {
		n.emit("VFMLA V%d.S4, V%d.S4, V%d.S4", a+h, d+h, scratch+h)
	}
	n.copyPair(scratch, d)
	return err
}

// fusedSubtract132 is d = d·b − a.
func fusedSubtract132(n *neon, args []string) error {
	b, a, d, err := n.three(args)
	if b == scratch {
		return fmt.Errorf("VFMSUB132PS from memory")
	}
	for h := range 2 {
		n.word("FNEG", negate, scratch, a+h, 0)
		n.emit("VFMLA V%d.S4, V%d.S4, V%d.S4", b+h, d+h, scratch)
		n.copy(scratch, d+h)
	}
	return err
}

// widen makes four float64 of the four float32 at an address.
func widen(n *neon, args []string) error {
	at, err := n.locate(args[0])
	if err != nil {
		return err
	}
	d, _, err := vector(args[1])
	n.emit("FMOVQ (%s), F%d", at, scratch)
	n.word("FCVTL", 0x0e617800, d, scratch, 0)
	n.word("FCVTL2", 0x4e617800, d+1, scratch, 0)
	return err
}

// interleave works within 128 bits on both machines.
func interleave(op, arrangement string) operation {
	return func(n *neon, args []string) error {
		b, a, d, err := n.three(args)
		for h := range 2 {
			n.emit("%s V%d.%s, V%d.%s, V%d.%s", op, b+h, arrangement, a+h, arrangement, scratch+h, arrangement)
		}
		n.copyPair(scratch, d)
		return err
	}
}

// shuffle has the two patterns of transpose8: the first or the last two of a,
// then of b.
func shuffle(n *neon, args []string) error {
	switch args[0] {
	case "$0x44":
		return interleave("VZIP1", "D2")(n, args[1:])
	case "$0xee":
		return interleave("VZIP2", "D2")(n, args[1:])
	}
	return fmt.Errorf("pattern %s of VSHUFPS", args[0])
}

// halves puts the first or the last 128 bits of a before those of b.
func halves(n *neon, args []string) error {
	b, a, d, err := n.three(args[1:])
	h := map[string]int{"$0x20": 0, "$0x31": 1}[args[0]]
	n.copy(a+h, scratch)
	n.copy(b+h, scratch+1)
	n.copyPair(scratch, d)
	return err
}
