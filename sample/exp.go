package sample

import "math"

// exp is e^x for x ≤ 0, with a relative error below 1e-12; 0 below −700 and for NaN.
//
// x = k·ln 2 + r with |r| ≤ ln 2 / 2, and e^r by its Taylor series of degree
// 12. math.Exp is assembly on some platforms and its last bits differ between
// them; here the explicit conversions forbid fused operations, so that every
// platform rounds alike.
func exp(x float64) float64 {
	const (
		ln2Hi = 6.93147180369123816490e-01 // the upper 33 bits of ln 2: k·ln2Hi is exact
		ln2Lo = 1.90821492927058770002e-10
	)
	if !(x >= -700) {
		return 0
	}
	k := math.Floor(float64(x*math.Log2E) + 0.5)
	r := float64(x-float64(k*ln2Hi)) - float64(k*ln2Lo)
	sum := 1.0 / 479001600 // 1/12!
	for _, c := range [...]float64{1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880, 1.0 / 40320,
		1.0 / 5040, 1.0 / 720, 1.0 / 120, 1.0 / 24, 1.0 / 6, 0.5, 1, 1} {
		sum = float64(sum*r) + c
	}
	return math.Ldexp(sum, int(k))
}
