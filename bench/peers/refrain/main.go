// Command refrain is Refrain's side of the speed comparison in bench/peers: it
// reads one JSON command a line from standard input and answers each with one
// JSON line, as torch_worker.py does for PyTorch. Both train on random ids, on
// the same work, with the same loss, clipping and optimizer.
package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/refrain-lm/refrain/checkpoint"
	"github.com/refrain-lm/refrain/internal/kernel"
	"github.com/refrain-lm/refrain/internal/parallel"
	"github.com/refrain-lm/refrain/internal/speed"
	"github.com/refrain-lm/refrain/lm"
	"github.com/refrain-lm/refrain/nn"
)

type command struct {
	Do    string     `json:"do"` // about, modes, drop, train, losses, peak, generate or generate int8
	Dir   string     `json:"dir"`
	Kind  string     `json:"kind"`
	Mode  string     `json:"mode"`
	Steps int        `json:"steps"`
	Work  speed.Work `json:"work"`
}

type reply struct {
	Seconds []float64 `json:"seconds,omitempty"` // one a step
	Modes   []string  `json:"modes,omitempty"`
	Losses  []float64 `json:"losses,omitempty"`
	Peak    float64   `json:"peak,omitempty"` // multiply-adds of all threads, operations a second
	Error   string    `json:"error,omitempty"`
	Go      string    `json:"go,omitempty"`
	Kernels string    `json:"kernels,omitempty"`
	Threads int       `json:"threads,omitempty"`
}

// modes are the ways of doing each kind of work, with the number of threads; read
// is reading the weights alone.
var modes = map[string][]string{"train": {"float32"}, "generate": {"float32-1", "float32-2", "read-1", "read-2"}, "generate int8": {"int8-1", "int8-2", "read-1", "read-2"}}

// runner measures steps of one piece of work.
type runner interface{ Steps(n int) []float64 }

func main() {
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, "bench/peers/refrain:", err)
		os.Exit(1)
	}
}

func serve() error {
	threads := 2
	if s := os.Getenv("PEERS_THREADS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			return fmt.Errorf("PEERS_THREADS: %w", err)
		}
		threads = n
	}
	pool := parallel.New(threads)
	defer pool.Close()
	built := map[string]runner{}
	replies := json.NewEncoder(os.Stdout)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var c command
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			return err
		}
		if err := replies.Encode(answer(c, pool, built)); err != nil {
			return err
		}
	}
	return lines.Err()
}

func answer(c command, pool *parallel.Pool, built map[string]runner) reply {
	switch c.Do {
	case "about":
		return reply{Go: runtime.Version(), Kernels: kernel.Name(), Threads: pool.Size()}
	case "peak":
		return reply{Peak: speed.FMAPeak(pool).All}
	case "modes":
		if c.Kind == "train" && nn.BFloat16IsFast() {
			return reply{Modes: append(slices.Clone(modes[c.Kind]), bfloat16)}
		}
		return reply{Modes: modes[c.Kind]}
	case "losses":
		losses, err := train(c, pool)
		if err != nil {
			return reply{Error: err.Error()}
		}
		return reply{Losses: losses}
	case "drop":
		clear(built)
		runtime.GC()
		return reply{}
	}
	if strings.HasSuffix(c.Mode, "-1") {
		pool = nil
	}
	c.Work.BFloat16 = c.Mode == bfloat16
	key := fmt.Sprint(c.Do, c.Work, c.Mode)
	if built[key] == nil {
		r, err := newRunner(c, pool)
		if err != nil {
			return reply{Error: err.Error()}
		}
		built[key] = r
	}
	return reply{Seconds: built[key].Steps(c.Steps)}
}

const bfloat16 = "bfloat16"

// train makes a number of steps and leaves in the folder what another program
// needs to make the same: weights.safetensors, and windows.i32, inputs and then
// targets of each step.
func train(c command, pool *parallel.Pool) ([]float64, error) {
	windows, err := speed.Losses(c.Work, pool, c.Steps, func(m *lm.Model) error {
		f, err := os.Create(filepath.Join(c.Dir, "weights.safetensors"))
		if err != nil {
			return err
		}
		return errors.Join(checkpoint.WriteSafetensors(f, m.Tensors()), f.Close())
	})
	if err != nil {
		return nil, err
	}
	var ids []byte
	var losses []float64
	for _, w := range windows {
		for _, id := range append(w.In, w.Want...) {
			ids = binary.LittleEndian.AppendUint32(ids, uint32(id))
		}
		losses = append(losses, w.Loss)
	}
	return losses, os.WriteFile(filepath.Join(c.Dir, "windows.i32"), ids, 0o644)
}

func newRunner(c command, pool *parallel.Pool) (runner, error) {
	switch c.Do {
	case "train":
		return speed.NewTraining(c.Work, pool)
	case "generate", "generate int8":
		weights, bytes := "", c.Work.Operations()/6
		if c.Do == "generate" {
			bytes *= 4
		} else {
			weights = lm.Int8
		}
		if strings.HasPrefix(c.Mode, "read-") {
			return speed.NewReading(int(bytes), pool), nil
		}
		return speed.NewGeneration(c.Work, weights, 1, pool)
	}
	return nil, fmt.Errorf("no command %q", c.Do)
}
