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

// final is the seconds that a final run of entry i takes.
func (c *clock) final(i int) float64 {
	train := float64(c.protocol.Entries[i].Steps*c.protocol.TokensPerStep()) / c.rate(i)
	return train + c.beside(i, train)
}

// beside is what a final run takes beside its steps: a token validated costs a third
// of one trained; saving and the rest are as in the search.
func (c *clock) beside(i int, train float64) float64 {
	if c.around[i] == 0 {
		return validOverhead * train
	}
	return marks*validShare/3*train + c.around[i]
}

// now is the share of the whole that is done, and the time that the rest takes
// (0: not known).
func (c *clock) now() (share float64, left time.Duration) {
	var done, all float64
	for i, e := range c.protocol.Entries {
		if !e.trained() {
			continue
		}
		step := float64(c.protocol.TokensPerStep()) / c.rate(i)
		trial, final := step*float64(e.SearchSteps)+c.around[i], c.final(i)
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
	measure := all * measureShare / trainingShare
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
