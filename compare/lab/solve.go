package lab

import (
	"context"
	"math"
	"math/rand/v2"

	"github.com/refrain-lm/refrain/compare"
	"github.com/refrain-lm/refrain/optim"
)

const (
	solvedBelow = 0.05 // share of chance's loss from which on a task is solved
	marks       = 40   // measurements in a run on a task
	freshLanes  = 64   // sequences of a measurement, never trained on
)

// job is one run of one variant on one task.
type job struct {
	task    Task
	variant Variant
	seed    uint64
	looked  bool // gradients and gates are measured too
}

// solve trains until the task is solved or the steps are used up.
func (j job) solve(ctx context.Context, s Settings) (TaskRun, error) {
	out := TaskRun{Task: j.task, Variant: j.variant.Name, Seed: j.seed, Best: compare.Number(math.Inf(1))}
	n, err := newNet(j.task, j.variant, j.task.units(s.Hidden), j.seed)
	if err != nil {
		return out, err
	}
	params := n.slices()
	config, rate := j.variant.optimizer(s.TaskLR)
	opt, err := optim.New(config, params)
	if err != nil {
		return out, err
	}
	r := rand.New(rand.NewPCG(j.seed, uint64(j.task.Lag)))
	fresh := j.task.batch(rand.New(rand.NewPCG(^j.seed, uint64(j.task.Lag))), freshLanes)
	out.mark(0, n.loss(fresh, false))
	j.look(n, &out, "start")
	clipped, most := 0, j.task.Most(s.TaskSteps)
	for out.Steps < most && !out.Solved && ctx.Err() == nil {
		_, norm := n.update(j.task.batch(r, s.Batch), opt, params, j.variant, rate)
		out.Steps++
		if math.IsNaN(norm) || math.IsInf(norm, 0) {
			out.Diverged = true
			break
		}
		out.Largest = max(out.Largest, compare.Number(norm))
		if j.variant.Clip > 0 && norm > j.variant.Clip {
			clipped++
		}
		if out.Steps%max(1, most/marks) == 0 || out.Steps == most {
			out.mark(out.Steps, n.loss(fresh, false))
			out.Solved = out.Loss < solvedBelow
		}
		if out.Steps == most/2 {
			j.look(n, &out, "half")
		}
	}
	out.Clipped, out.Largest = round(float64(clipped)/float64(max(1, out.Steps))), rounded(float64(out.Largest))
	j.look(n, &out, "end")
	if j.looked && j.task.Name == Adding {
		out.Answers, out.Sums = n.answers(j.task.batch(rand.New(rand.NewPCG(1, 1)), 1))
	}
	return out, ctx.Err()
}

// mark notes a loss on fresh sequences.
func (o *TaskRun) mark(step int64, loss float64) {
	o.Loss = rounded(loss / o.Chance())
	o.Best = min(o.Best, o.Loss)
	o.Marks = append(o.Marks, Mark{step, o.Loss})
}

// look measures reach and gates, on sequences of its own.
func (j job) look(n *net, out *TaskRun, name string) {
	if !j.looked || out.Diverged {
		return
	}
	reach, gates := n.look(j.task.batch(rand.New(rand.NewPCG(j.seed, 0)), freshLanes/2))
	out.Stages = append(out.Stages, Stage{Name: name, Step: out.Steps, Layers: layers(reach, gates), Loss: out.Loss})
}

// answers are the numbers that the network of adding would answer after each step
// of one sequence, and the sums so far.
func (n *net) answers(b batch) (answers, sums []compare.Number) {
	n.loss(b, false)
	sum := 0.0
	for s := range b.steps {
		sum += float64(b.x[2*s] * b.x[2*s+1])
		answers, sums = append(answers, rounded(float64(n.y[s]))), append(sums, rounded(sum))
	}
	return answers, sums
}
