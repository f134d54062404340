package compare

import (
	"time"

	"github.com/refrain-lm/refrain/train"
)

// The stages of a comparison, in their order.
const (
	StageText    = "text"    // reading and cutting the text
	StagePilot   = "pilot"   // measuring a model's speed
	StagePlan    = "plan"    // the plan is complete
	StageSearch  = "search"  // a run of the search for a setting
	StageFinal   = "final"   // a final run
	StageMeasure = "measure" // measuring final models
	StageWarning = "warning" // Text says what happened
)

// Event tells an onlooker what a comparison does.
type Event struct {
	Stage       string
	Model       string // kind of the model that is being worked on
	Setting     string // what the search tries: "learning rate", "order"
	Value       float64
	Seed        uint64
	Run, Runs   int           // which run of how many, from 1
	Share       float64       // of the whole that is done
	Left        time.Duration // 0: not known
	Ended       bool          // the run has ended: Loss is its best validation loss
	Loss        float64
	Diverged    bool
	Train       *train.Event // what the run said, nil: nothing
	Text        string       // what is being measured; what happened
	Done, Total int64        // of it
}

func (c *Comparison) emit(e Event) {
	if c.on != nil {
		c.on(e)
	}
}

// reading passes on how far the text is read.
func (c *Comparison) reading(e train.Event) {
	c.emit(Event{Stage: StageText, Train: &e, Done: e.Done, Total: e.Total})
}
