package cli

import (
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/refrain-lm/refrain/internal/cpu"
	"github.com/refrain-lm/refrain/internal/kernel"
	"github.com/refrain-lm/refrain/internal/parallel"
	"github.com/refrain-lm/refrain/internal/speed"
	"github.com/refrain-lm/refrain/lm"
)

type benchRow struct {
	Kind       string             `json:"kind"` // training or generation
	Cell       lm.Cell            `json:"cell"`
	Shape      benchShape         `json:"shape"`
	Tokens     float64            `json:"tokens_per_second"`
	Best       float64            `json:"best_tokens_per_second"`
	Share      float64            `json:"share_of_peak,omitempty"`                 // of all threads' multiply-adds with these operands, or the time that reading the weights alone takes, in that of a step
	Operations float64            `json:"operations_per_token"`                    // six a weight for training, two for generation
	Executed   float64            `json:"executed_operations_per_token,omitempty"` // of training: fewer where a small vocabulary's rows are multiplied once
	Parts      map[string]float64 `json:"parts,omitempty"`                         // share of the time
	Memory     uint64             `json:"memory_bytes,omitempty"`                  // of the Go heap

	// Of generation; tokens are those of all streams.
	Weights string `json:"weights,omitempty"`
	Threads int    `json:"threads,omitempty"`
	Streams int    `json:"streams,omitempty"`
	Read    int64  `json:"bytes_read_per_step,omitempty"`
}

type benchReport struct {
	CPU      string       `json:"cpu"`
	Kernels  string       `json:"kernels"`
	Go       string       `json:"go"`
	Version  string       `json:"version"`
	Threads  int          `json:"threads"`
	FMA      speed.Peak   `json:"fma_operations_per_second"`
	BFloat16 speed.Peak   `json:"bfloat16_operations_per_second"` // 0: the processor has no such products
	Reads    []speed.Read `json:"read_bytes_per_second"`
	Rows     []benchRow   `json:"rows"`
}

func (a *app) benchCommand() *cobra.Command {
	var asJSON bool
	var threads int
	var cells, shapes []string
	cmd := &cobra.Command{Use: "bench", Short: "measure this machine's speed", Args: cobra.ArbitraryArgs}
	f := cmd.Flags()
	f.BoolVar(&asJSON, "json", false, "one JSON object")
	f.IntVar(&threads, "threads", 0, "`N` threads, 0: all")
	f.StringSliceVar(&cells, "cell", []string{"lstm", "gru", "rnn"}, "a `LIST` of rnn, lstm, lstm-nog, gru")
	f.StringSliceVar(&shapes, "shape", nil, "a `LIST` of "+strings.Join(benchSizes(), ", ")+", or all")
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
		chosen, err := chooseShapes(shapes)
		if err != nil {
			return err
		}
		return a.bench(threads, cells, chosen, asJSON)
	}
	a.describe(cmd, page{
		summary:  "Measure what this machine can do at most, and what training and generating reach, on random data. It takes about two minutes, the other shapes some more.",
		examples: []string{"bench", "bench --cell lstm --shape 2x650,3x1150", "bench --threads 1 --json"},
		groups:   []flagGroup{{title: "What", names: []string{"shape", "cell", "threads", "json"}}},
	}, map[string]string{"shape": "the first four"})
	return cmd
}

func (a *app) bench(threads int, cells []string, shapes []benchShape, asJSON bool) error {
	pool := parallel.New(threads)
	defer pool.Close()
	m := speed.Measure(pool)
	r := benchReport{CPU: cpu.Describe(), Kernels: kernel.Name(), Go: runtime.Version(), Version: moduleVersion(),
		Threads: m.Threads, FMA: m.FMA, BFloat16: m.BFloat16, Reads: m.Reads}
	if !asJSON {
		if err := a.benchMachine(r); err != nil {
			return err
		}
	}
	written := map[speed.Work]bool{} // networks that have been timed a token at a time
	for _, shape := range shapes {
		for _, cell := range cells {
			shape.Cell = lm.Cell(cell)
			training, err := benchTraining(pool, shape, m)
			if err != nil {
				return err
			}
			var generation []benchRow
			if net := shape.network(); !written[net] {
				written[net] = true
				if generation, err = benchGeneration(pool, shape); err != nil {
					return err
				}
			}
			r.Rows = append(append(r.Rows, training...), generation...)
			if asJSON {
				continue
			}
			if _, err := fmt.Fprint(a.out.w, trainingLines(training), generationLines(generation)); err != nil {
				return err
			}
		}
	}
	if asJSON {
		return json.NewEncoder(a.out.w).Encode(r)
	}
	a.note("Share: in training, of the multiply-adds that all threads can do with these operands, at six operations a weight and token, with the time by part in percent below; executed: of those really done, fewer where the rows of a small vocabulary are multiplied once. A token at a time reads all weights: share is the time that so many threads take to read them, in the same minutes, in its own. Streams side by side share one reading: how many steps of one stream a step of all costs.")
	return nil
}

func (a *app) benchMachine(r benchReport) error {
	giga := func(p speed.Peak) string { return fmt.Sprintf("%6.1f  %6.1f", p.One/1e9, p.All/1e9) }
	threads := fmt.Sprintf("1 thread  %d", r.Threads)
	if r.Threads == 1 {
		giga = func(p speed.Peak) string { return fmt.Sprintf("%6.1f", p.All/1e9) }
		threads = "1 thread"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\nkernels %s\n\n%-22s  %s\n", r.CPU, r.Kernels, "", threads)
	fmt.Fprintf(&b, "multiply-add, GFLOP/s    %s\n", giga(r.FMA))
	if r.BFloat16.All > 0 {
		fmt.Fprintf(&b, "the same in bfloat16     %s\n", giga(r.BFloat16))
	}
	for _, read := range r.Reads {
		fmt.Fprintf(&b, "%-22s   %s\n", "read "+read.Level+", GB/s", giga(read.Peak))
	}
	fmt.Fprintf(&b, "\n%-37s %9s  %6s  %8s  %8s\n", "training", "tokens/s", "share", "executed", "memory")
	_, err := fmt.Fprint(a.out.w, b.String())
	return err
}
