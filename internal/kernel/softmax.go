package kernel

import (
	"fmt"
	"math"
	"slices"
)

// SoftmaxLoss takes rows of n logits, len(want) of them one after another, and
// gives the cross-entropy of each against want[i] in [0,n):
//
//	loss[i] = log Σ_j exp(logits[i,j]) − logits[i, want[i]]    (nats)
//
// With grad, each row becomes scale·(softmax − onehot(want[i])), the gradient of
// scale·Σ loss. A row with want[i] = −1 is not counted: its loss is 0 and its
// gradient zero. Without grad the contents of the rows are unspecified after.
//
// It returns the number of hits: rows whose largest logit is the wanted one, the
// first of equals, as argmax has it.
func SoftmaxLoss(logits []float32, n int, want []int32, loss []float32, grad bool, scale float32) (hits int) {
	if n < 1 {
		panic(fmt.Sprintf("kernel: SoftmaxLoss: rows of %d logits, want at least 1", n))
	}
	wantLen("SoftmaxLoss", "logits", len(logits), len(want)*n)
	wantLen("SoftmaxLoss", "loss", len(loss), len(want))
	for i, id := range want {
		if id < -1 || int(id) >= n {
			panic(fmt.Sprintf("kernel: SoftmaxLoss: want[%d] = %d, want −1 or an id below %d", i, id, n))
		}
		row := logits[i*n : (i+1)*n]
		if id < 0 {
			loss[i] = 0
			if grad {
				clear(row)
			}
			continue
		}
		largest, wanted := maxElement(row), row[id]
		if wanted == largest && !slices.Contains(row[:id], largest) {
			hits++
		}
		if !grad {
			loss[i] = logSum(sumExp(row, largest), largest, wanted)
			continue
		}
		sum := expSum(row, largest)
		loss[i] = logSum(sum, largest, wanted)
		Scale(row, scale/sum)
		row[id] -= scale
	}
	return hits
}

// LogSumExp returns log Σ exp(row[j]), and −Inf for an empty row.
func LogSumExp(row []float32) float32 {
	if len(row) == 0 {
		return float32(math.Inf(-1))
	}
	largest := maxElement(row)
	return logSum(sumExp(row, largest), largest, 0)
}

// Softmax computes row[j] = exp(row[j]) / Σ exp(row) in place. Terms under
// 1e-30 of the largest are zero.
func Softmax(row []float32) {
	if len(row) == 0 {
		return
	}
	Scale(row, 1/expSum(row, maxElement(row)))
}

// SoftmaxGrad is the way back of [Softmax], whose result was p: it turns d, the
// gradient of p, into that of what softmax took:
//
//	d ← p⊙(d − Σ p⊙d)
//
// Element j is added to sum j mod 4 in float64.
func SoftmaxGrad(d, p []float32) {
	wantLen("SoftmaxGrad", "p", len(p), len(d))
	var s [4]float64
	for j, v := range d {
		s[j&3] += float64(v) * float64(p[j])
	}
	along := float32(s[0] + s[1] + s[2] + s[3])
	for j, v := range d {
		d[j] = p[j] * (v - along)
	}
}

// logSum is log(sum) + largest − less, rounded once.
func logSum(sum, largest, less float32) float32 {
	if math.IsInf(float64(largest), 0) {
		return largest - less
	}
	return float32(math.Log(float64(sum)) + float64(largest) - float64(less))
}

// ArgMax returns the place of the largest element of x that is no NaN, of equals
// the first; 0 where there is none.
func ArgMax(x []float32) int {
	const block = 1024
	largest, at := float32(math.Inf(-1)), 0
	for i := 0; i < len(x); i += block {
		if m := maxElement(x[i:min(i+block, len(x))]); m > largest {
			largest, at = m, i
		}
	}
	return max(0, at+slices.Index(x[at:], largest))
}

// maxElement returns the largest element of x that is no NaN, −Inf if there is
// none.
func maxElement(x []float32) float32 {
	lanes := [8]float32{}
	for i := range lanes {
		lanes[i] = float32(math.Inf(-1))
	}
	if useAsm {
		blocks := len(x) / 32
		maxAsm(blocks, first(x), &lanes)
		x = x[blocks*32:]
	}
	return max(maxGeneric(lanes[:]), maxGeneric(x))
}

func maxGeneric(x []float32) float32 {
	largest := float32(math.Inf(-1))
	for _, v := range x {
		if v > largest {
			largest = v
		}
	}
	return largest
}

// expSum returns Σ exp(x[j]−less) and leaves the terms in x. Element j is added
// to sum j mod 32; the sums are added pairwise: s[j]+s[j+16], then +8, +4, +2,
// +1.
func expSum(x []float32, less float32) float32 {
	var s [32]float32
	if useAsm {
		expSumAsm(len(x), first(x), less, &s)
	} else {
		expTermsGeneric(x, less, &s, true)
	}
	return addPairwise(&s)
}

// sumExp is expSum that leaves x as it is.
func sumExp(x []float32, less float32) float32 {
	var s [32]float32
	if useAsm {
		sumExpAsm(len(x), first(x), less, &s)
	} else {
		expTermsGeneric(x, less, &s, false)
	}
	return addPairwise(&s)
}

func expTermsGeneric(x []float32, less float32, s *[32]float32, keep bool) {
	for j, v := range x {
		e := expSoftmax(v - less)
		if keep {
			x[j] = e
		}
		s[j%32] += e
	}
}

func addPairwise(s *[32]float32) float32 {
	for half := 16; half > 0; half /= 2 {
		for j := range half {
			s[j] += s[j+half]
		}
	}
	return s[0]
}
