package report

import (
	"html"
	"strconv"
	"strings"
)

// prose is a sentence or more. Its numbers know where in report.json they stand,
// so that a test can hold one to the other.
type prose []span

type span struct {
	text  string
	path  string  // in report.json, if this is a number
	value float64 // there
	own   bool    // corpus text: isolated, and shown as it is
	code  bool
}

// say joins strings and spans.
func say(parts ...any) prose {
	var p prose
	for _, part := range parts {
		switch part := part.(type) {
		case string:
			p = append(p, span{text: part})
		case span:
			p = append(p, part)
		case prose:
			p = append(p, part...)
		}
	}
	return p
}

// number is a value of report.json, as it is to be read.
func number(path string, value float64, text string) span {
	return span{text: text, path: path, value: value}
}

// corpus is text that somebody else wrote.
func corpus(text string) span { return span{text: visible(text), own: true} }

func code(text string) span { return span{text: text, code: true} }

// list joins items with commas and a last "and".
func list(items []prose) prose {
	var p prose
	for i, item := range items {
		switch {
		case i == 0:
		case i == len(items)-1:
			p = append(p, span{text: " and "})
		default:
			p = append(p, span{text: ", "})
		}
		p = append(p, item...)
	}
	return p
}

func (p prose) String() string {
	var b strings.Builder
	for _, s := range p {
		b.WriteString(s.text)
	}
	return b.String()
}

func (p prose) html() string {
	var b strings.Builder
	for _, s := range p {
		text := html.EscapeString(s.text)
		switch {
		case s.path != "":
			value := strconv.FormatFloat(s.value, 'g', -1, 64)
			b.WriteString(`<data value="` + value + `" data-json="` + html.EscapeString(s.path) + `">` + text + `</data>`)
		case s.own:
			b.WriteString("<bdi>" + text + "</bdi>")
		case s.code:
			b.WriteString("<code>" + text + "</code>")
		default:
			b.WriteString(text)
		}
	}
	return b.String()
}

func (p prose) markdown() string {
	var b strings.Builder
	for _, s := range p {
		switch {
		case s.own, s.code:
			b.WriteString(inlineCode(s.text))
		default:
			b.WriteString(s.text)
		}
	}
	return b.String()
}

// inlineCode fences text with more backticks than it has in a row.
func inlineCode(text string) string {
	fence := "`"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	if len(fence) > 1 || text == "" {
		return fence + " " + text + " " + fence
	}
	return fence + text + fence
}

// visible replaces what a page cannot hold or would obey: control characters by
// their pictures, and the marks that turn the direction of text around by names.
func visible(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\n' || r == '\t':
			b.WriteRune(r)
		case r < 0x20:
			b.WriteRune(0x2400 + r)
		case r == 0x7f:
			b.WriteRune('␡')
		case r >= 0x80 && r < 0xa0, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0x200e, r == 0x200f, r == 0xfeff:
			b.WriteString("‹" + strconv.FormatInt(int64(r), 16) + "›")
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
