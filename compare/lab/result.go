package lab

import (
	"math"
	"strconv"

	"github.com/refrain-lm/refrain/compare"
	"github.com/refrain-lm/refrain/probe"
)

// Result is all that was measured; it holds no conclusions. Every number is
// rounded to four digits.
type Result struct {
	Command  string    `json:"command"` // what repeats it
	Version  string    `json:"version"` // of this program
	Settings Settings  `json:"settings"`
	Text     *Text     `json:"text,omitempty"` // nil: no text was read
	Runs     []TextRun `json:"runs,omitempty"` // one a variant, in the order of Settings.Variants
	Tasks    []TaskRun `json:"tasks,omitempty"`
}

// Text is what the variants were trained on.
type Text struct {
	Name      string `json:"name"`
	Bytes     int64  `json:"bytes"` // that were read
	SHA256    string `json:"sha256"`
	Tokenizer string `json:"tokenizer"`
	Unit      string `json:"unit"` // what a token is
	Vocab     int    `json:"vocab"`
	Train     int64  `json:"train"` // tokens
	Valid     int64  `json:"valid"` // tokens, on which gradients, gates and losses are measured
	// Stretch is the piece of the validation text on which Moves is measured, token by token.
	Stretch []string `json:"stretch"`
}

// Stage is how far gradients reach, and which gates are stuck, at one time of a run.
type Stage struct {
	Name   string  `json:"name"` // start, half, end
	Step   int64   `json:"step"`
	Layers []Layer `json:"layers"` // from the bottom up
	// Loss is nats a token of validation text; of tasks, the share of chance's loss.
	Loss compare.Number `json:"loss"`
}

// Layer is one recurrent layer at one stage.
type Layer struct {
	Norm  compare.Number   `json:"norm"`  // median of ‖∂L_t/∂state_t‖
	Lags  []int            `json:"lags"`  // ascending from 0
	Below int              `json:"below"` // first lag from which on the median is below 1 %; −1: none that was looked at
	Mid   []compare.Number `json:"median"`
	Low   []compare.Number `json:"low"`  // 10 % quantile over targets
	High  []compare.Number `json:"high"` // 90 %
	Gates []compare.Gate   `json:"gates"`
}

// TextRun is one variant's run on the text.
type TextRun struct {
	Variant  string  `json:"variant"`
	Params   int64   `json:"params"`
	Diverged bool    `json:"diverged,omitempty"`
	Stages   []Stage `json:"stages"`
	// Clipping, step by step.
	Norms   []compare.Number `json:"norms"`             // of the gradients before clipping
	Scales  []compare.Number `json:"scales,omitempty"`  // factor by clipping the norm
	Values  []compare.Number `json:"values,omitempty"`  // share of the gradients limited by value
	Clipped float64          `json:"clipped,omitempty"` // share of the steps that either changed
	// At the end, on Text.Stretch, for each token but the first: what it changes
	// (probe.Move), and the shares of all movement made by the largest tenth of moves.
	Moves       []compare.Number `json:"moves,omitempty"` // bits of the prediction
	MovesTenth  compare.Number   `json:"moves_tenth"`
	StatesTenth compare.Number   `json:"states_tenth"`
}

// TaskRun is one variant's run on one task with one seed.
type TaskRun struct {
	Task
	Variant  string         `json:"variant"`
	Seed     uint64         `json:"seed"`
	Solved   bool           `json:"solved"`
	Diverged bool           `json:"diverged,omitempty"` // a gradient was not finite
	Steps    int64          `json:"steps"`              // made; where it was solved, until then
	Loss     compare.Number `json:"loss"`               // on fresh sequences, share of chance's; after Steps
	Best     compare.Number `json:"best"`               // lowest share
	Marks    []Mark         `json:"marks"`
	// Clipped is the share of the steps whose gradient the norm's limit scaled down;
	// Largest the largest norm before clipping.
	Clipped float64        `json:"clipped"`
	Largest compare.Number `json:"largest"`
	Stages  []Stage        `json:"stages,omitempty"` // of the longest lag, first seed
	// Of adding, in the same run: what the network would answer after each step of
	// one sequence, and the sum so far of the marked numbers.
	Answers []compare.Number `json:"answers,omitempty"`
	Sums    []compare.Number `json:"sums,omitempty"`
}

// Mark is one measurement in a run on a task.
type Mark struct {
	Step int64          `json:"step"`
	Loss compare.Number `json:"loss"` // share of chance's
}

// layers puts measurements into a stage's form.
func layers(reach []probe.Reach, gates []probe.Gate) []Layer {
	out := make([]Layer, len(reach))
	for i, r := range reach {
		l := &out[i]
		l.Norm, l.Below = rounded(r.Norm), -1
		if lag, ok := r.Below(0.01); ok {
			l.Below = lag
		}
		next := 0
		for lag := range r.Median { // at most a twentieth apart, and the last
			if lag < next && lag < len(r.Median)-1 {
				continue
			}
			next = max(lag+1, lag+lag/20)
			l.Lags = append(l.Lags, lag)
			l.Mid = append(l.Mid, rounded(r.Median[lag]))
			l.Low = append(l.Low, rounded(r.Low[lag]))
			l.High = append(l.High, rounded(r.High[lag]))
		}
	}
	for _, g := range gates {
		kept := compare.Gate{Layer: g.Layer, Name: g.Name, Over: roundAll(g.Over), Under: roundAll(g.Under)}
		out[g.Layer-1].Gates = append(out[g.Layer-1].Gates, kept)
	}
	return out
}

// round keeps four digits, which is more than any of it is good for.
func round(x float64) float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return x
	}
	x, err := strconv.ParseFloat(strconv.FormatFloat(x, 'g', 4, 64), 64)
	if err != nil {
		panic(err) // it was written by the line above
	}
	return x
}

func rounded(x float64) compare.Number { return compare.Number(round(x)) }

func roundAll(x []float64) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = round(v)
	}
	return out
}
