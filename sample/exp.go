package sample

import "math"

// exp is e^x for x ≤ 0, with a relative error below 1e-12. Below −60 it is 0:
// two thousand million ids that unlikely weigh less together than the rounding of
// the sum of the others. It is 0 for NaN.
//
// x = k·ln 2 + r with |r| ≤ ln 2 / 2, and e^r by its Taylor series of degree 10
// in Estrin's order. math.Exp is assembly on some platforms and its last bits
// differ between them; here the explicit conversions forbid fused operations, so
// that every platform rounds alike.
func exp(x float64) float64 {
	const (
		ln2Hi = 6.93147180369123816490e-01 // the upper 33 bits of ln 2: k·ln2Hi is exact
		ln2Lo = 1.90821492927058770002e-10
	)
	if !(x >= -60) {
		return 0
	}
	k := int64(float64(x*math.Log2E) - 0.5) // rounds to the nearest, as x ≤ 0
	r := float64(x-float64(float64(k)*ln2Hi)) - float64(float64(k)*ln2Lo)
	r2 := float64(r * r)
	r4 := float64(r2 * r2)
	a := (1 + r) + float64(r2*(1.0/2+float64(r*(1.0/6))))
	b := (1.0/24 + float64(r*(1.0/120))) + float64(r2*(1.0/720+float64(r*(1.0/5040))))
	c := (1.0/40320 + float64(r*(1.0/362880))) + float64(r2*(1.0/3628800))
	sum := a + float64(r4*(b+float64(r4*c)))
	return float64(sum * math.Float64frombits(uint64(k+1023)<<52)) // 2ᵏ
}
