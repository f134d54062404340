package report

import "math"

// drawing is a picture as a list of shapes, which svg.go and png.go write.
type drawing struct {
	width, height float64
	shapes        []shape
}

// shape is a path, a circle or a text.
type shape struct {
	paths  [][]xy
	closed bool
	circle float64 // radius around at
	at     xy
	text   string
	anchor string // start, middle, end
	bold   bool
	size   float64
	upward bool // the text is turned a quarter to the left

	tone   string // whose colour: a kind, ink, muted, axis, page
	fill   bool
	stroke float64 // width of the line
	dash   string
	faint  bool // a quarter of the colour
	halo   bool // the page's colour around a text
	mark   bool // belongs to row
	row    int
}

type xy struct{ x, y float64 }

const (
	labelSize = 15.0
	lineGap   = 19.0 // of labels
)

func (d *drawing) line(tone string, width float64, points ...xy) *shape {
	d.shapes = append(d.shapes, shape{paths: [][]xy{points}, tone: tone, stroke: width})
	return &d.shapes[len(d.shapes)-1]
}

func (d *drawing) area(tone string, points ...xy) *shape {
	d.shapes = append(d.shapes, shape{paths: [][]xy{points}, closed: true, tone: tone, fill: true})
	return &d.shapes[len(d.shapes)-1]
}

func (d *drawing) label(tone, text, anchor string, x, y float64) *shape {
	d.shapes = append(d.shapes, shape{text: text, anchor: anchor, tone: tone, at: xy{x, y}, size: labelSize})
	return &d.shapes[len(d.shapes)-1]
}

// marker draws the mark of a kind of model, the same everywhere.
func (d *drawing) marker(kind string, at xy, r float64, hollow bool) *shape {
	hollow = hollow || kind == "lstm-nog" || kind == "mix" // of a colour that another kind has
	s := shape{tone: tone(kind), at: at, fill: !hollow}
	if hollow {
		s.stroke = 1.25
	}
	switch m := markerOf(kind); m.sides {
	case 0:
		s.circle = r
	default:
		s.closed = true
		s.paths = [][]xy{polygon(at, r*m.grow, m.sides, m.turn)}
	}
	d.shapes = append(d.shapes, s)
	return &d.shapes[len(d.shapes)-1]
}

// mark is the form of a model's marker: a polygon, or a circle of no sides.
type markerForm struct {
	sides int
	turn  float64 // of the first corner, in quarters
	grow  float64
}

func markerOf(kind string) markerForm {
	switch kind {
	case "lstm", "lstm-nog":
		return markerForm{4, 0.5, 1.25} // a square
	case "gru":
		return markerForm{3, -1, 1.4} // a triangle
	case "ngram", "mix":
		return markerForm{4, 0, 1.3} // a diamond
	case "ffn":
		return markerForm{3, 1, 1.4} // a triangle upside down
	case "transformer":
		return markerForm{6, 0, 1.15}
	}
	return markerForm{}
}

func polygon(at xy, r float64, sides int, turn float64) []xy {
	points := make([]xy, sides)
	for i := range points {
		angle := math.Pi/2*turn + 2*math.Pi*float64(i)/float64(sides)
		points[i] = xy{at.x + r*math.Cos(angle), at.y + r*math.Sin(angle)}
	}
	return points
}

// cross is a diverged trial's mark.
func (d *drawing) cross(kind string, at xy, r float64) *shape {
	s := d.line(kind, 2)
	s.paths = [][]xy{{{at.x - r, at.y - r}, {at.x + r, at.y + r}}, {{at.x - r, at.y + r}, {at.x + r, at.y - r}}}
	return s
}
