package train

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/refrain-lm/refrain/internal/typo"
)

// Validate reports every contradiction and value out of range, in one error.
func (s Settings) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	s.validateNames(bad)
	if err := s.TokenizerOptions().Validate(); err != nil && len(errs) == 0 {
		bad("--tokenizer %s: %s", cmp.Or(s.Tokenizer, "char"), strings.TrimPrefix(err.Error(), "tokenizer: "))
	}
	if n := len(given(s, "time", "epochs", "steps")); n > 1 {
		bad("%s: give one budget only", strings.Join(given(s, "time", "epochs", "steps"), " and "))
	}
	if s.Given("time") && s.Time < time.Second {
		bad("--time %v: a run needs a second at least", s.Time)
	}
	if s.Freeze && s.Vectors == "" {
		bad("--freeze-embedding keeps given vectors: give --vectors FILE")
	}
	if s.Freeze && s.Given("tied") && s.Tied {
		bad("--freeze-embedding does not go with --tied, whose output layer is the embedding")
	}
	s.validateKind(bad)
	s.validateTransformer(bad)
	if s.Given("words") && s.Tokenizer != "word" {
		bad("--words goes with --tokenizer word")
	}
	s.validateCells(bad)
	s.validateRanges(bad)
	return errors.Join(errs...)
}

// validateNames refuses words that a flag does not take.
func (s Settings) validateNames(bad func(string, ...any)) {
	oneOf := func(flag, v string, of ...string) {
		if v != "" && !slices.Contains(of, v) {
			bad("--%s %s: takes %s%s", flag, v, strings.Join(of, ", "), hint(v, of))
		}
	}
	oneOf("tokenizer", s.Tokenizer, "byte", "char", "word")
	oneOf("words", s.Words, "whitespace", "punct")
	oneOf("normalize", s.Normalize, "none", "NFC", "NFKC", "NFD", "NFKD")
	oneOf("model", s.Model, Kinds()...)
	oneOf("cell", s.Cell, "rnn", "lstm", "lstm-nog", "gru")
	oneOf("nonlinearity", s.Nonlinearity, "tanh", "relu")
	oneOf("gru-reset", s.GRUReset, "before", "after")
	oneOf("bias", s.Bias, "one", "two")
	oneOf("norm", s.Norm, "none", "layer", "batch", "recurrent-batch")
	oneOf("init", s.Init, "refrain", "pytorch", "keras", "uniform")
	oneOf("optimizer", s.Optimizer, "adam", "adamw", "sgd", "asgd")
	oneOf("schedule", s.Schedule, "constant", "zaremba", "cosine", "one-cycle", "wsd", "plateau")
	oneOf("cooldown-shape", s.CoolShape, "linear", "sqrt")
	oneOf("loss", s.Loss, "mean", "sum")
	oneOf("precision", s.Precision, "auto", "float32", "bfloat16")
}

// validateCells refuses options of recurrent cells that do not go together.
func (s Settings) validateCells(bad func(string, ...any)) {
	if s.Given("nonlinearity") && s.Cell != "rnn" {
		bad("--nonlinearity goes with --cell rnn")
	}
	if s.Given("gru-reset") && s.Cell != "gru" {
		bad("--gru-reset goes with --cell gru")
	}
	inside := s.Norm == "layer" || s.Norm == "recurrent-batch"
	if inside && (s.Cell == "lstm-nog" || s.Cell == "gru" && (s.GRUReset == "before" || s.Bias == "one")) {
		bad("--norm %s goes with --cell rnn, lstm and gru, the last with --gru-reset after; take --norm batch", s.Norm)
	}
	if (s.Norm == "batch" || s.Norm == "recurrent-batch") && s.BatchSize == 1 {
		bad("--norm %s wants several lanes: --batch-size 2 or more", s.Norm)
	}
	if s.Residual && s.Given("nlayers") && s.Layers < 2 {
		bad("--residual connects recurrent layers: it needs --nlayers 2 or more")
	}
	switch {
	case s.Chrono == 0:
	case s.Chrono < 2:
		bad("--chrono %v: a lag is 2 tokens or more", s.Chrono)
	case s.Given("forget-bias"):
		bad("--chrono and --forget-bias both say how forget gates begin; give one of them")
	case s.Cell == "rnn":
		bad("--chrono sets gates, which --cell rnn has not")
	}
	if s.Bias == "one" && s.Cell == "gru" && s.GRUReset == "after" {
		bad("--bias one does not go with --gru-reset after, which has two by definition; take --gru-reset before")
	}
}

// validateRanges refuses given numbers that are too small or too large.
func (s Settings) validateRanges(bad func(string, ...any)) {
	minOrder, maxOrder := s.orders()
	for _, c := range []struct {
		name     string
		v        float64
		min, max float64 // given values lie in [min, max)
	}{
		{"dropout", s.Dropout, 0, 1}, {"dropout-input", s.DropoutInput, 0, 1},
		{"dropout-layer", s.DropoutLayer, 0, 1}, {"dropout-output", s.DropoutOutput, 0, 1}, {"dropout-weight", s.DropoutWeight, 0, 1},
		{"lr", s.LR, 1e-12, 1e6}, {"weight-decay", s.WeightDecay, 0, 1e3},
		{"beta1", s.Beta1, 0, 1}, {"beta2", s.Beta2, 0, 1}, {"eps", s.Eps, 0, 1},
		{"clip", s.Clip, 0, 1e12}, {"clip-value", s.ClipValue, 0, 1e12},
		{"warmup", s.Warmup, 0, 1}, {"cooldown", s.Cooldown, 0, 1.0000001},
		{"average", s.Average, 0, 1}, {"state-reset", s.StateReset, 0, 1.0000001}, {"lr-decay", s.LRDecay, 1e-9, 1.0000001}, {"lr-hold", s.LRHold, 0, 1e9},
		{"epochs", s.Epochs, 1e-9, 1e9}, {"steps", float64(s.Steps), 1, 1e15},
		{"nhid", float64(s.Hidden), 1, 1 << 20}, {"emsize", float64(s.EmSize), 1, 1 << 20},
		{"nlayers", float64(s.Layers), 1, 1025}, {"order", float64(s.Order), minOrder, maxOrder + 1},
		{"heads", float64(s.Heads), 1, 1 << 20}, {"context", float64(s.Context), 1, 1<<16 + 1}, {"dim-feedforward", float64(s.Feedforward), 1, 1 << 20},
		{"bptt", float64(s.BPTT), 1, 1 << 20},
		{"batch-size", float64(s.BatchSize), 1, 1 << 20}, {"min-count", float64(s.MinCount), 1, 1e12},
		{"vocab-size", float64(s.VocabSize), 0, 1 << 24}, {"valid-every", float64(s.ValidEvery), 1, 1e15},
		{"save-every", float64(s.SaveEvery), 1, 1e15}, {"patience", float64(s.Patience), 0, 1e9},
		{"threads", float64(s.Threads), 0, 4096}, {"init-range", s.InitRange, 0, 1e6},
		{"forget-bias", s.ForgetBias, -100, 100}, {"chrono", s.Chrono, 0, 1e9},
	} {
		if s.Given(c.name) && !(c.v >= c.min && c.v < c.max) {
			bad("--%s %s: outside [%s, %s)", c.name, plain(c.v), plain(c.min), plain(c.max))
		}
	}
}

// plain writes whole numbers without an exponent.
func plain(v float64) string {
	if v == math.Trunc(v) && math.Abs(v) < 1e16 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

func given(s Settings, names ...string) []string {
	var out []string
	for _, n := range names {
		if s.Given(n) {
			out = append(out, "--"+n)
		}
	}
	return out
}

// peerValues maps what other programs call a value (PyTorch's example, Keras,
// fairseq and others) to ours.
var peerValues = map[string]string{
	"rnn-tanh": "rnn", "rnn-relu": "rnn", "simplernn": "rnn", "simple-rnn": "rnn", "vanilla": "rnn", "elman": "rnn", "cudnnlstm": "lstm", "cudnngru": "gru",
	"character": "char", "characters": "char", "letter": "char", "bytes": "byte", "utf-8": "byte", "utf8": "byte", "space": "whitespace", "spaces": "whitespace",
	"nt-asgd": "asgd", "averaged-sgd": "asgd", "adam-w": "adamw",
	"none": "constant", "fixed": "constant", "step": "zaremba", "onecycle": "one-cycle", "trapezoid": "wsd",
	"reduce-lr-on-plateau": "plateau", "reducelronplateau": "plateau",
	"layernorm": "layer", "layer-norm": "layer", "batchnorm": "batch", "batch-norm": "batch",
	"n-gram": "ngram", "kneser-ney": "ngram", "kn": "ngram", "kenlm": "ngram", "arpa": "ngram", "unigram": "ngram", "bigram": "ngram", "trigram": "ngram",
	"fp32": "float32", "float": "float32", "f32": "float32", "bf16": "bfloat16", "torch": "pytorch", "tensorflow": "keras",
	"glorot": "keras", "xavier": "keras", "orthogonal": "keras",
}

// hint suggests the word of list that v most likely meant.
func hint(v string, list []string) string {
	w := peerValues[strings.ToLower(strings.ReplaceAll(v, "_", "-"))]
	if !slices.Contains(list, w) {
		w = typo.Nearest(v, list)
	}
	if w == "" {
		return ""
	}
	return "; did you mean " + w + "?"
}
