package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/lm"
	"github.com/refrain-lm/refrain/nn"
	"github.com/refrain-lm/refrain/optim"
)

// What ends a run early.
var (
	ErrStopped  = errors.New("stopped")  // the context was cancelled; the state is saved
	ErrDiverged = errors.New("diverged") // NaN or a running loss, three times
)

// Options says how Run trains. Zero fields mean what their comments say.
type Options struct {
	From       int64          // the step at which the schedule begins: the end of an earlier phase
	Steps      int64          // total steps; needed
	Optim      optim.Config   // zero: Adam
	Schedule   optim.Schedule // zero: constant
	Clip       float64        // largest global gradient norm; 0: off
	ClipEach   float64        // largest absolute gradient; 0: off
	SumTime    bool           // differentiate the loss summed over time, averaged over lanes
	Average    float64        // share of the run, at its end, whose weights are averaged; 0: none
	StateReset float64        // chance that a lane begins a window from a zero state, so that the model knows how texts begin (Melis et al. 2018)
	Seed       uint64         // dropout masks
	BFloat16   bool           // round the operands of products to bfloat16; for processors where nn.BFloat16IsFast
	Threads    int            // 0: all cores; changes no bit
	Valid      data.Reader    // validation ids, read as one text; nil with ValidFeed nil: the last weights are the best
	ValidMax   int64          // validate on so many ids at most; 0: all
	ValidFeed  Feed           // validates on one pass of it instead of Valid
	Patience   int            // stop after so many validations without a best; 0: never
	On         func(Event)    // onlooker; nil: none
	Keep       Keeper         // where states go; nil: memory
	Budget     Budget         // a deadline; zero: none
	Replans    []Replan       // recorded changes of Steps that this run must obey
	NoRetreat  bool           // the first divergence ends the run

	ValidEvery  int64 // steps; 0: twenty times a run
	SaveEvery   int64 // steps; 0: as ValidEvery
	ReportEvery int64 // steps; 0: a hundred times a run
}

// Report says how a run ended.
type Report struct {
	Steps    int64         // steps done
	Best     float64       // lowest validation loss, nats a token
	BestStep int64         // where it was reached
	Tokens   int64         // trained in this call
	Elapsed  time.Duration // of this call
}

// A Feed gives training windows without end, pass after pass. Where Reset says
// so a window begins with zero states, else with those that the one before left.
// [data.Stream] and [data.Documents] are feeds.
type Feed interface {
	Next(*data.Batch) error
	Cursor() data.Cursor // the window that Next gives next
	Seek(data.Cursor) error
	Windows() int64 // of a pass
	Lanes() int     // of every window
}

// Run trains m on s and leaves the best weights in it. On cancellation it
// saves its state with o.Keep and returns ErrStopped.
//
// The loop: one window forwards and backwards, clip, update; now and then
// validate and keep the best; now and then save. A loss that is NaN, infinite
// or running away sends it back to the last saved state at half the learning
// rate, twice; the third time it gives up with ErrDiverged (with NoRetreat the
// first time).
//
// A save that fails on the way is a warning, and the next one tries again: what
// was saved before is whole. The first and the last save must succeed.
func Run(ctx context.Context, m *lm.Model, s Feed, o Options) (Report, error) {
	pool := nn.NewPool(o.Threads)
	defer pool.Close()
	t, err := newTrainer(m, s, o, pool)
	if err != nil {
		return Report{}, err
	}
	defer m.Refresh(pool, false)
	for {
		if err := t.validate(ctx); err != nil {
			return t.stopped(ctx, err)
		}
		if (t.due(t.opts.SaveEvery) || t.ended()) && t.saved < t.run.Step {
			if err := t.save(); err != nil {
				if t.ended() {
					return t.report(), err
				}
				t.goOn(err)
			}
		}
		if t.ended() {
			return t.finish()
		}
		if ctx.Err() != nil {
			return t.stopped(ctx, nil)
		}
		if err := t.timedStep(); err != nil {
			return t.report(), err
		}
		if t.diverging() {
			if err := t.retreat(); err != nil {
				return t.report(), err
			}
			continue
		}
		t.replan()
	}
}

// stopped saves a run that was cancelled; any other error stays what it is.
func (t *trainer) stopped(ctx context.Context, err error) (Report, error) {
	if ctx.Err() == nil {
		return t.report(), err
	}
	return t.report(), errors.Join(ErrStopped, t.save())
}

// ended reports whether the last step is done.
func (t *trainer) ended() bool {
	return t.run.Step >= t.run.Steps || t.opts.Patience > 0 && t.run.Waited >= t.opts.Patience
}

// due reports whether the step just done is a multiple of every, or the last.
func (t *trainer) due(every int64) bool {
	return t.run.Step > 0 && (t.run.Step%every == 0 || t.run.Step == t.run.Steps)
}

// timedStep counts the time of training alone.
func (t *trainer) timedStep() error {
	at := time.Now()
	err := t.step()
	t.trained += time.Since(at)
	return err
}

// step trains on one window.
func (t *trainer) step() error {
	if err := t.feed.Next(&t.batch); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	t.resetLanes()
	t.m.BeginGrads()
	t.tape.Mode.Pool, t.tape.Mode.Train = t.pool, true
	t.tape.Mode.Seed, t.tape.Mode.Step = t.opts.Seed, uint64(t.run.Step)
	t.tape.Scale = 1 / float32(t.batch.Counted())
	if t.opts.SumTime {
		t.tape.Scale = 1 / float32(t.batch.B)
	}
	t.m.DropWeights(t.tape.Mode)
	sum, n := t.m.Loss(&t.tape, t.batch.Inputs, t.batch.Targets, t.state)
	t.m.Backward(&t.tape)
	t.m.RestoreWeights(t.tape.Mode)
	t.stepLoss = sum / float64(n)
	t.norm = optim.GlobalNorm(t.pool, t.params)
	t.lossSum += sum
	t.lossCount += n
	t.hits += t.tape.Hits()
	t.tokens += int64(n)
	t.steps++
	t.run.Step++
	if math.IsNaN(t.norm) || math.IsInf(t.norm, 0) {
		t.stepLoss = math.NaN()
		return nil // diverging sees it; the weights are still good
	}
	t.update()
	if t.run.Step%t.opts.ReportEvery == 0 {
		t.emitStep()
	}
	return nil
}

// resetLanes zeroes the state of every lane at the start of a pass, and of
// single lanes now and then, by a draw that depends on seed, step and lane alone;
// of all lanes together where statistics by position want that.
func (t *trainer) resetLanes() {
	if t.batch.Reset {
		t.state.Reset()
		return
	}
	if t.opts.StateReset == 0 {
		return
	}
	draw := rand.New(rand.NewPCG(t.opts.Seed, uint64(t.run.Step)))
	if t.m.Config().Norm == lm.RecurrentBatchNorm {
		if draw.Float64() < t.opts.StateReset {
			t.state.Reset()
		}
		return
	}
	for lane := range t.batch.B {
		if draw.Float64() < t.opts.StateReset {
			t.m.ResetLane(t.state, lane)
		}
	}
}

// clipGradients limits each gradient, then returns the factor that brings all of
// them to the norm that is allowed.
func (t *trainer) clipGradients() float32 {
	t.clip = Clip{}
	norm := t.norm
	if t.opts.ClipEach > 0 {
		n := 0
		for _, p := range t.params {
			n += len(p.Grad)
		}
		t.clip.Values = float64(optim.ClipValue(t.params, float32(t.opts.ClipEach))) / float64(n)
	}
	scale := float32(1)
	if t.opts.Clip > 0 {
		if t.clip.Values > 0 {
			norm = optim.GlobalNorm(t.pool, t.params)
		}
		scale = optim.ClipScale(norm, t.opts.Clip)
		t.clip.Scale = float64(scale)
	}
	t.updates++
	if scale < 1 || t.clip.Values > 0 {
		t.clipped++
	}
	return scale
}

// update clips and applies the gradients.
func (t *trainer) update() {
	scale := t.clipGradients()
	t.opt.Step(t.pool, float32(t.rate()), scale)
	t.m.Refresh(t.pool, true)
	if t.averaging() {
		t.avg.Update(t.pool)
	}
}

// rate is the learning rate of the step being made.
func (t *trainer) rate() float64 {
	step, total := t.run.Step-1-t.opts.From, t.run.Steps-t.opts.From
	return t.run.LRScale * t.run.Plateau.Scale(t.opts.Schedule) * t.opts.Schedule.Rate(int(max(0, step)), int(total))
}

// averaging reports whether the step just made belongs to the averaged tail.
func (t *trainer) averaging() bool {
	length := float64(t.run.Steps - t.opts.From)
	return t.tail && float64(t.run.Step-t.opts.From) > length*(1-t.opts.Average)
}

// diverging follows the loss: its running mean over about 50 steps may not
// rise above one and a half times its minimum plus half a nat.
func (t *trainer) diverging() bool {
	loss := t.stepLoss
	if math.IsNaN(loss) || math.IsInf(loss, 0) {
		return true
	}
	r := &t.run
	if r.Smooth == 0 {
		r.Smooth = loss
	}
	r.Smooth += (loss - r.Smooth) / 50
	r.SmoothMin = min(r.SmoothMin, r.Smooth)
	return r.Smooth > 1.5*r.SmoothMin+0.5
}

// retreat goes back to the last saved state at half the learning rate.
func (t *trainer) retreat() error {
	at, loss, scale, times := t.run.Step, t.stepLoss, t.run.LRScale, t.run.Divergences
	if _, err := t.restore(); err != nil {
		return err
	}
	t.run.Divergences = times + 1
	if t.opts.NoRetreat {
		return fmt.Errorf("%w at step %d; step %d is kept", ErrDiverged, at, t.run.Step)
	}
	if t.run.Divergences > 2 {
		return fmt.Errorf("%w 3 times, last at step %d; step %d is kept", ErrDiverged, at, t.run.Step)
	}
	t.run.LRScale = scale / 2
	t.run.Smooth, t.run.SmoothMin = 0, math.MaxFloat64
	t.emit(Event{Kind: EventWarning, Text: fmt.Sprintf("loss %.4g at step %d; back to step %d, learning rate halved (%d of 2)",
		loss, at, t.run.Step, t.run.Divergences)})
	if err := t.save(); err != nil { // so that a resumed run knows
		t.goOn(err)
	}
	return nil
}

// validate measures the weights where that is due. A validation that is
// cancelled is not lost: the state saved here makes a resumed run do it first.
func (t *trainer) validate(ctx context.Context) error {
	if t.valid == nil || !t.due(t.opts.ValidEvery) || t.run.Validated == t.run.Step {
		return nil
	}
	defer t.m.Refresh(t.pool, true) // whatever looked at the model meanwhile
	if !t.tail && t.averaged() {
		t.swapAverage()
		defer t.swapAverage()
	}
	s, best, err := t.measure(ctx)
	if err != nil {
		return err
	}
	t.run.Validated = t.run.Step
	t.saved = min(t.saved, t.run.Step-1) // what was saved here before does not know of it
	if t.opts.Schedule.Name == "plateau" {
		t.run.Plateau.Observe(t.opts.Schedule, s.loss)
	}
	t.emitValid(s, best)
	return nil
}

// measure validates the weights as they are, in float32, and keeps the model if
// its loss is the lowest so far.
func (t *trainer) measure(ctx context.Context) (s score, best bool, err error) {
	if s, err = t.valid.measure(ctx, t.m, t.tape.Mode); err != nil {
		return s, false, err
	}
	if !(s.loss < t.run.Best) {
		t.run.Waited++
		return s, false, nil
	}
	t.run.Best, t.run.BestStep, t.run.Waited = s.loss, t.run.Step, 0
	if err := t.keepBest(t.m.Tensors()); err != nil {
		t.goOn(err)
	}
	return s, true, nil
}

// averaged reports whether there is a mean of weights to look at.
func (t *trainer) averaged() bool { return t.avg != nil && t.avg.Count() > 0 }

// swapAverage exchanges the weights and their mean.
func (t *trainer) swapAverage() {
	t.avg.Swap(t.pool)
	t.m.Refresh(t.pool, true)
}

// finish measures the mean of the tail's weights too, and leaves the best
// weights in the model.
func (t *trainer) finish() (Report, error) {
	swapped := t.averaged() && (t.tail || t.valid == nil)
	if swapped {
		t.swapAverage()
	}
	if t.valid == nil {
		return t.report(), t.keepBest(t.m.Tensors())
	}
	if swapped {
		s, best, err := t.measure(context.Background())
		if err != nil {
			return t.report(), err
		}
		t.emitValid(s, best)
	}
	if err := t.keepWaiting(); err != nil {
		return t.report(), err
	}
	return t.report(), t.keep.LoadBest(t.m)
}
