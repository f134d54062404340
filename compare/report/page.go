package report

import "github.com/refrain-lm/refrain/compare"

// page is the report before it is written in any format.
type page struct {
	title    string
	verdict  []prose
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
	p := page{title: "Language models of " + visible(b.doc.Result.Text.Name) + " on equal terms", verdict: b.verdict()}
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

func (b *builder) model(row compare.Row) compare.Model { return b.doc.Result.Models[row.Model] }
