package kernel

import "math"

// exp(x) = 2ⁿ·exp(r), n the integer nearest to x·log₂e, |r| ≤ ln 2/2, where
// exp(r) = 1 + r + r²·(c2 + c3·r + … + c6·r⁴). The coefficients interpolate at
// the Chebyshev nodes of that interval; the polynomial's relative error is
// 1.1e-8, below the rounding of float32. ln 2 is subtracted in two parts, the
// first of which has so few bits that n·ln2Hi is exact.
const (
	log2e = float32(1.4426950216293335)
	ln2Hi = float32(0.693359375)
	ln2Lo = float32(-0.00021219444170128554)

	expC2 = float32(0.5)
	expC3 = float32(0.16666576266288757)
	expC4 = float32(0.041666556149721146)
	expC5 = float32(0.008363203145563602)
	expC6 = float32(0.0013926213141530752)

	// roundMagic added and subtracted rounds to an integer; after the addition
	// the low bits of the sum are that integer.
	roundMagic = float32(3 << 22)

	expLimit = float32(87) // |x| for which exp(x) and 1/exp(x) are normal numbers
	// softmaxCut is the exponent under which a softmax term counts as zero:
	// e^-69 is 1e-30, and products with it stay normal numbers.
	softmaxCut = float32(-69)

	tanhClamp = float32(10) // tanh is 1 in float32 from 9.01 on
)

// expParts returns 2ⁿ and exp(r)−1 for x within the limits above.
func expParts(x float32) (scale, rest float32) {
	t := float32(x*log2e) + roundMagic
	n := t - roundMagic
	r := x - n*ln2Hi
	r -= n * ln2Lo
	p := expC6
	p = p*r + expC5
	p = p*r + expC4
	p = p*r + expC3
	p = p*r + expC2
	p = p*(r*r) + r
	return math.Float32frombits(math.Float32bits(t)<<23 + 0x3f800000), p
}

// sigmoid is 1/(1+exp(−x)), zero where exp(−x) would pass its limit.
func sigmoid(x float32) float32 {
	y := -x
	if y > expLimit {
		return 0
	}
	if y < -expLimit {
		y = -expLimit
	}
	scale, rest := expParts(y)
	return 1 / (1 + (scale*rest + scale))
}

// tanh is e/(e+2) with e = exp(2x)−1, which keeps small x exact.
func tanh(x float32) float32 {
	if x > tanhClamp {
		x = tanhClamp
	}
	if x < -tanhClamp {
		x = -tanhClamp
	}
	scale, rest := expParts(x + x)
	e := scale*rest + (scale - 1)
	return e / (e + 2)
}

// expSoftmax is exp(x) for x ≤ 0, zero below softmaxCut.
func expSoftmax(x float32) float32 {
	if x < softmaxCut {
		return 0
	}
	scale, rest := expParts(x)
	return scale*rest + scale
}

// Sigmoid computes x[i] = 1/(1+exp(−x[i])) in place, with an absolute error of
// at most 3e-7. Infinities give 0 and 1, NaN stays NaN.
func Sigmoid(x []float32) {
	if !useAsm {
		sigmoidGeneric(x)
		return
	}
	for ; len(x) > callLimit; x = x[callLimit:] {
		sigmoidAsm(callLimit, first(x))
	}
	sigmoidAsm(len(x), first(x))
}

// Tanh computes x[i] = tanh(x[i]) in place, with an absolute error of at most
// 3e-7. Infinities give ±1, NaN stays NaN.
func Tanh(x []float32) {
	if !useAsm {
		tanhGeneric(x)
		return
	}
	for ; len(x) > callLimit; x = x[callLimit:] {
		tanhAsm(callLimit, first(x))
	}
	tanhAsm(len(x), first(x))
}

func sigmoidGeneric(x []float32) {
	for i, v := range x {
		x[i] = sigmoid(v)
	}
}

func tanhGeneric(x []float32) {
	for i, v := range x {
		x[i] = tanh(v)
	}
}
