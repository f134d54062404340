package kernel

import "math"

// AdamArgs are the numbers of one Adam step.
type AdamArgs struct {
	LR, Beta1, Beta2, Eps float32
	L2                    float32 // coupled: L2·p is added to the gradient
	Decay                 float32 // decoupled (AdamW): p shrinks by LR·Decay·p
	Bias1, Bias2          float32 // 1 − Beta1ᵗ and 1 − Beta2ᵗ
	GradScale             float32 // multiplies the gradient first: clipping
}

// Adam makes one step for parameters p with gradient g and moments m and v:
//
//	g' = GradScale·g + L2·p;       p = p − LR·Decay·p
//	m = m + (1−Beta1)·(g'−m);      v = Beta2·v + (1−Beta2)·g'²
//	p = p − LR/Bias1 · m / (√v/√Bias2 + Eps)
//
// as PyTorch does. g stays as it is.
func Adam(p, g, m, v []float32, a AdamArgs) {
	wantLen("Adam", "g", len(g), len(p))
	wantLen("Adam", "m", len(m), len(p))
	wantLen("Adam", "v", len(v), len(p))
	k := adamFactors{
		gradScale: a.GradScale,
		l2:        a.L2,
		keep:      1 - a.LR*a.Decay,
		beta1:     1 - a.Beta1,
		beta2:     a.Beta2,
		beta2c:    1 - a.Beta2,
		root:      float32(1 / math.Sqrt(float64(a.Bias2))),
		eps:       a.Eps,
		step:      a.LR / a.Bias1,
	}
	if !useAsm {
		adamGeneric(p, g, m, v, &k)
		return
	}
	for ; len(p) > callLimit; p, g, m, v = p[callLimit:], g[callLimit:], m[callLimit:], v[callLimit:] {
		adamAsm(callLimit, first(p), first(g), first(m), first(v), &k.gradScale)
	}
	adamAsm(len(p), first(p), first(g), first(m), first(v), &k.gradScale)
}

// adamFactors are the factors of one step; the assembly reads them in this
// order.
type adamFactors struct {
	gradScale, l2, keep, beta1, beta2, beta2c, root, eps, step float32
}

func adamGeneric(p, g, m, v []float32, k *adamFactors) {
	for i := range p {
		gi := g[i]*k.gradScale + float32(k.l2*p[i])
		mi := (gi-m[i])*k.beta1 + m[i]
		vi := v[i]*k.beta2 + float32(float32(gi*gi)*k.beta2c)
		m[i], v[i] = mi, vi
		root := float32(math.Sqrt(float64(vi)))
		p[i] = p[i]*k.keep - k.step*mi/(root*k.root+k.eps)
	}
}

// SGD makes one step of gradient descent: p −= lr·(gscale·g + l2·p).
func SGD(p, g []float32, lr, l2, gscale float32) {
	wantLen("SGD", "g", len(g), len(p))
	if !useAsm {
		sgdGeneric(p, g, lr, l2, gscale)
		return
	}
	for ; len(p) > callLimit; p, g = p[callLimit:], g[callLimit:] {
		sgdAsm(callLimit, first(p), first(g), lr, l2, gscale)
	}
	sgdAsm(len(p), first(p), first(g), lr, l2, gscale)
}

func sgdGeneric(p, g []float32, lr, l2, gscale float32) {
	for i := range p {
		gi := g[i]*gscale + float32(l2*p[i])
		p[i] -= lr * gi
	}
}
