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
	for _, s := range d.shapes {
		s.svg(&b)
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

func (s *shape) svg(b *bytes.Buffer) {
	if s.text != "" {
		s.svgText(b)
		return
	}
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
	if s.circle > 0 {
		b.WriteString(`<circle cx="` + coordinate(s.at.x) + `" cy="` + coordinate(s.at.y) + `" r="` + coordinate(s.circle) + `"`)
	} else {
		b.WriteString(`<path d="`)
		for _, path := range s.paths {
			writePath(b, path, s.closed)
		}
		b.WriteByte('"')
	}
	b.WriteString(` class="` + class + `"`)
	if s.stroke > 0 {
		b.WriteString(` stroke-width="` + coordinate(s.stroke) + `"`)
	}
	if s.dash != "" {
		b.WriteString(` stroke-dasharray="` + s.dash + `"`)
	}
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
	b.WriteString(`<text class="` + class + `"`)
	if s.upward {
		b.WriteString(` transform="rotate(-90 ` + coordinate(s.at.x) + ` ` + coordinate(s.at.y) + `)"`)
	}
	b.WriteString(` x="` + coordinate(s.at.x) + `" y="` + coordinate(s.at.y) + `"`)
	if s.anchor != "start" {
		b.WriteString(` text-anchor="` + s.anchor + `"`)
	}
	b.WriteString(`>` + html.EscapeString(s.text) + "</text>\n")
}

// writePath uses relative steps of tenths, which are short.
func writePath(b *bytes.Buffer, path []xy, closed bool) {
	var last xy
	for i, p := range path {
		p = xy{math.Round(p.x * 10), math.Round(p.y * 10)}
		if i == 0 {
			b.WriteString("M" + coordinate(p.x/10) + " " + coordinate(p.y/10))
		} else {
			if i == 1 {
				b.WriteByte('l')
			} else {
				b.WriteByte(' ')
			}
			b.WriteString(coordinate((p.x-last.x)/10) + " " + coordinate((p.y-last.y)/10))
		}
		last = p
	}
	if closed {
		b.WriteByte('z')
	}
}

func coordinate(v float64) string {
	r := math.Round(v*100) / 100
	if r == 0 {
		r = 0 // no −0
	}
	return strconv.FormatFloat(r, 'f', -1, 64)
}
