package compare

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/refrain-lm/refrain/lm"
	"github.com/refrain-lm/refrain/train"
)

// Protocol is what a comparison will do: its plan.json. The result is a function
// of it and of the text. It is complete before the first run; where the budget is
// a time, the final runs' steps are fitted once more after the search, and the
// file is replaced.
type Protocol struct {
	Version  int      `json:"version"`
	Complete bool     `json:"complete"` // all below is decided
	Fitted   bool     `json:"fitted"`   // the final runs' steps are, too
	Command  []string `json:"command"`
	Settings Settings `json:"settings"` // Shared is completed
	Text     Text     `json:"text"`
	Entries  []Entry  `json:"entries"` // the models, in the order they were asked for

	Reference   string   `json:"reference"`
	Parameters  int64    `json:"parameters"` // of the reference
	Seeds       []uint64 `json:"seeds"`
	SearchSeed  uint64   `json:"search_seed"`
	Marks       int64    `json:"marks"`        // validations in a final run
	ValidTokens int64    `json:"valid_tokens"` // measured at each of them
	SearchValid int64    `json:"search_valid"` // measured after a run of the search
	TestTokens  int64    `json:"test_tokens"`  // predictions that the final models are measured on at most
	Targets     int      `json:"targets"`      // test tokens whose use of context is measured
	// GradientTargets are the places of the validation text that gradients are followed
	// back from.
	GradientTargets int `json:"gradient_targets"`
}

// Entry is one model that is compared.
type Entry struct {
	Kind        string         `json:"kind"`
	Settings    train.Settings `json:"settings"` // of its runs, but for seed, learning rate and steps
	Model       lm.Config      `json:"model"`
	Params      int64          `json:"params"`
	Rate        float64        `json:"tokens_per_second"` // of training, measured beforehand; 0: not measured
	SearchSteps int64          `json:"search_steps"`
	Steps       int64          `json:"steps"` // of a final run
}

const (
	planFile        = "plan.json"
	protocolVersion = 2
)

// The protocol's constants; the package comment has their reasons.
const (
	warmup        = 0.02 // share of a run
	cooldown      = 0.2  // share of a run
	searchShare   = 0.2  // of a final run's tokens that a run of the search reads
	trainingShare = 0.6  // of the budget that goes into training steps
	measureShare  = 0.2  // of the budget that is kept for measuring the final models
)

// ReadProtocol reads a comparison's plan.json.
func ReadProtocol(dir string) (Protocol, error) {
	var p Protocol
	path := filepath.Join(dir, planFile)
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return p, fmt.Errorf("%s holds no %s: it is no comparison that can be resumed", dir, planFile)
	}
	if err != nil {
		return p, fmt.Errorf("compare: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&p); err != nil {
		return p, fmt.Errorf("%s is no plan of a comparison (%w): put a whole one back, or compare anew with --out other", path, err)
	}
	if p.Version != protocolVersion {
		return p, fmt.Errorf("%s has version %d, this program reads %d: compare anew with --out other", path, p.Version, protocolVersion)
	}
	if !p.Complete {
		return p, fmt.Errorf("%s was stopped before its plan was complete: remove it and start again", dir)
	}
	if err := p.Settings.Validate(); err != nil {
		return p, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

// TokensPerStep is the number of predictions that a step trains on.
func (p Protocol) TokensPerStep() int64 {
	return int64(p.Settings.Shared.BatchSize) * int64(p.Settings.Shared.BPTT)
}

// settingsFor are the training settings of one kind of model: what all share,
// without what other kinds alone understand. What was decided once for all is
// given; what is a default stays one. A Transformer has a depth of its own unless one
// was asked for, since one layer of it cannot look up what followed an earlier token
// (Olsson et al. 2022), and an embedding as wide as its layers.
func settingsFor(kind string, shared train.Settings) train.Settings {
	s := shared
	s.Origin = maps.Clone(shared.Origin)
	drop := func(name string) {
		setTo(&s, name, train.Settings{})
		delete(s.Origin, name)
	}
	for name, origin := range shared.Origin {
		switch origin {
		case "default":
			drop(name)
		case "plan":
			s.Origin[name] = "program"
			if kind == KindTransformer && name == "nlayers" {
				drop(name)
			}
		}
	}
	s.Model, s.Cell = kind, ""
	if recurrent(kind) {
		s.Model, s.Cell = lm.KindRecurrent, kind
	}
	for _, f := range train.Flags() {
		if !f.GoesWith(s.Model) || f.Name == "nonlinearity" && kind != KindRNN || f.Name == "gru-reset" && kind != KindGRU ||
			f.Name == "emsize" && kind == KindTransformer {
			drop(f.Name)
		}
	}
	return s
}

// recurrent reports whether a kind is a recurrent cell.
func recurrent(kind string) bool {
	return slices.Contains([]string{KindRNN, KindLSTM, KindLSTMNoGate, KindGRU}, kind)
}

// setTo gives a setting the value that it has in from.
func setTo(s *train.Settings, name string, from train.Settings) {
	for _, f := range train.Flags() {
		if f.Name == name {
			if err := s.Set(name, f.Value(from), "program"); err != nil {
				panic("compare: " + err.Error())
			}
		}
	}
}

// runSettings are the settings of one run of an entry.
func (e Entry) runSettings(lr float64, seed uint64, steps, validEvery, saveEvery int64, threads int) train.Settings {
	s := e.Settings
	s.Origin = maps.Clone(e.Settings.Origin)
	for name, value := range map[string]string{
		"lr": formatRate(lr), "seed": strconv.FormatUint(seed, 10), "steps": strconv.FormatInt(steps, 10),
		"valid-every": strconv.FormatInt(validEvery, 10), "save-every": strconv.FormatInt(saveEvery, 10), "threads": strconv.Itoa(threads),
		"schedule": "wsd", "warmup": formatRate(warmup), "cooldown": formatRate(cooldown), "cooldown-shape": "sqrt", "average": "0",
	} {
		if err := s.Set(name, value, "program"); err != nil {
			panic("compare: " + err.Error())
		}
	}
	return s
}

func formatRate(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// trained reports whether an entry is trained step by step.
func (e Entry) trained() bool { return !e.counted() && !e.mixed() }

// counted reports whether an entry is counted once, and has no seeds.
func (e Entry) counted() bool { return e.Kind == KindNGram }

// mixed reports whether an entry is a mixture of two others, called "lstm+ngram".
func (e Entry) mixed() bool { return strings.Contains(e.Kind, mixSign) }

// mixSign joins the kinds of a mixture.
const mixSign = "+"

// wholeMarks rounds steps down to a multiple of the most marks, at least one of each.
func wholeMarks(steps int64) int64 { return max(1, steps/markCounts[0]) * markCounts[0] }

// fitTokens is the number of tokens a final run may read so that training steps
// take trainingShare of the budget: N = 0.6·X / Σₘ((S+1)/rₘ), where the search,
// five runs of a fifth, is the one beside the S seeds.
func fitTokens(budget time.Duration, seeds int, rates []float64) int64 {
	var perToken float64
	for _, r := range rates {
		perToken += float64(seeds+1) / r
	}
	return int64(trainingShare * budget.Seconds() / perToken)
}

// fitSeconds is the same for equal time: seconds of training steps in a final run.
func fitSeconds(budget time.Duration, seeds, models int) float64 {
	return trainingShare * budget.Seconds() / float64(models*(seeds+1))
}

// fewestSteps are the steps of the shortest final run and of the shortest of the
// search.
func (p Protocol) fewestSteps() (final, search int64) {
	for _, e := range p.Entries {
		if e.trained() && (final == 0 || e.Steps < final) {
			final, search = e.Steps, e.SearchSteps
		}
	}
	return final, search
}

// Again is the command that repeats the comparison without measuring anything.
func (p Protocol) Again() []string {
	words := []string{"refrain", "compare", p.Text.Name, "--models"}
	list := ""
	for i, e := range p.Entries {
		if i > 0 {
			list += ","
		}
		list += e.Kind
	}
	words = append(words, list)
	if p.Settings.Equal == "time" {
		return append(words, "--equal", "time", "--time", p.Settings.Time.String())
	}
	tokens, search := p.tokens()
	words = append(words, "--tokens", strconv.FormatInt(tokens, 10))
	if p.Settings.SearchTokens > 0 || search != p.searchSteps(tokens/p.TokensPerStep())*p.TokensPerStep() {
		words = append(words, "--search-tokens", strconv.FormatInt(search, 10))
	}
	words = append(words, "--seeds", strconv.Itoa(len(p.Seeds)))
	s := p.Settings.Shared
	for _, f := range train.Flags() {
		if s.Origin[f.Name] == "" || s.Origin[f.Name] == "default" || f.Name == "threads" || !slices.Contains(SharedFlags(), f.Name) {
			continue
		}
		if f.Boolean() {
			words = append(words, "--"+f.Name+"="+f.Value(s))
			continue
		}
		words = append(words, "--"+f.Name, f.Value(s))
	}
	return words
}

// tokens are what a final run and one of the search read, where that is equal.
func (p Protocol) tokens() (final, search int64) {
	for _, e := range p.Entries {
		if e.trained() {
			return e.Steps * p.TokensPerStep(), e.SearchSteps * p.TokensPerStep()
		}
	}
	return 0, 0
}

// searchSteps are the steps of a run of the search beside a final run of so many.
func (p Protocol) searchSteps(steps int64) int64 {
	if p.Settings.SearchTokens > 0 {
		return max(1, p.Settings.SearchTokens/p.TokensPerStep())
	}
	return max(1, int64(searchShare*float64(steps)))
}
