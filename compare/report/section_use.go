package report

import (
	"fmt"
	"math"
	"strings"

	"github.com/refrain-lm/refrain/compare"
)

// context is section 5: how much context each model uses.
func (b *builder) context() section {
	s := section{id: "context", title: "How much context does each use?"}
	f := &figure{
		id: "context", title: "Loss above each model’s own longest context, by context",
		table: &table{id: "context", caption: "Loss by length of context", columns: []column{
			{head: "model", key: "model", text: true}, {head: "context, tokens", key: "context"}, {head: "loss, " + b.nats(), key: "loss"}, {head: "above own longest", key: "above"},
		}},
	}
	p := panel{height: 280, x: axis{label: "context, tokens", scale: log2}, y: axis{label: "nats above own longest"}}
	entered := map[string]int{}
	for _, w := range b.doc.Findings.Context {
		entered[w.Model] = w.Length
	}
	longest := 1
	for _, m := range b.doc.Result.Models {
		if m.Context == nil || len(m.Context.Loss) == 0 {
			continue // a mixture has none of its own
		}
		line := series{kind: m.Kind}
		own := m.Context.Loss[len(m.Context.Loss)-1]
		for i, length := range m.Context.Lengths {
			above := m.Context.Loss[i] - own
			row := f.table.add(named(m.Name, m.Kind), whole(int64(length)), decimal(m.Context.Loss[i], 4), decimal(above, 4))
			at := point{row: row, x: float64(length), y: above}
			if length == entered[m.Name] {
				at.call = fmt.Sprintf("%s: %d", m.Name, length)
			}
			line.points = append(line.points, at)
			longest = max(longest, length)
		}
		p.series = append(p.series, line)
	}
	if len(p.series) == 0 {
		s.say("The use of context was not measured.")
		return s
	}
	p.y.fit(append(values(p.series, func(p point) []float64 { return []float64{p.y} }), 0), 0.05)
	p.x.min, p.x.max = 0.9, float64(longest)*1.1
	for at := 1; at <= longest; at *= 2 {
		p.x.ticks = append(p.x.ticks, tick{float64(at), count(int64(at))})
	}
	p.rules = []rule{{at: compare.Margin, kind: "muted", dash: "3 3", row: -1}}
	f.panels = []panel{p}
	f.says = b.contextSays()
	s.show(f)
	return s
}

// manyTargets is how many tokens tell a context within a hundredth of a nat: the
// losses of one token with and without what is far away differ by some 0.3 nats.
const manyTargets = 1000

func (b *builder) contextSays() prose {
	r := b.doc.Result
	p := say("The same ", number("result.context_targets", float64(r.ContextTargets), count(int64(r.ContextTargets))),
		" test tokens at every length, each from a fresh state. Within 0.01 nats of its own longest context (dashed) is ")
	var items []prose
	var checks []prose
	for i, w := range b.doc.Findings.Context {
		path := fmt.Sprintf("findings.context.%d.", i)
		items = append(items, say(w.Model, " from ", number(path+"length", float64(w.Length), count(int64(w.Length))), " on"))
		if w.Beyond != nil {
			checks = append(checks, say(w.Model, " changes by ", number(path+"beyond", *w.Beyond, fixed(*w.Beyond, 3)), " beyond what it can see"))
		}
	}
	p = say(p, list(items), ".")
	if r.ContextTargets < manyTargets {
		p = say(p, " On so few tokens these lengths are rough.")
	}
	if len(checks) > 0 {
		p = say(p, " As a check: ", list(checks), ".")
	}
	return p
}

// wordsSection is section 6: which words make the difference.
func (b *builder) wordsSection() section {
	s := section{id: "words", title: "Which words make the difference?"}
	r, f := b.doc.Result, b.doc.Findings.Counts
	if f == nil {
		if len(r.Counts) == 0 {
			s.say("Losses were not split by training count.")
		} else {
			s.say("This is shown only where the best model is better than the next; here it is not.")
		}
		return s
	}
	fig := &figure{
		id: "words", title: "Loss by training count of the word, and its part in the difference", columns: 2,
		table: &table{id: "words", caption: "Loss by training count", columns: []column{
			{head: "words seen in training", key: "count", text: true}, {head: "model", key: "model", text: true}, {head: "words", key: "words"},
			{head: "nats a word", key: "nats"}, {head: "part of Δ, " + b.nats(), key: "part"},
		}},
	}
	left := panel{weight: 1.2, height: 250, x: axis{label: "times seen in training, from", scale: names}, y: axis{label: "nats a word"}}
	right := panel{height: 250, x: axis{label: "times seen in training, from", scale: names}, y: axis{label: "part of Δ, nats a " + b.unit()}}
	for _, c := range r.Counts {
		left.x.names = append(left.x.names, rowName{name: from(c)})
	}
	right.x.names = left.x.names
	for _, m := range r.Models {
		if len(m.CountNats) != len(r.Counts) {
			continue
		}
		line := series{kind: m.Kind, label: m.Name}
		for i, c := range r.Counts {
			nats := m.CountNats[i] / float64(c.Words)
			if c.Words == 0 {
				nats = math.NaN()
			}
			row := fig.table.add(word(ranged(c)), named(m.Name, m.Kind), whole(c.Words), decimal(nats, 3), cell{})
			if c.Words > 0 {
				line.points = append(line.points, point{row: row, x: float64(i), y: nats})
			}
		}
		left.series = append(left.series, line)
	}
	bars := series{kind: b.kind(f.A), draw: drawBars}
	for i, part := range f.Parts {
		row := fig.table.add(word(ranged(r.Counts[i])), word(f.A+" − "+f.B), whole(r.Counts[i].Words), cell{}, decimal(part, 4))
		bars.points = append(bars.points, point{row: row, x: float64(i), y: part, call: fixed(part, 3)})
	}
	right.series = []series{bars}
	left.y.fit(append(values(left.series, func(p point) []float64 { return []float64{p.y} }), 0), 0.04)
	right.y.fit(append(values(right.series, func(p point) []float64 { return []float64{p.y} }), 0), 0.18)
	fig.panels = []panel{left, right}
	fig.says = say("Bars: ", f.A, " against ", f.B, "; tokens’ share times difference, they sum to Δ = ", number("findings.counts.sum", f.Sum, fixed(f.Sum, 3)), " nats a ", b.unit(), ".")
	if r.Text.Unit != "word" {
		fig.says = say(fig.says, " A word’s loss is the sum over its ", b.unit(), "s.")
	}
	s.show(fig)
	return s
}

// from writes where a range of counts begins, for an axis.
func from(c compare.Count) string { return strings.ReplaceAll(short(float64(c.From)), thin, "") }

// ranged writes a range of counts.
func ranged(c compare.Count) string {
	switch {
	case c.To < 0:
		return count(c.From) + "+"
	case c.From == c.To:
		return count(c.From)
	}
	return count(c.From) + "–" + count(c.To)
}
