package nn

import (
	"math"

	"github.com/refrain-lm/refrain/internal/kernel"
)

// momentum is the weight of a window in running statistics, PyTorch's.
const momentum = 0.1

// BatchNorm is batch normalisation of a layer's output (Ioffe and Szegedy
// 2015), unit by unit:
//
//	y = γ⊙(x−μ)/√(σ²+ε) + β,   ε = 1e-5
//
// With Mode.Train, μ and σ² are mean and variance over all tokens and lanes of
// the window, and Backward moves the running ones a tenth of the way to them
// (the variance as its unbiased estimate), as torch.nn.BatchNorm1d does.
// Otherwise μ and σ² are the running ones, and a token depends on no other. It
// has no state.
type BatchNorm struct {
	width          int
	gain, shift    *Param    // γ and β [Width]
	mean, variance *Param    // running ones [Width]
	scale, offset  []float32 // [Width]: of evaluation, y = scale⊙x + offset
}

// NewBatchNorm returns batch normalisation of vectors of the given width, its
// parameters name.weight (γ, one), name.bias (β, zero), and, frozen,
// name.running_mean (zero) and name.running_var (one), as in PyTorch.
func NewBatchNorm(name string, width int) *BatchNorm {
	l := &BatchNorm{
		width:    width,
		gain:     newConstant(name+".weight", 1, width),
		shift:    newConstant(name+".bias", 0, width),
		mean:     newConstant(name+".running_mean", 0, width),
		variance: newConstant(name+".running_var", 1, width),
		scale:    make([]float32, width),
		offset:   make([]float32, width),
	}
	l.mean.Frozen, l.variance.Frozen = true, true
	return l
}

// Params returns weight, bias, running_mean and running_var.
func (l *BatchNorm) Params() []*Param { return []*Param{l.gain, l.shift, l.mean, l.variance} }

// InSize is the width of x.
func (l *BatchNorm) InSize() int { return l.width }

// OutSize is the width of y.
func (l *BatchNorm) OutSize() int { return l.width }

// StateWidths is empty.
func (l *BatchNorm) StateWidths() []int { return nil }

// NewState returns a state without parts.
func (l *BatchNorm) NewState(int) State { return nil }

// Refresh prepares evaluation after the parameters have changed.
func (l *BatchNorm) Refresh(*Pool, bool) {
	for i, v := range l.variance.Value {
		l.scale[i] = float32(float64(l.gain.Value[i]) / math.Sqrt(float64(v)+normEps))
		l.offset[i] = l.shift.Value[i] - float32(l.scale[i]*l.mean.Value[i])
	}
}

// Forward maps x [T,B,Width] to y [T,B,Width].
func (l *BatchNorm) Forward(m Mode, t *Tape, tt, b int, x []float32, _ State) []float32 {
	t.begin("BatchNorm.Forward", tt, b, l.width, x)
	rows := t.rows()
	t.y = grow(t.y, len(x))
	if !m.Train {
		m.Pool.For(rows, 8, func(lo, hi int) {
			for i := lo; i < hi; i++ {
				kernel.ScaleShift(at(t.y, i, l.width), at(x, i, l.width), l.scale, l.offset)
			}
		})
		return t.y
	}
	t.xhat = grow(t.xhat, len(x))
	t.moments = grow(t.moments, 3*l.width) // mean, variance, rate
	m.Pool.For(l.width, 16, func(lo, hi int) {
		mean, spread, r := cutMoments(t.moments, l.width, lo, hi)
		kernel.NormalizeColumns(t.xhat[lo:], x[lo:], l.width, rows, normEps, mean, spread, r)
		for i := range rows {
			k := i * l.width
			kernel.ScaleShift(t.y[k+lo:k+hi], t.xhat[k+lo:k+hi], l.gain.Value[lo:hi], l.shift.Value[lo:hi])
		}
	})
	return t.y
}

// cutMoments returns units [lo,hi) of three arrays of n that stand in buf.
func cutMoments(buf []float32, n, lo, hi int) (mean, variance, r []float32) {
	return threeGates(buf, n, lo, hi)
}

// Backward takes dy, the gradient of y [T,B,Width] of a window with Mode.Train,
// and returns that of x, in dy's place. It also moves the running statistics.
func (l *BatchNorm) Backward(m Mode, t *Tape, dy []float32) []float32 {
	rows := t.rows()
	checkLen("BatchNorm.Backward", "dy", len(dy), rows*l.width)
	columnDots(m.Pool, l.gain.grad(), dy, t.xhat, l.width, rows)
	kernel.ColumnSums(m.Pool, l.shift.grad(), dy, rows, l.width, l.width)
	m.Pool.For(l.width, 16, func(lo, hi int) {
		mean, spread, r := cutMoments(t.moments, l.width, lo, hi)
		for i := range rows {
			row := dy[i*l.width+lo : i*l.width+hi]
			kernel.ScaleShift(row, row, l.gain.Value[lo:hi], nil)
		}
		kernel.NormalizeColumnsGrad(dy[lo:], t.xhat[lo:], l.width, rows, r)
		follow(l.mean.Value[lo:hi], mean, 1)
		follow(l.variance.Value[lo:hi], spread, unbiased(rows))
	})
	return dy
}

// follow moves running statistics to factor·seen.
func follow(running, seen []float32, factor float32) {
	for i, v := range seen {
		running[i] += float32(momentum * (float32(factor*v) - running[i]))
	}
}

// unbiased turns the variance of n values into the estimate of what they are
// drawn from.
func unbiased(n int) float32 { return float32(n) / float32(max(1, n-1)) }

// Step maps one token of each of b lanes: x [B,Width] to y [B,Width]. It allocates nothing.
func (l *BatchNorm) Step(w *Worker, b int, _ State, x, y []float32) {
	lo, hi := w.share(l.width, kernel.PanelWidth)
	for k := 0; k < b*l.width; k += l.width {
		kernel.ScaleShift(y[k+lo:k+hi], x[k+lo:k+hi], l.scale[lo:hi], l.offset[lo:hi])
	}
	w.wait()
}
