package compare

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/refrain-lm/refrain/internal/typo"
	"github.com/refrain-lm/refrain/train"
)

// Settings is what one asks of a comparison, a field for each flag of the
// command. A zero field is not given: the default of its comment holds.
type Settings struct {
	// Models are kinds, such as lstm and ngram, and mixtures of two of them, such as
	// lstm+ngram; none: rnn, lstm, gru, ngram.
	Models []string      `json:"models"`
	Equal  string        `json:"equal"`  // "tokens" (the default) or "time"
	Time   time.Duration `json:"time"`   // budget of the whole; 0 with Tokens 0: 10 minutes
	Tokens int64         `json:"tokens"` // a final run reads; instead of Time
	// SearchTokens is what a run of the learning rates' search reads; 0: a fifth of
	// Tokens.
	SearchTokens int64  `json:"search_tokens"`
	Seeds        int    `json:"seeds"`    // final runs a model; 0: 3, and no fewer
	Prompt       string `json:"prompt"`   // of the samples; "": the first words of the test text
	Sentence     string `json:"sentence"` // to show token by token; "": chosen by rule

	// Shared is what all models have in common: text, architecture, batch,
	// optimizer. Its Hidden is the width of the reference LSTM, its Seed the first
	// of the seeds, its Order that of the n-gram, which is else chosen. Budget, cell,
	// learning rate and schedule belong to the protocol.
	Shared train.Settings `json:"shared"`
}

// DefaultTime is the budget where none is given.
const DefaultTime = 10 * time.Minute

// DefaultModels are compared where none are named.
func DefaultModels() []string { return []string{KindRNN, KindLSTM, KindGRU, KindNGram} }

// Kinds lists every kind of model that a comparison knows.
func Kinds() []string {
	return []string{KindRNN, KindLSTM, KindLSTMNoGate, KindGRU, KindNGram, KindFeedForward, KindTransformer}
}

// SharedFlags names the settings of package train that all models of a
// comparison share, in the order of [train.Flags].
func SharedFlags() []string {
	own := []string{"time", "model", "cell", "lr", "schedule", "warmup", "cooldown", "cooldown-shape", "lr-decay", "lr-hold", "average", "recipe",
		"epochs", "steps", "valid-every", "save-every", "patience"}
	var names []string
	for _, f := range train.Flags() {
		if !slices.Contains(own, f.Name) {
			names = append(names, f.Name)
		}
	}
	return names
}

// withDefaults fills what a zero field means, but for what the plan chooses.
func (s Settings) withDefaults() Settings {
	if len(s.Models) == 0 {
		s.Models = DefaultModels()
	}
	if s.Equal == "" {
		s.Equal = "tokens"
	}
	if s.Time == 0 && s.Tokens == 0 {
		s.Time = DefaultTime
	}
	if s.Seeds == 0 {
		s.Seeds = minSeeds
	}
	if s.Shared.Seed == 0 {
		s.Shared.Seed = 1
	}
	return s
}

// minSeeds is the least number of seeds that says anything of a spread.
const minSeeds = 3

// Validate reports everything that is wrong with s, in one error.
func (s Settings) Validate() error {
	s = s.withDefaults()
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	seen := map[string]bool{}
	for _, m := range s.Models {
		if (Entry{Kind: m}).mixed() {
			if why := s.checkMix(m); why != "" {
				bad("--models %s: %s", m, why)
			}
			seen[m] = true
			continue
		}
		switch {
		case !slices.Contains(Kinds(), m):
			hint := ""
			if near := typo.Nearest(m, Kinds()); near != "" {
				hint = "; did you mean " + near + "?"
			}
			bad("--models %s: takes %s%s", m, strings.Join(Kinds(), ", "), hint)
		case seen[m]:
			bad("--models: %s stands there twice", m)
		}
		seen[m] = true
	}
	if len(s.Models) < 2 {
		bad("--models %s: a comparison needs two models at least", strings.Join(s.Models, ","))
	}
	if s.Equal != "tokens" && s.Equal != "time" {
		bad("--equal %s: takes tokens or time", s.Equal)
	}
	if s.Time != 0 && s.Tokens != 0 {
		bad("--time and --tokens: give one budget only")
	}
	if s.Equal == "time" && s.Tokens != 0 {
		bad("--equal time goes with --time, not with --tokens")
	}
	if s.Time != 0 && s.Time < 3*time.Second {
		bad("--time %v: a comparison needs three seconds at least", s.Time)
	}
	if s.Tokens < 0 || s.SearchTokens < 0 {
		bad("--tokens and --search-tokens are above 0")
	}
	if s.Seeds < minSeeds {
		bad("--seeds %d: fewer than %d say nothing about chance", s.Seeds, minSeeds)
	}
	for _, kind := range s.Models {
		if !slices.Contains(Kinds(), kind) {
			continue // told already, or a mixture
		}
		if err := settingsFor(kind, s.Shared).Validate(); err != nil && !slices.ContainsFunc(errs, func(e error) bool { return e.Error() == err.Error() }) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
