package kernel

import (
	"math"
	"sync/atomic"
)

// FMAPeak runs multiply-adds that wait for neither memory nor each other, for
// about the given number of them, and returns how many operations (two each)
// it did: the most that this path can do on one core.
func FMAPeak(multiplyAdds int) (operations float64) {
	const perRound = 24
	width := 8
	if useAVX512 {
		width = 16
	}
	rounds := max(1, multiplyAdds/(perRound*width))
	switch {
	case useAVX512:
		inCalls(rounds, fmaPeakWide)
	case useAsm:
		inCalls(rounds, fmaPeakAsm)
	default:
		fmaPeakGeneric(rounds)
	}
	return float64(rounds) * perRound * float64(width) * 2
}

// PairsPeak is FMAPeak of products of bfloat16, 0 where [PairsAreFast] says no.
func PairsPeak(multiplyAdds int) (operations float64) {
	if !usePairs {
		return 0
	}
	if useAMX {
		return amxPeak(multiplyAdds)
	}
	const perRound = 24 * 2 * 16
	rounds := max(1, multiplyAdds/perRound)
	inCalls(rounds, pairPeakWide)
	return float64(rounds) * perRound * 2
}

// inCalls cuts rounds into calls of well under a millisecond.
func inCalls(rounds int, f func(rounds int)) {
	for rounds > 0 {
		n := min(rounds, callLimit)
		f(n)
		rounds -= n
	}
}

// peakSink takes results so that the compiler keeps the work.
var peakSink atomic.Uint32

func fmaPeakGeneric(rounds int) {
	const factor = float32(0.99999)
	var s [8]float32
	for range rounds * 24 {
		for i := range s {
			s[i] = s[i]*factor + factor
		}
	}
	peakSink.Store(math.Float32bits(s[0] + s[1] + s[2] + s[3] + s[4] + s[5] + s[6] + s[7]))
}

// ReadAll reads x and forgets it: what a product with a single row could not be
// faster than.
func ReadAll(x []float32) {
	if !useAsm {
		var sum float32
		for _, v := range x {
			sum += v
		}
		peakSink.Store(math.Float32bits(sum))
		return
	}
	const block = 128
	for len(x) >= block {
		n := min(len(x), callLimit) / block
		readPeakAsm(n, first(x))
		x = x[n*block:]
	}
}
