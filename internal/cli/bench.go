package cli

import (
	"encoding/json"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/refrain-lm/refrain/internal/cpu"
	"github.com/refrain-lm/refrain/internal/kernel"
	"github.com/refrain-lm/refrain/internal/parallel"
	"github.com/refrain-lm/refrain/internal/speed"
	"github.com/refrain-lm/refrain/lm"
)

// benchShape is a standard piece of work; the sizes are those that papers and
// tutorials train.
type benchShape struct {
	Name string `json:"name"`
	speed.Work
}

var benchShapes = []benchShape{
	{"1x128, 10,000 words", speed.Work{Vocab: 10000, EmSize: 128, Hidden: 128, Layers: 1, Batch: 64, BPTT: 35, Optimizer: "adam", LR: 1e-3}},
	{"2x200, 10,000 words", speed.Work{Vocab: 10000, EmSize: 200, Hidden: 200, Layers: 2, Batch: 20, BPTT: 35, Optimizer: "sgd", LR: 1, Clip: 0.25}},
	{"2x650, 10,000 words", speed.Work{Vocab: 10000, EmSize: 650, Hidden: 650, Layers: 2, Batch: 20, BPTT: 35, Optimizer: "sgd", LR: 1, Clip: 0.25}},
	{"2x512, 96 characters", speed.Work{Vocab: 96, EmSize: 128, Hidden: 512, Layers: 2, Batch: 64, BPTT: 128, Optimizer: "adam", LR: 1e-3}},
}

// benchParts are the parts of a step in their order; see lm.Tape.Ended.
var benchParts = []string{"embedding", "layers", "output", "layers back", "embedding back", "update", "packing"}

type benchRow struct {
	Kind       string             `json:"kind"` // training or generation
	Cell       lm.Cell            `json:"cell"`
	Shape      benchShape         `json:"shape"`
	Tokens     float64            `json:"tokens_per_second"`
	Best       float64            `json:"best_tokens_per_second"`
	Share      float64            `json:"share_of_peak,omitempty"` // of the FMA peak, or of what so many threads read
	Operations float64            `json:"operations_per_token"`    // six a weight for training, two for generation
	Parts      map[string]float64 `json:"parts,omitempty"`         // share of the time
	Memory     uint64             `json:"memory_bytes,omitempty"`  // of the Go heap

	// Of generation; tokens are those of all streams.
	Weights string `json:"weights,omitempty"`
	Threads int    `json:"threads,omitempty"`
	Streams int    `json:"streams,omitempty"`
	Read    int64  `json:"bytes_read_per_step,omitempty"`
}

type benchReport struct {
	CPU     string       `json:"cpu"`
	Kernels string       `json:"kernels"`
	Go      string       `json:"go"`
	Version string       `json:"version"`
	Threads int          `json:"threads"`
	FMA     speed.Peak   `json:"fma_operations_per_second"`
	Reads   []speed.Read `json:"read_bytes_per_second"`
	Rows    []benchRow   `json:"rows"`
}

func (a *app) benchCommand() *cobra.Command {
	var asJSON bool
	var threads int
	var cells []string
	cmd := &cobra.Command{Use: "bench", Short: "measure this machine's speed", Args: cobra.ArbitraryArgs}
	f := cmd.Flags()
	f.BoolVar(&asJSON, "json", false, "one JSON object")
	f.IntVar(&threads, "threads", 0, "`N` threads, 0: all")
	f.StringSliceVar(&cells, "cell", []string{"lstm", "gru", "rnn"}, "`CELLS` to train")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usagef("bench trains on random data; leave out %s", quotePath(args[0]))
		}
		if threads < 0 {
			return usagef("--threads %d: wants 0 or more", threads)
		}
		for _, c := range cells {
			if !slices.Contains([]string{"rnn", "lstm", "lstm-nog", "gru"}, c) {
				return usagef("--cell %s: want rnn, lstm, lstm-nog or gru, with commas between", visible(c))
			}
		}
		return a.bench(threads, cells, asJSON)
	}
	a.describe(cmd, page{
		summary:  "Measure what this machine can do at most, and what training and generating reach, on random data. It takes some minutes.",
		examples: []string{"bench", "bench --cell lstm --threads 1 --json"},
		groups:   []flagGroup{{title: "What", names: []string{"cell", "threads", "json"}}},
	}, nil)
	return cmd
}

func (a *app) bench(threads int, cells []string, asJSON bool) error {
	pool := parallel.New(threads)
	defer pool.Close()
	m := speed.Measure(pool)
	r := benchReport{CPU: cpu.Describe(), Kernels: kernel.Name(), Go: runtime.Version(), Version: moduleVersion(),
		Threads: m.Threads, FMA: m.FMA, Reads: m.Reads}
	if !asJSON {
		if err := a.benchMachine(r); err != nil {
			return err
		}
	}
	for _, shape := range benchShapes {
		for _, cell := range cells {
			shape.Cell = lm.Cell(cell)
			training, err := benchTraining(pool, shape, m.FMA.All)
			if err != nil {
				return err
			}
			generation, err := benchGeneration(pool, shape)
			if err != nil {
				return err
			}
			r.Rows = append(append(r.Rows, training), generation...)
			if asJSON {
				continue
			}
			if err := a.benchLines(training, generation); err != nil {
				return err
			}
		}
	}
	if asJSON {
		return json.NewEncoder(a.out.w).Encode(r)
	}
	a.note("Share: in training, of the multiply-adds of all threads, at six operations a weight and token, with the time by part in percent below; a token at a time, of what so many threads can read, since all weights are read for each. Streams side by side share that: how many steps of one stream a step of all costs.")
	return nil
}

func (a *app) benchMachine(r benchReport) error {
	giga := func(p speed.Peak) string { return fmt.Sprintf("%6.1f  %6.1f", p.One/1e9, p.All/1e9) }
	var b strings.Builder
	fmt.Fprintf(&b, "%s; kernels %s\n\n%-22s  1 thread  %d\n", r.CPU, r.Kernels, "", r.Threads)
	fmt.Fprintf(&b, "multiply-add, GFLOP/s    %s\n", giga(r.FMA))
	for _, read := range r.Reads {
		fmt.Fprintf(&b, "%-22s   %s\n", "read "+read.Level+", GB/s", giga(read.Peak))
	}
	fmt.Fprintf(&b, "\n%-28s %16s  %7s\n", "training", "tokens/s  share", "memory")
	_, err := fmt.Fprint(a.out.w, b.String())
	return err
}

// benchLines prints one shape: training, then writing a token at a time.
func (a *app) benchLines(training benchRow, generation []benchRow) error {
	var parts []string
	for _, name := range benchParts {
		if share := training.Parts[name]; share >= 0.005 {
			parts = append(parts, fmt.Sprintf("%s %.0f", name, 100*share))
		}
	}
	_, err := fmt.Fprintf(a.out.w, "%-5s %-22s %9s %4.0f %%  %7s\n      %s\n%s", training.Cell, training.Shape.Name,
		commas(int64(training.Tokens)), 100*training.Share, size(int64(training.Memory)), strings.Join(parts, ", "), generationLines(generation))
	return err
}

// benchTime is how long one row is measured.
const benchTime = 3 * time.Second

// repeatedly collects steps, n at once, for the given time, at least three times.
func repeatedly(steps func(n int) []float64, n int, most time.Duration) (all []float64) {
	for end := time.Now().Add(most); len(all) < 3*n || time.Now().Before(end); {
		all = append(all, steps(n)...)
	}
	slices.Sort(all)
	return all
}

func benchTraining(pool *parallel.Pool, shape benchShape, peak float64) (benchRow, error) {
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
