package optim

import (
	"math"

	"github.com/refrain-lm/refrain/internal/kernel"
	"github.com/refrain-lm/refrain/internal/parallel"
)

// adam is Adam and AdamW.
type adam struct {
	params         []Slice
	pieces         []piece
	mean, variance []Slice
	args           kernel.AdamArgs // what all steps share
	beta1, beta2   float64
	eps            float64
	keras          bool
	steps          int
}

func newAdam(c Config, params []Slice) *adam {
	o := &adam{
		params: params, pieces: cutPieces(params),
		mean: zeros(params, "adam.m."), variance: zeros(params, "adam.v."),
		beta1: 0.9, beta2: 0.999, eps: c.Eps, keras: c.Keras,
	}
	if o.eps == 0 {
		o.eps = 1e-8
		if c.Keras {
			o.eps = 1e-7
		}
	}
	if c.Beta1 != 0 {
		o.beta1 = c.Beta1
	}
	if c.Beta2 != 0 {
		o.beta2 = c.Beta2
	}
	o.args.Beta1, o.args.Beta2 = float32(o.beta1), float32(o.beta2)
	if c.Name == "adamw" {
		o.args.Decay = float32(c.WeightDecay)
	} else {
		o.args.L2 = float32(c.WeightDecay)
	}
	return o
}

func (o *adam) Step(pool *parallel.Pool, lr, gradScale float32) {
	o.steps++
	args := o.args
	args.LR, args.GradScale = lr, gradScale
	// The corrections belong to the float32 betas that the moments are made
	// with: 1 − 0.999 loses 1e-5 of itself in float32, and so would every step.
	bias1, bias2, eps := 1-power(float64(args.Beta1), o.steps), 1-power(float64(args.Beta2), o.steps), o.eps
	if o.keras { // the same formula with eps/√(1−β2ᵗ) for eps
		bias1 *= kerasBias(o.beta1, o.steps)
		bias2 *= kerasBias(o.beta2, o.steps)
		eps /= math.Sqrt(bias2)
	}
	args.Bias1, args.Bias2, args.Eps = float32(bias1), float32(bias2), float32(eps)
	each(pool, o.pieces, func(c piece) {
		if p := o.params[c.slice]; p.Grad != nil {
			kernel.Adam(p.Value[c.lo:c.hi], p.Grad[c.lo:c.hi],
				o.mean[c.slice].Value[c.lo:c.hi], o.variance[c.slice].Value[c.lo:c.hi], args)
		}
	})
}

// kerasBias is Keras' correction 1 − βᵗ over the right one. Keras makes its moments with
// β, but corrects them with a power of β in float32: its first steps are up to 6e-6 too
// short, and of chaotic gradients a hundred of them are another trajectory.
func kerasBias(beta float64, t int) float64 {
	return (1 - float64(float32(power(float64(float32(beta)), t)))) / (1 - power(beta, t))
}

// State is the moments of every parameter: all means, then all mean squares.
func (o *adam) State() []Slice {
	return append(append(make([]Slice, 0, 2*len(o.mean)), o.mean...), o.variance...)
}

func (o *adam) Steps() int     { return o.steps }
func (o *adam) SetSteps(n int) { o.steps = wantSteps(n) }
