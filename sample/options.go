package sample

import (
	"errors"
	"fmt"
	"strings"
)

// Options say how to choose. The zero value always takes the likeliest token.
type Options struct {
	// Temperature divides the logits: below 1 sharper, above 1 flatter. 0 takes
	// the likeliest token and ignores TopK, TopP, MinP and Seed.
	Temperature float64 `json:"temperature"`
	TopK        int     `json:"top_k"` // keep the k likeliest; 0 keeps all
	TopP        float64 `json:"top_p"` // keep the likeliest that sum to p, at least one; 0 and 1 keep all
	MinP        float64 `json:"min_p"` // keep those with at least this share of the likeliest one's probability; 0 keeps all
	// RepetitionPenalty above 1 makes recent ids less likely, below 1 more
	// likely; 0 and 1 change nothing.
	RepetitionPenalty float64 `json:"repetition_penalty"`
	RepeatWindow      int     `json:"repeat_window"` // how many recent ids that concerns; 0 means 64
	Seed              uint64  `json:"seed"`
}

const (
	defaultWindow = 64
	maxWindow     = 1 << 20
)

// Validate reports everything that is wrong, in one line.
func (o Options) Validate() error {
	var wrong []string
	check := func(ok bool, format string, args ...any) {
		if !ok {
			wrong = append(wrong, fmt.Sprintf(format, args...))
		}
	}
	// NaN fails all of these comparisons.
	check(o.Temperature >= 0 && o.Temperature <= 1000, "temperature %v is not from 0 (likeliest token) to 1000", o.Temperature)
	check(o.TopK >= 0, "top-k %d is below 0 (all)", o.TopK)
	check(o.TopP >= 0 && o.TopP <= 1, "top-p %v is not from 0 to 1", o.TopP)
	check(o.MinP >= 0 && o.MinP <= 1, "min-p %v is not from 0 to 1", o.MinP)
	check(o.RepetitionPenalty == 0 || o.RepetitionPenalty >= 0.01 && o.RepetitionPenalty <= 100, "repetition penalty %v is not from 0.01 to 100", o.RepetitionPenalty)
	check(o.RepeatWindow >= 0 && o.RepeatWindow <= maxWindow, "repeat window %d is not from 0 (64 ids) to %d", o.RepeatWindow, maxWindow)
	if wrong == nil {
		return nil
	}
	return errors.New("sampling: " + strings.Join(wrong, "; "))
}
