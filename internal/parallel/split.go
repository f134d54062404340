package parallel

import "fmt"

// Split gives part i of [0,n) cut into the given number of parts, as equal as
// whole grains allow: every boundary but the last is a multiple of grain, and
// earlier parts are never smaller than later ones by more than a cut grain.
// Parts may be empty. Together the parts cover [0,n) exactly once.
func Split(n, grain, parts, i int) (lo, hi int) {
	if n < 0 || grain < 1 || parts < 1 || i < 0 || i >= parts {
		panic(fmt.Sprintf("parallel: Split(%d, %d, %d, %d): want n ≥ 0, grain ≥ 1, 0 ≤ i < parts", n, grain, parts, i))
	}
	grains := (n + grain - 1) / grain
	each, more := grains/parts, grains%parts
	lo = (i*each + min(i, more)) * grain
	hi = ((i+1)*each + min(i+1, more)) * grain
	return min(lo, n), min(hi, n)
}
