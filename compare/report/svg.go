package report

import (
	"bytes"
	"html"
	"math"
	"strconv"
)

// svg writes the picture. Colours are classes, which the page defines for each
// theme. Title and description name it; aria-details points to the table.
func (d *drawing) svg(id, class, title, description, details string) []byte {
	var b bytes.Buffer
	b.WriteString(`<svg class="` + class + `" role="img" viewBox="0 0 ` + coordinate(d.width) + ` ` + coordinate(d.height) +
		`" width="` + coordinate(d.width) + `" height="` + coordinate(d.height) +
		`" aria-labelledby="` + id + `-t ` + id + `-d" aria-details="` + details + `">`)
	b.WriteString(`<title id="` + id + `-t">` + html.EscapeString(title) + `</title><desc id="` + id + `-d">` + html.EscapeString(description) + `</desc>` + "\n")
	for from := 0; from < len(d.shapes); {
		from += svgRun(&b, d.shapes[from:])
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// svgRun writes the first shape, and with it those that follow and look the same:
// marks in a group, lines that belong to no row in one path.
func svgRun(b *bytes.Buffer, shapes []shape) int {
	if shapes[0].text != "" {
		shapes[0].svgText(b)
		return 1
	}
	look, n, loose := shapes[0].look(), 0, true
	for n < len(shapes) && shapes[n].text == "" && shapes[n].look() == look {
		loose = loose && !shapes[n].mark && shapes[n].circle == 0 && shapes[n].closed == shapes[0].closed
		n++
	}
	if loose {
		one := shape{closed: shapes[0].closed}
		for _, s := range shapes[:n] {
			one.paths = append(one.paths, s.paths...)
		}
		one.svgPath(b, look)
		return n
	}
	if n == 1 {
		shapes[0].svgPath(b, look)
		return 1
	}
	b.WriteString("<g" + look + ">\n")
	for i := range shapes[:n] {
		shapes[i].svgPath(b, "")
	}
	b.WriteString("</g>\n")
	return n
}

// look is a path's class and stroke.
func (s *shape) look() string {
	class := s.tone
	if s.fill {
		class += " f"
	}
	if s.stroke > 0 {
		class += " l"
	}
	if s.faint {
		class += " w"
	}
	look := ` class="` + class + `"`
	if s.stroke > 0 && s.stroke != 1 { // 1 needs no saying
		look += ` stroke-width="` + coordinate(s.stroke) + `"`
	}
	if s.dash != "" {
		look += ` stroke-dasharray="` + s.dash + `"`
	}
	return look
}

func (s *shape) svgPath(b *bytes.Buffer, look string) {
	if s.circle > 0 {
		b.WriteString(`<circle cx="` + coordinate(s.at.x) + `" cy="` + coordinate(s.at.y) + `" r="` + coordinate(s.circle) + `"`)
	} else {
		b.WriteString(`<path d="`)
		for _, path := range s.paths {
			writePath(b, path, s.closed)
		}
		b.WriteByte('"')
	}
	b.WriteString(look)
	if s.mark {
		b.WriteString(` data-r="` + strconv.Itoa(s.row) + `"`)
	}
	b.WriteString("/>\n")
}

func (s *shape) svgText(b *bytes.Buffer) {
	class := s.tone
	if s.bold {
		class += " b"
	}
	if s.halo {
		class += " o"
	}
	if s.anchor != "start" {
		class += " " + s.anchor[:1] // m, e
	}
	b.WriteString(`<text class="` + class + `"`)
	if s.upward {
		b.WriteString(` transform="rotate(-90 ` + coordinate(s.at.x) + ` ` + coordinate(s.at.y) + `)"`)
	}
	b.WriteString(` x="` + coordinate(s.at.x) + `" y="` + coordinate(s.at.y) + `">` + html.EscapeString(s.text) + "</text>\n")
}

// writePath uses relative steps of tenths, which are short.
func writePath(b *bytes.Buffer, path []xy, closed bool) {
	var last xy
	for i, p := range path {
		p = xy{math.Round(p.x * 10), math.Round(p.y * 10)}
		dx, dy := (p.x-last.x)/10, (p.y-last.y)/10
		switch {
		case i == 0:
			b.WriteString("M" + coordinate(dx) + pathNumber(dy))
		case dy == 0:
			b.WriteString("h" + coordinate(dx))
		case dx == 0:
			b.WriteString("v" + coordinate(dy))
		default:
			b.WriteString("l" + coordinate(dx) + pathNumber(dy))
		}
		last = p
	}
	if closed {
		b.WriteByte('z')
	}
}

// pathNumber is a number behind another one: a sign parts them too.
func pathNumber(v float64) string {
	if text := coordinate(v); text[0] == '-' {
		return text
	} else {
		return " " + text
	}
}

func coordinate(v float64) string {
	r := math.Round(v*10) / 10
	if r == 0 {
		r = 0 // no −0
	}
	return strconv.FormatFloat(r, 'f', -1, 64)
}
