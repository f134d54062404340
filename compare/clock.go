package compare

import (
	"time"

	"github.com/refrain-lm/refrain/train"
)

// clock estimates how much of a comparison is done and how long the rest takes. It
// decides nothing but how final runs are fitted into a budget of time.
type clock struct {
	protocol Protocol
	rates    []float64 // of each entry: tokens a second of training, measured or planned; 0: not known
	tokens   []float64 // read so far by each entry's runs,
	seconds  []float64 // in so many seconds of training
	around   []float64 // of each entry: seconds a run of the search took beside its steps
	searches []int     // runs of each entry's search that have ended
	finals   []int
	current  run
	share    float64 // of the current run
	measured float64 // share of the measuring
}

func newClock(p Protocol) clock {
	n := len(p.Entries)
	c := clock{protocol: p, rates: make([]float64, n), tokens: make([]float64, n), seconds: make([]float64, n), around: make([]float64, n), searches: make([]int, n), finals: make([]int, n)}
	for i, e := range p.Entries {
		c.rates[i] = e.Rate
	}
	return c
}

func (c *clock) replan(p Protocol) { c.protocol = p }

func (c *clock) index(e Entry) int {
	for i, other := range c.protocol.Entries {
		if other.Kind == e.Kind {
			return i
		}
	}
	panic("compare: no entry " + e.Kind)
}

// rate is the tokens a second that entry i trains on; where nothing is known of
// it, another entry's, in proportion to their multiply-adds.
func (c *clock) rate(i int) float64 {
	if c.rates[i] > 0 {
		return c.rates[i]
	}
	own := float64(c.protocol.Entries[i].Model.MultiplyAdds())
	for k, r := range c.rates {
		if r > 0 {
			return r * float64(c.protocol.Entries[k].Model.MultiplyAdds()) / own
		}
	}
	return 5e9 / own
}

// known reports whether any speed was measured.
func (c *clock) known() bool {
	for _, r := range c.rates {
		if r > 0 {
			return true
		}
	}
	return false
}

func (c *clock) begin(r run) { c.current, c.share = r, 0 }

// at follows the current run.
func (c *clock) at(e train.Event) {
	if e.Steps > 0 && (e.Kind == train.EventStep || e.Kind == train.EventValid) {
		c.share = float64(e.Step) / float64(e.Steps)
	}
	if tokens := float64(e.Step * c.protocol.TokensPerStep()); e.Trained > time.Second && e.Kind == train.EventStep {
		if i := c.index(c.current.entry); c.rates[i] == 0 {
			c.rates[i] = tokens / e.Trained.Seconds()
		}
	}
}

// ended notes a run and its speed; took is what it took in this sitting, 0 where it
// had ended before.
func (c *clock) ended(r run, out outcome, took time.Duration) {
	i := c.index(r.entry)
	c.tokens[i] += float64(out.Tokens)
	c.seconds[i] += out.Seconds
	if c.seconds[i] > 0 {
		c.rates[i] = c.tokens[i] / c.seconds[i]
	}
	if r.final {
		c.finals[i]++
	} else {
		c.searches[i]++
		if took > 0 {
			c.around[i] += (max(0, took.Seconds()-out.Seconds) - c.around[i]) / float64(c.searches[i])
		}
	}
	c.current, c.share = run{}, 0
}

// count is which run is under way, and of how many.
func (c *clock) count() (run, runs int) {
	for i, e := range c.protocol.Entries {
		if !e.trained() {
			continue
		}
		run += c.searches[i] + c.finals[i]
		runs += len(c.protocol.Seeds)
		if c.finals[i] > 0 {
			runs += c.searches[i]
		} else {
			runs += max(searchRuns, c.searches[i])
		}
	}
	return min(run+1, runs), runs
}

// trial is the seconds that a run of the search of entry i takes, and final those of
// a final run.
func (c *clock) trial(i int) float64 {
	train := float64(c.protocol.Entries[i].SearchSteps*c.protocol.TokensPerStep()) / c.rate(i)
	return train + c.beside(i, train)
}

func (c *clock) final(i int) float64 {
	train := float64(c.protocol.Entries[i].Steps*c.protocol.TokensPerStep()) / c.rate(i)
	return train + c.protocol.validWork().tokens()/c.rate(i) + c.beside(i, train)
}

// beside is what opening, saving and the rest add to a run's steps: as much as in the
// search, once that has been measured.
func (c *clock) beside(i int, train float64) float64 {
	if c.around[i] > 0 {
		return c.around[i]
	}
	return opening + overhead*train
}

const (
	opening  = 0.05 // seconds
	overhead = 0.1  // of the seconds of training
)

// finalRuns is the seconds that all final runs take.
func (c *clock) finalRuns() (seconds float64) {
	for i, e := range c.protocol.Entries {
		if e.trained() {
			seconds += c.final(i) * float64(len(c.protocol.Seeds))
		}
	}
	return seconds
}

// measuring is the seconds that measuring all final models takes.
func (c *clock) measuring() (seconds float64) {
	p := c.protocol
	for _, e := range p.Entries {
		parts := []string{e.Kind}
		if a, b := e.parts(); e.mixed() {
			parts = []string{a, b}
		}
		w := p.measureWork(e)
		for _, kind := range parts {
			if i := p.part(kind); p.Entries[i].trained() {
				seconds += w.tokens() / c.rate(i)
			} else {
				seconds += w.steps * countedStep * float64(p.Text.Vocab)
			}
		}
	}
	return seconds + reporting
}

// What does not depend on speeds that are measured, in seconds.
const (
	counting    = 0.3e-6 // of n-grams, each training token
	orders      = 6      // so often: for the search of the order, and the final one
	countedStep = 20e-9  // an n-gram's, for each token that may be next
	reporting   = 0.5    // drawing samples of blocks, writing the report
)

// whole is the seconds that the whole comparison takes.
func (c *clock) whole() float64 {
	seconds := c.finalRuns() + c.measuring()
	for i, e := range c.protocol.Entries {
		if e.trained() {
			seconds += searchRuns * c.trial(i)
		} else if e.counted() {
			seconds += orders * counting * float64(c.protocol.Text.Train.Tokens)
		}
	}
	return seconds
}

// now is the share of the whole that is done, and the time that the rest takes
// (0: not known).
func (c *clock) now() (share float64, left time.Duration) {
	var done, all float64
	for i, e := range c.protocol.Entries {
		if !e.trained() {
			continue
		}
		trial, final := c.trial(i), c.final(i)
		trials := float64(max(searchRuns, c.searches[i]))
		if c.finals[i] > 0 {
			trials = float64(c.searches[i])
		}
		all += trial*trials + final*float64(len(c.protocol.Seeds))
		done += trial*float64(c.searches[i]) + final*float64(c.finals[i])
		if c.current.entry.Kind == e.Kind && c.current.final {
			done += final * c.share
		} else if c.current.entry.Kind == e.Kind {
			done += trial * c.share
		}
	}
	measure := c.measuring()
	done += measure * c.measured
	all += measure
	if all == 0 {
		return 0, 0
	}
	if c.known() {
		left = time.Duration((all - done) * float64(time.Second))
	}
	return done / all, left
}
