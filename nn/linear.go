package nn

import (
	"github.com/refrain-lm/refrain/internal/kernel"
)

// Linear is a projection:
//
//	y = x·Wᵀ + b
//
// It has no state.
type Linear struct {
	in, out int
	w       *Param // name.weight [Out,In]
	b       *Param // name.bias [Out], nil without

	kept *packs // for inference; nil while passes pack for themselves
}

// NewLinear returns a projection from width in to width out with parameters
// name.weight and, if bias is set, name.bias. Weights are zero.
func NewLinear(name string, in, out int, bias bool) *Linear {
	l := &Linear{in: in, out: out, w: NewParam(name+".weight", out, in)}
	l.w.role = linearWeight
	if bias {
		l.b = NewParam(name+".bias", out)
		l.b.role, l.b.fanIn = linearBias, in
	}
	return l
}

// Params returns the weight and, if there is one, the bias.
func (l *Linear) Params() []*Param {
	if l.b == nil {
		return []*Param{l.w}
	}
	return []*Param{l.w, l.b}
}

// bias is b, nil without.
func (l *Linear) bias() []float32 {
	if l.b == nil {
		return nil
	}
	return l.b.Value
}

// InSize is the width of x.
func (l *Linear) InSize() int { return l.in }

// OutSize is the width of y.
func (l *Linear) OutSize() int { return l.out }

// StateWidths is empty.
func (l *Linear) StateWidths() []int { return nil }

// NewState returns a state without parts.
func (l *Linear) NewState(int) State { return nil }

// Refresh follows a change of the weights: it packs them for inference. With train
// each pass packs for itself, and Step is not possible.
func (l *Linear) Refresh(pool *Pool, train bool) { l.kept = l.w.keep(pool, l.kept, train) }

// Forward maps x [T,B,In] to y [T,B,Out].
func (l *Linear) Forward(m Mode, t *Tape, tt, b int, x []float32, _ State) []float32 {
	t.begin("Linear.Forward", tt, b, l.in, x)
	rows := t.rows()
	t.y = grow(t.y, rows*l.out)
	p := l.kept
	if p == nil {
		p = m.scratch(&t.own).take()
		defer m.scratch(&t.own).give(p)
		l.w.packT(m.Pool, &p.in, m.Train, 0, l.out)
	}
	kernel.Affine(m.Pool, t.y, l.out, l.bias(), x, l.in, rows, &p.in)
	return t.y
}

// Backward takes dy, the gradient of y [T,B,Out], and returns that of x.
func (l *Linear) Backward(m Mode, t *Tape, dy []float32) []float32 {
	rows := t.rows()
	checkLen("Linear.Backward", "dy", len(dy), rows*l.out)
	var db []float32
	if l.b != nil {
		db = l.b.grad()
	}
	l.w.addProduct(m.Pool, dy, l.out, t.x, rows, db)
	if t.NoInputGrad {
		return nil
	}
	t.dx = grow(t.dx, rows*l.in)
	p := m.scratch(&t.own).take()
	defer m.scratch(&t.own).give(p)
	l.w.packBack(m.Pool, &p.in, 0, l.out)
	kernel.Affine(m.Pool, t.dx, l.in, nil, dy, l.out, rows, &p.in)
	return t.dx
}

// Step maps one token of each of b lanes: x [B,In] to y [B,Out]. It allocates nothing.
func (l *Linear) Step(w *Worker, b int, _ State, x, y []float32) {
	w.affine(y, l.out, l.bias(), x, l.in, b, &l.kept.forStep(l.w).in)
}
