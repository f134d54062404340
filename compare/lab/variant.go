package lab

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/refrain-lm/refrain/internal/typo"
	"github.com/refrain-lm/refrain/lm"
	"github.com/refrain-lm/refrain/nn"
	"github.com/refrain-lm/refrain/optim"
)

// Variant is a cell with what is done for its gradients.
type Variant struct {
	Name      string // as ParseVariant reads it: the cell, then cures: "rnn+clip=1+layer"
	Config    lm.Config
	Init      nn.InitConfig
	Clip      float64 // largest global norm of the gradients; 0: off
	ClipValue float64 // largest absolute gradient; 0: off
	SGD       float64 // learning rate of plain gradient descent; 0: Adam, which divides by the gradient's size
	Radius    float64 // of the initial recurrent weights, drawn uniformly; 0: as Init says
}

// Cure is one switch of a variant.
type Cure struct {
	Name  string // as it stands in a variant's name, before its value
	Value string // the value where none is given; "": it takes none
	Usage string
	set   func(v *Variant, value float64)
}

// Cures lists every switch.
func Cures() []Cure { return slices.Clone(cures) }

var cures = []Cure{
	{"clip", "1", "gradients scaled down to this global norm", func(v *Variant, x float64) { v.Clip = x }},
	{"clip-value", "0.05", "each gradient limited to this", func(v *Variant, x float64) { v.ClipValue = x }},
	{"layer", "", "layer normalisation inside the recurrence", func(v *Variant, _ float64) { v.Config.Norm = lm.LayerNorm }},
	{"batch", "", "batch normalisation of each layer's output", func(v *Variant, _ float64) { v.Config.Norm = lm.BatchNorm }},
	{"recurrent-batch", "", "batch normalisation inside the recurrence", func(v *Variant, _ float64) { v.Config.Norm = lm.RecurrentBatchNorm }},
	{"layers", "4", "so many recurrent layers", func(v *Variant, x float64) { v.Config.Layers = int(x) }},
	{"residual", "", "layers add their input to their output", func(v *Variant, _ float64) { v.Config.Residual = true }},
	{"forget", "1", "initial bias of the forget gate", func(v *Variant, x float64) { v.Init.ForgetBias = &x }},
	{"chrono", "lag", "gates begin open for lags up to this; of a task up to its own, of a text to two windows", func(v *Variant, x float64) { v.Init.Chrono = x }},
	{"radius", "3", "recurrent weights drawn uniformly with this spectral radius", func(v *Variant, x float64) { v.Radius = x }},
	{"pytorch", "", "initial weights as PyTorch draws them", func(v *Variant, _ float64) { v.Init.Name = nn.InitPyTorch }},
	{"keras", "", "initial weights as Keras draws them", func(v *Variant, _ float64) { v.Init.Name = nn.InitKeras }},
	{"sgd", "1", "plain gradient descent at this rate instead of Adam", func(v *Variant, x float64) { v.SGD = x }},
	{"relu", "", "rnn: relu instead of tanh", func(v *Variant, _ float64) { v.Config.Nonlinearity = "relu" }},
}

// cells that a variant can begin with.
var cells = []string{string(lm.RNN), string(lm.LSTM), string(lm.LSTMNoG), string(lm.GRU)}

// ParseVariant reads a variant's name: a cell, then cures, each with "+" before
// and, if it takes one, "=" and a value behind it.
func ParseVariant(name string) (Variant, error) {
	words := strings.Split(name, "+")
	v := Variant{Name: name, Config: lm.Config{Cell: lm.Cell(words[0])}}
	if !slices.Contains(cells, words[0]) {
		return v, unknown(name, words[0], "cell", cells)
	}
	var known []string
	for _, c := range cures {
		known = append(known, c.Name)
	}
	for _, word := range words[1:] {
		word, value, given := strings.Cut(word, "=")
		i := slices.Index(known, word)
		if i < 0 {
			return v, unknown(name, word, "cure", known)
		}
		if !given {
			value = cures[i].Value
		}
		x, err := cures[i].number(value)
		if err != nil {
			return v, fmt.Errorf("%s: %w", name, err)
		}
		cures[i].set(&v, x)
	}
	probe := v.Config
	probe.Vocab, probe.Hidden = 1, 1
	return v, v.explain(probe.Validate())
}

func (c Cure) number(value string) (float64, error) {
	x, err := strconv.ParseFloat(value, 64)
	switch {
	case value == "lag" && c.Value == value:
		return ownLag, nil
	case c.Value == "" && value != "":
		return 0, fmt.Errorf("%s takes no value", c.Name)
	case c.Value != "" && (err != nil || math.IsNaN(x) || math.Abs(x) > 1e6 || c.Name != "forget" && x <= 0):
		return 0, fmt.Errorf("%s=%s: want a number such as %s", c.Name, value, c.Value)
	}
	return x, nil
}

// explain names the variant whose configuration is wrong.
func (v Variant) explain(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %s", v.Name, strings.TrimPrefix(err.Error(), "lm: config: "))
}

func unknown(name, word, what string, known []string) error {
	hint := ""
	if near := typo.Nearest(word, known); near != "" {
		hint = "; did you mean " + near + "?"
	}
	return errors.New(name + ": no " + what + " " + strconv.Quote(word) + ": takes " + strings.Join(known, ", ") + hint)
}

// ownLag stands for the lag that is not known before there is a task.
const ownLag = -1

// optimizer is what trains the variant, and its rate where it is Adam's.
func (v Variant) optimizer(adam float64) (optim.Config, float64) {
	if v.SGD > 0 {
		return optim.Config{Name: "sgd"}, v.SGD
	}
	return optim.Config{Name: "adam"}, adam
}

// init is how the variant's weights are drawn in layers of the given width, for
// gradients that are to cross the given lag.
func (v Variant) init(hidden, lag int) nn.InitConfig {
	if v.Init.Chrono == ownLag {
		v.Init.Chrono = float64(lag)
	}
	if v.Radius == 0 {
		return v.Init
	}
	// Weights of variance s² have a radius of s·√H (Girko's circular law); those
	// uniform in ±r a variance of r²/3.
	in := v.Init
	in.Name, in.Range = nn.InitUniform, v.Radius*math.Sqrt(3/float64(hidden))
	return in
}

// TextVariants are what is shown of each cell on text unless told otherwise: the
// bare cell, then one cure at a time.
func TextVariants(of []string) []string {
	var out []string
	for _, cell := range of {
		out = append(out, cell)
		switch lm.Cell(cell) {
		case lm.RNN: // where gradients explode, and a step follows them
			out = append(out, "rnn+radius=2+sgd", "rnn+radius=2+sgd+clip", "rnn+relu+radius=1.05+sgd", "rnn+relu+radius=1.05+sgd+clip")
		case lm.LSTM:
			out = append(out, "lstm+forget=0", "lstm+forget=3", "lstm+chrono")
		case lm.LSTMNoG:
			out = append(out, "lstm-nog+forget=0", "lstm-nog+forget=3", "lstm-nog+chrono")
		case lm.GRU:
			out = append(out, "gru+chrono")
		}
		for _, cure := range []string{"clip-value", "radius=3", "layer", "batch", "recurrent-batch", "layers=4", "layers=4+residual"} {
			if name := cell + "+" + cure; valid(name) {
				out = append(out, name)
			}
		}
	}
	return out
}

// TaskVariants are what is tried on the tasks unless told otherwise, all clipped:
// long sequences take long, so of the cures only the one that makes them short.
func TaskVariants(of []string) []string {
	var out []string
	for _, cell := range of {
		out = append(out, cell+"+clip")
		if lm.Cell(cell) != lm.RNN { // it has no gates to open
			out = append(out, cell+"+clip+chrono")
		}
	}
	return out
}

func valid(name string) bool {
	_, err := ParseVariant(name)
	return err == nil
}
