package train

import (
	"fmt"
	"time"
)

// Replan is a change of the number of steps, decided after Step steps because
// the machine turned out slower or faster than the plan had measured. It is
// part of the plan's record: a resumed or repeated run obeys it.
type Replan struct {
	Step  int64 `json:"step"`
	Steps int64 `json:"steps"`
}

// Budget bounds a run in time. The zero value is no bound.
type Budget struct {
	Deadline time.Time     // when everything, the work after training included, must be done
	Reserve  time.Duration // for that work
	Record   func(Replan) error
}

// replan obeys a recorded change of steps, and in a timed run makes a new one
// where the projected end misses the deadline by more than 2 % of the time left.
func (t *trainer) replan() {
	for _, r := range t.opts.Replans {
		if r.Step == t.run.Step {
			t.run.Steps = max(r.Steps, t.run.Step)
			return
		}
	}
	b := t.opts.Budget
	every := max(1, t.run.Steps/50)
	if b.Deadline.IsZero() || t.run.Step%every != 0 || t.run.Step >= t.run.Steps {
		return
	}
	left := time.Until(b.Deadline) - b.Reserve
	done := time.Since(t.begun)
	if done < 2*time.Second || t.steps < 10 {
		return
	}
	perStep := float64(done) / float64(t.steps) // validation and saving included
	fit := max(0, int64(float64(left)/perStep))
	planned := t.run.Steps - t.run.Step
	if diff := float64(fit - planned); diff*diff < 0.0004*float64(planned*planned) {
		return
	}
	r := Replan{Step: t.run.Step, Steps: t.run.Step + fit}
	if b.Record != nil {
		if err := b.Record(r); err != nil { // without a record the run could not be repeated
			t.emit(Event{Kind: EventWarning, Text: fmt.Sprintf("the number of steps stays as it is: %v", err)})
			return
		}
	}
	t.run.Steps = r.Steps
	t.opts.Replans = append(t.opts.Replans, r)
	t.emit(Event{Kind: EventReplan})
}
