package report

import (
	"fmt"

	"github.com/refrain-lm/refrain/compare"
)

// learning is section 4: validation loss over tokens and over seconds.
func (b *builder) learning() section {
	s := section{id: "learning", title: "How fast did each learn?"}
	f := &figure{
		id: "learning", title: "Validation loss over tokens and over training time", columns: 2,
		table: &table{id: "learning", caption: "Validation during training, means over the runs", columns: []column{
			{head: "model", key: "model", text: true}, {head: "tokens read", key: "tokens"}, {head: "training, s", key: "seconds"},
			{head: "validation loss, " + b.nats(), key: "loss"}, {head: "lowest run", key: "low"}, {head: "highest run", key: "high"},
		}},
	}
	byTokens := panel{height: 280, x: axis{label: "tokens read"}, y: axis{label: "validation loss, " + b.nats()}}
	byTime := panel{height: 280, x: axis{label: "training time, s", scale: log10}, y: axis{label: "the same over time"}}
	timed := false
	for _, m := range b.doc.Result.Models {
		curve := meanCurve(m)
		if len(curve) < 2 {
			continue
		}
		tokens, time, some := b.curves(f.table, m, curve)
		byTokens.series = append(byTokens.series, tokens...)
		byTime.series = append(byTime.series, time...)
		timed = timed || some
	}
	if len(byTokens.series) == 0 {
		s.say("No validations were recorded during training.")
		return s
	}
	all := values(byTokens.series, func(p point) []float64 { return []float64{p.y} })
	if n := b.doc.Findings.NGram; n != nil {
		all = append(all, n.Loss)
		at := f.table.add(named(n.Model, compare.KindNGram), word("–"), word("–"), decimal(n.Loss, 4), cell{}, cell{})
		line := rule{at: n.Loss, label: n.Model, kind: compare.KindNGram, dash: "6 4", row: at}
		byTokens.rules, byTime.rules = []rule{line}, []rule{line}
	}
	byTokens.y.fit(all, 0.04)
	byTime.y.fit(all, 0.04)
	byTokens.x.fit(append(values(byTokens.series, func(p point) []float64 { return []float64{p.x} }), 0), 0)
	if p := b.doc.Result.Plan; p.Cooldown > 0 && p.Tokens > 0 {
		byTokens.shades = []shade{{(1 - p.Cooldown) * float64(p.Tokens), float64(p.Tokens), "cooling"}}
	}
	f.panels = []panel{byTokens}
	if timed {
		byTime.x.fit(values(byTime.series, func(p point) []float64 { return []float64{p.x} }), 0.02)
		f.panels = append(f.panels, byTime)
	}
	f.says = b.learningSays()
	s.show(f)
	return s
}

// curves are one model's lines in both panels.
func (b *builder) curves(t *table, m compare.Model, curve []compare.Mark) (tokens, time []series, timed bool) {
	mean, meanTime := series{kind: m.Kind, label: m.Name}, series{kind: m.Kind, label: m.Name}
	for _, run := range m.Runs {
		thinLine, thinTime := series{kind: m.Kind, draw: drawThin}, series{kind: m.Kind, draw: drawThin}
		for _, mark := range run.Curve {
			thinLine.points = append(thinLine.points, point{row: -1, x: float64(mark.Tokens), y: mark.Loss})
			if mark.Seconds > 0 {
				thinTime.points = append(thinTime.points, point{row: -1, x: mark.Seconds, y: mark.Loss})
			}
		}
		tokens, time = append(tokens, thinLine), append(time, thinTime)
	}
	for i, mark := range curve {
		low, high := mark.Loss, mark.Loss
		for _, run := range m.Runs {
			if !run.Diverged && i < len(run.Curve) {
				low, high = min(low, run.Curve[i].Loss), max(high, run.Curve[i].Loss)
			}
		}
		took := word("–")
		if mark.Seconds > 0 {
			took = num(mark.Seconds, significant(mark.Seconds, 3))
		}
		row := t.add(named(m.Name, m.Kind), whole(mark.Tokens), took, decimal(mark.Loss, 4), decimal(low, 4), decimal(high, 4))
		mean.points = append(mean.points, point{row: row, x: float64(mark.Tokens), y: mark.Loss})
		if mark.Seconds > 0 {
			meanTime.points = append(meanTime.points, point{row: row, x: mark.Seconds, y: mark.Loss})
			timed = true
		}
	}
	return append(tokens, mean), append(time, meanTime), timed
}

func (b *builder) learningSays() prose {
	f := b.doc.Findings
	validated := b.doc.Result.Plan.Validated
	p := say("Each point is a validation on ", number("result.plan.validated", float64(validated), count(validated)),
		" tokens. Thick lines are means over the runs, thin ones single runs; nothing is smoothed. A point in the middle is not a finished run, since its rate has not cooled.")
	first := -1
	for i, r := range f.Reached {
		if r.Tokens >= 0 && (first < 0 || r.Tokens < f.Reached[first].Tokens) {
			first = i
		}
	}
	switch {
	case first >= 0:
		r, path := f.Reached[first], fmt.Sprintf("findings.reached.%d.", first)
		p = say(p, " ", r.Model, " is the first to reach the ", f.NGram.Model, ", after ", number(path+"tokens", float64(r.Tokens), count(r.Tokens)), " tokens")
		if r.Seconds > 0 {
			p = say(p, " and ", number(path+"seconds", r.Seconds, seconds(r.Seconds)), " of training")
		}
		p = say(p, ".")
	case f.NGram != nil && len(f.Reached) > 0:
		p = say(p, " None reaches the ", f.NGram.Model, ".")
	}
	var still []prose
	for i, l := range f.Learning {
		still = append(still, say(l.Model, " (by ", number(fmt.Sprintf("findings.learning.%d.fell", i), l.Fell, fixed(l.Fell, 3)), ")"))
	}
	if len(still) > 0 {
		p = say(p, " Still learning when the rate began to cool: ", list(still), "; with more tokens the order may change.")
	}
	return p
}
