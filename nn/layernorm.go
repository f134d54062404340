package nn

import "github.com/refrain-lm/refrain/internal/kernel"

// LayerNorm is layer normalisation of each vector (Ba et al. 2016):
//
//	y = γ⊙(x−μ)/√(σ²+ε) + β,   ε = 1e-5
//
// with μ and σ² mean and variance of x itself. It has no state.
type LayerNorm struct {
	width       int
	gain, shift *Param // γ and β [Width]
}

// NewLayerNorm returns layer normalisation of vectors of the given width, its
// parameters name.weight (γ, one) and name.bias (β, zero), as in PyTorch.
func NewLayerNorm(name string, width int) *LayerNorm {
	return &LayerNorm{
		width: width,
		gain:  newConstant(name+".weight", 1, width),
		shift: newConstant(name+".bias", 0, width),
	}
}

// Params returns weight and bias.
func (l *LayerNorm) Params() []*Param { return []*Param{l.gain, l.shift} }

// InSize is the width of x.
func (l *LayerNorm) InSize() int { return l.width }

// OutSize is the width of y.
func (l *LayerNorm) OutSize() int { return l.width }

// StateWidths is empty.
func (l *LayerNorm) StateWidths() []int { return nil }

// NewState returns a state without parts.
func (l *LayerNorm) NewState(int) State { return nil }

// Refresh does nothing.
func (l *LayerNorm) Refresh(*Pool, bool) {}

// Forward maps x [T,B,Width] to y [T,B,Width].
func (l *LayerNorm) Forward(m Mode, t *Tape, tt, b int, x []float32, _ State) []float32 {
	t.begin("LayerNorm.Forward", tt, b, l.width, x)
	rows := t.rows()
	t.y, t.xhat, t.rx = grow(t.y, len(x)), grow(t.xhat, len(x)), grow(t.rx, rows)
	m.Pool.For(rows, 8, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			xhat := at(t.xhat, i, l.width)
			copy(xhat, at(x, i, l.width))
			t.rx[i] = kernel.Normalize(xhat, normEps)
			kernel.ScaleShift(at(t.y, i, l.width), xhat, l.gain.Value, l.shift.Value)
		}
	})
	return t.y
}

// Backward takes dy, the gradient of y [T,B,Width], and returns that of x, in
// dy's place.
func (l *LayerNorm) Backward(m Mode, t *Tape, dy []float32) []float32 {
	rows := t.rows()
	checkLen("LayerNorm.Backward", "dy", len(dy), rows*l.width)
	columnDots(m.Pool, l.gain.grad(), dy, t.xhat, l.width, rows)
	kernel.ColumnSums(m.Pool, l.shift.grad(), dy, rows, l.width, l.width)
	m.Pool.For(rows, 8, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			row := at(dy, i, l.width)
			kernel.ScaleShift(row, row, l.gain.Value, nil)
			kernel.NormalizeGrad(row, at(t.xhat, i, l.width), t.rx[i])
		}
	})
	return dy
}

// Step maps one token of each of b lanes: x [B,Width] to y [B,Width]. It
// allocates nothing.
func (l *LayerNorm) Step(w *Worker, b int, _ State, x, y []float32) {
	lo, hi := w.share(b, 1)
	for i := lo; i < hi; i++ {
		row := at(y, i, l.width)
		copy(row, at(x, i, l.width))
		kernel.Normalize(row, normEps)
		kernel.ScaleShift(row, row, l.gain.Value, l.shift.Value)
	}
	w.wait()
}
