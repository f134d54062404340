package compare

import (
	"encoding/json"
	"math"
)

// Result is all that one comparison measured; it holds no conclusions. Every
// field but those marked as timings is a function of text, plan and seeds. A part
// that was not measured is nil or empty, and the report says so.
type Result struct {
	Command string   `json:"command"` // what repeats it, --tokens and seeds included
	Version string   `json:"version"` // of this program
	Text    Text     `json:"text"`
	Plan    Plan     `json:"plan"`
	Machine *Machine `json:"machine,omitempty"` // timings are its own; dropped with them
	Models  []Model  `json:"models"`            // in the order they were asked for
	Floors  []Floor  `json:"floors"`            // unigram and uniform

	ContextTargets int       `json:"context_targets,omitempty"` // test tokens behind every Model.Context
	Counts         []Count   `json:"counts,omitempty"`          // test words by their training count
	Prompt         *Prompt   `json:"prompt,omitempty"`          // of every Model.Samples
	Sentence       *Sentence `json:"sentence,omitempty"`        // of every Model.Surprisal

	Interrupted bool     `json:"interrupted,omitempty"` // some runs are missing
	Notes       []string `json:"notes,omitempty"`       // whole sentences for the reader: a discount's fallback, say
}

// Text is what was read and how it was cut.
type Text struct {
	Name      string `json:"name"` // without folders
	Bytes     int64  `json:"bytes"`
	SHA256    string `json:"sha256"`
	Tokenizer string `json:"tokenizer"` // byte, char, word
	Unit      string `json:"unit"`      // what a token is: byte, char, word
	Vocab     int    `json:"vocab"`
	Lossy     bool   `json:"lossy,omitempty"` // the tokenizer lost something of the test text: no bits a byte
	Train     Part   `json:"train"`
	Valid     Part   `json:"valid"`
	Test      Part   `json:"test"`
	Blocks    Blocks `json:"blocks"`
}

// Part is one contiguous part of the text.
type Part struct {
	From   int64 `json:"from"`   // byte offset in its source
	Bytes  int64 `json:"bytes"`  // raw bytes it covers
	Tokens int64 `json:"tokens"` // in the test text: predictions counted
}

// Blocks cuts the test text into consecutive blocks of about Size bytes each, at
// token ends. Larger blocks are runs of 4 and of 16 of them.
type Blocks struct {
	Size   int   `json:"size"`   // bytes, 1024
	Tokens []int `json:"tokens"` // predictions counted in each block; they sum to Test.Tokens
}

// Plan is what all models share, and what decided it.
type Plan struct {
	Equal      string   `json:"equal"`               // "tokens", or "time"
	Seconds    float64  `json:"seconds,omitempty"`   // of training steps a run, where Equal is "time"
	Budget     string   `json:"budget,omitempty"`    // --time, where that decided
	Tokens     int64    `json:"tokens"`              // a run reads, where Equal is "tokens"
	Parameters int64    `json:"parameters"`          // of the reference, which the others meet within 1 %
	Reference  string   `json:"reference,omitempty"` // the reference's name
	Seeds      []uint64 `json:"seeds"`               // of the final runs, S of them
	SearchSeed uint64   `json:"search_seed"`         // of the learning rates' search; none of Seeds
	Validated  int64    `json:"validated"`           // tokens that each mark of a curve is measured on
	Gentle     float64  `json:"gentle"`              // nats a token: of the learning rates within it of the lowest loss the smallest is chosen
	Layers     int      `json:"layers"`
	Embedding  int      `json:"embedding"` // width
	Tied       bool     `json:"tied"`
	Window     int      `json:"window"` // T, tokens
	Batch      int      `json:"batch"`  // lanes
	Optimizer  string   `json:"optimizer"`
	Clip       float64  `json:"clip"` // global norm; 0: off
	Dropout    float64  `json:"dropout"`
	Warmup     float64  `json:"warmup"`   // share of a run
	Cooldown   float64  `json:"cooldown"` // share of a run, at its end
}

// Machine is where the timings are from.
type Machine struct {
	CPU     string `json:"cpu"`
	Kernels string `json:"kernels"` // AVX2, AVX-512, generic
	Threads int    `json:"threads"`
	System  string `json:"system"` // linux/amd64
}

// The kinds of models, which give each its colour and marker.
const (
	KindRNN         = "rnn"
	KindLSTM        = "lstm"
	KindLSTMNoGate  = "lstm-nog"
	KindGRU         = "gru"
	KindNGram       = "ngram"
	KindFeedForward = "ffn"
	KindTransformer = "transformer"
	KindMix         = "mix"
)

// Model is one row of the comparison, with its runs.
type Model struct {
	Name   string `json:"name"` // as the page calls it, unique: "LSTM", "4-gram"
	Kind   string `json:"kind"`
	Size   Size   `json:"size"`
	Scores string `json:"scores"`          // context when scoring: "state carried", "128 tokens a layer, carried", "4 tokens"
	Reach  int    `json:"reach,omitempty"` // tokens it can see at all: n−1, T; 0: no limit

	Search *Search `json:"search,omitempty"` // nil: nothing was chosen
	Runs   []Run   `json:"runs"`             // one a seed, in the order of Plan.Seeds; the n-gram has one

	Context   *Context   `json:"context,omitempty"`
	CountNats []float64  `json:"count_nats,omitempty"` // nats summed over each of Result.Counts, mean over seeds
	Gradients *Gradients `json:"gradients,omitempty"`
	Gates     []Gate     `json:"gates,omitempty"`
	Samples   []Sample   `json:"samples,omitempty"`
	Surprisal []Number   `json:"surprisal,omitempty"` // bits of each token of Result.Sentence, first seed

	FileBytes int64 `json:"file_bytes,omitempty"` // of its weights
	Cost      *Cost `json:"cost,omitempty"`       // timings
}

// Size counts trainable scalars; tied weights once, under Embedding.
type Size struct {
	Total        int64 `json:"total"`
	Embedding    int64 `json:"embedding"`
	Cell         int64 `json:"cell"` // recurrent weights, or what takes their place
	Head         int64 `json:"head"`
	Hidden       int   `json:"hidden,omitempty"`        // units a layer
	MultiplyAdds int64 `json:"multiply_adds,omitempty"` // a token, forwards
}

// Search is how one setting was chosen, on the validation text alone.
type Search struct {
	Setting string  `json:"setting"` // "learning rate", "order", "weight"
	Trials  []Trial `json:"trials"`  // by ascending value
	Chosen  float64 `json:"chosen"`  // the value of a trial
	Tokens  int64   `json:"tokens"`  // that each trial read
	Widened int     `json:"widened"` // trials added since the best was at an edge, at most two
	AtEdge  bool    `json:"at_edge"` // it still is
}

// Trial is one value tried.
type Trial struct {
	Value    float64 `json:"value"`
	Loss     Number  `json:"loss"` // validation, nats a token; NaN where it diverged
	Diverged bool    `json:"diverged,omitempty"`
}

// Run is one training run of one model and its one meeting with the test text.
type Run struct {
	Seed     uint64 `json:"seed"`
	Diverged bool   `json:"diverged,omitempty"` // then there is no test loss and there are no blocks
	Tokens   int64  `json:"tokens"`             // read
	Best     int64  `json:"best"`               // tokens read at the checkpoint that validation chose
	Curve    []Mark `json:"curve,omitempty"`    // of the n-gram one mark, on the tokens that others validate on

	TestLoss Number    `json:"test_loss"` // nats a token
	Accuracy Number    `json:"accuracy"`  // share of test tokens that were the most probable one
	Nats     []float64 `json:"nats"`      // summed over each block of Text.Blocks
	Hits     []int     `json:"hits"`      // tokens of each block that were the most probable one

	Seconds float64 `json:"seconds,omitempty"` // of training steps alone; a timing
}

// Mark is one validation in a run.
type Mark struct {
	Tokens  int64   `json:"tokens"` // read so far
	Loss    float64 `json:"loss"`   // validation, nats a token
	Seconds float64 `json:"seconds,omitempty"`
}

// Floor is a prediction that needs no model.
type Floor struct {
	Name     string  `json:"name"` // unigram, uniform
	TestLoss float64 `json:"test_loss"`
	Accuracy Number  `json:"accuracy"`
}

// Context is the loss on the same test tokens when only so many tokens before
// each are shown, from a fresh state (Khandelwal et al. 2018).
type Context struct {
	Lengths []int     `json:"lengths"` // ascending: 1, 2, 4, … 512, for a Transformer to T
	Loss    []float64 `json:"loss"`    // nats a token
}

// Count is one range of training counts. The test text's words fall into these
// ranges; a word of several tokens counts once, and owns the nats of all its
// tokens.
type Count struct {
	From   int64 `json:"from"`
	To     int64 `json:"to"`     // inclusive; -1: no limit
	Words  int64 `json:"words"`  // of the test text
	Tokens int64 `json:"tokens"` // of those words; over all ranges, Test.Tokens
}

// Gradients are the norms of ∂L_t/∂state_{t−k} against the lag k, measured on
// validation text at a few stages of one run (the first seed).
type Gradients struct {
	State  string          `json:"state"`  // what was differentiated by: "h", "(h, c)"
	Window int             `json:"window"` // T of training
	Stages []GradientStage `json:"stages"` // start, half, end
}

// GradientStage is one stage: for each lag, quantiles over positions and lanes of
// the norm relative to lag 0.
type GradientStage struct {
	Name   string   `json:"name"`   // start, half, end
	Tokens int64    `json:"tokens"` // read so far
	Lags   []int    `json:"lags"`   // ascending from 0, to 2T
	Median []Number `json:"median"`
	Low    []Number `json:"low"`  // 10 % quantile
	High   []Number `json:"high"` // 90 % quantile
}

// Gate says how often the units of one gate of one layer are stuck (Karpathy et
// al. 2015), at the end of the first seed's run.
type Gate struct {
	Layer int    `json:"layer"` // from 1
	Name  string `json:"name"`  // input, forget, output, reset, update; state: |h| of an rnn
	// Over and Under have one share for each unit: of the time, how much it is
	// above 0.9, and below 0.1; for a state, of |h|.
	Over  []float64 `json:"over"`
	Under []float64 `json:"under,omitempty"`
}

// Prompt is what every model was asked to continue.
type Prompt struct {
	Text        string  `json:"text"`
	Temperature float64 `json:"temperature"`
	Seed        uint64  `json:"seed"`
}

// Sample is a continuation of the prompt.
type Sample struct {
	Text string `json:"text"`
	// Text[CopiedFrom:CopiedTo] is the longest stretch that stands in the training text.
	CopiedFrom int `json:"copied_from"`
	CopiedTo   int `json:"copied_to"`
}

// Sentence is a piece of the test text, cut into its tokens.
type Sentence struct {
	Tokens []string `json:"tokens"`
	Line   int64    `json:"line"` // of the test text, from 1
	Asked  bool     `json:"asked"`
}

// Cost is what one model takes on the machine. All are timings.
type Cost struct {
	TrainTokens Spread `json:"train_tokens"` // tokens a second in training
	StepMillis  Spread `json:"step_millis"`  // milliseconds for one token of one stream
	PeakBytes   int64  `json:"peak_bytes"`   // most memory of the program while training: resident size on Linux, else what Go's runtime holds
}

// Spread is the median and range of repeated measurements.
type Spread struct {
	Median float64 `json:"median"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
	N      int     `json:"n"`
}

// Number is a float64 that JSON writes as null where it is not finite, and reads
// back as NaN.
type Number float64

// MarshalJSON writes null for NaN and infinities.
func (n Number) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(n)) || math.IsInf(float64(n), 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

// UnmarshalJSON reads null as NaN.
func (n *Number) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		*n = Number(math.NaN())
		return nil
	}
	return json.Unmarshal(text, (*float64)(n))
}

// WithoutTimings returns a copy without what differs between two runs of the same
// plan.
func (r Result) WithoutTimings() Result {
	r.Machine = nil
	r.Models = append([]Model(nil), r.Models...)
	for i := range r.Models {
		m := &r.Models[i]
		m.Cost = nil
		m.Runs = append([]Run(nil), m.Runs...)
		for j := range m.Runs {
			run := &m.Runs[j]
			run.Seconds = 0
			run.Curve = append([]Mark(nil), run.Curve...)
			for k := range run.Curve {
				run.Curve[k].Seconds = 0
			}
		}
	}
	return r
}
