package ngram

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Kind is the kind of every model of this package in config.json.
const Kind = "ngram"

// Version is the version of config.json that this package writes.
const Version = 1

// MaxOrder is the longest n-gram, in tokens.
const MaxOrder = 32

const maxVocab = 1 << 24

// Config says what a model is. It is stored as config.json.
type Config struct {
	Version   int        `json:"version"`
	Kind      string     `json:"kind"`                // "ngram"
	Order     int        `json:"order"`               // tokens of the longest n-gram
	Vocab     int        `json:"vocab"`               // ids are below it
	LineEnd   int32      `json:"line_end"`            // the id beyond which no context reaches; −1: none
	Discounts []Discount `json:"discounts,omitempty"` // by order, 1 first; none where an ARPA file was read
}

// Discount is what modified Kneser-Ney takes off the counts of one order.
type Discount struct {
	D     [3]float64 `json:"d"`               // off counts of 1, of 2, and of 3 and more
	Usual bool       `json:"usual,omitempty"` // 0.5, 1, 1.5, since the counts gave none
}

// String is the short name of the model, such as "5-gram".
func (c Config) String() string { return fmt.Sprintf("%d-gram", c.Order) }

// Validate reports everything that is wrong with c, in one error.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.Version != Version {
		bad("version %d is not known (this program reads %d)", c.Version, Version)
	}
	if c.Kind != Kind {
		bad("kind %q is not %q", c.Kind, Kind)
	}
	if c.Order < 1 || c.Order > MaxOrder {
		bad("order %d is outside 1 to %d", c.Order, MaxOrder)
	}
	if c.Vocab < 1 || c.Vocab > maxVocab {
		bad("vocab %d is outside 1 to %d", c.Vocab, maxVocab)
	}
	if c.LineEnd < -1 || int(c.LineEnd) >= c.Vocab {
		bad("line_end %d is outside -1 to %d", c.LineEnd, c.Vocab-1)
	}
	if n := len(c.Discounts); n != 0 && n != c.Order {
		bad("discounts of %d orders, want %d", n, c.Order)
	}
	for i, d := range c.Discounts {
		for j, v := range d.D {
			if !(v > 0 && v <= float64(j+1)) {
				bad("discount %v of order %d is outside (0, %d]", v, i+1, j+1)
			}
		}
	}
	if len(errs) > 0 {
		return fmt.Errorf("ngram: config: %w", errors.Join(errs...))
	}
	return nil
}

// ReadConfig reads a config.json. Unknown keys are an error.
func ReadConfig(r io.Reader) (Config, error) {
	raw, err := io.ReadAll(io.LimitReader(r, 1<<20))
	if err != nil {
		return Config{}, fmt.Errorf("ngram: config: %w", err)
	}
	var c Config
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&c); err != nil {
		return Config{}, fmt.Errorf("ngram: config: %w", err)
	}
	if dec.More() {
		return Config{}, errors.New("ngram: config: text after the JSON object")
	}
	return c, c.Validate()
}

// Write writes c as config.json.
func (c Config) Write(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(c)
}
