package report

import "math"

// figure is the one source of a picture in every format and of its table: each
// mark in it belongs to a row of the table.
type figure struct {
	id, title string
	says      prose // the sentence that the picture shows
	panels    []panel
	columns   int // of panels side by side, where there is room
	table     *table
}

// panel is one pair of axes.
type panel struct {
	title  string
	sub    string  // below the title
	weight float64 // of its width beside others; 0: 1
	height float64 // of the plot; 0: by its rows, or 230
	x, y   axis
	series []series
	shades []shade
	rules  []rule
	// triangle draws the line x+y = 1, beyond which nothing can be.
	triangle bool
}

// axis is numeric, or has named rows (y) or columns (x).
type axis struct {
	label    string
	scale    scale
	min, max float64
	ticks    []tick
	second   []tick // on the other side
	other    string // its label
	names    []rowName
	hide     bool // the panel to the left has them
}

type rowName struct{ name, kind string }

type tick struct {
	at   float64
	text string
}

// How a series is drawn.
type draw int

const (
	drawLine      draw = iota // points joined; a mark on each
	drawThin                  // joined, without marks: single runs
	drawSeeds                 // small hollow marks
	drawMeans                 // an upright tick
	drawIntervals             // thick bar low..high, thin bar around it, a tick
	drawBars                  // from zero
	drawDots                  // a mark, a range low..high
	drawBubbles               // circles of an area
)

// series is what one model has in one panel.
type series struct {
	kind   string // of the model: colour and mark
	label  string // at the line's end
	draw   draw
	dash   string
	band   bool // low..high is shaded
	points []point
}

// point is one mark. Row is its row of the figure's table, −1 for none.
type point struct {
	row       int
	x, y      float64
	low, high float64 // range of the drawn measure
	inner     float64 // half width of the thin bar
	ring      bool
	cross     bool   // diverged
	call      string // a label of its own
	size      float64
}

// shade marks a range of x.
type shade struct {
	from, to float64
	label    string
}

// rule is a line across, at an x or a y.
type rule struct {
	at      float64
	upright bool
	label   string
	kind    string
	dash    string
	row     int
}

// scale maps values to where they are drawn.
type scale int

const (
	linear scale = iota
	log10
	log2
	names
)

func (s scale) of(v float64) float64 {
	switch s {
	case log10:
		return math.Log10(v)
	case log2:
		return math.Log2(v)
	}
	return v
}

// fit widens the axis to values, with a margin, and chooses ticks.
func (a *axis) fit(values []float64, margin float64) {
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if !math.IsNaN(v) && !math.IsInf(v, 0) && (a.scale == linear || v > 0) {
			low, high = min(low, v), max(high, v)
		}
	}
	if low > high {
		low, high = 0, 1
		if a.scale != linear {
			low, high = 1, 10
		}
	}
	if a.scale == linear {
		if low == high {
			low, high = low-max(math.Abs(low), 1)*0.05, high+max(math.Abs(high), 1)*0.05
		}
		pad := (high - low) * margin
		a.min, a.max = low-pad, high+pad
		a.ticks = linearTicks(a.min, a.max)
		return
	}
	pad := max(math.Log10(high/low)*margin, 0.05)
	a.min, a.max = low/math.Pow(10, pad), high*math.Pow(10, pad)
	a.ticks = logTicks(a.min, a.max)
}

// linearTicks are 4 to 6 round numbers.
func linearTicks(low, high float64) []tick {
	span := high - low
	step := math.Pow(10, math.Floor(math.Log10(span)))
	for _, f := range []float64{2, 1, 0.5, 0.25, 0.2, 0.1, 0.05} {
		if span/(step*f) >= 4 {
			step *= f
			break
		}
	}
	decimals := max(0, -int(math.Floor(math.Log10(step)+1e-9)))
	if r := step * math.Pow10(decimals); math.Abs(r-math.Round(r)) > 1e-6 {
		decimals++ // a quarter
	}
	var ticks []tick
	for i := math.Ceil(low/step - 1e-9); i*step <= high+step*1e-9; i++ {
		v := i * step
		text := fixed(v, decimals)
		if math.Abs(v) < step/2 {
			v, text = 0, "0"
		}
		if high >= 10_000 {
			text = short(v)
		}
		ticks = append(ticks, tick{v, text})
	}
	return ticks
}

// logTicks are powers of ten; within few decades, 2 and 5 times as well.
func logTicks(low, high float64) []tick {
	decades := math.Log10(high / low)
	steps := []float64{1}
	switch {
	case decades < 0.5:
		return linearTicks(low, high)
	case decades < 0.7:
		steps = []float64{1, 1.5, 2, 3, 4, 5, 7}
	case decades < 1.5:
		steps = []float64{1, 2, 5}
	case decades < 2.5:
		steps = []float64{1, 3}
	}
	every := max(1, int(math.Ceil(decades/5)))
	var ticks []tick
	for e := int(math.Floor(math.Log10(low))); float64(e) <= math.Log10(high); e++ {
		if e%every != 0 {
			continue
		}
		for _, s := range steps {
			if v := s * math.Pow10(e); v >= low*(1-1e-9) && v <= high*(1+1e-9) {
				ticks = append(ticks, tick{v, logText(v, e)})
			}
		}
	}
	return ticks
}

func logText(v float64, exponent int) string {
	switch {
	case exponent < -4:
		return power(exponent)
	case v < 1:
		return rate(v)
	}
	return short(v)
}

// values collects what fit needs.
func values(s []series, of func(point) []float64) []float64 {
	var all []float64
	for _, s := range s {
		for _, p := range s.points {
			all = append(all, of(p)...)
		}
	}
	return all
}
