package report

import (
	"fmt"
	"math"
	"strings"

	"github.com/refrain-lm/refrain/compare"
)

// equal is section 2: what all models had in common, and what they had not.
func (b *builder) equal() section {
	s := section{id: "equal", title: "What was equal?"}
	r, p := b.doc.Result, b.doc.Result.Plan
	size := say("the same number of parameters (the furthest is ", number("findings.closest", b.doc.Findings.Closest, percent(b.doc.Findings.Closest)), " off)")
	if p.Parameters == 0 {
		size = say("the same width")
	}
	budget := say(number("result.plan.tokens", float64(p.Tokens), count(p.Tokens)), " tokens in the same windows and order")
	if p.Equal == "time" {
		budget = say("training steps for ", number("result.plan.seconds", p.Seconds, seconds(p.Seconds)), " a run, one run at a time")
	}
	s.say("All trained models had ", size, ", the same vocabulary of ", number("result.text.vocab", float64(r.Text.Vocab), count(int64(r.Text.Vocab))),
		" ", b.unit(), "s, ", budget, ", ", number("result.plan.batch", float64(p.Batch), count(int64(p.Batch))), " lanes of ",
		number("result.plan.window", float64(p.Window), count(int64(p.Window))), " tokens, ", optimizerName(p.Optimizer),
		", the same clipping (", clip(p), "), dropout (", trim(fixed(p.Dropout, 2)), "), schedule and search. Each final model met the test text once.")
	s.tabulate(b.terms())
	s.say(b.unequal())
	for i := range r.Notes {
		s.say(visible(r.Notes[i]))
	}
	return s
}

func clip(p compare.Plan) string {
	if p.Clip == 0 {
		return "none"
	}
	return "norm " + trim(fixed(p.Clip, 3))
}

// optimizerName writes a setting's value as papers do.
func optimizerName(name string) string {
	switch name {
	case "adam":
		return "Adam"
	case "adamw":
		return "AdamW"
	case "sgd", "asgd":
		return strings.ToUpper(name)
	}
	return name
}

func percent(share float64) string {
	return fixed(100*share, 2) + thin + "%"
}

func (b *builder) terms() *table {
	t := &table{id: "terms", caption: "Sizes and terms", columns: []column{
		{head: "model", key: "model", text: true}, {head: "units", key: "units"}, {head: "parameters", key: "parameters"}, {head: "cell alone", key: "cell"},
		{head: "embedding", key: "embedding"}, {head: "head", key: "head"}, {head: "multiply-adds a token", key: "multiply_adds"},
		{head: "tokens read a run", key: "tokens"}, {head: "sees when scoring", key: "scores", text: true},
	}}
	for _, m := range b.doc.Result.Models {
		optional := func(n int64) cell {
			if n == 0 {
				return word("–")
			}
			return whole(n)
		}
		tokens := int64(0)
		for _, run := range m.Runs {
			tokens = max(tokens, run.Tokens)
		}
		t.add(named(m.Name, m.Kind), optional(int64(m.Size.Hidden)), optional(m.Size.Total), optional(m.Size.Cell), optional(m.Size.Embedding),
			optional(m.Size.Head), optional(m.Size.MultiplyAdds), optional(tokens), word(m.Scores))
	}
	return t
}

// unequal says what differs.
func (b *builder) unequal() prose {
	low, high := math.Inf(1), math.Inf(-1)
	var lowest, highest, exempt string
	for _, m := range b.doc.Result.Models {
		if m.Kind == compare.KindNGram {
			exempt = m.Name
			continue
		}
		if v := float64(m.Size.MultiplyAdds); v > 0 && v < low {
			low, lowest = v, m.Name
		}
		if v := float64(m.Size.MultiplyAdds); v > high {
			high, highest = v, m.Name
		}
	}
	var said []string
	if high > 1.05*low {
		said = append(said, fmt.Sprintf("the work a token (%s does %s times the multiply-adds of %s)", highest, significant(high/low, 3), lowest))
	}
	said = append(said, "what each sees when scoring", "how it is initialised")
	if exempt != "" {
		said = append(said, "the "+exempt+"’s size, which is as many counts as the text gives", noise(b.doc.Result.Text.Tokenizer))
	}
	return say("Not equal: " + strings.Join(said, "; ") + ". Equal parameters do not cost equally either; see 8.")
}

// noise names what networks read beside the text, so that they learn of tokens that
// it does not have; counts know of these without it.
func noise(tokenizer string) string {
	if tokenizer == "word" {
		return "the networks’ text, in which one word in 2,048 stands as unknown if no other does"
	}
	return "the networks’ text, in which after one character in 8,192 stands one that it does not have"
}

// tuning is section 3: a panel for each search of a learning rate.
func (b *builder) tuning() section {
	s := section{id: "tuning", title: "Was each tuned alike?"}
	f := &figure{
		id: "tuning", title: "Validation loss at each learning rate tried", columns: 4,
		table: &table{id: "tuning", caption: "Trials on the validation text", columns: []column{
			{head: "model", key: "model", text: true}, {head: "setting", key: "setting", text: true}, {head: "value", key: "value"},
			{head: "validation loss, " + b.nats(), key: "loss"}, {head: "", key: "chosen", text: true},
		}},
	}
	var others []string
	for _, m := range b.doc.Result.Models {
		switch {
		case m.Search == nil:
		case m.Search.Setting == "learning rate":
			f.panels = append(f.panels, b.trials(f.table, m))
		default:
			others = append(others, fmt.Sprintf("for %s the %s, %s", m.Name, m.Search.Setting, trim(fixed(m.Search.Chosen, 3))))
		}
	}
	if len(f.panels) == 0 {
		s.say("No learning rate was searched for.")
	} else {
		shareY(f.panels)
		f.columns = min(4, len(f.panels))
		if len(f.panels) == 5 || len(f.panels) == 6 {
			f.columns = 3
		}
		f.says = b.tuningSays()
		s.show(f)
	}
	if len(others) > 0 {
		s.say("Also chosen on the validation text alone: " + strings.Join(others, "; ") + ".")
	}
	return s
}

func (b *builder) trials(t *table, m compare.Model) panel {
	p := panel{title: m.Name, height: 170, x: axis{label: "learning rate", scale: log10}, y: axis{label: "validation, nats", hide: true}}
	line := series{kind: m.Kind}
	var rates []float64
	for _, trial := range m.Search.Trials {
		chosen := trial.Value == m.Search.Chosen
		note := ""
		switch {
		case trial.Diverged:
			note = "diverged"
		case chosen:
			note = "chosen"
		}
		row := t.add(named(m.Name, m.Kind), word(m.Search.Setting), num(trial.Value, rate(trial.Value)), decimal(float64(trial.Loss), 4), word(note))
		line.points = append(line.points, point{row: row, x: trial.Value, y: float64(trial.Loss), ring: chosen, cross: trial.Diverged})
		rates = append(rates, trial.Value)
		p.x.ticks = append(p.x.ticks, tick{trial.Value, shortRate(trial.Value)})
	}
	ticks := p.x.ticks
	p.x.fit(rates, 0.07)
	p.x.ticks = ticks
	p.series = []series{line}
	return p
}

// shareY gives all panels the same y axis.
func shareY(panels []panel) {
	var all []float64
	for _, p := range panels {
		all = append(all, values(p.series, func(p point) []float64 { return []float64{p.y} })...)
	}
	for i := range panels {
		panels[i].y.fit(all, 0.12)
	}
}

func (b *builder) tuningSays() prose {
	var chosen []prose
	var edges, widened []string
	for i, m := range b.doc.Result.Models {
		if m.Search == nil || m.Search.Setting != "learning rate" {
			continue
		}
		if m.Search.Chosen == 0 {
			chosen = append(chosen, say(m.Name, " none, since all diverged"))
			continue
		}
		chosen = append(chosen, say(m.Name, " ", number(fmt.Sprintf("result.models.%d.search.chosen", i), m.Search.Chosen, rate(m.Search.Chosen))))
		if m.Search.AtEdge {
			edges = append(edges, m.Name)
		} else if m.Search.Widened > 0 {
			widened = append(widened, m.Name)
		}
	}
	p := say("The same search for each, on shorter runs with a seed of their own; × diverged. Ringed and chosen is the smallest within ",
		number("result.plan.gentle", b.doc.Result.Plan.Gentle, fixed(b.doc.Result.Plan.Gentle, 2)), " nats of the lowest, since longer runs want smaller rates: ", list(chosen), ".")
	if len(widened) > 0 {
		p = say(p, " The best was first at an edge, and more values were tried, for "+strings.Join(widened, ", ")+".")
	}
	if len(edges) > 0 {
		p = say(p, " Still at an edge, so perhaps not the best there is: "+strings.Join(edges, ", ")+".")
	}
	return p
}
