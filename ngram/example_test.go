package ngram_test

import (
	"context"
	"fmt"
	"log"
	"math"

	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/ngram"
)

// A trigram model of two kinds of lines; id 0 ends a line.
func Example() {
	text := data.Slice{1, 2, 3, 0, 1, 2, 4, 0, 1, 2, 3, 0}
	m, err := ngram.Train(context.Background(), text, ngram.Options{Order: 3, Vocab: 5, LineEnd: 0})
	if err != nil {
		log.Fatal(err)
	}
	logp := m.NewStepper().Feed([]int32{0, 1, 2}) // a line that begins with 1 2
	for id, lp := range logp {
		fmt.Printf("p(%d) = %.2f\n", id, math.Exp(float64(lp)))
	}
	// Output:
	// p(0) = 0.07
	// p(1) = 0.05
	// p(2) = 0.05
	// p(3) = 0.50
	// p(4) = 0.34
}
