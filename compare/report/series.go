package report

import (
	"math"
	"slices"
)

// series draws what one model has in one panel.
func (d *drawing) series(a *plot, s *series) {
	switch s.draw {
	case drawLine, drawThin:
		d.joined(a, s)
		return
	case drawBars:
		d.bars(a, s)
		return
	}
	for _, p := range s.points {
		at := xy{a.x(p.x), a.clampY(p.y)}
		switch s.draw {
		case drawSeeds:
			d.belongs(d.marker(s.kind, at, 4, true), p)
		case drawMeans:
			d.belongs(d.line(tone(s.kind), 3, xy{at.x, at.y - 11}, xy{at.x, at.y + 11}), p)
		case drawIntervals:
			d.interval(a, s, p, at)
		case drawDots:
			if p.high > p.low {
				d.line(tone(s.kind), 1.5, xy{a.x(p.low), at.y}, xy{a.x(p.high), at.y})
			}
			d.belongs(d.marker(s.kind, at, 5, false), p)
			d.label("ink", p.call, "start", max(at.x, a.x(max(p.high, p.x)))+10, at.y+5).halo = true
		case drawBubbles:
			m := d.marker("", at, p.size, false)
			m.tone, m.faint = tone(s.kind), false
			d.belongs(m, p)
		}
	}
}

// belongs ties a shape to its row of the table.
func (d *drawing) belongs(s *shape, p point) { s.mark, s.row = p.row >= 0, p.row }

// joined draws a line with a mark on each point; a thin one has none.
func (d *drawing) joined(a *plot, s *series) {
	if s.band {
		d.band(a, s)
	}
	var path []xy
	for _, p := range s.points {
		if !p.cross {
			path = append(path, xy{a.x(p.x), a.clampY(p.y)})
		}
	}
	width := 2.25
	if s.draw == drawThin {
		width = 1
	}
	if len(path) > 1 {
		line := d.line(tone(s.kind), width, path...)
		line.dash, line.faint = s.dash, s.draw == drawThin && s.dash == ""
	}
	if s.draw == drawThin {
		return
	}
	r := 3.5
	if len(s.points) > 30 || s.dash != "" || s.band {
		r = 2.5
	}
	for _, p := range s.points {
		at := xy{a.x(p.x), a.clampY(p.y)}
		if p.cross {
			at.y = a.y0 + 8
			d.belongs(d.cross(tone(s.kind), at, 5), p)
			continue
		}
		d.belongs(d.marker(s.kind, at, r, false), p)
		if p.ring {
			d.shapes = append(d.shapes, shape{circle: 9, at: at, tone: "ink", stroke: 1.5})
		}
	}
}

// band shades the range low..high along a line.
func (d *drawing) band(a *plot, s *series) {
	var over, under []xy
	for _, p := range s.points {
		if !math.IsNaN(p.low) && !math.IsNaN(p.high) {
			over = append(over, xy{a.x(p.x), a.clampY(p.high)})
			under = append([]xy{{a.x(p.x), a.clampY(p.low)}}, under...)
		}
	}
	if len(over) > 1 {
		d.area(tone(s.kind), append(over, under...)...).faint = true
	}
}

// interval is a thick bar low..high with a thin one of half width inner across
// it, and a tick at the difference itself.
func (d *drawing) interval(a *plot, s *series, p point, at xy) {
	low, high := max(a.x0, a.x(p.low)), min(a.x1, a.x(p.high))
	d.line(tone(s.kind), 9, xy{low, at.y}, xy{high, at.y}).faint = true
	d.line(tone(s.kind), 2, xy{a.x(p.x - p.inner), at.y}, xy{a.x(p.x + p.inner), at.y})
	d.belongs(d.line(tone(s.kind), 3, xy{at.x, at.y - 9}, xy{at.x, at.y + 9}), p)
}

// bars stand on zero, with their values above or below where there is room for
// all of them.
func (d *drawing) bars(a *plot, s *series) {
	pitch := a.x(1) - a.x(0)
	half := 0.32 * pitch
	d.line("axis", 1, xy{a.x0, a.y(0)}, xy{a.x1, a.y(0)})
	for _, p := range s.points {
		x, y, zero := a.x(p.x), a.y(p.y), a.y(0)
		d.belongs(d.area(tone(s.kind), xy{x - half, zero}, xy{x - half, y}, xy{x + half, y}, xy{x + half, zero}), p)
	}
	if slices.ContainsFunc(s.points, func(p point) bool { return textWidth(p.call, labelSize) > pitch-4 }) {
		return
	}
	for _, p := range s.points {
		at := a.y(p.y) - 6
		if p.y < 0 {
			at = a.y(p.y) + 17
		}
		d.label("ink", p.call, "middle", a.x(p.x), at)
	}
}
