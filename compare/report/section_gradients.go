package report

import (
	"fmt"
	"math"
	"slices"

	"github.com/refrain-lm/refrain/compare"
)

// gradients is section 7: how far gradients reach, and which gates are stuck.
func (b *builder) gradients() section {
	s := section{id: "gradients", title: "How far do gradients reach; are gates stuck?"}
	f := &figure{
		id: "gradients", title: "Gradient of the loss by an earlier state, relative to lag 0", columns: 3,
		table: &table{id: "gradients", caption: "Median norm of ∂L(t)/∂state(t−k), relative to lag 0", columns: []column{
			{head: "model", key: "model", text: true}, {head: "stage", key: "stage", text: true}, {head: "lag k", key: "lag"},
			{head: "median", key: "median"}, {head: "10 %", key: "low"}, {head: "90 %", key: "high"},
		}},
	}
	for _, m := range b.doc.Result.Models {
		if m.Gradients != nil && len(m.Gradients.Stages) > 0 {
			f.panels = append(f.panels, gradientPanel(f.table, m))
		}
	}
	if len(f.panels) == 0 {
		s.say("No gradients were measured; only recurrent models have them.")
		return s
	}
	if len(f.panels) == 2 || len(f.panels) == 4 {
		f.columns = 2
	}
	f.says = b.reachSays()
	s.show(f)
	if gates := b.gates(); gates != nil {
		s.show(gates)
	}
	return s
}

func gradientPanel(t *table, m compare.Model) panel {
	g := m.Gradients
	p := panel{title: m.Name + ", by " + g.State, height: 240, x: axis{label: "lag k, tokens"}, y: axis{label: "relative norm", hide: true, scale: log10, min: 1e-8, max: 10}}
	for e := -8; e <= 0; e += 2 {
		p.y.ticks = append(p.y.ticks, tick{math.Pow10(e), power(e)})
	}
	longest := 1
	for i, stage := range g.Stages {
		line := series{kind: m.Kind, label: stage.Name, dash: []string{"1.5 4", "7 4", ""}[min(i, 2)]}
		if i == len(g.Stages)-1 {
			line.dash, line.band = "", true
		}
		for _, k := range lagsShown(stage.Lags, 1.5) {
			median, low, high := float64(stage.Median[k]), float64(stage.Low[k]), float64(stage.High[k])
			longest = max(longest, stage.Lags[k])
			if math.IsNaN(median) || median < p.y.min {
				continue
			}
			row := t.add(named(m.Name, m.Kind), word(stage.Name), whole(int64(stage.Lags[k])), num(median, relative(median)), num(low, relative(low)), num(high, relative(high)))
			line.points = append(line.points, point{row: row, x: float64(stage.Lags[k]), y: median, low: max(low, p.y.min), high: max(high, p.y.min)})
		}
		p.series = append(p.series, line)
	}
	p.x.fit([]float64{0, float64(longest)}, 0)
	p.rules = []rule{{at: float64(g.Window), upright: true, kind: "muted", dash: "3 3", label: "T", row: -1}}
	return p
}

// lagsShown thins lags out with growing distance, each so many times that before
// it, and the last.
func lagsShown(lags []int, times float64) []int {
	var shown []int
	next := 0
	for i, lag := range lags {
		if lag >= next || i == len(lags)-1 {
			shown = append(shown, i)
			next = max(lag+1, int(math.Ceil(float64(lag)*times)))
		}
	}
	return shown
}

func relative(v float64) string {
	if v != 0 && v < 0.01 {
		return exponent(v)
	}
	return significant(v, 2)
}

func (b *builder) reachSays() prose {
	p := say("Norms of the gradient of the loss at t by the state k tokens before, medians relative to lag 0; dotted at the start of training, dashed at half, solid at the end with its 10–90", thin, "% band; upright, the window T of training; what is below 10⁻⁸ is not drawn. ")
	var items []prose
	for i, r := range b.doc.Findings.Reach {
		if r.Lag < 0 {
			items = append(items, say(r.Model, " at none of the lags measured"))
			continue
		}
		items = append(items, say(r.Model, " at lag ", number(fmt.Sprintf("findings.reach.%d.lag", i), float64(r.Lag), count(int64(r.Lag)))))
	}
	p = say(p, "After training the median is below 1", thin, "% first for ", list(items), ". That a gradient reaches far does not say that the model uses what was there.")
	for _, m := range b.doc.Result.Models {
		if m.Gradients != nil && m.Gradients.State == "(h, c)" {
			return say(p, " The LSTM’s state is (h, c): h alone would understate it.")
		}
	}
	return p
}

// bubble is the step of the grid that units are gathered on.
const bubble = 0.1

// gates is the second figure: a triangle for each gate, units gathered into
// circles whose area is their number, so that 512 units stay legible and each
// circle has its row.
func (b *builder) gates() *figure {
	f := &figure{
		id: "gates", title: "How often the units of each gate are stuck", columns: 4,
		table: &table{id: "gates", caption: "Units by the share of time that they are open and shut", columns: []column{
			{head: "model", key: "model", text: true}, {head: "gate", key: "gate", text: true}, {head: "> 0.9, share of time", key: "over"},
			{head: "< 0.1, share of time", key: "under"}, {head: "units", key: "units"},
		}},
	}
	for _, m := range b.doc.Result.Models {
		for _, g := range m.Gates {
			f.panels = append(f.panels, gatePanel(f.table, m, g))
		}
	}
	if len(f.panels) == 0 {
		return nil
	}
	f.says = say("Right: open (above 0.9) all the time. Up: shut (below 0.1) all the time. At the origin: neither. Units within 0.1 of each other are one circle, its area their number. Of a plain recurrent state, |h| takes the gate’s place.")
	return f
}

func gatePanel(t *table, m compare.Model, g compare.Gate) panel {
	name := g.Name + " gate"
	if g.Name == "state" {
		name = "|h|"
	}
	if g.Layer > 1 {
		name = fmt.Sprintf("%s, layer %d", name, g.Layer)
	}
	ends := []tick{{0, "0"}, {0.5, "0.5"}, {1, "1"}}
	p := panel{title: m.Name, sub: name, height: 150, triangle: true,
		x: axis{label: "open", min: -0.06, max: 1.06, ticks: ends}, y: axis{label: "shut", hide: true, min: -0.06, max: 1.06, ticks: ends}}
	type spot struct{ x, y int }
	units := map[spot]int{}
	for i, over := range g.Over {
		at := spot{x: int(math.Round(over / bubble))}
		if len(g.Under) > 0 {
			at.y = int(math.Round(g.Under[i] / bubble))
		}
		units[at]++
	}
	spots := make([]spot, 0, len(units))
	for at := range units {
		spots = append(spots, at)
	}
	slices.SortFunc(spots, func(p, q spot) int {
		if units[p] != units[q] {
			return units[q] - units[p] // large ones below
		}
		if p.x != q.x {
			return p.x - q.x
		}
		return p.y - q.y
	})
	dots := series{kind: m.Kind, draw: drawBubbles}
	for _, at := range spots {
		over, under, n := float64(at.x)*bubble, float64(at.y)*bubble, units[at]
		row := t.add(named(m.Name, m.Kind), word(fmt.Sprintf("%s %d", g.Name, g.Layer)), decimal(over, 1), decimal(under, 1), whole(int64(n)))
		dots.points = append(dots.points, point{row: row, x: over, y: under, size: 1.5 + 14*math.Sqrt(float64(n)/float64(len(g.Over)))})
	}
	p.series = []series{dots}
	return p
}
