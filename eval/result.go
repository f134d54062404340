package eval

import (
	"encoding/json"
	"math"
)

// Result is a summed loss and what it was summed over.
type Result struct {
	NLL    float64 // summed negative log-likelihood, nats
	Tokens int64   // predictions counted
	Bytes  int64   // raw bytes they cover
	Hits   int64   // of the predictions those whose token was the model's first choice
	Ranked bool    // whether Hits was counted: n-gram models and mixtures look at the wanted token alone
	Lossy  bool    // the tokenizer lost something, so bits per byte would lie
	Unit   string  // what a token is: "char", "byte", "word"
}

// Loss is nats a token.
func (r Result) Loss() float64 { return r.NLL / float64(r.Tokens) }

// Perplexity is exp(Loss).
func (r Result) Perplexity() float64 { return math.Exp(r.Loss()) }

// Accuracy is the share of Hits, NaN where they were not counted.
func (r Result) Accuracy() float64 {
	if !r.Ranked {
		return math.NaN()
	}
	return float64(r.Hits) / float64(r.Tokens)
}

// BitsPerByte is NaN where the tokenizer lost something.
func (r Result) BitsPerByte() float64 {
	if r.Lossy || r.Bytes == 0 {
		return math.NaN()
	}
	return r.NLL / math.Ln2 / float64(r.Bytes)
}

// MarshalJSON writes the measures under the names scripts rely on; those that
// do not exist are null.
func (r Result) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Loss        *float64 `json:"loss"`
		Perplexity  *float64 `json:"perplexity"`
		BitsPerByte *float64 `json:"bits_per_byte"`
		Accuracy    *float64 `json:"accuracy"`
		Tokens      int64    `json:"tokens"`
		Bytes       int64    `json:"bytes"`
		NLL         *float64 `json:"nll"`
		Unit        string   `json:"unit"`
	}{number(r.Loss()), number(r.Perplexity()), number(r.BitsPerByte()), number(r.Accuracy()), r.Tokens, r.Bytes, number(r.NLL), r.Unit})
}

func number(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}
