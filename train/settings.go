package train

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/refrain-lm/refrain/internal/typo"
)

// Settings is what one asks of a training run, a field for each flag of the
// command. A field left zero is not given: the recipe, the plan or the default
// decides, and the completed Settings in the job's [Plan] say what they decided.
//
//	s := train.Settings{Steps: 300, Cell: "gru", Hidden: 128}
//
// To ask for a value that is zero (no dropout, no clipping), or for one by its
// flag's name and as text, use [Settings.Set].
type Settings struct {
	// Text
	Tokenizer string `json:"tokenizer"`  // byte, char, word
	Words     string `json:"words"`      // whitespace, punct
	MinCount  int    `json:"min_count"`  // rarer words are unknown
	VocabSize int    `json:"vocab_size"` // most frequent words kept; 0: all
	Lower     bool   `json:"lower"`
	Normalize string `json:"normalize"` // "", NFC, NFKC, NFD, NFKD

	// Model
	Model         string  `json:"model"`
	Cell          string  `json:"cell"`
	Nonlinearity  string  `json:"nonlinearity"`
	GRUReset      string  `json:"gru_reset"`
	Bias          string  `json:"bias"`
	EmSize        int     `json:"emsize"`
	Hidden        int     `json:"nhid"`
	Layers        int     `json:"nlayers"`
	Order         int     `json:"order"`
	AcrossLines   bool    `json:"across_lines"`
	Heads         int     `json:"heads"`
	Context       int     `json:"context"`
	Feedforward   int     `json:"dim_feedforward"`
	Tied          bool    `json:"tied"`
	Norm          string  `json:"norm"` // none, layer, batch, recurrent-batch
	Residual      bool    `json:"residual"`
	Dropout       float64 `json:"dropout"` // sets the layer and output rates
	DropoutInput  float64 `json:"dropout_input"`
	DropoutLayer  float64 `json:"dropout_layer"`
	DropoutOutput float64 `json:"dropout_output"`
	DropoutWeight float64 `json:"dropout_weight"`
	Variational   bool    `json:"variational"`
	Init          string  `json:"init"`
	InitRange     float64 `json:"init_range"`
	ForgetBias    float64 `json:"forget_bias"`
	Vectors       string  `json:"vectors"`          // file that the embedding begins with
	Freeze        bool    `json:"freeze_embedding"` // train around it
	Chrono        float64 `json:"chrono"`           // longest lag that gates begin open for; 0: off

	// Learning
	Optimizer   string  `json:"optimizer"`
	LR          float64 `json:"lr"`
	WeightDecay float64 `json:"weight_decay"`
	Beta1       float64 `json:"beta1"`
	Beta2       float64 `json:"beta2"`
	Eps         float64 `json:"eps"`
	KerasEps    bool    `json:"keras_eps"`
	Clip        float64 `json:"clip"`       // global norm; 0: off
	ClipValue   float64 `json:"clip_value"` // each gradient; 0: off
	Schedule    string  `json:"schedule"`
	Warmup      float64 `json:"warmup"`   // share of the run
	Cooldown    float64 `json:"cooldown"` // share of the run
	CoolShape   string  `json:"cooldown_shape"`
	LRDecay     float64 `json:"lr_decay"`
	LRHold      float64 `json:"lr_hold"`       // epochs before the first decay
	Loss        string  `json:"loss"`          // mean; sum: over time, mean over the batch
	Average     float64 `json:"average"`       // last share of the run whose weights are averaged
	StateReset  float64 `json:"state_reset"`   // chance that a lane begins a window from a zero state
	Offset      bool    `json:"random_offset"` // each pass begins at a random place
	BPTT        int     `json:"bptt"`
	BatchSize   int     `json:"batch_size"`

	// Running
	Epochs     float64       `json:"epochs"`
	Steps      int64         `json:"steps"`
	Time       time.Duration `json:"time"`
	ValidEvery int64         `json:"valid_every"`
	SaveEvery  int64         `json:"save_every"`
	Patience   int           `json:"patience"`
	Seed       uint64        `json:"seed"`
	Threads    int           `json:"threads"`
	Precision  string        `json:"precision"`
	Recipe     string        `json:"recipe"`

	// Origin says by flag name where each value came from: Set notes what it is
	// told, such as "flag", "env" or "config"; Prepare and Resume add "program"
	// for fields without a note that are not zero, "recipe", "plan" for what the
	// plan chose, and "default". None is needed.
	Origin map[string]string `json:"origin"`
}

// Flag describes one setting: the single table behind the command line, the
// environment, config files, recipes and the dry run.
type Flag struct {
	Name    string
	Group   string // First, Text, Model, Learning, Running
	Usage   string
	Default string // "" where the plan chooses
	field   func(*Settings) any
}

var flags = []Flag{
	{"time", "First", "budget for everything: 90s, 10m, 2h", "1m", func(s *Settings) any { return &s.Time }},
	{"tokenizer", "First", "byte, char or word", "char", func(s *Settings) any { return &s.Tokenizer }},
	{"cell", "First", "rnn, lstm, lstm-nog or gru", "lstm", func(s *Settings) any { return &s.Cell }},

	{"words", "Text", "words are split at whitespace, or also at punct", "whitespace", func(s *Settings) any { return &s.Words }},
	{"min-count", "Text", "rarer words (characters) are unknown (spelt in bytes)", "1", func(s *Settings) any { return &s.MinCount }},
	{"vocab-size", "Text", "keep so many words at most (0: all)", "0", func(s *Settings) any { return &s.VocabSize }},
	{"lower", "Text", "lower-case the text", "false", func(s *Settings) any { return &s.Lower }},
	{"normalize", "Text", "Unicode form: NFC, NFKC, NFD, NFKD", "none", func(s *Settings) any { return &s.Normalize }},

	{"model", "Model", "kind of model: recurrent, ffn (feed-forward n-gram), transformer, or ngram (Kneser-Ney)", "recurrent", func(s *Settings) any { return &s.Model }},
	{"nlayers", "Model", "hidden layers", "", func(s *Settings) any { return &s.Layers }},
	{"nhid", "Model", "hidden units a layer", "", func(s *Settings) any { return &s.Hidden }},
	{"order", "Model", "of ngram and ffn: tokens of the longest n-gram, the predicted one among them", "", func(s *Settings) any { return &s.Order }},
	{"across-lines", "Model", "of ngram: contexts run on across line ends", "", func(s *Settings) any { return &s.AcrossLines }},
	{"heads", "Model", "of transformer: attention heads; they divide --nhid", "", func(s *Settings) any { return &s.Heads }},
	{"context", "Model", "of transformer: tokens that attention sees", "", func(s *Settings) any { return &s.Context }},
	{"dim-feedforward", "Model", "of transformer: width of the layers after attention", "", func(s *Settings) any { return &s.Feedforward }},
	{"emsize", "Model", "width of the embedding", "", func(s *Settings) any { return &s.EmSize }},
	{"tied", "Model", "the decoder shares the embedding's weights", "false", func(s *Settings) any { return &s.Tied }},
	{"dropout", "Model", "dropout between layers and before the output", "", func(s *Settings) any { return &s.Dropout }},
	{"dropout-input", "Model", "dropout after the embedding", "", func(s *Settings) any { return &s.DropoutInput }},
	{"dropout-layer", "Model", "dropout between layers", "", func(s *Settings) any { return &s.DropoutLayer }},
	{"dropout-output", "Model", "dropout before the output", "", func(s *Settings) any { return &s.DropoutOutput }},
	{"dropout-weight", "Model", "dropout of recurrent weights, one mask a window (AWD-LSTM)", "", func(s *Settings) any { return &s.DropoutWeight }},
	{"variational", "Model", "one dropout mask a window instead of one a step", "false", func(s *Settings) any { return &s.Variational }},
	{"norm", "Model", "normalisation: layer or recurrent-batch (inside the recurrence), batch (of each layer's output)", "none", func(s *Settings) any { return &s.Norm }},
	{"residual", "Model", "layers from the second on add their input to their output", "false", func(s *Settings) any { return &s.Residual }},
	{"nonlinearity", "Model", "of the rnn cell: tanh or relu", "tanh", func(s *Settings) any { return &s.Nonlinearity }},
	{"gru-reset", "Model", "gru resets before or after the product", "after", func(s *Settings) any { return &s.GRUReset }},
	{"bias", "Model", "bias vectors a cell: two (PyTorch) or one (Keras)", "two", func(s *Settings) any { return &s.Bias }},
	{"init", "Model", "initial weights: refrain, pytorch, keras, uniform", "refrain", func(s *Settings) any { return &s.Init }},
	{"init-range", "Model", "half width of --init uniform", "0.1", func(s *Settings) any { return &s.InitRange }},
	{"forget-bias", "Model", "initial bias of LSTM forget gates", "", func(s *Settings) any { return &s.ForgetBias }},
	{"vectors", "Model", "file of word vectors that the embedding begins with: GloVe, word2vec, fastText", "", func(s *Settings) any { return &s.Vectors }},
	{"freeze-embedding", "Model", "keep the vectors as they are, and train around them", "false", func(s *Settings) any { return &s.Freeze }},
	{"chrono", "Model", "gates begin open for lags up to this many tokens (Tallec and Ollivier; 0: off)", "0", func(s *Settings) any { return &s.Chrono }},

	{"lr", "Learning", "learning rate (peak)", "", func(s *Settings) any { return &s.LR }},
	{"optimizer", "Learning", "adam, adamw, sgd, asgd", "adam", func(s *Settings) any { return &s.Optimizer }},
	{"weight-decay", "Learning", "adam, sgd: L2 in the gradient; adamw: decoupled", "", func(s *Settings) any { return &s.WeightDecay }},
	{"beta1", "Learning", "Adam's first moment", "0.9", func(s *Settings) any { return &s.Beta1 }},
	{"beta2", "Learning", "Adam's second moment", "", func(s *Settings) any { return &s.Beta2 }},
	{"eps", "Learning", "Adam's epsilon", "1e-8", func(s *Settings) any { return &s.Eps }},
	{"keras-eps", "Learning", "put Adam's epsilon where Keras puts it", "false", func(s *Settings) any { return &s.KerasEps }},
	{"clip", "Learning", "clip gradients by global norm (0: off)", "", func(s *Settings) any { return &s.Clip }},
	{"clip-value", "Learning", "clip each gradient by value (0: off)", "0", func(s *Settings) any { return &s.ClipValue }},
	{"schedule", "Learning", "constant, zaremba, cosine, one-cycle, wsd, plateau", "wsd", func(s *Settings) any { return &s.Schedule }},
	{"warmup", "Learning", "share of the run to warm up", "", func(s *Settings) any { return &s.Warmup }},
	{"cooldown", "Learning", "share of the run to cool down (wsd)", "", func(s *Settings) any { return &s.Cooldown }},
	{"cooldown-shape", "Learning", "how wsd cools down: linear, or sqrt for 1-sqrt", "linear", func(s *Settings) any { return &s.CoolShape }},
	{"lr-decay", "Learning", "factor of zaremba and plateau", "0.5", func(s *Settings) any { return &s.LRDecay }},
	{"lr-hold", "Learning", "epochs before zaremba's first decay", "4", func(s *Settings) any { return &s.LRHold }},
	{"loss", "Learning", "gradient of the mean, or of the sum over time", "mean", func(s *Settings) any { return &s.Loss }},
	{"average", "Learning", "average the weights over this last share of the run", "", func(s *Settings) any { return &s.Average }},
	{"bptt", "Learning", "tokens a window", "", func(s *Settings) any { return &s.BPTT }},
	{"batch-size", "Learning", "windows a step", "", func(s *Settings) any { return &s.BatchSize }},
	{"state-reset", "Learning", "chance that a lane's state is zeroed before a window", "0.02", func(s *Settings) any { return &s.StateReset }},
	{"random-offset", "Learning", "begin each pass at a random place", "true", func(s *Settings) any { return &s.Offset }},
	{"recipe", "Learning", "a published set of settings: " + strings.Join(RecipeNames(), ", "), "none", func(s *Settings) any { return &s.Recipe }},
	{"seed", "Learning", "seed of weights, dropout and offsets", "1", func(s *Settings) any { return &s.Seed }},

	{"epochs", "Running", "budget in passes over the text", "", func(s *Settings) any { return &s.Epochs }},
	{"steps", "Running", "budget in steps", "", func(s *Settings) any { return &s.Steps }},
	{"valid-every", "Running", "steps between validations", "", func(s *Settings) any { return &s.ValidEvery }},
	{"save-every", "Running", "steps between checkpoints", "", func(s *Settings) any { return &s.SaveEvery }},
	{"patience", "Running", "stop after so many validations without a best (0: never)", "0", func(s *Settings) any { return &s.Patience }},
	{"threads", "Running", "threads (0: all cores)", "0", func(s *Settings) any { return &s.Threads }},
	{"precision", "Running", "operands of products: auto, float32, bfloat16", "auto", func(s *Settings) any { return &s.Precision }},
}

// Flags lists every setting, in the order of the help.
func Flags() []Flag { return slices.Clone(flags) }

// Boolean reports whether the flag takes no value.
func (f Flag) Boolean() bool {
	_, ok := f.field(&Settings{}).(*bool)
	return ok
}

// Value is the flag's value in s, as Set reads it.
func (f Flag) Value(s Settings) string {
	switch p := f.field(&s).(type) {
	case *string:
		return *p
	case *bool:
		return strconv.FormatBool(*p)
	case *int:
		return strconv.Itoa(*p)
	case *int64:
		return strconv.FormatInt(*p, 10)
	case *uint64:
		return strconv.FormatUint(*p, 10)
	case *float64:
		return strconv.FormatFloat(*p, 'g', -1, 64)
	case *time.Duration:
		return p.String()
	}
	panic("train: flag of unknown type: " + f.Name)
}

// Given reports whether Origin says that the flag was set by the user or a recipe.
func (s Settings) Given(name string) bool {
	o := s.Origin[name]
	return o != "" && o != "plan" && o != "default"
}

// noted is s with an origin for the fields that a program assigned.
func (s Settings) noted() Settings {
	s.Origin = maps.Clone(s.Origin)
	if s.Origin == nil {
		s.Origin = map[string]string{}
	}
	for _, f := range flags {
		if s.Origin[f.Name] == "" && f.Value(s) != f.Value(Settings{}) {
			s.Origin[f.Name] = "program"
		}
	}
	return s
}

// Set parses value into the setting of that flag name and notes where it came
// from, any word but "plan" and "default". "_" in a name is read as "-".
func (s *Settings) Set(name, value, origin string) error {
	name = strings.ReplaceAll(name, "_", "-")
	i := slices.IndexFunc(flags, func(f Flag) bool { return f.Name == name })
	if i < 0 {
		return fmt.Errorf("no setting %q", name)
	}
	if err := parseInto(flags[i].field(s), value); err != nil {
		return fmt.Errorf("--%s %q: %w", name, value, err)
	}
	if s.Origin == nil {
		s.Origin = map[string]string{}
	}
	s.Origin[name] = origin
	return nil
}

func parseInto(field any, value string) (err error) {
	switch p := field.(type) {
	case *string:
		*p = value
	case *bool:
		*p, err = strconv.ParseBool(value)
	case *int:
		*p, err = strconv.Atoi(value)
	case *int64:
		*p, err = strconv.ParseInt(value, 10, 64)
	case *uint64:
		*p, err = strconv.ParseUint(value, 10, 64)
	case *float64:
		*p, err = strconv.ParseFloat(value, 64)
	case *time.Duration:
		*p, err = time.ParseDuration(value)
	}
	if err != nil {
		return errors.New(typo.Value(err))
	}
	return nil
}

// choose sets, as the plan, what the user left open.
func (s *Settings) choose(name, value string) {
	if s.Given(name) {
		return
	}
	if err := s.Set(name, value, "plan"); err != nil {
		panic("train: plan: " + err.Error())
	}
}

// withRecipe lays the recipe under what was given and the defaults under both.
func (s Settings) withRecipe() (Settings, error) {
	s = s.noted()
	if s.Recipe != "" && s.Recipe != "none" {
		values, err := Recipe(s.Recipe)
		if err != nil {
			return s, err
		}
		for _, name := range slices.Sorted(maps.Keys(values)) {
			if !s.Given(name) && !(budgetFlags[name] && s.budgetGiven()) {
				if err := s.Set(name, values[name], "recipe"); err != nil {
					return s, fmt.Errorf("recipe %s: %w", s.Recipe, err)
				}
			}
		}
	}
	for _, f := range flags {
		if f.Default == "" || f.Default == "none" || s.Origin[f.Name] != "" || budgetFlags[f.Name] {
			continue
		}
		if err := parseInto(f.field(&s), f.Default); err != nil {
			panic("train: default of " + f.Name + ": " + err.Error())
		}
		s.Origin[f.Name] = "default"
	}
	if !s.budgetGiven() {
		s.Time = time.Minute
		s.Origin["time"] = "default"
	}
	return s, nil
}

var budgetFlags = map[string]bool{"time": true, "epochs": true, "steps": true}

func (s Settings) budgetGiven() bool {
	return s.Given("time") || s.Given("epochs") || s.Given("steps")
}

// dropBudget makes room for another budget.
func (s *Settings) dropBudget() {
	s.Time, s.Steps, s.Epochs = 0, 0, 0
	for name := range budgetFlags {
		delete(s.Origin, name)
	}
}
