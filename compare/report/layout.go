package report

import (
	"cmp"
	"math"
	"slices"
)

// The two widths of every figure. The wide one shrinks to 720 with its labels
// still above 12 pixels; the narrow one is for phones.
const (
	wide   = 880.0
	narrow = 340.0
)

// layout draws the figure at a width: panels side by side where there is room.
func (f *figure) layout(width float64) *drawing {
	d := &drawing{width: width}
	columns := max(1, f.columns)
	if width == narrow {
		columns = 1
	}
	const gutter = 28.0
	y := 0.0
	for from := 0; from < len(f.panels); from += columns {
		row := f.panels[from:min(from+columns, len(f.panels))]
		total := 0.0
		for i := range columns { // a last row that is not full keeps the columns
			total += f.panels[min(from-from%columns+i, len(f.panels)-1)].share()
		}
		if len(row) == columns {
			total = 0
			for _, p := range row {
				total += p.share()
			}
		}
		x, bottom := 0.0, y
		for i, p := range row {
			w := (width - gutter*float64(columns-1)) * p.share() / total
			if i == 0 || columns == 1 {
				p.y.hide = false
			}
			bottom = max(bottom, d.panel(&p, x, y, w))
			x += w + gutter
		}
		y = bottom + 18
	}
	d.height = math.Ceil(y - 12)
	return d
}

func (p *panel) share() float64 {
	if p.weight == 0 {
		return 1
	}
	return p.weight
}

// plot is the area between the axes, and where values are in it.
type plot struct {
	box
	p *panel
}

func (a *plot) x(v float64) float64 {
	s := a.p.x.scale
	return a.x0 + (a.x1-a.x0)*(s.of(v)-s.of(a.p.x.min))/(s.of(a.p.x.max)-s.of(a.p.x.min))
}

// y grows upwards, but named rows go down.
func (a *plot) y(v float64) float64 {
	s := a.p.y.scale
	share := (s.of(v) - s.of(a.p.y.min)) / (s.of(a.p.y.max) - s.of(a.p.y.min))
	if s == names {
		return a.y0 + (a.y1-a.y0)*share
	}
	return a.y1 - (a.y1-a.y0)*share
}

func (a *plot) clampY(v float64) float64 { return max(a.y0, min(a.y1, a.y(v))) }

// panel draws one panel at x, y with width w, and returns its lower end.
func (d *drawing) panel(p *panel, x, y, w float64) float64 {
	height := p.height
	switch {
	case p.y.scale == names:
		p.y.min, p.y.max = -0.5, float64(len(p.y.names))-0.5
		height = 34 * float64(len(p.y.names))
	case height == 0:
		height = 230
	}
	if p.x.scale == names {
		p.x.min, p.x.max = -0.5, float64(len(p.x.names))-0.5
	}
	top := y + 4
	if p.title != "" {
		d.label("ink", p.title, "start", x, top+14).bold = true
		top += 24
	}
	if p.y.label != "" {
		d.label("muted", p.y.label, "start", x, top+14)
		top += 26
	}
	if len(p.x.second) > 0 {
		d.label("muted", p.x.other, "start", x, top+14)
		top += 44
	}
	left, right := p.leftMargin(), p.rightMargin()
	a := &plot{box{x + left, top, x + w - right, top + height}, p}
	d.axes(a)
	for _, r := range p.rules {
		d.rule(a, r)
	}
	for i := range p.series {
		d.series(a, &p.series[i])
	}
	d.endLabels(a)
	d.calls(a)
	bottom := a.y1 + 26
	if p.x.label != "" {
		d.label("muted", p.x.label, "start", min(a.x0, x+w-textWidth(p.x.label, labelSize)), bottom+14)
		bottom += 22
	}
	return bottom
}

func (p *panel) leftMargin() float64 {
	if p.y.hide {
		return 8
	}
	w := 0.0
	for _, t := range p.y.ticks {
		w = max(w, textWidth(t.text, labelSize))
	}
	for _, n := range p.y.names {
		w = max(w, textWidth(n.name, labelSize))
	}
	return math.Ceil(w) + 10
}

func (p *panel) rightMargin() float64 {
	w := 8.0
	for _, s := range p.series {
		if s.label != "" {
			w = max(w, textWidth(s.label, labelSize)+14)
		}
		if s.draw == drawDots {
			for _, pt := range s.points {
				w = max(w, textWidth(pt.call, labelSize)+16)
			}
		}
	}
	for _, r := range p.rules {
		if !r.upright && r.label != "" {
			w = max(w, textWidth(r.label, labelSize)+14)
		}
	}
	return math.Ceil(w)
}

// axes draws shades, lines and ticks.
func (d *drawing) axes(a *plot) {
	p := a.p
	for _, s := range p.shades {
		x0, x1 := max(a.x0, a.x(s.from)), min(a.x1, a.x(s.to))
		d.area("axis", xy{x0, a.y0}, xy{x1, a.y0}, xy{x1, a.y1}, xy{x0, a.y1}).faint = true
		if s.label != "" && x1-x0 > textWidth(s.label, labelSize) {
			d.label("muted", s.label, "middle", (x0+x1)/2, a.y0+16)
		}
	}
	for _, t := range p.y.ticks {
		y := a.y(t.at)
		d.line("axis", 1, xy{a.x0, y}, xy{a.x1, y}).faint = true
		if !p.y.hide {
			d.label("muted", t.text, "end", a.x0-8, y+5)
		}
	}
	for i, n := range p.y.names {
		y := a.y(float64(i))
		d.line("axis", 1, xy{a.x0, y}, xy{a.x1, y}).faint = true
		if !p.y.hide {
			d.label(tone(n.kind), n.name, "end", a.x0-10, y+5)
		}
	}
	if p.triangle {
		d.line("axis", 1, xy{a.x(0), a.y(1)}, xy{a.x(1), a.y(0)})
		d.line("axis", 1, xy{a.x(0), a.y(1)}, xy{a.x(0), a.y(0)})
	}
	d.line("axis", 1, xy{a.x0, a.y1}, xy{a.x1, a.y1})
	d.xTicks(a, p.x.ticks, a.y1, 5, 20)
	if len(p.x.second) > 0 {
		d.line("axis", 1, xy{a.x0, a.y0}, xy{a.x1, a.y0})
		d.xTicks(a, p.x.second, a.y0, -5, -9)
	}
	for i, n := range p.x.names {
		d.label("muted", n.name, "middle", a.x(float64(i)), a.y1+20)
	}
}

// xTicks leaves out labels that would touch the one before.
func (d *drawing) xTicks(a *plot, ticks []tick, y, length, text float64) {
	last := math.Inf(-1)
	for _, t := range ticks {
		x, w := a.x(t.at), textWidth(t.text, labelSize)
		if x < a.x0-1 || x > a.x1+1 {
			continue
		}
		d.line("axis", 1, xy{x, y}, xy{x, y + length})
		if x-w/2 < last+8 || x+w/2 > d.width {
			continue
		}
		d.label("muted", t.text, "middle", x, y+text)
		last = x + w/2
	}
}

// rule draws a line across the plot; its label stands at the end with those of
// the series, or beside it if it is upright.
func (d *drawing) rule(a *plot, r rule) {
	if r.upright {
		x := a.x(r.at)
		d.line(tone(r.kind), 1, xy{x, a.y0}, xy{x, a.y1}).dash = r.dash
		if r.label != "" {
			anchor, dx := "start", 6.0
			if x+6+textWidth(r.label, labelSize) > a.x1 {
				anchor, dx = "end", -6.0
			}
			d.label("muted", r.label, anchor, x+dx, a.y0+14).halo = true
		}
		return
	}
	y := a.clampY(r.at)
	width := 1.0
	if r.row >= 0 {
		width = 2.25
	}
	s := d.line(tone(r.kind), width, xy{a.x0, y}, xy{a.x1, y})
	s.dash = r.dash
	s.mark, s.row = r.row >= 0, r.row
}

// endLabels names lines where they end, nudged apart.
func (d *drawing) endLabels(a *plot) {
	type end struct {
		kind, text string
		x, y       float64
	}
	var ends []end
	for _, s := range a.p.series {
		if s.label != "" && len(s.points) > 0 {
			last := s.points[len(s.points)-1]
			ends = append(ends, end{s.kind, s.label, a.x(last.x), a.clampY(last.y)})
		}
	}
	for _, r := range a.p.rules {
		if !r.upright && r.label != "" {
			ends = append(ends, end{r.kind, r.label, a.x1, a.clampY(r.at)})
		}
	}
	slices.SortStableFunc(ends, func(p, q end) int { return cmp.Compare(p.y, q.y) })
	want := make([]float64, len(ends))
	for i, e := range ends {
		want[i] = e.y
	}
	for i, y := range nudge(want, lineGap, a.y0, a.y1+4) {
		e := ends[i]
		x := a.x1 + 10
		if math.Abs(y-e.y) > 3 || a.x1-e.x > 12 {
			lead := d.line(tone(e.kind), 1, xy{e.x + 5, e.y}, xy{a.x1 + 2, e.y}, xy{a.x1 + 8, y})
			lead.faint = true
		}
		d.label(tone(e.kind), e.text, "start", x, y+5)
	}
}

// calls writes the labels of single points above them, each where it meets no
// other label.
func (d *drawing) calls(a *plot) {
	var taken []box
	for _, s := range a.p.series {
		if s.draw == drawDots || s.draw == drawBars {
			continue // written where they are drawn
		}
		for _, p := range s.points {
			if p.call == "" {
				continue
			}
			w := textWidth(p.call, labelSize)
			at := xy{a.x(p.x), a.clampY(p.y)}
			x := min(at.x+6, a.x1-w)
			y := at.y - 26
			place := box{x - 4, y - 15, x + w + 4, y + 4}
			for slices.ContainsFunc(taken, place.meets) {
				place.y0 -= lineGap
				place.y1 -= lineGap
				y -= lineGap
			}
			taken = append(taken, place)
			d.line(tone(s.kind), 1, at, xy{at.x, y - 4})
			d.label(tone(s.kind), p.call, "start", x, y).halo = true
		}
	}
}

// tone is the class of a model's colour.
func tone(kind string) string {
	switch kind {
	case "":
		return "ink"
	case "lstm-nog":
		return "lstm"
	case "mix", "ngram":
		return "ngram"
	}
	return kind
}
