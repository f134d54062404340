// Command coverage simulates comparisons whose true difference is known, and
// counts how often the interval of compare.Judge holds it, beside two simpler
// intervals that are often seen: from the test text alone, and from a joint
// bootstrap of seeds and text.
//
//	go run ./bench/coverage
package main

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/refrain-lm/refrain/compare"
)

const (
	truth  = -0.05 // nats a token, A better
	blocks = 100
	tokens = 1000 // in each block
)

func main() {
	trials := flag.Int("trials", 500, "experiments in each row")
	flag.Parse()
	fmt.Printf("Share of %d nominal 95 %% intervals that hold the true difference; text noise as a multiple of seed noise.\n\n", *trials)
	fmt.Println("| seeds | text noise | text alone | seeds and text resampled | this |")
	fmt.Println("|--:|--:|--:|--:|--:|")
	for _, seeds := range []int{3, 5} {
		for _, ratio := range []float64{0.3, 1, 3} {
			var alone, joint, ours int
			for i := range *trials {
				r := experiment(seeds, ratio, uint64(i))
				d := compare.Judge(r).Pairs[0].Loss
				ours += holds(float64(d.Low), float64(d.High))
				alone += holds(float64(d.Delta-d.TextHalf), float64(d.Delta+d.TextHalf))
				joint += holds(resampled(r, uint64(i)))
			}
			share := func(n int) float64 { return 100 * float64(n) / float64(*trials) }
			fmt.Printf("| %d | %.1f | %.1f %% | %.1f %% | %.1f %% |\n", seeds, ratio, share(alone), share(joint), share(ours))
		}
	}
}

func holds(low, high float64) int {
	if low <= truth && truth <= high {
		return 1
	}
	return 0
}

// experiment draws new seeds and a new text. The noise of a mean over seeds is
// 0.02/√seeds for each model, that of the difference over the text ratio times
// the difference's noise from seeds.
func experiment(seeds int, ratio float64, number uint64) compare.Result {
	random := rand.New(rand.NewPCG(number, 11))
	const noise = 0.02
	var r compare.Result
	common := make([]float64, blocks)
	for b := range common {
		r.Text.Blocks.Tokens = append(r.Text.Blocks.Tokens, tokens)
		common[b] = 0.2 * random.NormFloat64()
	}
	r.Text.Test.Bytes = blocks * tokens
	r.Plan.Seeds = make([]uint64, seeds)
	own := noise * ratio * 10 / math.Sqrt(float64(seeds)) // a block's, of each model: √(2/100) of it is the difference's
	for m, name := range []string{"A", "B"} {
		model := compare.Model{Name: name, Kind: compare.KindLSTM, Runs: make([]compare.Run, seeds)}
		on := make([]float64, blocks)
		for b := range on {
			on[b] = 1.5 - truth*float64(m) + common[b] + own*random.NormFloat64()
		}
		for s := range model.Runs {
			shift := noise * random.NormFloat64()
			run := compare.Run{Nats: make([]float64, blocks), Hits: make([]int, blocks)}
			for b := range run.Nats {
				run.Nats[b] = tokens * (on[b] + shift)
			}
			model.Runs[s] = run
		}
		r.Models = append(r.Models, model)
	}
	return r
}

// resampled is the percentile interval of a bootstrap of seeds and blocks together.
func resampled(r compare.Result, number uint64) (low, high float64) {
	random := rand.New(rand.NewPCG(number, 12))
	seeds := len(r.Plan.Seeds)
	deltas := make([]float64, 1000)
	for i := range deltas {
		var a, b [blocks]float64
		for range seeds {
			from, to := r.Models[0].Runs[random.IntN(seeds)].Nats, r.Models[1].Runs[random.IntN(seeds)].Nats
			for k := range a {
				a[k] += from[k]
				b[k] += to[k]
			}
		}
		for range blocks {
			k := random.IntN(blocks)
			deltas[i] += (a[k] - b[k]) / float64(seeds*blocks*tokens)
		}
	}
	slices.Sort(deltas)
	return deltas[25], deltas[974]
}
