package report

import (
	"fmt"
	"math"
	"slices"

	"github.com/refrain-lm/refrain/compare"
	"github.com/refrain-lm/refrain/compare/lab"
)

// reach is the section of the bare cells.
func (b *labBuilder) reach() section {
	s := section{id: "reach", title: "How far does the gradient reach back?"}
	var shown []string
	for _, cell := range b.cells() {
		if b.find(cell) >= 0 {
			shown = append(shown, cell)
		}
	}
	if len(shown) == 0 {
		return s
	}
	f := &figure{id: "reach", title: "Gradient of the loss by an earlier state, relative to lag 0", columns: min(3, len(shown)), table: reachTable("reach")}
	for _, variant := range shown {
		p := b.reachPanel(f.table, variant, 1.5, "start", "half", "end")
		p.title, p.height = title(variant), 240
		f.panels = append(f.panels, p)
	}
	f.says = say("Norm of ∂L", sub("t"), "/∂state", sub("t−k"), " over that at lag 0, medians over targets t; dotted at the start of training, dashed at half, solid at the end with its 10–90", thin,
		"% band; upright, the window T of training. The state of an LSTM is (h, c). The loss is that of one token alone and the backward pass exact, through twice the window.")
	s.show(f)
	s.say("Each step back multiplies the gradient by one more Jacobian: where their norms stay below 1 it vanishes, where they stay above it explodes (Hochreiter 1991; Bengio et al. 1994; Pascanu et al. 2013). " +
		"An LSTM adds to its cell instead, and what its forget gate keeps is what arrives. What training then does with the gates depends on what pays: on text, most of what can be learnt first is near. That a gradient reaches far does not say that the model uses what was there.")
	return s
}

// sub is an index, which plain text has no place for.
func sub(text string) string { return "(" + text + ")" }

func reachTable(id string) *table {
	return &table{id: id, caption: "Median norm of ∂L(t)/∂state(t−k), relative to lag 0, in the top layer", columns: []column{
		{head: "variant", key: "variant", text: true}, {head: "stage", key: "stage", text: true}, {head: "lag k", key: "lag"},
		{head: "median", key: "median"}, {head: "10" + thin + "%", key: "low"}, {head: "90" + thin + "%", key: "high"},
	}}
}

const (
	lowestShown  = 1e-8
	highestShown = 1e4
)

// reachPanel draws some stages of a variant, at lags that grow so many times from
// mark to mark.
func (b *labBuilder) reachPanel(t *table, variant string, times float64, stages ...string) panel {
	kind := cellOf(variant)
	p := panel{x: axis{label: "lag k"}, y: axis{scale: log10, min: lowestShown, max: 10}}
	longest, highest := 1.0, 1.0
	for i, stage := range b.r.Runs[b.find(variant)].Stages {
		if !slices.Contains(stages, stage.Name) {
			continue
		}
		l, _ := b.top(b.find(variant), i)
		line := series{kind: kind, label: stage.Name, dash: map[string]string{"start": "1.5 4", "half": "7 4"}[stage.Name], band: stage.Name == "end"}
		for _, k := range lagsShown(l.Lags, times) {
			median, low, high := float64(l.Mid[k]), float64(l.Low[k]), float64(l.High[k])
			longest = max(longest, float64(l.Lags[k]))
			if math.IsNaN(median) || median < lowestShown {
				continue
			}
			highest = max(highest, median)
			row := t.add(named(title(variant), kind), word(stage.Name), whole(int64(l.Lags[k])), num(median, large(median)), num(low, large(low)), num(high, large(high)))
			line.points = append(line.points, point{row: row, x: float64(l.Lags[k]), y: median, low: max(low, lowestShown/100), high: high})
		}
		p.series = append(p.series, line)
	}
	if highest > 10 {
		p.y.max = highestShown
	}
	for e := -8; e <= int(math.Log10(p.y.max)); e += 4 {
		p.y.ticks = append(p.y.ticks, tick{math.Pow10(e), power(e)})
	}
	p.x.fit([]float64{0, longest}, 0)
	p.rules = []rule{{at: float64(b.r.Settings.Window), upright: true, kind: "muted", dash: "3 3", label: "T", row: -1}}
	return p
}

// cures is the section of cells with cures, a figure for each cell, and the table
// of all.
func (b *labBuilder) cures() section {
	s := section{id: "cures", title: "What does each cure change?"}
	for _, cell := range b.cells() {
		f := &figure{id: "cures-" + cell, title: "Reach of the gradient, " + displayCell(cell) + " with each cure", columns: 3, table: reachTable("cures-" + cell)}
		for _, r := range b.r.Runs {
			if cellOf(r.Variant) == cell && !bare(r.Variant) && len(r.Stages) > 0 {
				p := b.reachPanel(f.table, r.Variant, 3, "start", "end")
				p.title, p.height = cureOf(r.Variant), 120
				f.panels = append(f.panels, p)
			}
		}
		if len(f.panels) > 0 {
			f.says = say("As above, ", displayCell(cell), ": dotted at the start, solid at the end. Curves above 10 go to 10⁴ at most. The plateau of batch is no memory: in training each output moves the statistics that normalise all others of the batch.")
			s.show(f)
		}
	}
	if len(b.r.Runs) > 0 {
		s.tabulate(b.curesTable())
	}
	return s
}

func (b *labBuilder) curesTable() *table {
	t := &table{id: "variants", caption: fmt.Sprintf("Every variant on %s, %s steps", visible(b.r.Text.Name), count(b.r.Settings.Steps)), columns: []column{
		{head: "variant", key: "variant", text: true}, {head: "parameters", key: "parameters"}, {head: "loss, nats a " + b.unit(), key: "loss"},
		{head: "below 1" + thin + "% from lag, start", key: "start"}, {head: "half", key: "half"}, {head: "end", key: "end"},
		{head: "largest norm of a step’s gradient", key: "largest"}, {head: "steps clipped", key: "clipped"},
	}}
	for i, r := range b.r.Runs {
		cells := []cell{named(title(r.Variant), cellOf(r.Variant)), whole(r.Params)}
		if r.Diverged {
			cells = append(cells, word("diverged"))
		} else if n := len(r.Stages); n > 0 {
			cells = append(cells, decimal(float64(r.Stages[n-1].Loss), 3))
		}
		for stage := range 3 {
			if stage >= len(r.Stages) {
				cells = append(cells, word("–"))
				continue
			}
			cells = append(cells, belowCell(b.r.Runs[i].Stages[stage]))
		}
		largest := 0.0
		for _, n := range r.Norms {
			largest = max(largest, float64(n))
		}
		clipped := word("–")
		if r.Scales != nil || r.Values != nil {
			clipped = num(r.Clipped, fixed(100*r.Clipped, 0)+thin+"%")
		}
		t.add(append(cells, num(largest, large(largest)), clipped)...)
	}
	return t
}

func belowCell(stage lab.Stage) cell {
	l := stage.Layers[len(stage.Layers)-1]
	if l.Below < 0 {
		last := l.Lags[len(l.Lags)-1]
		return cell{text: "> " + count(int64(last)), value: float64(last + 1), numeric: true}
	}
	return whole(int64(l.Below))
}

// depth is the section of stacks: what arrives in each layer.
func (b *labBuilder) depth() section {
	s := section{id: "depth", title: "Do gradients reach the lower layers?"}
	f := &figure{id: "depth", title: "Gradient in each layer at lag 0", columns: 3, table: &table{id: "depth", caption: "Median norm of ∂L(t)/∂state(t) in each layer, top first",
		columns: []column{{head: "variant", key: "variant", text: true}, {head: "stage", key: "stage", text: true}, {head: "layer", key: "layer"}, {head: "norm", key: "norm"},
			{head: "below 1" + thin + "% from lag", key: "below"}}}}
	for _, r := range b.r.Runs {
		if len(r.Stages) == 0 || len(r.Stages[0].Layers) < 2 {
			continue
		}
		p := panel{title: title(r.Variant), height: 150, x: axis{label: "layer from the bottom"}, y: axis{label: "norm at lag 0", scale: log10}}
		for _, stage := range r.Stages {
			if stage.Name == "half" {
				continue
			}
			line := series{kind: cellOf(r.Variant), label: stage.Name, dash: map[string]string{"start": "1.5 4"}[stage.Name]}
			for i, l := range stage.Layers {
				only := stage
				only.Layers = stage.Layers[i : i+1]
				row := f.table.add(named(title(r.Variant), cellOf(r.Variant)), word(stage.Name), whole(int64(i+1)), num(float64(l.Norm), large(float64(l.Norm))), belowCell(only))
				if l.Norm > 0 && !math.IsInf(float64(l.Norm), 0) {
					line.points = append(line.points, point{row: row, x: float64(i + 1), y: float64(l.Norm)})
				}
			}
			p.series = append(p.series, line)
		}
		p.x.min, p.x.max = 0.7, float64(len(r.Stages[0].Layers))+0.3
		for i := range r.Stages[0].Layers {
			p.x.ticks = append(p.x.ticks, tick{float64(i + 1), count(int64(i + 1))})
		}
		f.panels = append(f.panels, p)
	}
	if len(f.panels) == 0 {
		return s
	}
	f.columns = min(3, max(2, len(f.panels)/2))
	shareY(f.panels)
	f.says = say("Median norm of the gradient that arrives in each layer’s state at once (lag 0), dotted at the start of training, solid at the end.")
	s.show(f)
	return s
}

// gates is the section of stuck gates: of the bare cells, at the start and the end.
func (b *labBuilder) gates() section {
	s := section{id: "gates", title: "Are gates stuck?"}
	f := &figure{id: "gates", title: "How often the units of each gate are stuck", columns: 4, table: &table{id: "gates", caption: "Units by the share of time that they are open and shut, after training",
		columns: []column{{head: "variant", key: "variant", text: true}, {head: "gate, layer", key: "gate", text: true}, {head: "> 0.9, share of time", key: "over"},
			{head: "< 0.1, share of time", key: "under"}, {head: "units", key: "units"}}}}
	for _, r := range b.r.Runs {
		if !bare(r.Variant) || len(r.Stages) == 0 {
			continue
		}
		for _, l := range r.Stages[len(r.Stages)-1].Layers {
			for _, g := range l.Gates {
				f.panels = append(f.panels, gatePanel(f.table, compare.Model{Name: title(r.Variant), Kind: cellOf(r.Variant)}, statesAsGates(g)))
			}
		}
	}
	if len(f.panels) == 0 {
		return s
	}
	f.says = say("Right: open (above 0.9) all the time. Up: shut (below 0.1) all the time. At the origin: neither. Units within 0.1 of each other are one circle, its area their number. For a plain recurrent state, right is |h| above 0.9, up |h| below 0.1 (Karpathy et al. 2015).")
	s.show(f)
	return s
}

// statesAsGates gives the state of a cell without gates a triangle of its own.
func statesAsGates(g compare.Gate) compare.Gate {
	if g.Name == "state" {
		g.Under = nil
	}
	return g
}
