package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// The constants of exp.go in package kernel.
const (
	log2e = 1.4426950216293335
	ln2Hi = 0.693359375
	ln2Lo = -0.00021219444170128554

	expC2 = 0.5
	expC3 = 0.16666576266288757
	expC4 = 0.041666556149721146
	expC5 = 0.008363203145563602
	expC6 = 0.0013926213141530752

	roundMagic = 3 << 22
	expLimit   = 87
	softmaxCut = -69
	tanhClamp  = 10
)

// Predicates of VCMPPS that hold for NaN too.
const (
	notLess    = 0x15
	notGreater = 0x1a
)

// where compares x with limit and returns what makes other elements zeros.
func where(predicate uint64, x vec, limit Op) func(y vec) vec {
	if wide {
		k := K()
		VCMPPS(Imm(predicate), limit, x, k)
		return func(y vec) vec { VMOVAPS_Z(y, k, y); return y }
	}
	keep := YMM()
	VCMPPS(Imm(predicate), limit, x, keep)
	return func(y vec) vec { VANDPS(keep, y, y); return y }
}

// expParts returns 2ⁿ and exp(r)−1 for |x| ≤ expLimit, x = n·ln 2 + r.
func expParts(x vec) (scale, rest vec) {
	t := load(float(roundMagic))
	VFMADD231PS(float(log2e), x, t)
	n := sub(t, float(roundMagic))
	r := register()
	VMOVAPS(x, r)
	VFNMADD231PS(float(ln2Hi), n, r)
	VFNMADD231PS(float(ln2Lo), n, r)
	p := load(float(expC6))
	for _, c := range []float64{expC5, expC4, expC3, expC2} {
		VFMADD213PS(float(c), r, p)
	}
	VFMADD213PS(r, mul(r, r), p)
	VPSLLD(Imm(23), t, t)
	VPADDD(float(1), t, t)
	return t, p
}

// clamp limits x to [−limit, limit]; NaN stays, because the second source of
// VMINPS and VMAXPS, Go's first operand, wins.
func clamp(x vec, limit float64) vec {
	y := register()
	VMINPS(x, load(float(limit)), y)
	VMAXPS(y, load(float(-limit)), y)
	return y
}

// sigmoid is 1/(1+exp(−x)), zero where exp(−x) would pass its limit.
func sigmoid(x vec) vec {
	y := register()
	VXORPS(bits(1<<31), x, y)
	keep := where(notGreater, y, float(expLimit))
	scale, rest := expParts(clamp(y, expLimit))
	VFMADD213PS(scale, scale, rest)
	one := load(float(1))
	return keep(div(one, add(rest, one)))
}

// tanh is e/(e+2) with e = exp(2x)−1.
func tanh(x vec) vec {
	y := clamp(x, tanhClamp)
	scale, e := expParts(add(y, y))
	VFMADD213PS(sub(scale, float(1)), scale, e)
	return div(e, add(e, float(2)))
}

// expSoftmax is exp(x) for x ≤ 0, zero below softmaxCut.
func expSoftmax(x vec) vec {
	keep := where(notLess, x, float(softmaxCut))
	scale, e := expParts(x)
	VFMADD213PS(scale, scale, e)
	return keep(e)
}

func activations() {
	elementwise("sigmoidAsm", "computes x = σ(x).", "x", "", nil, func(p *pass) {
		p.store(sigmoid(p.load("x")), "x")
	})
	elementwise("tanhAsm", "computes x = tanh(x).", "x", "", nil, func(p *pass) {
		p.store(tanh(p.load("x")), "x")
	})
}
