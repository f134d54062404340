package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func optimizers() {
	var factors reg.Register
	factor := func(i int) vec {
		x := register()
		VBROADCASTSS(Mem{Base: factors, Disp: 4 * i}, x)
		return x
	}
	const gradScale, l2, keep, beta1, beta2, beta2c, root, eps, step = 0, 1, 2, 3, 4, 5, 6, 7, 8
	prepare := func() { factors = Load(Param("k"), GP64()) }
	elementwise("adamAsm", "is adamGeneric.", "p grad m v", ", k *float32", prepare, func(p *pass) {
		value, m := p.load("p"), p.load("m")
		g := fma(p.load("grad"), factor(gradScale), mul(value, factor(l2)))
		m = fma(sub(g, m), factor(beta1), m)
		p.store(m, "m")
		v := fma(p.load("v"), factor(beta2), mul(mul(g, g), factor(beta2c)))
		p.store(v, "v")
		size := register()
		VSQRTPS(v, size)
		size = fma(size, factor(root), factor(eps))
		change := div(mul(m, factor(step)), size)
		VFMSUB132PS(factor(keep), change, value)
		p.store(value, "p")
	})
	var lr, decay, scale vec
	elementwise("sgdAsm", "is sgdGeneric.", "p grad", ", lr, l2, gscale float32", func() {
		lr, decay, scale = broadcast("lr"), broadcast("l2"), broadcast("gscale")
	}, func(p *pass) {
		value := p.load("p")
		g := fma(p.load("grad"), scale, mul(value, decay))
		VFNMADD231PS(g, lr, value)
		p.store(value, "p")
	})
}
