package train

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/refrain-lm/refrain/lm"
	"github.com/refrain-lm/refrain/ngram"
)

// Kinds lists the kinds of model that train makes.
func Kinds() []string { return append(lm.Kinds(), ngram.Kind) }

// kindsOf says which kinds of model a flag goes with; a flag that is not here
// goes with all but an n-gram model.
var kindsOf = map[string][]string{
	"cell": {lm.KindRecurrent}, "nonlinearity": {lm.KindRecurrent}, "gru-reset": {lm.KindRecurrent}, "bias": {lm.KindRecurrent},
	"forget-bias": {lm.KindRecurrent}, "norm": {lm.KindRecurrent}, "residual": {lm.KindRecurrent}, "dropout-weight": {lm.KindRecurrent},
	"order": {ngram.Kind, lm.KindFFN}, "across-lines": {ngram.Kind},
	"heads": {lm.KindTransformer}, "context": {lm.KindTransformer}, "dim-feedforward": {lm.KindTransformer},
}

// GoesWith reports whether the flag means something to a model of that kind.
func (f Flag) GoesWith(model string) bool {
	if model == ngram.Kind {
		return ngramFlags[f.Name]
	}
	kinds := kindsOf[f.Name]
	return kinds == nil || slices.Contains(kinds, Settings{Model: model}.kind())
}

// kind is the kind of model asked for.
func (s Settings) kind() string {
	if s.Model == "" {
		return lm.KindRecurrent
	}
	return s.Model
}

// validateKind refuses flags of other kinds of model. What stands in a config
// file or in the environment may serve many runs, and is passed over.
func (s Settings) validateKind(bad func(string, ...any)) {
	if !slices.Contains(Kinds(), s.kind()) {
		return // told already
	}
	for _, f := range flags {
		origin := s.Origin[f.Name]
		if origin == "env" || origin == "config" || !s.Given(f.Name) || f.GoesWith(s.kind()) {
			continue
		}
		if s.kind() == ngram.Kind {
			bad("--%s means nothing to --model ngram, which counts; leave it out", f.Name)
		} else {
			bad("--%s goes with --model %s, this is --model %s; leave one of them out", f.Name, strings.Join(kindsOf[f.Name], " or "), s.kind())
		}
	}
}

// validateTransformer refuses widths that do not fit together.
func (s Settings) validateTransformer(bad func(string, ...any)) {
	if s.kind() != lm.KindTransformer {
		return
	}
	if s.Given("nhid") && s.Given("emsize") && s.Hidden != s.EmSize {
		bad("--emsize %d is not --nhid %d: a transformer has one width; leave --emsize out", s.EmSize, s.Hidden)
	}
	if s.Given("heads") && s.Given("nhid") && s.Heads > 0 && s.Hidden%s.Heads != 0 {
		below := s.Hidden / s.Heads * s.Heads
		bad("--heads %d does not divide --nhid %d; take --nhid %d or %d", s.Heads, s.Hidden, max(s.Heads, below), below+s.Heads)
	}
}

// orders are the smallest and the largest order.
func (s Settings) orders() (least, most float64) {
	if s.Model == ngram.Kind {
		return 1, ngram.MaxOrder
	}
	return 2, 1024
}

// widths are the hidden widths that a plan chooses from.
var widths = []int{32, 48, 64, 96, 128, 192, 256, 384, 512, 640, 768, 1024, 1280, 1536}

// nearestWidth is the width whose weights, as given, come nearest to want in
// proportion.
func nearestWidth(want float64, weights func(h float64) float64) int {
	best, bestDist := 0, math.Inf(1)
	for _, h := range widths {
		if d := math.Abs(math.Log(weights(float64(h)) / want)); d < bestDist {
			best, bestDist = h, d
		}
	}
	return best
}

// chooseFFN is chooseModel for the feed-forward network, whose vectors of
// order−1 tokens are the input of its first layer.
func (s *Settings) chooseFFN(want float64) {
	order := "5"
	if s.Tokenizer != "word" {
		order = "12" // letters say less than words
	}
	s.choose("order", order)
	s.choose("nlayers", "1")
	s.choose("nhid", strconv.Itoa(nearestWidth(want, func(h float64) float64 {
		return h * (float64(s.Order-1)*float64(embeddingFor(s.Tokenizer, int(h))) + float64(s.Layers-1)*h)
	})))
}

// chooseTransformer is chooseModel for a transformer: four layers, with four
// times the width after attention and heads of about 32 units.
func (s *Settings) chooseTransformer(want float64) {
	s.choose("nlayers", "4")
	s.choose("context", "128")
	if s.Given("emsize") {
		s.choose("nhid", strconv.Itoa(s.EmSize))
	}
	s.choose("nhid", strconv.Itoa(nearestWidth(want, func(h float64) float64 { return float64(s.Layers) * 12 * h * h })))
	s.choose("emsize", strconv.Itoa(s.Hidden))
	c := s.ModelConfig(1).Complete()
	s.choose("heads", strconv.Itoa(c.Heads))
	s.choose("dim-feedforward", strconv.Itoa(c.Feedforward))
}

// activations counts the numbers that a window keeps of each token.
func activations(c lm.Config) int64 {
	e, h, layers := int64(c.EmSize), int64(c.Hidden), int64(c.Layers)
	switch c.Kind {
	case lm.KindFFN:
		return e*3 + layers*h*10 + 2*int64(c.Order-1)*e
	case lm.KindTransformer:
		return e*3 + layers*(25*h+3*int64(c.Feedforward)+int64(c.Heads*(c.Context+48)))
	}
	return e*3 + layers*h*keptUnits(c)
}

// keptUnits counts the numbers that a recurrent layer keeps of each of its units
// and tokens: sums of the gates, states and their gradients, and what dropout,
// residual connections and normalisation add.
func keptUnits(c lm.Config) int64 {
	gates := int64(c.Cell.Gates())
	kept := gates + 3
	switch c.Cell {
	case lm.LSTM:
		kept += 2
	case lm.LSTMNoG, lm.GRU:
		kept++
	}
	if c.DropoutInput+c.DropoutLayer+c.DropoutOutput > 0 {
		kept += 2
	}
	if c.Residual {
		kept++
	}
	switch c.Norm {
	case lm.BatchNorm: // its output, and what it was before scaling
		kept += 2
	case lm.LayerNorm, lm.RecurrentBatchNorm: // the same of both products, and their gradients
		kept += 4 * gates
	}
	return kept
}

// packed counts the numbers that the largest weights take where the layers of a
// window pack theirs in turn, and the head's for both ways.
func packed(c lm.Config) int64 {
	e, h, head := int64(c.EmSize), int64(c.Hidden), int64(c.Vocab)*int64(c.Hidden)
	switch c.Kind {
	case lm.KindFFN:
		return max(h*max(h, int64(c.Order-1)*e), head) + head
	case lm.KindTransformer:
		return max(h*max(3*h, int64(c.Feedforward)), head) + head
	}
	gates, inputs := int64(c.Cell.Gates()), e
	if c.Layers > 1 {
		inputs = max(e, h)
	}
	return max(gates*h*inputs, head) + max(gates*h*h, head)
}

// droppedWeights counts the recurrent weights that weight dropout keeps whole
// beside their masks.
func droppedWeights(c lm.Config) int64 {
	if c.DropoutWeight == 0 {
		return 0
	}
	return int64(c.Layers) * int64(c.Cell.Gates()) * int64(c.Hidden) * int64(c.Hidden)
}

// stateOf counts the numbers that one lane carries from window to window.
func stateOf(c lm.Config) int64 {
	switch c.Kind {
	case lm.KindFFN:
		return int64(c.Order-2) * int64(c.EmSize)
	case lm.KindTransformer:
		return int64(c.Layers) * (2*int64(c.Context)*int64(c.Hidden) + 1)
	}
	return int64(c.Layers) * 2 * int64(c.Hidden)
}
