// Command refrain is Refrain's side of the speed comparison in bench/peers: it
// reads one JSON command a line from standard input and answers each with one
// JSON line, as torch_worker.py does for PyTorch. Both train on random ids, on
// the same work, with the same loss, clipping and optimizer.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"time"

	"github.com/refrain-lm/refrain/internal/kernel"
	"github.com/refrain-lm/refrain/internal/parallel"
	"github.com/refrain-lm/refrain/lm"
	"github.com/refrain-lm/refrain/nn"
	"github.com/refrain-lm/refrain/optim"
)

// work is one thing to measure; see the list in compare.py.
type work struct {
	Cell      lm.Cell `json:"cell"`
	Vocab     int     `json:"vocab"`
	EmSize    int     `json:"emsize"`
	Hidden    int     `json:"nhid"`
	Layers    int     `json:"nlayers"`
	Batch     int     `json:"batch"`
	BPTT      int     `json:"bptt"`
	Optimizer string  `json:"optimizer"`
	LR        float64 `json:"lr"`
	Clip      float64 `json:"clip"` // 0: none
}

type command struct {
	Do    string `json:"do"` // about, modes, drop, train or generate
	Kind  string `json:"kind"`
	Mode  string `json:"mode"`
	Steps int    `json:"steps"`
	Work  work   `json:"work"`
}

type reply struct {
	Seconds []float64 `json:"seconds,omitempty"` // one a step
	Modes   []string  `json:"modes,omitempty"`
	Error   string    `json:"error,omitempty"`
	Go      string    `json:"go,omitempty"`
	Kernels string    `json:"kernels,omitempty"`
	Threads int       `json:"threads,omitempty"`
}

// runner measures steps of one piece of work.
type runner interface{ steps(n int) []float64 }

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
	case "modes":
		return reply{Modes: []string{"float32"}}
	case "drop":
		clear(built)
		runtime.GC()
		return reply{}
	}
	key := fmt.Sprint(c.Do, c.Work)
	if built[key] == nil {
		r, err := newRunner(c, pool)
		if err != nil {
			return reply{Error: err.Error()}
		}
		built[key] = r
	}
	return reply{Seconds: built[key].steps(c.Steps)}
}

func newRunner(c command, pool *parallel.Pool) (runner, error) {
	model, err := lm.New(lm.Config{Cell: c.Work.Cell, Vocab: c.Work.Vocab, EmSize: c.Work.EmSize,
		Hidden: c.Work.Hidden, Layers: c.Work.Layers}, nn.InitConfig{Name: nn.InitPyTorch}, 1)
	if err != nil {
		return nil, err
	}
	switch c.Do {
	case "train":
		return newTraining(c.Work, model, pool)
	case "generate":
		g := &generation{stepper: model.NewStepper()}
		g.steps(20)
		return g, nil
	}
	return nil, fmt.Errorf("no command %q", c.Do)
}

// training is what train.Run does at each step, with nothing around it.
type training struct {
	work      work
	pool      *parallel.Pool
	model     *lm.Model
	state     *lm.State
	tape      lm.Tape
	params    []optim.Slice
	optimizer optim.Optimizer
	random    *rand.Rand
	in, want  []int32 // [T,B]
}

func newTraining(w work, model *lm.Model, pool *parallel.Pool) (*training, error) {
	t := &training{work: w, pool: pool, model: model, state: model.NewState(w.Batch), random: rand.New(rand.NewPCG(7, 7))}
	for _, p := range model.Params() {
		if p.Grad == nil {
			p.Grad = make([]float32, len(p.Value))
		}
		t.params = append(t.params, optim.Slice{Name: p.Name, Value: p.Value, Grad: p.Grad})
	}
	var err error
	if t.optimizer, err = optim.New(optim.Config{Name: w.Optimizer}, t.params); err != nil {
		return nil, err
	}
	t.in, t.want = make([]int32, w.BPTT*w.Batch), make([]int32, w.BPTT*w.Batch)
	t.tape.Mode = nn.Mode{Pool: pool, Train: true}
	t.tape.Scale = 1 / float32(len(t.in))
	model.Refresh(pool, true)
	t.steps(2) // warm-up: buffers, page faults
	return t, nil
}

func (t *training) steps(n int) []float64 {
	seconds := make([]float64, n)
	for i := range seconds {
		t.draw()
		start := time.Now()
		t.step()
		seconds[i] = time.Since(start).Seconds()
	}
	return seconds
}

// draw fills a window with random ids, each target the input of the next step.
func (t *training) draw() {
	for i := range t.in {
		t.in[i] = int32(t.random.IntN(t.work.Vocab))
	}
	copy(t.want, t.in[t.work.Batch:])
	for i := len(t.in) - t.work.Batch; i < len(t.in); i++ {
		t.want[i] = int32(t.random.IntN(t.work.Vocab))
	}
}

func (t *training) step() {
	for _, p := range t.params {
		clear(p.Grad)
	}
	t.model.Loss(&t.tape, t.in, t.want, t.state)
	t.model.Backward(&t.tape)
	scale := float32(1)
	if t.work.Clip > 0 {
		scale = optim.ClipScale(optim.GlobalNorm(t.pool, t.params), t.work.Clip)
	}
	t.optimizer.Step(t.pool, float32(t.work.LR), scale)
	t.model.Refresh(t.pool, true)
	t.tape.Mode.Step++
}

// generation writes greedily, one stream, on one thread.
type generation struct {
	stepper *lm.Stepper
	token   int32
}

func (g *generation) steps(n int) []float64 {
	seconds := make([]float64, n)
	for i := range seconds {
		start := time.Now()
		g.token = largest(g.stepper.Step(g.token))
		seconds[i] = time.Since(start).Seconds()
	}
	return seconds
}

func largest(logits []float32) int32 {
	best := 0
	for i, v := range logits {
		if v > logits[best] {
			best = i
		}
	}
	return int32(best)
}
