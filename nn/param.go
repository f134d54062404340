package nn

import (
	"fmt"

	"github.com/refrain-lm/refrain/internal/kernel"
)

// Param is one trainable array and its gradient.
type Param struct {
	Name  string
	Shape []int
	Value []float32 // row-major
	Grad  []float32 // of Value's length; nil until the first Backward or ZeroGrad

	// Frozen parameters get no gradient and are neither counted, clipped nor
	// trained. The bias_hh of a cell with one bias is such a parameter, there
	// only for PyTorch's sake, and the running statistics of a batch norm are,
	// which its Backward moves.
	Frozen bool

	// BFloat16 lets products with a weight in training round their operands to
	// bfloat16. Weights that are kept packed for inference stay what they are.
	BFloat16 bool

	role   role    // what Initialize draws it for
	gates  int     // of recurrent weights and biases: the number of gates in Shape[0]
	forget int     // of recurrent biases: which gate is the forget gate; -1 for none
	fanIn  int     // of biases of linear layers and heads: the width of the input
	tied   bool    // of an embedding: the head uses it too
	stale  bool    // Grad is of an earlier step: the next backward pass begins anew
	start  float32 // of constants: the value that Initialize gives them

	compact *Compact // the weights in fewer bits, in place of Value
}

// NewParam returns a parameter of zeros.
func NewParam(name string, shape ...int) *Param {
	n := 1
	for _, d := range shape {
		if d < 1 {
			panic(fmt.Sprintf("nn: %s has shape %v: want sizes of at least 1", name, shape))
		}
		n *= d
	}
	return &Param{Name: name, Shape: shape, Value: kernel.Buffer(n), forget: -1}
}

// newConstant returns a parameter that begins at one value in every element,
// whatever set of initial weights is drawn: gains, shifts and statistics.
func newConstant(name string, start float32, shape ...int) *Param {
	p := NewParam(name, shape...)
	p.role, p.start = constant, start
	p.fillStart()
	return p
}

func (p *Param) fillStart() {
	for i := range p.Value {
		p.Value[i] = p.start
	}
}

// ZeroGrad clears the gradient, allocating it the first time.
func (p *Param) ZeroGrad() {
	if p.Grad == nil && !p.Frozen {
		p.Grad = kernel.Buffer(len(p.Value))
		return
	}
	clear(p.Grad)
	p.stale = false
}

// BeginGrad says that the next backward pass begins with a gradient of zeros. It
// has the effect of [Param.ZeroGrad] there; until then Grad is what it was, so
// that a product that writes all of it need not read it.
func (p *Param) BeginGrad() {
	if p.Grad == nil {
		p.ZeroGrad()
	}
	p.stale = !p.Frozen
}

// SettleGrad ends a backward pass: a gradient that nothing was added to becomes
// zeros.
func (p *Param) SettleGrad() {
	if p.stale {
		p.ZeroGrad()
	}
}

// grad is where a backward pass adds.
func (p *Param) grad() []float32 {
	if p.Grad == nil || p.stale {
		p.ZeroGrad()
	}
	return p.Grad
}

// freshGrad is grad for one who writes every element, from zeros where fresh.
func (p *Param) freshGrad() (grad []float32, fresh bool) {
	if p.Grad == nil {
		p.ZeroGrad()
	}
	fresh, p.stale = p.stale, false
	return p.Grad, fresh
}

func checkLen(where, what string, got, want int) {
	if got != want {
		panic(fmt.Sprintf("nn: %s: %s has %d values, want %d", where, what, got, want))
	}
}
