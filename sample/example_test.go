package sample_test

import (
	"fmt"

	"github.com/refrain-lm/refrain/sample"
)

// The zero options always take the likeliest token; a repetition penalty makes
// room for others.
func ExampleSampler() {
	s, err := sample.New(sample.Options{RepetitionPenalty: 2, RepeatWindow: 1}, 3)
	if err != nil {
		panic(err)
	}
	for range 4 {
		fmt.Print(s.Next([]float32{0.1, 3, 2}), " ") // a model's logits go here
	}
	// Output: 1 2 1 2
}
