package main

import (
	. "github.com/mmcloughlin/avo/build"
)

// fma is a·b+c.
func fma(a, b, c vec) vec {
	x := register()
	VMOVAPS(c, x)
	VFMADD231PS(a, b, x)
	return x
}

// The assembler takes g for a register, so that g is called gate here.

// cell computes c = f⊙cPrev + i⊙g from the preactivations and stores all.
func cell(p *pass) vec {
	i, g := sigmoid(p.load("i")), tanh(p.load("gate"))
	p.store(i, "i")
	p.store(g, "gate")
	f := sigmoid(p.load("f"))
	p.store(f, "f")
	c := fma(f, p.load("cPrev"), mul(i, g))
	p.store(c, "c")
	return c
}

// cellGrad stores the gradients of i, f and g, and of cPrev in dc.
func cellGrad(p *pass, dc vec) {
	i, f, g := p.load("i"), p.load("f"), p.load("gate")
	p.store(mul(mul(dc, g), slope(i)), "i")
	p.store(mul(mul(dc, p.load("cPrev")), slope(f)), "f")
	p.store(mul(mul(dc, i), oneMinusSquare(g)), "gate")
	p.store(mul(dc, f), "dc")
}

func lstmGates() {
	elementwise("lstmAsm", "is lstmGeneric.", "i f gate o cPrev c tanhC h", "", nil, func(p *pass) {
		t := tanh(cell(p))
		p.store(t, "tanhC")
		o := sigmoid(p.load("o"))
		p.store(o, "o")
		p.store(mul(o, t), "h")
	})
	elementwise("lstmGradAsm", "is lstmGradGeneric.", "i f gate o cPrev tanhC dh dc", "", nil, func(p *pass) {
		o, t, dh := p.load("o"), p.load("tanhC"), p.load("dh")
		p.store(mul(mul(dh, t), slope(o)), "o")
		dc := fma(mul(dh, o), oneMinusSquare(t), p.load("dc"))
		cellGrad(p, dc)
	})
	elementwise("lstmNoGateAsm", "is lstmNoGateGeneric.", "i f gate cPrev c h", "", nil, func(p *pass) {
		p.store(sigmoid(cell(p)), "h")
	})
	elementwise("lstmNoGateGradAsm", "is lstmNoGateGradGeneric.", "i f gate cPrev h dh dc", "", nil, func(p *pass) {
		cellGrad(p, fma(p.load("dh"), slope(p.load("h")), p.load("dc")))
	})
}

func rnnGate() {
	elementwise("reluAsm", "is reluGeneric.", "h", "", nil, func(p *pass) {
		h, zero, y := p.load("h"), register(), register()
		VXORPS(zero, zero, zero)
		VMAXPS(h, zero, y) // NaN, as the second source, stays
		p.store(y, "h")
	})
	elementwise("reluGradAsm", "is reluGradGeneric.", "dpre h dh", "", nil, func(p *pass) {
		const greater = 0x1e
		zero := register()
		VXORPS(zero, zero, zero)
		positive := where(greater, p.load("h"), zero)
		p.store(positive(p.load("dh")), "dpre")
	})
	elementwise("tanhGradAsm", "is tanhGradGeneric.", "dpre h dh", "", nil, func(p *pass) {
		p.store(mul(p.load("dh"), oneMinusSquare(p.load("h"))), "dpre")
	})
}

// gruMix is z·(h−n)+n.
func gruMix(z, n, h vec) vec { return fma(z, sub(h, n), n) }

// gruOutGrad returns dh⊙(1−z)⊙(1−n²) and stores the gradient of z and z⊙dh.
func gruOutGrad(p *pass) (dn vec) {
	z, n, dh := p.load("z"), p.load("n"), p.load("dh")
	dn = mul(mul(dh, oneMinus(z)), oneMinusSquare(n))
	dz := mul(mul(dh, sub(p.load("hPrev"), n)), slope(z))
	p.store(mul(z, dh), "dhPrev")
	p.store(dz, "z")
	return dn
}

func gruGates() {
	elementwise("gruAfterAsm", "is gruAfterGeneric.", "r z n hn hPrev h", "", nil, func(p *pass) {
		r := sigmoid(p.load("r"))
		p.store(r, "r")
		n := tanh(fma(r, p.load("hn"), p.load("n")))
		p.store(n, "n")
		z := sigmoid(p.load("z"))
		p.store(z, "z")
		p.store(gruMix(z, n, p.load("hPrev")), "h")
	})
	elementwise("gruAfterGradAsm", "is gruAfterGradGeneric.", "r z n hn hPrev dh dhPrev", "", nil, func(p *pass) {
		dn := gruOutGrad(p)
		p.store(dn, "n")
		r := p.load("r")
		p.store(mul(mul(dn, p.load("hn")), slope(r)), "r")
		p.store(mul(dn, r), "hn")
	})
	elementwise("gruBeforeGatesAsm", "is gruBeforeGatesGeneric.", "r z hPrev rh", "", nil, func(p *pass) {
		r := sigmoid(p.load("r"))
		p.store(r, "r")
		p.store(mul(r, p.load("hPrev")), "rh")
		p.store(sigmoid(p.load("z")), "z")
	})
	elementwise("gruBeforeOutAsm", "is gruBeforeOutGeneric.", "z n hPrev h", "", nil, func(p *pass) {
		n := tanh(p.load("n"))
		p.store(n, "n")
		p.store(gruMix(p.load("z"), n, p.load("hPrev")), "h")
	})
	elementwise("gruBeforeOutGradAsm", "is gruBeforeOutGradGeneric.", "z n hPrev dh dn dhPrev", "", nil, func(p *pass) {
		p.store(gruOutGrad(p), "dn")
	})
	elementwise("gruBeforeGatesGradAsm", "is gruBeforeGatesGradGeneric.", "r hPrev drh dhPrev", "", nil, func(p *pass) {
		r, drh := p.load("r"), p.load("drh")
		p.store(fma(r, drh, p.load("dhPrev")), "dhPrev")
		p.store(mul(mul(drh, p.load("hPrev")), slope(r)), "r")
	})
}
