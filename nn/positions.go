package nn

import (
	"fmt"
	"math"
)

// NormPositions is the number of positions since the last reset for which a
// [BatchNormLSTM] and its like keep statistics of their own; all later ones share
// the last.
const NormPositions = 64

// positions are running statistics by position since the last reset.
type positions struct {
	width          int
	mean, variance *Param    // [NormPositions,Width]
	scale, offset  []float32 // [NormPositions,Width]: of evaluation, scale⊙x + offset
}

func newPositions(name, what string, layer, width int) positions {
	p := positions{
		width:    width,
		mean:     newConstant(fmt.Sprintf("%s.%s_mean_l%d", name, what, layer), 0, NormPositions, width),
		variance: newConstant(fmt.Sprintf("%s.%s_var_l%d", name, what, layer), 1, NormPositions, width),
		scale:    make([]float32, NormPositions*width),
		offset:   make([]float32, NormPositions*width),
	}
	p.mean.Frozen, p.variance.Frozen = true, true
	return p
}

// refresh prepares evaluation at the first n positions.
func (p *positions) refresh(pool *Pool, n int, gain, shift []float32) {
	pool.For(n, 1, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			mean, variance := at(p.mean.Value, i, p.width), at(p.variance.Value, i, p.width)
			scale, offset := at(p.scale, i, p.width), at(p.offset, i, p.width)
			for k, v := range variance {
				scale[k] = gain[k] * float32(1/math.Sqrt(float64(v)+normEps))
				offset[k] = shift[k] - float32(scale[k]*mean[k])
			}
		}
	})
}

// follow moves the statistics of position i to those of one step, moments [3,
// Width] of lanes lanes. At positions from seen on they are new, and taken over.
func (p *positions) follow(i, seen int, moments []float32, lanes int) {
	mean, variance, _ := threeGates(moments, p.width, 0, p.width)
	for ; seen <= i; seen++ {
		copy(at(p.mean.Value, seen, p.width), mean)
		to := at(p.variance.Value, seen, p.width)
		for k, v := range variance {
			to[k] = unbiased(lanes) * v
		}
		if seen == i {
			return
		}
	}
	follow(at(p.mean.Value, i, p.width), mean, 1)
	follow(at(p.variance.Value, i, p.width), variance, unbiased(lanes))
}

// positionAt is the place of a count of steps since the last reset among n.
func positionAt(count float32, step, n int) int {
	if !(count > 0) { // NaN too: counts may come from a file
		count = 0
	}
	return min(int(min(count, NormPositions))+step, n-1)
}
