package train

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/lm"
	"github.com/refrain-lm/refrain/ngram"
	"github.com/refrain-lm/refrain/nn"
	"github.com/refrain-lm/refrain/optim"
	"github.com/refrain-lm/refrain/tokenizer"
)

// Plan is what a run will do: plan.json. The bits of a run are a function of
// its plan and data. It is written with the command's settings before anything
// is read or measured, and again, complete, before the first step.
type Plan struct {
	Version  int      `json:"version"`
	Complete bool     `json:"complete"` // all below is decided
	Command  []string `json:"command"`
	Paths    []string `json:"paths"` // of the texts as the command named them
	Valid    []string `json:"valid"`
	Settings Settings `json:"settings"`

	Data        data.Corpus   `json:"data"`
	ValidLossy  bool          `json:"valid_lossy"` // the tokenizer lost something of the validation text
	TokenizerID string        `json:"tokenizer_sha256"`
	Model       lm.Config     `json:"model"`
	Params      int64         `json:"params"`
	Vectors     *Vectors      `json:"vectors,omitempty"`
	Ngram       *ngram.Config `json:"ngram,omitempty"` // an n-gram model instead: of Model only the vocabulary holds
	From        int64         `json:"from"`            // step at which this phase began; 0: from scratch
	Steps       int64         `json:"steps"`           // total, earlier phases included
	ValidTokens int64         `json:"valid_tokens"`
	EvalTokens  int64         `json:"eval_tokens"`
	Rate        float64       `json:"tokens_per_second"`                // measured; 0: not measured
	MeanRate    float64       `json:"mean_tokens_per_second,omitempty"` // the same of all steps measured, not the fastest third
	Kernels     string        `json:"kernels"`
	Replans     []Replan      `json:"replans"`
	Earlier     []Phase       `json:"earlier"`
	NoRetreat   bool          `json:"no_retreat,omitempty"` // the first divergence ends the run
	NoSamples   bool          `json:"no_samples,omitempty"` // the model writes none
	Trial       bool          `json:"trial,omitempty"`      // it is not measured after the run
}

// Phase is a part of a run that ended before the present one began.
type Phase struct {
	From     int64    `json:"from"`
	Steps    int64    `json:"steps"`
	Settings Settings `json:"settings"`
	Replans  []Replan `json:"replans"`
}

// ReadPlan reads a folder's plan.json.
func ReadPlan(dir string) (Plan, error) {
	raw, err := os.ReadFile(filepath.Join(dir, planFile))
	if errors.Is(err, os.ErrNotExist) && quantized(dir) {
		return Plan{}, fmt.Errorf("train: %s is quantized, for use alone: go on with the model it was made of", dir)
	}
	if errors.Is(err, os.ErrNotExist) {
		return Plan{}, fmt.Errorf("train: %s is no run that can be resumed: %s: %w", dir, planFile, os.ErrNotExist)
	}
	if err != nil {
		return Plan{}, fmt.Errorf("train: %w", err)
	}
	p, err := parsePlan(raw)
	if err != nil {
		return p, fmt.Errorf("train: %s cannot be gone on with: %w; put a whole one back, or train anew with --out other", dir, err)
	}
	return p, nil
}

// quantized reports whether dir is a model that cannot be trained.
func quantized(dir string) bool {
	f, err := os.Open(filepath.Join(dir, lm.ConfigFile))
	if err != nil {
		return false
	}
	defer f.Close()
	c, err := lm.ReadConfig(f)
	return err == nil && c.Weights != ""
}

func parsePlan(raw []byte) (Plan, error) {
	var p Plan
	if err := strictJSON(raw, &p); err != nil {
		return p, fmt.Errorf("%s: %w", planFile, err)
	}
	if p.Version != 1 {
		return p, fmt.Errorf("%s has version %d, this program reads 1", planFile, p.Version)
	}
	if err := p.Settings.Validate(); err != nil {
		return p, fmt.Errorf("%s: %w", planFile, err)
	}
	if p.Complete && p.Ngram != nil {
		if err := p.Ngram.Validate(); err != nil {
			return p, fmt.Errorf("%s: %w", planFile, err)
		}
	} else if p.Complete {
		if err := p.Model.Validate(); err != nil {
			return p, fmt.Errorf("%s: %w", planFile, err)
		}
		if p.Steps < p.From || p.From < 0 || p.Settings.BatchSize < 1 || p.Settings.BPTT < 1 {
			return p, fmt.Errorf("%s: impossible steps or batch", planFile)
		}
	}
	return p, nil
}

// TokensPerStep is the number of predictions a step trains on.
func (p Plan) TokensPerStep() int64 { return int64(p.Settings.BatchSize) * int64(p.Settings.BPTT) }

// windows is the number of steps of a pass over the training text.
func (p Plan) windows() int64 {
	return (p.Data.Train.Tokens/int64(p.Settings.BatchSize) - 1) / int64(p.Settings.BPTT)
}

// stepsOf is the number of steps of so many passes, one at least.
func (p Plan) stepsOf(passes float64) int64 { return max(1, int64(passes*float64(p.windows()))) }

// LastSteps is the total after every recorded change.
func (p Plan) LastSteps() int64 {
	if n := len(p.Replans); n > 0 {
		return p.Replans[n-1].Steps
	}
	return p.Steps
}

// Tokens is the number of predictions this phase trains on.
func (p Plan) Tokens() int64 { return (p.Steps - p.From) * p.TokensPerStep() }

// Passes is Tokens in passes over the training text.
func (p Plan) Passes() float64 {
	return float64(p.Tokens()) / float64(max(1, p.Data.Train.Tokens))
}

// Memory estimates the peak bytes of the run: weights, gradients, packed
// copies, optimizer state, what weight dropout keeps, and the activations of one
// window. The copies are those of the layer under way, and of all weights when the
// model writes a line.
func (p Plan) Memory() int64 {
	if p.Ngram != nil {
		return p.countingMemory()
	}
	perParam := int64(4 + 4 + 4) // value, gradient, packed copy
	switch p.Settings.Optimizer {
	case "adam", "adamw":
		perParam += 8
	case "asgd":
		perParam += 4
	}
	if p.Settings.Average > 0 {
		perParam += 4
	}
	act := activations(p.Model)
	return 12e6 + p.Params*perParam + packed(p.Model)*4 + droppedWeights(p.Model)*8 + p.TokensPerStep()*act*4 + 128*int64(p.Model.Vocab)*4 +
		validLanes*(windowOf(p.Model)*act+stateOf(p.Model))*4
}

// Disk estimates the bytes of the finished folder: ids, the model, and two
// checkpoints with the optimizer's moments and the states of all lanes.
func (p Plan) Disk() int64 {
	width := int64(2)
	if p.Model.Vocab > 1<<16 {
		width = 4
	}
	if p.Ngram != nil {
		return (p.Data.Train.Tokens+p.Data.Valid.Tokens)*width + p.countingDisk() + 100e3
	}
	arrays := int64(1)
	switch p.Settings.Optimizer {
	case "adam", "adamw":
		arrays = 3
	case "asgd":
		arrays = 2
	}
	if p.Settings.Average > 0 {
		arrays++
	}
	return (p.Data.Train.Tokens+p.Data.Valid.Tokens)*width + p.Params*4*(1+keptCheckpoints*arrays) +
		keptCheckpoints*int64(p.Settings.BatchSize)*stateOf(p.Model)*4 + 100e3
}

// TokenizerOptions are the tokenizer's part of the settings.
func (s Settings) TokenizerOptions() tokenizer.Options {
	o := tokenizer.Options{Kind: tokenizer.Kind(s.Tokenizer), MinCount: s.MinCount, VocabSize: s.VocabSize, Lower: s.Lower}
	if s.Normalize != "none" {
		o.Normalize = s.Normalize
	}
	if s.Tokenizer == "word" {
		o.Words = s.Words
	}
	return o
}

// ModelConfig is the model's part of complete settings, for a vocabulary of so
// many tokens.
func (s Settings) ModelConfig(vocab int) lm.Config {
	c := lm.Config{
		Version: lm.Version, Kind: s.kind(),
		Vocab: vocab, EmSize: s.EmSize, Hidden: s.Hidden, Layers: s.Layers, Tied: s.Tied,
		DropoutInput: s.DropoutInput, DropoutLayer: s.DropoutLayer, DropoutOutput: s.DropoutOutput, Variational: s.Variational,
	}
	switch c.Kind {
	case lm.KindFFN:
		c.Order = s.Order
		return c
	case lm.KindTransformer:
		c.EmSize, c.Heads, c.Context, c.Feedforward = s.Hidden, s.Heads, s.Context, s.Feedforward
		return c.Complete()
	}
	c.Cell, c.Bias, c.Residual, c.DropoutWeight = lm.Cell(s.Cell), s.Bias, s.Residual, s.DropoutWeight
	if s.Norm != "none" {
		c.Norm = lm.Norm(s.Norm)
	}
	switch c.Cell {
	case lm.RNN:
		c.Nonlinearity = s.Nonlinearity
	case lm.GRU:
		c.GRUReset = s.GRUReset
		if s.Bias == "one" {
			c.GRUReset = "before"
		}
	}
	return c
}

// initConfig is the initialisation's part of the settings.
func (s Settings) initConfig() nn.InitConfig {
	in := nn.InitConfig{Name: nn.Init(s.Init), Range: s.InitRange, Chrono: s.Chrono}
	if s.Origin["forget-bias"] != "" {
		v := s.ForgetBias
		in.ForgetBias = &v
	}
	return in
}

// options are the loop's part of a complete plan.
func (p Plan) options(windows int64) Options {
	s := p.Settings
	o := Options{
		From: p.From, Steps: p.Steps, Seed: s.Seed, Threads: s.Threads,
		Clip: s.Clip, ClipEach: s.ClipValue, SumTime: s.Loss == "sum", Average: s.Average, StateReset: s.StateReset,
		ValidMax: p.ValidTokens, ValidEvery: s.ValidEvery, SaveEvery: s.SaveEvery, Patience: s.Patience,
		Replans: p.Replans, NoRetreat: p.NoRetreat, BFloat16: s.Precision == bfloat16,
		Optim: optim.Config{Name: s.Optimizer, Beta1: s.Beta1, Beta2: s.Beta2, Eps: s.Eps, WeightDecay: s.WeightDecay, Keras: s.KerasEps},
	}
	o.Schedule = optim.Schedule{Name: s.Schedule, LR: s.LR, WarmUp: s.Warmup, CoolDown: s.Cooldown, Shape: s.CoolShape, Decay: s.LRDecay,
		Hold: int(math.Round(s.LRHold)), EpochSteps: int(windows)}
	return o
}

// chooseModel fills in the architecture for a budget of so many training
// floating-point operations.
//
// The rule: one layer, with as many weights in it as the budget can train
// — √(operations/60), the shape of compute-optimal scaling with a constant
// fitted on small texts — at the nearest of a few widths.
func (s *Settings) chooseModel(operations float64) {
	want := math.Sqrt(operations / 60)
	switch s.kind() {
	case lm.KindFFN:
		s.chooseFFN(want)
	case lm.KindTransformer:
		s.chooseTransformer(want)
	default:
		s.chooseCells(want)
	}
	if s.kind() != lm.KindTransformer {
		s.choose("emsize", strconv.Itoa(embeddingFor(s.Tokenizer, s.Hidden)))
	}
	if s.Tokenizer == "word" && !s.Freeze {
		s.choose("tied", "true")
	}
}

// chooseCells is chooseModel for recurrent layers.
func (s *Settings) chooseCells(want float64) {
	layers := "1"
	if s.Residual {
		layers = "2"
	}
	s.choose("nlayers", layers)
	gates := lm.Cell(s.Cell).Gates()
	s.choose("nhid", strconv.Itoa(nearestWidth(want/float64(gates), func(h float64) float64 {
		return h * (float64(embeddingFor(s.Tokenizer, int(h))) + h + 2*h*float64(s.Layers-1))
	})))
}

// embeddingFor is the embedding width that goes with a hidden width:
// characters need little; words get up to 256, tied through a projection.
func embeddingFor(tokenizer string, hidden int) int {
	if tokenizer == "word" {
		return min(256, hidden)
	}
	return min(64, hidden)
}

// chooseBatch fills in batch and window, small enough that the text has
// something to batch. Many small steps learn more from a short run than few
// large ones; wide models take larger windows, whose update costs more.
func (s *Settings) chooseBatch(trainTokens int64) {
	batch, bptt := 16, 32
	if s.Hidden >= 384 {
		batch, bptt = 32, 64
	}
	if s.Tokenizer == "word" {
		batch, bptt = 32, 35
	}
	if s.kind() == lm.KindTransformer { // a window gathers all keys before it
		batch, bptt = 16, 64
	}
	for batch > 1 && trainTokens < int64(batch*bptt)*4 {
		batch /= 2
	}
	for bptt > 8 && trainTokens < int64(batch*bptt)*2 {
		bptt /= 2
	}
	s.choose("batch-size", strconv.Itoa(batch))
	s.choose("bptt", strconv.Itoa(bptt))
}

// chooseLearning fills in optimizer settings and regularisation for a run of
// so many passes over the text.
func (s *Settings) chooseLearning(passes float64) {
	format := func(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }
	adaptive := s.Optimizer == "adam" || s.Optimizer == "adamw"
	lr := 1.0
	if adaptive {
		lr = 0.004 * math.Sqrt(256/float64(s.Hidden))
		switch {
		case s.kind() == lm.KindRecurrent && s.Cell == "rnn":
			lr /= 4
		case s.kind() == lm.KindTransformer:
			lr /= 3
		}
	}
	s.choose("lr", format(lr))
	s.choose("beta2", format(map[bool]float64{true: 0.99, false: 0.999}[s.Tokenizer != "word"]))
	s.choose("warmup", map[bool]string{true: "0.1", false: "0.03"}[s.kind() == lm.KindTransformer])
	s.choose("cooldown", "0.6")
	s.choose("clip", "1")
	s.choose("weight-decay", "0")
	s.choose("average", "0")
	drop := dropoutFor(passes)
	if s.kind() == lm.KindRecurrent {
		s.choose("dropout-weight", format(drop))
	}
	if s.Given("dropout") {
		drop = s.Dropout
	}
	s.choose("dropout-layer", format(drop))
	s.choose("dropout-output", format(drop))
	in := 0.0
	if s.Tokenizer == "word" {
		in = drop / 2
	}
	if s.Given("dropout") && s.Tokenizer == "word" {
		in = drop
	}
	s.choose("dropout-input", format(in))
	s.choose("dropout", format(drop))
}

// dropoutFor is more dropout the more often a text is read: none up to six
// passes, 0.2 more for every doubling.
func dropoutFor(passes float64) float64 {
	rate := 0.2 * math.Log2(max(1, passes/6))
	return min(0.5, math.Round(rate*20)/20)
}

// chooseIntervals sets how often to validate and save: about twenty times,
// fewer where that would take more than a fortieth of the time.
func (p *Plan) chooseIntervals() {
	steps := max(1, p.Steps-p.From)
	valid := max(1, steps/20)
	// A validation token costs a third of a trained one.
	cost := float64(min(p.ValidTokens, p.Data.Valid.Tokens)) / 3
	if most := 0.025 * float64(p.Tokens()); cost > 0 && cost*20 > most {
		valid = max(valid, int64(cost*float64(steps)/most))
	}
	valid = min(valid, steps)
	p.Settings.choose("valid-every", strconv.FormatInt(valid, 10))
	p.Settings.choose("save-every", strconv.FormatInt(min(p.Settings.ValidEvery, max(1, steps/20)), 10))
}

// reserve is the part of a time budget kept for the work after the last step.
func reserve(total time.Duration) time.Duration {
	return max(total/40, 500*time.Millisecond)
}
