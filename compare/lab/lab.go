package lab

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Event tells an onlooker what has ended.
type Event struct {
	Text string // one line about it
	Done int    // runs that have ended
	Of   int
	Left time.Duration // an estimate
}

// work is one run, waiting for a worker.
type work struct {
	cost float64 // in steps of a cell without cures, roughly
	run  func(ctx context.Context) (told string, err error)
}

// Run trains every variant on the text, if there is one, and on every task, and
// measures. on, if not nil, is told of every run that ends, one at a time.
func Run(ctx context.Context, c *Corpus, s Settings, on func(Event)) (Result, error) {
	if err := s.Validate(); err != nil {
		return Result{}, err
	}
	s = s.WithDefaults()
	res := Result{Settings: s}
	res.Settings.Threads = 0 // it changes no bit
	var todo []work
	if c != nil {
		if err := c.check(s); err != nil {
			return res, err
		}
		res.Text = c.text()
		res.Runs = make([]TextRun, len(s.Variants))
		todo = textWork(c, s, res.Runs)
	}
	jobs, err := s.jobs()
	if err != nil {
		return res, err
	}
	res.Tasks = make([]TaskRun, len(jobs))
	return res, s.each(ctx, append(todo, taskWork(jobs, s, res.Tasks)...), on)
}

// taskWork begins with what takes longest, so that in the end no worker waits for
// another.
func taskWork(jobs []job, s Settings, into []TaskRun) []work {
	var todo []work
	for i, j := range jobs {
		cost := float64(j.task.Most(s.TaskSteps)) * float64(j.task.steps()) * float64(j.task.units(s.Hidden)) / float64(s.Hidden) * layersOf(j.variant)
		todo = append(todo, work{cost, func(ctx context.Context) (told string, err error) {
			into[i], err = j.solve(ctx, s)
			return into[i].String(), err
		}})
	}
	slices.SortStableFunc(todo, func(a, b work) int { return cmp.Compare(b.cost, a.cost) })
	return todo
}

func textWork(c *Corpus, s Settings, into []TextRun) []work {
	var todo []work
	for i, name := range s.Variants {
		v, _ := ParseVariant(name) // Validate has looked
		todo = append(todo, work{float64(s.Steps) * float64(s.Window) * layersOf(v), func(ctx context.Context) (told string, err error) {
			into[i], err = read(ctx, c, v, s)
			return into[i].String(), err
		}})
	}
	return todo
}

func layersOf(v Variant) float64 { return float64(max(1, v.Config.Layers)) }

// jobs lists the runs on tasks: by task, lag, variant and seed.
func (s Settings) jobs() ([]job, error) {
	var out []job
	longest := 0
	for _, lag := range s.Lags {
		longest = max(longest, lag)
	}
	for _, name := range s.Tasks {
		for _, lag := range s.Lags {
			for _, variant := range s.TaskVariants {
				v, err := ParseVariant(variant)
				if err != nil {
					return nil, err
				}
				for i := range uint64(s.Seeds) {
					out = append(out, job{Task{name, lag}, v, s.Seed + i, lag == longest && i == 0})
				}
			}
		}
	}
	return out, nil
}

// each runs the work, several at a time, and returns the first error.
func (s Settings) each(ctx context.Context, todo []work, on func(Event)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	total, began := 0.0, time.Now()
	for _, w := range todo {
		total += w.cost
	}
	workers := s.Threads
	if workers < 1 {
		workers = runtime.GOMAXPROCS(0)
	}
	var next, ended atomic.Int64
	var told sync.Mutex
	done := 0.0
	var wait sync.WaitGroup
	for range min(workers, len(todo)) {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(todo) && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				text, err := todo[i].run(ctx)
				if err != nil {
					cancel(err)
					return
				}
				told.Lock()
				done += todo[i].cost
				if on != nil {
					on(Event{text, int(ended.Add(1)), len(todo), time.Duration(float64(time.Since(began)) * (total - done) / done)})
				}
				told.Unlock()
			}
		})
	}
	wait.Wait()
	return context.Cause(ctx)
}

// String tells how the run went.
func (r TextRun) String() string {
	if r.Diverged {
		return fmt.Sprintf("%s diverged after %d steps", r.Variant, len(r.Norms))
	}
	if len(r.Stages) == 0 {
		return r.Variant
	}
	last := r.Stages[len(r.Stages)-1]
	text := fmt.Sprintf("%s: %.3f nats a token", r.Variant, last.Loss)
	if r.Scales != nil || r.Values != nil {
		text += fmt.Sprintf("; %.0f %% of the steps clipped", 100*r.Clipped)
	}
	return text
}

// String tells how the run went.
func (r TaskRun) String() string {
	name := fmt.Sprintf("%s at lag %d, %s", r.Name, r.Lag, r.Variant)
	switch {
	case r.Diverged:
		return name + ": diverged"
	case r.Solved:
		return fmt.Sprintf("%s: solved after %d steps", name, r.Steps)
	}
	return fmt.Sprintf("%s: not solved, %.0f %% of chance's loss", name, 100*r.Loss)
}
