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

const gutter = 28.0 // between panels

// layout draws the figure at a width: panels side by side where there is room.
func (f *figure) layout(width float64) *drawing {
	d := &drawing{width: width}
	columns := max(1, f.columns)
	if width == narrow {
		columns = 1
	}
	y := 0.0
	for from := 0; from < len(f.panels); from += columns {
		row := slices.Clone(f.panels[from:min(from+columns, len(f.panels))])
		for i := range row {
			row[i].y.hide = row[i].y.hide && i > 0
		}
		y = d.row(row, columns, y) + 18
	}
	d.height = math.Ceil(y - 12)
	return d
}

// row draws panels side by side, their plots level; those that show an axis get
// the room for it on top of their share. A row that is not full keeps the columns.
func (d *drawing) row(row []panel, columns int, y float64) float64 {
	head, room, shares := 0.0, d.width-gutter*float64(columns-1), 0.0
	for i := range row {
		head = max(head, row[i].head())
		room -= row[i].leftMargin()
		shares += row[i].share()
	}
	if missing := float64(columns - len(row)); missing > 0 {
		room -= missing * row[len(row)-1].leftMargin()
		shares += missing
	}
	x, bottom := 0.0, y
	for i := range row {
		w := row[i].leftMargin() + room*row[i].share()/shares
		bottom = max(bottom, d.panel(&row[i], x, y, w, head))
		x += w + gutter
	}
	return bottom
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

// head is the height of what stands above the plot.
func (p *panel) head() float64 {
	h := 4.0
	if p.title != "" {
		h += 24
	}
	if p.sub != "" {
		h += 22
	}
	if p.y.label != "" {
		h += 26
	}
	if len(p.x.second) > 0 {
		h += 44
	}
	if p.title != "" && p.sub == "" && p.y.label == "" && len(p.x.second) == 0 {
		h += 6 // half of the uppermost tick's number
	}
	return h
}

// panel draws one panel at x, y with width w, its plot head below y, and returns
// its lower end.
func (d *drawing) panel(p *panel, x, y, w, head float64) float64 {
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
	at := y + 4
	if p.title != "" {
		d.label("ink", cut(p.title, w), "start", x, at+14).bold = true
		at += 24
	}
	if p.sub != "" {
		d.label("muted", cut(p.sub, w), "start", x, at+12)
		at += 22
	}
	if p.y.label != "" && !p.y.hide {
		d.label("muted", p.y.label, "start", x, at+14)
	}
	top, left, right := y+head, p.leftMargin(), p.rightMargin()
	if len(p.x.second) > 0 {
		d.label("muted", p.x.other, "start", x+left, at+14)
	}
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
		if s.label != "" && p.atEdge(s) {
			w = max(w, textWidth(s.label, labelSize)+15)
		}
		if s.draw == drawDots {
			for _, pt := range s.points {
				w = max(w, textWidth(pt.call, labelSize)+16)
			}
		}
	}
	for _, r := range p.rules {
		if !r.upright && r.label != "" {
			w = max(w, textWidth(r.label, labelSize)+15)
		}
	}
	return math.Ceil(w)
}

// atEdge says that a line ends at the right edge, so that its name stands there.
func (p *panel) atEdge(s series) bool {
	if len(s.points) == 0 {
		return false
	}
	scale := p.x.scale
	last := scale.of(s.points[len(s.points)-1].x)
	return scale.of(p.x.max)-last < 0.2*(scale.of(p.x.max)-scale.of(p.x.min))
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
	}
	for _, t := range p.y.ticks {
		if !p.y.hide {
			d.label("muted", t.text, "end", a.x0-8, a.y(t.at)+5)
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

// xTicks names every tick, or every second, third … where names would touch.
func (d *drawing) xTicks(a *plot, ticks []tick, y, length, text float64) {
	ticks = slices.DeleteFunc(slices.Clone(ticks), func(t tick) bool { return a.x(t.at) < a.x0-1 || a.x(t.at) > a.x1+1 })
	every := 1
	for every < len(ticks) && d.touch(a, ticks, every) {
		every++
	}
	for _, t := range ticks {
		d.line("axis", 1, xy{a.x(t.at), y}, xy{a.x(t.at), y + length})
	}
	for i, t := range ticks {
		x := a.x(t.at)
		if i%every == 0 && x+textWidth(t.text, labelSize)/2 <= d.width {
			d.label("muted", t.text, "middle", x, y+text)
		}
	}
}

// touch says that the names of every so many ticks would touch.
func (d *drawing) touch(a *plot, ticks []tick, every int) bool {
	last := math.Inf(-1)
	for i := 0; i < len(ticks); i += every {
		x, half := a.x(ticks[i].at), textWidth(ticks[i].text, labelSize)/2
		if x-half < last+8 {
			return true
		}
		last = x + half
	}
	return false
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

// end is a line's last point, with its name.
type end struct {
	kind, text string
	at         xy
}

// endLabels names lines where they end: at the right edge nudged apart, within
// the plot above the end.
func (d *drawing) endLabels(a *plot) {
	var edge []end
	var taken []box
	for _, s := range a.p.series {
		if s.label == "" || len(s.points) == 0 {
			continue
		}
		last := s.points[len(s.points)-1]
		e := end{s.kind, s.label, xy{a.x(last.x), a.clampY(last.y)}}
		if !a.p.atEdge(s) {
			w := textWidth(e.text, labelSize)
			taken = append(taken, d.above(e, xy{min(e.at.x+7, a.x1-w), e.at.y - 8}, taken))
			continue
		}
		edge = append(edge, e)
	}
	for _, r := range a.p.rules {
		if !r.upright && r.label != "" {
			edge = append(edge, end{r.kind, r.label, xy{a.x1, a.clampY(r.at)}})
		}
	}
	slices.SortStableFunc(edge, func(p, q end) int { return cmp.Compare(p.at.y, q.at.y) })
	want := make([]float64, len(edge))
	for i, e := range edge {
		want[i] = e.at.y
	}
	for i, y := range nudge(want, lineGap, a.y0, a.y1-6) {
		e := edge[i]
		if math.Abs(y-e.at.y) > 3 || a.x1-e.at.x > 12 {
			d.line(tone(e.kind), 1, xy{e.at.x + 4, e.at.y}, xy{a.x1 + 8, y}).faint = true
		}
		d.label(tone(e.kind), e.text, "start", a.x1+11, y+5)
	}
}

// above writes a label at a place, or as far above it as other labels force it,
// and returns what it covers.
func (d *drawing) above(e end, at xy, taken []box) box {
	w := textWidth(e.text, labelSize)
	place := box{at.x - 4, at.y - 15, at.x + w + 4, at.y + 4}
	for slices.ContainsFunc(taken, place.meets) {
		place.y0 -= lineGap
		place.y1 -= lineGap
	}
	d.label(tone(e.kind), e.text, "start", at.x, place.y1-4).halo = true
	return place
}

// calls writes the labels of single points above them, each where it meets no
// other label, with a line down to its point.
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
			at := xy{a.x(p.x), a.clampY(p.y)}
			e := end{s.kind, p.call, at}
			place := d.above(e, xy{min(at.x+6, a.x1-textWidth(p.call, labelSize)), at.y - 26}, taken)
			taken = append(taken, place)
			d.line(tone(s.kind), 1, at, xy{at.x, place.y1 - 14})
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
