package report

import (
	"fmt"

	"github.com/refrain-lm/refrain/compare"
)

// cost is section 8.
func (b *builder) cost() section {
	s := section{id: "cost", title: "What does each cost?"}
	f := &figure{
		id: "cost", title: "Speed and size of each model", columns: 2,
		table: &table{id: "cost", caption: "Costs, medians and ranges", columns: []column{
			{head: "model", key: "model", text: true}, {head: "measure", key: "measure", text: true}, {head: "median", key: "median"},
			{head: "lowest", key: "low"}, {head: "highest", key: "high"}, {head: "measurements", key: "n"},
		}},
	}
	measures := []struct {
		name string
		of   func(compare.Model) (compare.Spread, bool)
	}{
		{"training, tokens a second", func(m compare.Model) (compare.Spread, bool) {
			if m.Cost == nil {
				return compare.Spread{}, false
			}
			return m.Cost.TrainTokens, true
		}},
		{"writing, µs a token", func(m compare.Model) (compare.Spread, bool) {
			if m.Cost == nil {
				return compare.Spread{}, false
			}
			ms := m.Cost.StepMillis
			return compare.Spread{Median: 1e3 * ms.Median, Low: 1e3 * ms.Low, High: 1e3 * ms.High, N: ms.N}, true
		}},
		{"peak memory of the program while training, MB", func(m compare.Model) (compare.Spread, bool) {
			if m.Cost == nil {
				return compare.Spread{}, false
			}
			v := float64(m.Cost.PeakBytes) / 1e6
			return compare.Spread{Median: v, Low: v, High: v, N: 1}, v > 0
		}},
		{"weights on disk, MB", func(m compare.Model) (compare.Spread, bool) {
			v := float64(m.FileBytes) / 1e6
			return compare.Spread{Median: v, Low: v, High: v, N: 1}, v > 0
		}},
	}
	for _, measure := range measures {
		if p := b.costPanel(f.table, measure.name, measure.of); len(p.series) > 0 {
			f.panels = append(f.panels, p)
		}
	}
	if len(f.panels) == 0 {
		s.say("Costs were not measured.")
		return s
	}
	f.says = b.costSays()
	s.show(f)
	return s
}

func (b *builder) costPanel(t *table, name string, of func(compare.Model) (compare.Spread, bool)) panel {
	p := panel{title: name, x: axis{scale: log10}, y: axis{scale: names}}
	var all []float64
	for _, m := range b.doc.Result.Models {
		spread, ok := of(m)
		if !ok || spread.Median <= 0 {
			continue
		}
		reading := func(v float64) cell { return num(v, significant(v, 3)) }
		row := t.add(named(m.Name, m.Kind), word(name), reading(spread.Median), reading(spread.Low), reading(spread.High), whole(int64(spread.N)))
		p.series = append(p.series, series{kind: m.Kind, draw: drawDots, points: []point{{
			row: row, x: spread.Median, y: float64(len(p.y.names)), low: spread.Low, high: spread.High, call: significant(spread.Median, 3)}}})
		p.y.names = append(p.y.names, rowName{m.Name, m.Kind})
		all = append(all, spread.Low, spread.High, spread.Median)
	}
	p.x.fit(all, 0.06)
	return p
}

func (b *builder) costSays() prose {
	p := say("Medians, with the range as a line. ")
	if !b.timings {
		return say("Timings were left out of this report; without them two reports of the same plan and seeds are the same.")
	}
	if f := b.doc.Findings.Fastest; f != nil {
		p = say(p, f.Model, " trains fastest, on ", number("findings.fastest.tokens", f.Tokens, significant(f.Tokens, 3)), " tokens a second. ")
	}
	if m := b.doc.Result.Machine; m != nil {
		p = say(p, "Measured on ", m.CPU, fmt.Sprintf(" (%s, %s, %d threads), one run at a time.", m.System, m.Kernels, m.Threads))
	}
	return p
}
