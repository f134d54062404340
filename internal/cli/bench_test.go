package cli

import (
	"strings"
	"testing"
)

// The widest rows there can be fit a terminal of 80 columns.
func TestBenchFits80Columns(t *testing.T) {
	for _, shape := range benchShapes {
		training := benchRow{Kind: "training", Cell: "lstm-nog", Shape: shape, Tokens: 9_999_999, Share: 1.25, Operations: 1, Executed: 1,
			Memory: 9_990e6, Parts: map[string]float64{}}
		for _, part := range benchParts {
			training.Parts[part] = 0.1 // two digits each
		}
		half := training
		half.Shape.BFloat16 = true
		var generation []benchRow
		for _, weights := range []string{"float32", "bfloat16", "int8"} {
			for _, streams := range []int{1, 1, benchStreams} {
				generation = append(generation, benchRow{Weights: weights, Threads: 128, Streams: streams, Tokens: 999_999, Share: 1.25})
			}
		}
		text := trainingLines([]benchRow{training, half}) + generationLines(generation)
		for line := range strings.Lines(text) {
			if n := len(strings.TrimRight(line, "\n")); n > 80 {
				t.Errorf("%d columns: %s", n, line)
			}
		}
		if n := strings.Count(text, "\n"); n != 10 {
			t.Errorf("%d lines, want 10, those of the parts in two:\n%s", n, text)
		}
	}
}
