package optim

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/refrain-lm/refrain/internal/parallel"
	"github.com/refrain-lm/refrain/internal/typo"
)

// Slice is one named parameter, or one named part of an optimizer's state.
// Grad is as long as Value; it is nil for what is not trained and for state.
type Slice struct {
	Name        string
	Value, Grad []float32
}

// Config chooses an optimizer. The learning rate comes with every step.
type Config struct {
	Name string `json:"name"` // "sgd", "asgd", "adam" or "adamw"
	// Beta1 and Beta2 are Adam's decay rates of the gradient's mean and of its
	// square's; 0 means 0.9 and 0.999. For no mean at all (RMSprop) take a Beta1
	// that float32 cannot tell from 0, such as 1e-9.
	Beta1 float64 `json:"beta1,omitempty"`
	Beta2 float64 `json:"beta2,omitempty"`
	// Eps is Adam's epsilon; 0 means 1e-8, or 1e-7 with Keras.
	Eps float64 `json:"eps,omitempty"`
	// Keras adds epsilon where Keras and TensorFlow do ("epsilon hat" in the
	// paper), to the square root of the biased second moment:
	//	PyTorch  p −= lr/(1−β1ᵗ) · m / (√v/√(1−β2ᵗ) + eps)
	//	Keras    p −= lr·√(1−β2ᵗ)/(1−β1ᵗ) · m / (√v + eps)
	// and takes βᵗ in float32, as Keras does.
	Keras bool `json:"keras,omitempty"`
	// WeightDecay is coupled (L2) for sgd, asgd and adam, decoupled for adamw. 0
	// is none.
	WeightDecay float64 `json:"weight_decay,omitempty"`
	// AverageFrom is for asgd the number of steps before averaging begins
	// (PyTorch's t0); 0 averages from the start, and a negative one waits for
	// [ASGD.StartAveraging].
	AverageFrom int `json:"average_from,omitempty"`
}

var names = []string{"sgd", "asgd", "adam", "adamw"}

// Validate reports everything that is wrong, in one line.
func (c Config) Validate() error {
	var w wrongs
	w.name("optimizer", c.Name, names)
	w.check(c.Beta1 >= 0 && c.Beta1 < 1, "beta1 %v is not from 0 (meaning 0.9) to below 1", c.Beta1)
	w.check(c.Beta2 >= 0 && c.Beta2 < 1, "beta2 %v is not from 0 (meaning 0.999) to below 1", c.Beta2)
	w.check(c.Eps == 0 || c.Eps >= 1e-30 && c.Eps <= 1, "eps %v is not from 1e-30 to 1", c.Eps)
	w.check(c.WeightDecay >= 0 && c.WeightDecay <= 100, "weight decay %v is not from 0 to 100", c.WeightDecay)
	// Rounded to float32, a beta of 1 would never let a gradient in.
	w.check(!(c.Beta1 < 1) || float32(c.Beta1) < 1, "beta1 %v is 1 in float32", c.Beta1)
	w.check(!(c.Beta2 < 1) || float32(c.Beta2) < 1, "beta2 %v is 1 in float32", c.Beta2)
	w.check(c.AverageFrom == 0 || c.Name == "asgd", "average_from %d is for asgd only", c.AverageFrom)
	return w.err("optimizer")
}

// Optimizer makes steps on the parameters it was made for.
type Optimizer interface {
	// Step changes every parameter that has a gradient, once, with each gradient
	// multiplied by gradScale first. Gradients stay as they are.
	Step(pool *parallel.Pool, lr, gradScale float32)
	// State is everything beside the parameters and the step count that later
	// steps depend on. The slices are the optimizer's own memory: save them, or
	// copy saved ones into them.
	State() []Slice
	// Steps is the number of steps made; SetSteps puts back a saved one.
	Steps() int
	SetSteps(n int)
}

// New makes an optimizer for the parameters. It keeps references to their
// slices. A Grad that is nil, here or at a later step, leaves its parameter as
// it is.
func New(c Config, params []Slice) (Optimizer, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if err := checkSlices(params); err != nil {
		return nil, err
	}
	switch c.Name {
	case "sgd":
		return newSGD(c, params), nil
	case "asgd":
		return &ASGD{sgd: newSGD(c, params), average: newAverage(params, 0, "asgd."), start: c.AverageFrom}, nil
	}
	return newAdam(c, params), nil
}

func checkSlices(params []Slice) error {
	seen := map[string]bool{}
	for _, p := range params {
		if seen[p.Name] {
			return fmt.Errorf("optimizer: parameter %q is given twice; give each (a tied one too) once", p.Name)
		}
		seen[p.Name] = true
		if p.Grad != nil && len(p.Grad) != len(p.Value) {
			panic(fmt.Sprintf("optim: parameter %s has %d gradients, want %d", p.Name, len(p.Grad), len(p.Value)))
		}
	}
	return nil
}

// wrongs gathers complaints.
type wrongs []string

func (w *wrongs) check(ok bool, format string, args ...any) {
	if !ok {
		*w = append(*w, fmt.Sprintf(format, args...))
	}
}

// name complains about an unknown name and says which one may be meant.
func (w *wrongs) name(what, got string, known []string) {
	if slices.Contains(known, got) {
		return
	}
	text := fmt.Sprintf("no %s %q: choose %s", what, got, strings.Join(known, ", "))
	if near := typo.Nearest(got, known); near != "" {
		text = fmt.Sprintf("no %s %q: did you mean %s?", what, got, near)
	}
	*w = append(*w, text)
}

func (w wrongs) err(what string) error {
	if len(w) == 0 {
		return nil
	}
	return errors.New(what + ": " + strings.Join(w, "; "))
}

// power is bⁿ for n ≥ 0 by repeated squaring. The conversions forbid fused
// operations, so every platform rounds alike, which math.Pow does not promise.
func power(b float64, n int) float64 {
	r := 1.0
	for ; n > 0; n >>= 1 {
		if n&1 == 1 {
			r = float64(r * b)
		}
		b = float64(b * b)
	}
	return r
}

// isFinite says that x is neither NaN nor infinite.
func isFinite(x float64) bool { return x-x == 0 }
