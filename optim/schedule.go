package optim

import (
	"fmt"
	"math"
)

// Schedule is a learning rate as a function of the step. Fractions are of the
// whole run, so that a plan's schedule ends exactly with its last step. Fields
// that a kind does not name are ignored by it.
type Schedule struct {
	// Name is the kind:
	//   - constant: LR after WarmUp.
	//   - zaremba: LR for the first Hold epochs, then times Decay every epoch
	//     (Zaremba, Sutskever and Vinyals 2014). Uses EpochSteps, Hold, Decay.
	//   - cosine: after WarmUp, half a cosine from LR to Final·LR (Loshchilov and
	//     Hutter 2017; without WarmUp PyTorch's CosineAnnealingLR).
	//   - one-cycle: up from LR/25 to LR over WarmUp and down to LR/250,000 at
	//     the last step, both by half a cosine (Smith 2018; the rates of
	//     PyTorch's OneCycleLR, momentum stays).
	//   - wsd: warm-up, constant, cool-down: linear over WarmUp up to LR, then LR,
	//     and over CoolDown to Final·LR (MiniCPM: Hu et al. 2024; 1−√: Hägele et
	//     al. 2024).
	//   - plateau: LR after WarmUp, times Decay whenever [Plateau.Observe] says so.
	Name string  `json:"name"`
	LR   float64 `json:"lr"` // the highest rate
	// WarmUp is the fraction of the run that climbs from near 0 to LR, linearly
	// except for one-cycle. 0 is none; for one-cycle 0 means 0.3.
	WarmUp     float64 `json:"warm_up,omitempty"`
	CoolDown   float64 `json:"cool_down,omitempty"`   // wsd: the fraction that falls; 0 means 0.6
	Shape      string  `json:"shape,omitempty"`       // wsd: how it falls, "linear" (also "") or "sqrt" for 1−√
	Final      float64 `json:"final,omitempty"`       // cosine, wsd: the end as a fraction of LR; 0 ends at 0
	EpochSteps int     `json:"epoch_steps,omitempty"` // zaremba: steps in an epoch
	Hold       int     `json:"hold,omitempty"`        // zaremba: epochs before the first decay, 0 is none
	Decay      float64 `json:"decay,omitempty"`       // zaremba, plateau: factor; 0 means 0.5
	Patience   int     `json:"patience,omitempty"`    // plateau: observations without improvement before a cut; 0 means 1
}

var (
	scheduleNames = []string{"constant", "zaremba", "cosine", "one-cycle", "wsd", "plateau"}
	shapes        = []string{"", "linear", "sqrt"}
)

// Validate reports everything that is wrong, in one line.
func (s Schedule) Validate() error {
	var w wrongs
	w.name("schedule", s.Name, scheduleNames)
	w.check(s.LR > 0 && s.LR <= 1e6, "learning rate %v is not above 0 and up to 1e6", s.LR)
	w.check(s.WarmUp >= 0 && s.WarmUp <= 1, "warm-up %v is not a fraction from 0 to 1", s.WarmUp)
	w.check(s.CoolDown >= 0 && s.CoolDown <= 1, "cool-down %v is not a fraction from 0 to 1", s.CoolDown)
	w.check(s.Final >= 0 && s.Final <= 1, "final %v is not a fraction from 0 to 1", s.Final)
	w.check(s.Decay >= 0 && s.Decay <= 1, "decay %v is not from 0 (meaning 0.5) to 1", s.Decay)
	w.check(s.Hold >= 0, "hold %d is below 0 epochs", s.Hold)
	w.check(s.Patience >= 0, "patience %d is below 0", s.Patience)
	if s.Shape != "" {
		w.name("cool-down shape", s.Shape, shapes[1:])
	}
	if s.Name == "zaremba" {
		w.check(s.EpochSteps > 0, "zaremba needs the steps of an epoch, not %d", s.EpochSteps)
	}
	if s.Name == "wsd" {
		cool := s.coolDown()
		w.check(!(s.WarmUp+cool > 1), "warm-up %v and cool-down %v are more than the whole run", s.WarmUp, cool)
	}
	return w.err("schedule")
}

// Rate is the learning rate of a step of a run of total steps; the first step
// is 0. Steps from total on get the last one's rate, those of an open end (total
// 0) the rate before any cool-down. It panics for an unknown Name: Validate
// first.
func (s Schedule) Rate(step, total int) float64 {
	if step < 0 || total < 0 {
		panic(fmt.Sprintf("optim: rate of step %d of %d, want neither below 0", step, total))
	}
	if total > 0 {
		step = min(step, total-1)
	}
	switch s.Name {
	case "constant", "plateau":
		return s.LR * s.climb(step, total)
	case "zaremba":
		return s.LR * power(s.decay(), max(0, step/max(1, s.EpochSteps)+1-s.Hold))
	case "cosine":
		return s.LR * s.climb(step, total) * s.cosine(step, total)
	case "one-cycle":
		return s.LR * s.oneCycle(step, total)
	case "wsd":
		return s.LR * s.climb(step, total) * s.fall(step, total)
	}
	panic(fmt.Sprintf("optim: no schedule %q, want one that Validate accepts", s.Name))
}

func (s Schedule) decay() float64 {
	if s.Decay == 0 {
		return 0.5
	}
	return s.Decay
}

func (s Schedule) coolDown() float64 {
	if s.CoolDown == 0 {
		return 0.6
	}
	return s.CoolDown
}

// warmSteps is the number of steps below LR, rounded down.
func (s Schedule) warmSteps(total int) int { return int(s.WarmUp * float64(total)) }

// climb is the linear warm-up: 1/n, 2/n, … up to 1 at step n−1.
func (s Schedule) climb(step, total int) float64 {
	n := s.warmSteps(total)
	if step >= n {
		return 1
	}
	return float64(step+1) / float64(n)
}

// cosine falls from 1 at the end of the warm-up towards Final at step total.
func (s Schedule) cosine(step, total int) float64 {
	n := s.warmSteps(total)
	if step < n || total == 0 {
		return 1
	}
	return between(1, s.Final, halfCosine(float64(step-n)/float64(total-n)))
}

// oneCycle follows PyTorch's two phases; their ends lie one step before the
// fractions' own.
func (s Schedule) oneCycle(step, total int) float64 {
	const start, end = 1.0 / 25, 1.0 / 25 / 1e4
	up := s.WarmUp
	if up == 0 {
		up = 0.3
	}
	top, last := float64(up*float64(total))-1, float64(total-1)
	switch at := float64(step); {
	case total == 0:
		return start
	case at <= top:
		return between(start, 1, halfCosine(at/max(top, 1)))
	case last <= max(top, 0):
		return 1
	default:
		return between(1, end, halfCosine((at-max(top, 0))/(last-max(top, 0))))
	}
}

// fall is the cool-down of wsd.
func (s Schedule) fall(step, total int) float64 {
	n := int(s.coolDown() * float64(total))
	if total == 0 || step < total-n {
		return 1
	}
	if s.Shape == "sqrt" {
		return between(1, s.Final, math.Sqrt(float64(step-(total-n))/float64(n)))
	}
	return between(1, s.Final, float64(step-(total-n))/float64(n))
}

// between is a at 0 and b at 1. The conversion forbids a fused operation.
func between(a, b, at float64) float64 { return a + float64((b-a)*at) }

// halfCosine rises from 0 at 0 to 1 at 1 like (1−cos πx)/2, by the Taylor
// series of the sine about the middle; its error is below 1e-12. math.Cos rounds
// differently where the compiler fuses operations.
func halfCosine(x float64) float64 {
	y := float64((x - 0.5) * math.Pi)
	y2 := float64(y * y)
	sum := 0.0
	for n := 21; n >= 3; n -= 2 { // sin y = y(1 − y²/2·3 (1 − y²/4·5 (1 − …)))
		sum = float64(y2 / float64(n*(n-1)) * (1 - sum))
	}
	return min(1, max(0, 0.5+float64(0.5*float64(y*(1-sum)))))
}

// Plateau is the memory of the plateau schedule; the zero value is its start.
// Its JSON is all that a resumed run needs.
type Plateau struct {
	Cuts     int     `json:"cuts"`     // how often the rate was cut
	Waited   int     `json:"waited"`   // observations since the last improvement or cut
	Best     float64 `json:"best"`     // the lowest loss observed, if Observed
	Observed bool    `json:"observed"` // whether there was a loss at all
}

// Observe takes in a validation loss and says whether the rate is cut now:
// after s.Patience observations in a row none of which was below the best. NaN
// and infinities are no improvement.
func (p *Plateau) Observe(s Schedule, loss float64) (cut bool) {
	if isFinite(loss) && (!p.Observed || loss < p.Best) {
		p.Best, p.Observed, p.Waited = loss, true, 0
		return false
	}
	p.Waited++
	if p.Waited < max(1, s.Patience) {
		return false
	}
	p.Waited = 0
	p.Cuts++
	return true
}

// Scale is what [Schedule.Rate] is to be multiplied by: Decay once for every cut.
func (p *Plateau) Scale(s Schedule) float64 { return power(s.decay(), p.Cuts) }
