package lm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/refrain-lm/refrain/nn"
)

// Version is the version of config.json that this package writes.
const Version = 1

// The kinds of models of this package.
const (
	KindRecurrent   = "recurrent"   // a stack of recurrent cells
	KindFFN         = "ffn"         // feed-forward n-gram network (Bengio et al. 2003)
	KindTransformer = "transformer" // causal self-attention (Vaswani et al. 2017)
)

// Kinds lists them.
func Kinds() []string { return []string{KindRecurrent, KindFFN, KindTransformer} }

// CutWeights takes a kind as config.json has it apart: where weights are kept in
// fewer bits, it ends with how, as in "recurrent-int8". Programs that do not know
// such weights do not know the kind either, and say so.
func CutWeights(kind string) (base, weights string) {
	for _, weights := range []string{BFloat16, Int8} {
		if base, ok := strings.CutSuffix(kind, "-"+weights); ok {
			return base, weights
		}
	}
	return kind, ""
}

// Cell names a recurrent cell; package nn has the equations.
type Cell string

// The cells.
const (
	RNN     Cell = "rnn"      // Elman network
	LSTM    Cell = "lstm"     // long short-term memory
	LSTMNoG Cell = "lstm-nog" // LSTM without output gate, as the review article writes it
	GRU     Cell = "gru"      // gated recurrent unit, reset before or after the product
)

// Gates is the number of blocks of [nhid,·] in the cell's weights.
func (c Cell) Gates() int {
	switch c {
	case LSTM:
		return 4
	case LSTMNoG, GRU:
		return 3
	}
	return 1
}

// The widest layer and the largest vocabulary a config may ask for.
const (
	maxWidth = 1 << 20
	maxVocab = 1 << 24
)

// Norm names a normalisation; package nn has the equations.
type Norm string

// The normalisations.
const (
	NoNorm             Norm = ""
	LayerNorm          Norm = "layer"           // inside the recurrence of rnn, lstm and gru (Ba et al. 2016)
	BatchNorm          Norm = "batch"           // of each recurrent layer's output (Ioffe and Szegedy 2015)
	RecurrentBatchNorm Norm = "recurrent-batch" // inside the recurrence of rnn, lstm and gru (Cooijmans et al. 2016)
)

// What Config.Weights may name.
const (
	BFloat16 = "bfloat16"
	Int8     = "int8"
)

// Config says everything needed to rebuild a model. It is stored as config.json.
type Config struct {
	Version int    `json:"version"`
	Kind    string `json:"kind"`              // one of Kinds; "" is recurrent
	Weights string `json:"weights,omitempty"` // how matrices of weights are kept: "" in float32, else BFloat16 or Int8; config.json has it in its kind

	Cell         Cell   `json:"cell,omitempty"`         // recurrent only, as are the next three
	Nonlinearity string `json:"nonlinearity,omitempty"` // rnn only: "tanh" (default) or "relu"
	GRUReset     string `json:"gru_reset,omitempty"`    // gru only: "after" (default; PyTorch) or "before"
	Bias         string `json:"bias,omitempty"`         // "two" vectors a cell (default; PyTorch) or "one" (Keras)

	Vocab  int `json:"vocab"`
	EmSize int `json:"emsize"`          // width of the embedding
	Hidden int `json:"nhid"`            // width of every hidden layer
	Layers int `json:"nlayers"`         // number of hidden layers; 0 is 1, of a transformer 4
	Order  int `json:"order,omitempty"` // ffn only: a token is predicted from the order−1 before it; 0 is 5

	Heads       int `json:"heads,omitempty"`           // transformer only, as are the next two; 0 is what gives heads of about 32 units
	Context     int `json:"context,omitempty"`         // tokens that attention sees, the present one among them; 0 is 128
	Feedforward int `json:"dim_feedforward,omitempty"` // width of the layers after attention; 0 is 4·nhid

	Norm     Norm `json:"norm,omitempty"`     // recurrent only; "": none
	Residual bool `json:"residual,omitempty"` // recurrent only: every layer but the first adds its input to its output

	Tied bool `json:"tied"` // decoder.weight is encoder.weight; a projection joins the widths if they differ

	DropoutInput  float64 `json:"dropout_input"`            // after the embedding
	DropoutLayer  float64 `json:"dropout_layer"`            // between hidden layers
	DropoutOutput float64 `json:"dropout_output"`           // before the head
	DropoutWeight float64 `json:"dropout_weight,omitempty"` // recurrent only: of recurrent weights (Merity et al. 2018)
	Variational   bool    `json:"variational"`              // one mask a window and lane (Gal and Ghahramani 2016) instead of one a step
}

// Complete returns c with what its zero fields mean filled in.
func (c Config) Complete() Config {
	if c.Version == 0 {
		c.Version = Version
	}
	if c.Kind == "" {
		c.Kind = KindRecurrent
	}
	switch c.Kind {
	case KindRecurrent:
		c = c.recurrentDefaults()
	case KindFFN:
		c = c.ffnDefaults()
	case KindTransformer:
		c = c.transformerDefaults()
	}
	if c.EmSize == 0 {
		c.EmSize = c.Hidden
	}
	if c.Layers == 0 {
		c.Layers = 1
	}
	return c
}

// recurrentDefaults fills what only a recurrent model has.
func (c Config) recurrentDefaults() Config {
	if c.Cell == "" {
		c.Cell = LSTM
	}
	if c.Cell == RNN && c.Nonlinearity == "" {
		c.Nonlinearity = "tanh"
	}
	if c.Cell == GRU && c.GRUReset == "" {
		c.GRUReset = "after"
	}
	if c.Bias == "" {
		c.Bias = "two"
	}
	return c
}

// Validate reports everything that is wrong with c, in one error.
func (c Config) Validate() error {
	c = c.Complete()
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.Version != Version {
		bad("version %d is not known (this program reads %d)", c.Version, Version)
	}
	switch c.Kind {
	case KindRecurrent:
		c.validateRecurrent(bad)
	case KindFFN:
		c.validateFFN(bad)
	case KindTransformer:
		c.validateTransformer(bad)
	default:
		bad("kind %q is none of %s", c.Kind, strings.Join(Kinds(), ", "))
	}
	switch {
	case c.Weights != "" && c.storage() == nn.Float32:
		bad("weights %q are neither int8 nor bfloat16", c.Weights)
	case c.Weights == Int8 && max(c.EmSize*max(1, c.Order), c.Hidden) > nn.MaxInt8Width:
		bad("weights int8 go with widths up to %d; take bfloat16", nn.MaxInt8Width)
	}
	c.foreign(bad)
	size := func(name string, v, most int) {
		if v < 1 || v > most {
			bad("%s %d is outside 1 to %d", name, v, most)
		}
	}
	size("vocab", c.Vocab, maxVocab)
	size("emsize", c.EmSize, maxWidth)
	size("nhid", c.Hidden, maxWidth)
	size("nlayers", c.Layers, 1024)
	for _, d := range []struct {
		name string
		p    float64
	}{{"dropout_input", c.DropoutInput}, {"dropout_layer", c.DropoutLayer}, {"dropout_output", c.DropoutOutput}, {"dropout_weight", c.DropoutWeight}} {
		if !(d.p >= 0 && d.p < 1) {
			bad("%s %v is outside [0, 1)", d.name, d.p)
		}
	}
	if len(errs) > 0 {
		return fmt.Errorf("lm: config: %w", errors.Join(errs...))
	}
	return nil
}

func (c Config) validateRecurrent(bad func(string, ...any)) {
	switch c.Cell {
	case RNN, LSTM, LSTMNoG, GRU:
	default:
		bad("cell %q is none of rnn, lstm, lstm-nog, gru", c.Cell)
	}
	if c.Nonlinearity != "" && (c.Cell != RNN || c.Nonlinearity != "tanh" && c.Nonlinearity != "relu") {
		bad("nonlinearity %q: rnn takes tanh or relu, other cells none", c.Nonlinearity)
	}
	if c.GRUReset != "" && (c.Cell != GRU || c.GRUReset != "before" && c.GRUReset != "after") {
		bad("gru_reset %q: gru takes before or after, other cells none", c.GRUReset)
	}
	switch {
	case !slices.Contains([]Norm{NoNorm, LayerNorm, BatchNorm, RecurrentBatchNorm}, c.Norm):
		bad("norm %q is none of layer, batch, recurrent-batch", c.Norm)
	case (c.Norm == LayerNorm || c.Norm == RecurrentBatchNorm) && (c.Cell == LSTMNoG || c.GRUReset == "before"):
		bad("norm %s goes with rnn, lstm and gru (gru_reset after); take norm batch", c.Norm)
	}
	if c.Residual && c.Layers < 2 {
		bad("residual connects recurrent layers; it needs nlayers 2 or more")
	}
	switch {
	case c.Bias != "one" && c.Bias != "two":
		bad("bias %q is neither one nor two", c.Bias)
	case c.Bias == "one" && c.Cell == GRU && c.GRUReset == "after":
		bad("bias one does not go with gru_reset after, which has two by definition; take gru_reset before")
	}
}

// foreign reports the fields that belong to other kinds.
func (c Config) foreign(bad func(string, ...any)) {
	for _, f := range []struct {
		name, kind string
		given      bool
	}{
		{"cell", KindRecurrent, c.Cell != ""}, {"nonlinearity", KindRecurrent, c.Nonlinearity != ""},
		{"gru_reset", KindRecurrent, c.GRUReset != ""}, {"bias", KindRecurrent, c.Bias != ""},
		{"norm", KindRecurrent, c.Norm != NoNorm}, {"residual", KindRecurrent, c.Residual},
		{"dropout_weight", KindRecurrent, c.DropoutWeight != 0},
		{"order", KindFFN, c.Order != 0}, {"heads", KindTransformer, c.Heads != 0},
		{"context", KindTransformer, c.Context != 0}, {"dim_feedforward", KindTransformer, c.Feedforward != 0},
	} {
		if f.given && f.kind != c.Kind {
			bad("%s belongs to kind %s, not %s", f.name, f.kind, c.Kind)
		}
	}
}

// storage is what Weights names; Float32 for a name that is none.
func (c Config) storage() nn.Storage {
	switch c.Weights {
	case BFloat16:
		return nn.BFloat16
	case Int8:
		return nn.Int8
	}
	return nn.Float32
}

// headWidth is the width the head reads.
func (c Config) headWidth() int {
	if c.projected() {
		return c.EmSize
	}
	return c.Hidden
}

func (c Config) projected() bool { return c.Tied && c.EmSize != c.Hidden }

// normParams is the number of gains and shifts in one layer.
func (c Config) normParams() int64 {
	h, perUnit := int64(c.Hidden), 0
	switch {
	case c.Norm == BatchNorm:
		perUnit = 2
	case c.Norm != NoNorm && c.Cell == LSTM:
		perUnit = 2*c.Cell.Gates() + 2
	case c.Norm != NoNorm:
		perUnit = 2 * c.Cell.Gates()
	}
	return int64(perUnit) * h
}

// Params counts trainable scalars; tied weights count once.
func (c Config) Params() int64 {
	c = c.Complete()
	v, e, h := int64(c.Vocab), int64(c.EmSize), int64(c.Hidden)
	n := v * e
	switch c.Kind {
	case KindFFN:
		n += c.ffnWeights() + int64(c.Layers)*h
	case KindTransformer:
		n += c.transformerParams()
	default:
		n += c.recurrentParams()
	}
	if c.projected() {
		n += e * h
	}
	if !c.Tied {
		n += v * h
	}
	return n + v
}

func (c Config) recurrentParams() int64 {
	in, h, n := int64(c.EmSize), int64(c.Hidden), int64(0)
	biases := int64(2)
	if c.Bias == "one" {
		biases = 1
	}
	for range c.Layers {
		n += int64(c.Cell.Gates())*h*(in+h+biases) + c.normParams()
		in = h
	}
	return n
}

// MultiplyAdds counts the multiply-adds of one token's forward products; a
// training step costs three times as many.
func (c Config) MultiplyAdds() int64 {
	c = c.Complete()
	n := int64(0)
	switch c.Kind {
	case KindFFN:
		n = c.ffnWeights()
	case KindTransformer:
		n = c.transformerProducts()
	default:
		n = c.recurrentWeights()
	}
	if c.projected() {
		n += int64(c.EmSize) * int64(c.Hidden)
	}
	return n + int64(c.Vocab)*int64(c.headWidth())
}

// ReadPerToken is how many bytes of weights the products of one token read, of one
// stream alone.
func (c Config) ReadPerToken() int64 {
	bytes := map[string]int64{"": 4, BFloat16: 2, Int8: 1}[c.Weights]
	return bytes * c.MultiplyAdds()
}

// recurrentWeights counts those of the cells' products.
func (c Config) recurrentWeights() int64 {
	in, h, n := int64(c.EmSize), int64(c.Hidden), int64(0)
	for range c.Layers {
		n += int64(c.Cell.Gates()) * h * (in + h)
		in = h
	}
	return n
}

// String is the short name of the architecture, such as "LSTM 2x256" or
// "FFN 1x256, order 5".
func (c Config) String() string {
	c = c.Complete()
	switch c.Kind {
	case KindFFN:
		return fmt.Sprintf("FFN %dx%d, order %d", c.Layers, c.Hidden, c.Order)
	case KindTransformer:
		return fmt.Sprintf("Transformer %dx%d, context %d", c.Layers, c.Hidden, c.Context)
	}
	return fmt.Sprintf("%s %dx%d", strings.ToUpper(string(c.Cell)), c.Layers, c.Hidden)
}

// ReadConfig reads a config.json. Unknown keys are an error.
func ReadConfig(r io.Reader) (Config, error) {
	raw, err := io.ReadAll(io.LimitReader(r, 1<<20))
	if err != nil {
		return Config{}, fmt.Errorf("lm: config: %w", err)
	}
	var c Config
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&c); err != nil {
		return Config{}, fmt.Errorf("lm: config: %w", err)
	}
	if dec.More() {
		return Config{}, errors.New("lm: config: text after the JSON object")
	}
	if kind, weights := CutWeights(c.Kind); weights != "" {
		c.Kind, c.Weights = kind, weights
	}
	if c.Version == 0 {
		return Config{}, errors.New("lm: config: no version; this is not a config.json of Refrain")
	}
	return c, c.Validate()
}

// Write writes c as config.json.
func (c Config) Write(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	c = c.Complete()
	if c.Weights != "" {
		c.Kind, c.Weights = c.Kind+"-"+c.Weights, ""
	}
	return enc.Encode(c)
}
