package compare

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"time"
)

// ladder holds the learning rates that a search may try, half a decade apart. It
// begins with five of them and goes on where the best is at an edge.
var ladder = []float64{3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1}

const (
	firstRung, lastRung = 2, 6
	widenMost           = 2
)

// searchRuns is how many runs a search takes unless it is widened.
const searchRuns = lastRung - firstRung + 1

// search finds the learning rate of every model that is trained, and the order of
// the n-gram, on the validation part alone. It returns a search for each entry.
func (c *Comparison) search(ctx context.Context) ([]Search, error) {
	found := make([]Search, len(c.protocol.Entries))
	for i, e := range c.protocol.Entries {
		if e.mixed() {
			continue
		}
		if e.counted() {
			s, err := c.searchOrder(ctx, e)
			if err != nil {
				return nil, err
			}
			found[i] = s
			continue
		}
		s, err := searchLadder(func(lr float64) (Trial, error) { return c.trial(ctx, e, lr) })
		if err != nil {
			return nil, err
		}
		s.Setting, s.Tokens = "learning rate", e.SearchSteps*c.protocol.TokensPerStep()
		found[i] = s
	}
	return found, nil
}

// trial trains an entry with one learning rate.
func (c *Comparison) trial(ctx context.Context, e Entry, lr float64) (Trial, error) {
	r := run{entry: e, dir: filepath.Join("search", e.Kind+"-"+formatRate(lr))}
	save := max(1, e.SearchSteps/2)
	r.settings = e.runSettings(lr, c.protocol.SearchSeed, e.SearchSteps, e.SearchSteps, save, c.protocol.Settings.Shared.Threads)
	r.event = Event{Stage: StageSearch, Model: e.Kind, Setting: "learning rate", Value: lr, Seed: c.protocol.SearchSeed}
	out, err := c.do(ctx, r)
	if err != nil {
		return Trial{}, err
	}
	if out.Diverged {
		out.Best = math.NaN()
	}
	return Trial{Value: lr, Loss: Number(out.Best), Diverged: out.Diverged}, nil
}

// searchLadder tries the first rungs of the ladder, and beyond an edge that is the
// best one more, at most twice. It chooses the smallest rate that is as good as the
// best, within [Gentle]. Where all diverged, Chosen is 0.
func searchLadder(try func(lr float64) (Trial, error)) (Search, error) {
	var s Search
	lo, hi := firstRung, firstRung
	for ; ; hi++ {
		t, err := try(ladder[hi])
		if err != nil {
			return s, err
		}
		s.Trials = append(s.Trials, t)
		if hi == lastRung {
			break
		}
	}
	for {
		best := bestTrial(s.Trials)
		s.Chosen, s.AtEdge = 0, best == 0 || best == len(s.Trials)-1
		if best < 0 {
			return s, nil
		}
		s.Chosen = s.Trials[gentlest(s.Trials, best)].Value
		if !s.AtEdge || s.Widened == widenMost {
			return s, nil
		}
		s.Widened++
		at := hi + 1
		if best == 0 {
			at = lo - 1
		}
		t, err := try(ladder[at])
		if err != nil {
			return s, err
		}
		if at < lo {
			s.Trials, lo = slices.Insert(s.Trials, 0, t), at
		} else {
			s.Trials, hi = append(s.Trials, t), at
		}
	}
}

// Gentle is how far above the lowest loss, in nats a token, that of a smaller
// learning rate may lie for it to be chosen. The trials are a fifth as long as the
// runs, and longer runs want smaller rates: what is ahead by a little after a fifth
// of the way is what ends behind, or diverges.
const Gentle = 0.05

// gentlest is the place of the smallest learning rate that is as good as the best.
func gentlest(trials []Trial, best int) int {
	for i, t := range trials[:best] {
		if t.Loss <= trials[best].Loss+Gentle {
			return i
		}
	}
	return best
}

// bestTrial is the place of the lowest loss, −1 where all diverged.
func bestTrial(trials []Trial) int {
	best := -1
	for i, t := range trials {
		if !math.IsNaN(float64(t.Loss)) && (best < 0 || t.Loss < trials[best].Loss) {
			best = i
		}
	}
	return best
}

// finals trains every model once with every seed, a seed at a time, so that a
// comparison that is stopped has seen all models alike. It returns the outcomes by
// entry.
func (c *Comparison) finals(ctx context.Context, chosen []Search) ([][]outcome, error) {
	p := c.protocol
	all := make([][]outcome, len(p.Entries))
	for i, seed := range p.Seeds {
		for k, e := range p.Entries {
			if e.mixed() || e.counted() && i > 0 {
				continue // nothing is trained; counting has no seed
			}
			if chosen[k].Chosen == 0 {
				all[k] = append(all[k], outcome{ending: ending{Diverged: true}, seed: seed, Best: math.NaN()})
				continue
			}
			out, err := c.do(ctx, c.final(e, chosen[k].Chosen, seed))
			if err != nil {
				return nil, err
			}
			all[k] = append(all[k], out)
		}
	}
	c.mixOutcomes(all)
	return all, nil
}

// final is the final run of an entry with one seed, at the learning rate, or of the
// order, that was chosen.
func (c *Comparison) final(e Entry, lr float64, seed uint64) run {
	r := run{entry: e, dir: fmt.Sprintf("%s-%d", e.Kind, seed), final: true}
	if e.counted() {
		r.settings = orderSettings(e, lr)
		r.event = Event{Stage: StageFinal, Model: e.Kind, Setting: "order", Value: lr}
		return r
	}
	r.keepHalf = recurrent(e.Kind)
	r.settings = e.runSettings(lr, seed, e.Steps, e.Steps/c.protocol.Marks, e.Steps/c.protocol.saves(e), c.protocol.Settings.Shared.Threads)
	r.event = Event{Stage: StageFinal, Model: e.Kind, Seed: seed}
	return r
}

// saves is how many checkpoints a final run of an entry writes; one of them is
// halfway. A run of seconds writes no others.
func (p Protocol) saves(e Entry) int64 {
	if 3*float64(e.Model.MultiplyAdds())*float64(e.Steps*p.TokensPerStep()) < 1e12 {
		return 2
	}
	return 8
}

// fitAgain fits the final runs' steps to the time that is left after the search,
// now that every model's speed is known from runs of the search, and writes them
// into the plan.
func (c *Comparison) fitAgain() error {
	p := &c.protocol
	if p.Fitted {
		return nil
	}
	tokens, search := p.tokens()
	set, most := func(share float64) {
		p.setFinalSteps(wholeMarks(max(int64(share*float64(tokens/p.TokensPerStep())), search/p.TokensPerStep()))) // less than the search would say nothing
	}, growMost
	if p.Settings.Equal == "time" {
		seconds := fitSeconds(p.Settings.Time, len(p.Seeds), p.trainedModels())
		set, most = func(share float64) { p.setSeconds(share*seconds, c.clock.rate) }, 1
		set(1)
	}
	if !c.deadline.IsZero() {
		left := spare * time.Until(c.deadline).Seconds()
		c.fitInto(set, most, func() bool {
			return c.clock.finalRuns()+max(c.clock.measuring(), measureShare*p.Settings.Time.Seconds()) <= left
		})
	}
	p.chooseMeasures()
	p.Fitted = true
	c.clock.replan(*p)
	return c.writePlan()
}

// fitInto sets the largest share of what is planned that fits, in hundredths.
func (c *Comparison) fitInto(set func(share float64), most float64, fits func() bool) {
	for share := int(100 * most); share > 0; share-- {
		set(float64(share) / 100)
		c.protocol.chooseMeasures()
		c.clock.replan(c.protocol)
		if fits() {
			return
		}
	}
}

// spare keeps a part of the time left for what takes longer than it seems.
const spare = 0.9

// growMost bounds how much more a final run may read than planned: the search read a
// share of the plan.
const growMost = 1.25
