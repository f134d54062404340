package report

import "github.com/refrain-lm/refrain/compare"

// page is the report before it is written in any format.
type page struct {
	title    prose
	verdict  []prose
	about    prose // text, size and budget
	sections []section
}

type section struct {
	id, title string
	parts     []part
}

// part is one of these.
type part struct {
	text   prose
	figure *figure
	table  *table
	sample *sample
	grid   *grid
	pre    string
}

// sample is what a model wrote, text by text; the stretch that each copied is
// underlined.
type sample struct {
	model, kind string
	texts       []written
}

type written struct{ before, copied, rest string }

// builder makes the page of a document.
type builder struct {
	doc     Document
	timings bool
}

func (s *section) say(parts ...any)  { s.parts = append(s.parts, part{text: say(parts...)}) }
func (s *section) show(f *figure)    { s.parts = append(s.parts, part{figure: f}) }
func (s *section) tabulate(t *table) { s.parts = append(s.parts, part{table: t}) }

func (b *builder) page() page {
	p := page{title: say("Language models of ", corpus(b.doc.Result.Text.Name), " on equal terms"), verdict: b.verdict(), about: b.about()}
	p.sections = []section{
		b.loss(), b.equal(), b.tuning(), b.learning(), b.context(), b.wordsSection(),
		b.gradients(), b.cost(), b.writing(), b.sentence(), b.again(),
	}
	last := section{id: "data", title: "Data"}
	last.say("Each figure’s numbers, as drawn; the same stand in ", code("figures"), " as CSV.")
	for _, s := range p.sections {
		for _, part := range s.parts {
			if part.figure != nil {
				last.tabulate(part.figure.table)
			}
		}
	}
	if t := b.pairs(); t != nil {
		last.tabulate(t)
	}
	p.sections = append(p.sections, last)
	return p
}

// about says what text, size and budget the verdict speaks of.
func (b *builder) about() prose {
	t, plan := b.doc.Result.Text, b.doc.Result.Plan
	p := say(number("result.text.train.tokens", float64(t.Train.Tokens), count(t.Train.Tokens)), " ", b.unit(), "s of ", corpus(t.Name), " to learn from, ")
	if plan.Parameters > 0 {
		p = say(p, number("result.plan.parameters", float64(plan.Parameters), count(plan.Parameters)), " parameters a model, ")
	}
	if plan.Equal == "time" {
		return say(p, number("result.plan.seconds", plan.Seconds, seconds(plan.Seconds)), " of training a run, ", runs(len(plan.Seeds)), ".")
	}
	return say(p, number("result.plan.tokens", float64(plan.Tokens), count(plan.Tokens)), " tokens a run, ", runs(len(plan.Seeds)), ".")
}

func runs(n int) string {
	if n == 1 {
		return "one run each"
	}
	return count(int64(n)) + " runs each"
}

func (b *builder) model(row compare.Row) compare.Model { return b.doc.Result.Models[row.Model] }
