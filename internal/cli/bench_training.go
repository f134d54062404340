package cli

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/refrain-lm/refrain/internal/parallel"
	"github.com/refrain-lm/refrain/internal/speed"
	"github.com/refrain-lm/refrain/nn"
)

// benchShape is a standard piece of work; the sizes are those that papers and
// tutorials train.
type benchShape struct {
	Name string `json:"name"`
	speed.Work
}

// benchShapes are all there are, the usual ones first.
var benchShapes = []benchShape{
	{"1x128, 10,000 words", speed.Work{Vocab: 10000, EmSize: 128, Hidden: 128, Layers: 1, Batch: 64, BPTT: 35, Optimizer: "adam", LR: 1e-3}},
	{"2x200, 10,000 words", speed.Work{Vocab: 10000, EmSize: 200, Hidden: 200, Layers: 2, Batch: 20, BPTT: 35, Optimizer: "sgd", LR: 1, Clip: 0.25}},
	{"2x650, 10,000 words", speed.Work{Vocab: 10000, EmSize: 650, Hidden: 650, Layers: 2, Batch: 20, BPTT: 35, Optimizer: "sgd", LR: 1, Clip: 0.25}},
	{"2x512, 96 characters", speed.Work{Vocab: 96, EmSize: 128, Hidden: 512, Layers: 2, Batch: 64, BPTT: 128, Optimizer: "adam", LR: 1e-3}},
	{"1x127, 10,000 words", speed.Work{Vocab: 10000, EmSize: 127, Hidden: 127, Layers: 1, Batch: 64, BPTT: 35, Optimizer: "adam", LR: 1e-3}},
	{"2x650, 10,000 words, batch 64", speed.Work{Vocab: 10000, EmSize: 650, Hidden: 650, Layers: 2, Batch: 64, BPTT: 35, Optimizer: "sgd", LR: 1, Clip: 0.25}},
	{"3x1150, 10,000 words", speed.Work{Vocab: 10000, EmSize: 400, Hidden: 1150, Layers: 3, Batch: 20, BPTT: 70, Optimizer: "sgd", LR: 1, Clip: 0.25}},
	{"3x1150, 10,000 words, batch 64", speed.Work{Vocab: 10000, EmSize: 400, Hidden: 1150, Layers: 3, Batch: 64, BPTT: 70, Optimizer: "sgd", LR: 1, Clip: 0.25}},
}

// usualShapes of them are measured unless told otherwise.
const usualShapes = 4

// size is what --shape calls a shape, such as 3x1150.
func (s benchShape) size() string { return fmt.Sprintf("%dx%d", s.Layers, s.Hidden) }

// network is what generation depends on.
func (s benchShape) network() speed.Work {
	return speed.Work{Cell: s.Cell, Vocab: s.Vocab, EmSize: s.EmSize, Hidden: s.Hidden, Layers: s.Layers}
}

// benchSizes are all sizes.
func benchSizes() (sizes []string) {
	for _, s := range benchShapes {
		if !slices.Contains(sizes, s.size()) {
			sizes = append(sizes, s.size())
		}
	}
	return sizes
}

// chooseShapes are those of the given sizes, in their order.
func chooseShapes(sizes []string) (chosen []benchShape, err error) {
	if len(sizes) == 0 {
		return benchShapes[:usualShapes], nil
	}
	known := benchSizes()
	for _, size := range sizes {
		if size != "all" && !slices.Contains(known, size) {
			return nil, usagef("--shape %s: want all or, with commas between, %s", visible(size), strings.Join(known, ", "))
		}
	}
	for _, s := range benchShapes {
		if slices.Contains(sizes, "all") || slices.Contains(sizes, s.size()) {
			chosen = append(chosen, s)
		}
	}
	return chosen, nil
}

// benchParts are the parts of a step in their order; see lm.Tape.Ended.
var benchParts = []string{"embedding", "layers", "output", "layers back", "embedding back", "update"}

// benchTime is how long one row is measured.
const benchTime = 2 * time.Second

// benchTraining trains in float32 and, where the processor has its products, in
// bfloat16.
func benchTraining(pool *parallel.Pool, shape benchShape, m speed.Machine) (rows []benchRow, err error) {
	for _, half := range []bool{false, true} {
		peak := m.FMA.All
		if shape.BFloat16 = half; half {
			peak = m.BFloat16.All
		}
		if half && !nn.BFloat16IsFast() {
			continue
		}
		row, err := trainingRow(pool, shape, peak)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func trainingRow(pool *parallel.Pool, shape benchShape, peak float64) (benchRow, error) {
	row := benchRow{Kind: "training", Cell: shape.Cell, Shape: shape, Operations: shape.Work.Operations(), Parts: map[string]float64{}}
	before := heap()
	t, err := speed.NewTraining(shape.Work, pool)
	if err != nil {
		return row, err
	}
	seconds := repeatedly(t.Steps, 1, benchTime)
	row.Memory = heap() - before
	tokens := float64(shape.Work.Tokens())
	row.Tokens, row.Best = tokens/seconds[len(seconds)/2], tokens/seconds[0]
	row.Executed = t.Executed()
	row.Share = row.Tokens * row.Operations / peak
	var total float64
	for _, s := range t.Parts {
		total += s
	}
	for name, s := range t.Parts {
		row.Parts[name] = s / total
	}
	runtime.KeepAlive(t)
	return row, nil
}

// heap is how much memory Go holds after a collection.
func heap() uint64 {
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return uint64(math.Max(1, float64(s.HeapAlloc)))
}

// repeatedly collects steps, n at once, for the given time, at least three times.
func repeatedly(steps func(n int) []float64, n int, most time.Duration) (all []float64) {
	for end := time.Now().Add(most); len(all) < 3*n || time.Now().Before(end); {
		all = append(all, steps(n)...)
	}
	slices.Sort(all)
	return all
}

// trainingLines are two lines for float32 and two for bfloat16.
func trainingLines(rows []benchRow) string {
	var b strings.Builder
	for _, row := range rows {
		cell, name := string(row.Cell), row.Shape.Name
		if row.Shape.BFloat16 {
			cell, name = "", "the same in bfloat16"
		}
		var parts []string
		for _, name := range benchParts {
			if share := row.Parts[name]; share >= 0.005 {
				parts = append(parts, fmt.Sprintf("%s %.0f", name, 100*share))
			}
		}
		fmt.Fprintf(&b, "%-5s %-31s %9s  %4.0f %%  %6.0f %%  %8s\n%s\n", cell, name, commas(int64(row.Tokens)),
			100*row.Share, 100*row.Share*row.Executed/row.Operations, size(int64(row.Memory)), wrap("    "+strings.Join(parts, ", "), "    ", 80))
	}
	return b.String()
}
