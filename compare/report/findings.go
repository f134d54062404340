package report

import (
	"math"

	"github.com/refrain-lm/refrain/compare"
)

// Document is what report.json holds: the result, what may be said of it, and the
// other facts that the page's sentences state.
type Document struct {
	Result    compare.Result    `json:"result"`
	Judgement compare.Judgement `json:"judgement"`
	Findings  Findings          `json:"findings"`
}

// Findings are facts read off the result by simple rules. A finding without data
// is nil or empty.
type Findings struct {
	Blocks   int        `json:"blocks"`             // of the test text
	Learning []Learning `json:"learning,omitempty"` // models whose loss still fell
	Reached  []Reached  `json:"reached,omitempty"`  // the n-gram's loss, in the order of models
	NGram    *NGramLoss `json:"ngram,omitempty"`
	Context  []Within   `json:"context,omitempty"`
	Counts   *Shares    `json:"counts,omitempty"`
	Reach    []Reach    `json:"reach,omitempty"`
	Fastest  *Fastest   `json:"fastest,omitempty"`
	Widest   *Widest    `json:"widest,omitempty"`
	Closest  float64    `json:"closest"` // largest relative distance of a model's parameters from the reference's
}

// Learning is a model whose validation loss fell by more than compare.Margin in
// the last quarter of the constant phase.
type Learning struct {
	Model string  `json:"model"`
	Fell  float64 `json:"fell"` // nats a token
}

// NGramLoss is the n-gram's validation loss.
type NGramLoss struct {
	Model string  `json:"model"`
	Loss  float64 `json:"loss"`
}

// Reached is the first validation at which a model's mean over seeds was at or
// below the n-gram's; Tokens is −1 where it never was.
type Reached struct {
	Model   string  `json:"model"`
	Tokens  int64   `json:"tokens"`
	Seconds float64 `json:"seconds,omitempty"`
}

// Within is the shortest context that costs a model no more than compare.Margin
// against its own longest.
type Within struct {
	Model  string `json:"model"`
	Length int    `json:"length"`
	// Beyond is, for models that see only so many tokens, the largest change of
	// their loss beyond: 0, or something is wrong.
	Beyond *float64 `json:"beyond,omitempty"`
}

// Shares splits Δ of the two best by training count; they sum to it.
type Shares struct {
	A     string    `json:"a"`
	B     string    `json:"b"`
	Parts []float64 `json:"parts"`
	Sum   float64   `json:"sum"`
}

// Reach is the first lag at which the median gradient at the end of training is
// below 1 % of that at lag 0; −1 where none is.
type Reach struct {
	Model string `json:"model"`
	Lag   int    `json:"lag"`
}

// Fastest is the model that trains on most tokens a second.
type Fastest struct {
	Model  string  `json:"model"`
	Tokens float64 `json:"tokens"` // a second
}

// Widest is the token of the sentence on which the models are furthest apart.
type Widest struct {
	Token int     `json:"token"` // in Sentence.Tokens
	Low   float64 `json:"low"`   // bits
	High  float64 `json:"high"`
	Best  string  `json:"best"` // the model with Low
	Worst string  `json:"worst"`
}

// NewDocument judges the result and reads off the rest.
func NewDocument(r compare.Result) Document {
	d := Document{Result: r, Judgement: compare.Judge(r)}
	f := &d.Findings
	f.Blocks = len(r.Text.Blocks.Tokens)
	for _, m := range r.Models {
		if r.Plan.Parameters > 0 && m.Size.Total > 0 && m.Kind != compare.KindNGram && m.Kind != compare.KindMix {
			off := math.Abs(float64(m.Size.Total-r.Plan.Parameters)) / float64(r.Plan.Parameters)
			f.Closest = max(f.Closest, off)
		}
		if m.Kind == compare.KindNGram && len(m.Runs) > 0 && len(m.Runs[0].Curve) > 0 && f.NGram == nil {
			f.NGram = &NGramLoss{m.Name, m.Runs[0].Curve[0].Loss}
		}
	}
	for _, m := range r.Models {
		curve := meanCurve(m)
		if fell, ok := lateFall(curve, r.Plan); ok && fell > compare.Margin {
			f.Learning = append(f.Learning, Learning{m.Name, fell})
		}
		if f.NGram != nil && m.Kind != compare.KindNGram && len(curve) > 1 {
			f.Reached = append(f.Reached, reached(m.Name, curve, f.NGram.Loss))
		}
		if w, ok := within(m); ok {
			f.Context = append(f.Context, w)
		}
		if m.Gradients != nil && len(m.Gradients.Stages) > 0 {
			f.Reach = append(f.Reach, Reach{m.Name, reach(m.Gradients.Stages[len(m.Gradients.Stages)-1])})
		}
		if m.Cost != nil && (f.Fastest == nil || m.Cost.TrainTokens.Median > f.Fastest.Tokens) {
			f.Fastest = &Fastest{m.Name, m.Cost.TrainTokens.Median}
		}
	}
	f.Counts = shares(r, d.Judgement)
	f.Widest = widest(r)
	return d
}

// meanCurve averages the marks of the runs that finished.
func meanCurve(m compare.Model) []compare.Mark {
	var mean []compare.Mark
	n := 0.0
	for _, run := range m.Runs {
		if run.Diverged {
			continue
		}
		if mean == nil {
			mean = make([]compare.Mark, len(run.Curve))
		}
		mean = mean[:min(len(mean), len(run.Curve))]
		for i := range mean {
			mean[i].Tokens += run.Curve[i].Tokens
			mean[i].Loss += run.Curve[i].Loss
			mean[i].Seconds += run.Curve[i].Seconds
		}
		n++
	}
	for i := range mean {
		mean[i].Tokens /= int64(n)
		mean[i].Loss /= n
		mean[i].Seconds /= n
	}
	return mean
}

// lateFall is how far the loss fell in the last quarter of the constant phase.
func lateFall(curve []compare.Mark, p compare.Plan) (float64, bool) {
	if len(curve) < 4 {
		return 0, false
	}
	n := float64(curve[len(curve)-1].Tokens)
	end := (1 - p.Cooldown) * n
	start := end - (end-p.Warmup*n)/4
	first, last := -1, -1
	for i, mark := range curve {
		if at := float64(mark.Tokens); at <= end*(1+1e-9) {
			last = i
			if at <= start*(1+1e-9) {
				first = i
			}
		}
	}
	if first < 0 || first == last {
		return 0, false
	}
	return curve[first].Loss - curve[last].Loss, true
}

func reached(name string, curve []compare.Mark, loss float64) Reached {
	for _, mark := range curve {
		if mark.Loss <= loss {
			return Reached{name, mark.Tokens, mark.Seconds}
		}
	}
	return Reached{Model: name, Tokens: -1}
}

func within(m compare.Model) (Within, bool) {
	if m.Context == nil || len(m.Context.Loss) == 0 {
		return Within{}, false
	}
	c := m.Context
	own := c.Loss[len(c.Loss)-1]
	w := Within{Model: m.Name}
	for i := len(c.Loss) - 1; i >= 0 && c.Loss[i]-own <= compare.Margin; i-- {
		w.Length = c.Lengths[i]
	}
	if m.Reach > 0 && m.Kind != compare.KindTransformer {
		beyond := 0.0
		for i, length := range c.Lengths {
			if length >= m.Reach {
				beyond = max(beyond, math.Abs(c.Loss[i]-own))
			}
		}
		w.Beyond = &beyond
	}
	return w, true
}

func reach(s compare.GradientStage) int {
	for i, lag := range s.Lags {
		if s.Median[i] < 0.01 {
			return lag
		}
	}
	return -1
}

// shares exists only where the best is better than the next.
func shares(r compare.Result, j compare.Judgement) *Shares {
	if len(r.Counts) == 0 || len(j.Pairs) == 0 || j.Pairs[0].Verdict != compare.Better {
		return nil
	}
	a, b := r.Models[j.Rows[0].Model], r.Models[j.Rows[1].Model]
	if len(a.CountNats) != len(r.Counts) || len(b.CountNats) != len(r.Counts) {
		return nil
	}
	tokens := 0.0
	for _, c := range r.Counts {
		tokens += float64(c.Tokens)
	}
	s := &Shares{A: a.Name, B: b.Name}
	for i := range r.Counts {
		part := (a.CountNats[i] - b.CountNats[i]) / tokens
		s.Parts = append(s.Parts, part)
		s.Sum += part
	}
	return s
}

func widest(r compare.Result) *Widest {
	if r.Sentence == nil {
		return nil
	}
	var found *Widest
	for t := range r.Sentence.Tokens {
		w := Widest{Token: t, Low: math.Inf(1), High: math.Inf(-1)}
		for _, m := range r.Models {
			if t >= len(m.Surprisal) || math.IsNaN(float64(m.Surprisal[t])) {
				continue
			}
			if bits := float64(m.Surprisal[t]); bits < w.Low {
				w.Low, w.Best = bits, m.Name
			}
			if bits := float64(m.Surprisal[t]); bits > w.High {
				w.High, w.Worst = bits, m.Name
			}
		}
		if w.Low < w.High && (found == nil || w.High-w.Low > found.High-found.Low) {
			found = &w
		}
	}
	return found
}
