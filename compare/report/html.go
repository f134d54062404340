package report

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html"
	"strings"
)

//go:embed style.css
var styleRules string

//go:embed script.js
var script string

// style puts the palettes before the rules; paper is always light.
func style() string {
	colours := func(of map[string]uint32, shades []uint32) string {
		var b strings.Builder
		for _, tone := range tones {
			b.WriteString("--" + tone + ":" + hex(of[tone]) + ";")
		}
		for i, shade := range shades {
			fmt.Fprintf(&b, "--s%d:%s;", i+1, hex(shade))
		}
		return b.String()
	}
	return ":root{" + colours(light, surprisalLight) + "}\n" +
		"@media screen and (prefers-color-scheme:dark){:root{" + colours(dark, surprisalDark) + "}}\n" + styleRules
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// html writes the page as one file that asks nobody for anything.
func (p *page) html() []byte {
	var b bytes.Buffer
	style := style()
	b.WriteString("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n")
	b.WriteString(`<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src ` + hash(style) +
		`; script-src ` + hash(script) + `; base-uri 'none'; form-action 'none'">` + "\n")
	b.WriteString("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n")
	b.WriteString("<title>" + html.EscapeString(p.title.String()) + "</title>\n<style>" + style + "</style>\n</head>\n<body>\n<main>\n")
	b.WriteString("<h1>" + p.title.html() + "</h1>\n<div class=\"verdict\">\n<p>")
	for i, s := range p.verdict {
		if i > 0 {
			b.WriteString(" ")
		}
		b.WriteString(s.html())
	}
	b.WriteString("</p>\n</div>\n<p class=\"about\">" + p.about.html() + "</p>\n")
	for i := range p.sections {
		p.sections[i].html(&b, i+1)
	}
	b.WriteString("</main>\n<script>" + script + "</script>\n</body>\n</html>\n")
	return b.Bytes()
}

func (s *section) html(b *bytes.Buffer, number int) {
	fmt.Fprintf(b, "<section id=\"%s\">\n<h2>%d. %s</h2>\n", s.id, number, html.EscapeString(s.title))
	for _, part := range s.parts {
		switch {
		case part.text != nil:
			b.WriteString("<p>" + part.text.html() + "</p>\n")
		case part.figure != nil:
			part.figure.html(b)
		case part.table != nil:
			part.table.html(b, "long")
		case part.grid != nil:
			part.grid.html(b)
		case part.sample != nil:
			part.sample.html(b)
		default:
			b.WriteString("<pre tabindex=\"0\" role=\"region\" aria-label=\"Command\"><bdi>" + html.EscapeString(part.pre) + "</bdi></pre>\n")
		}
	}
	b.WriteString("</section>\n")
}

func (f *figure) html(b *bytes.Buffer) {
	details := "t-" + f.table.id
	fmt.Fprintf(b, "<figure id=\"f-%s\" tabindex=\"0\" data-table=\"%s\" aria-label=\"%s\">\n", f.id, details, html.EscapeString(f.title))
	b.Write(f.layout(wide).svg(f.id+"-w", "wide", f.title, f.says.String(), details))
	b.Write(f.layout(narrow).svg(f.id+"-n", "narrow", f.title, f.says.String(), details))
	b.WriteString("<figcaption>" + f.says.html() + "</figcaption>\n<output aria-live=\"polite\"></output>\n</figure>\n")
}

// html leaves out the end tags that HTML needs none of: most of a page is tables.
func (t *table) html(b *bytes.Buffer, class string) {
	caption := html.EscapeString(t.caption)
	if t.id == "again" {
		class = "facts"
	}
	fmt.Fprintf(b, "<div class=\"box %s\" tabindex=\"0\" role=\"region\" aria-label=\"%s\">\n<table id=\"t-%s\">\n<caption><span>%s</span></caption>\n<thead><tr>", class, caption, t.id, caption)
	for _, c := range t.columns {
		if c.head == "" {
			b.WriteString("<td>") // a head without a name is none
			continue
		}
		b.WriteString(`<th scope="col"` + aligned(c.text) + ">" + isolated(c.head, t.own(c)))
	}
	b.WriteString("</thead>\n<tbody>\n")
	for _, row := range t.rows {
		b.WriteString("<tr>")
		for i, c := range row {
			c.html(b, i == 0, t.columns[i].text)
		}
		b.WriteByte('\n')
	}
	b.WriteString("</tbody>\n</table>\n</div>\n")
}

// own says that a column's head is corpus text: a token's column has no key.
func (t *table) own(c column) bool { return c.key == "" && c.head != "" }

func (c *cell) html(b *bytes.Buffer, first, text bool) {
	var classes []string
	if text && !first { // the first are names
		classes = append(classes, "t")
	}
	if c.kind != "" {
		classes = append(classes, tone(c.kind))
	}
	if c.shade > 0 {
		classes = append(classes, fmt.Sprintf("s%d", c.shade))
	}
	class := ""
	if len(classes) > 0 {
		class = ` class="` + strings.Join(classes, " ") + `"`
	}
	if first {
		b.WriteString(`<th scope="row"` + class + ">" + isolated(c.text, c.own))
	} else {
		b.WriteString("<td" + class + ">" + isolated(c.text, c.own))
	}
}

func aligned(text bool) string {
	if text {
		return ` class="t"`
	}
	return ""
}

func isolated(text string, own bool) string {
	if own {
		return "<bdi>" + html.EscapeString(text) + "</bdi>"
	}
	return html.EscapeString(text)
}

func (g *grid) html(b *bytes.Buffer) {
	b.WriteString("<div class=\"across\">\n")
	for _, t := range g.across {
		t.html(b, "grid")
	}
	b.WriteString("</div>\n<div class=\"down\">\n")
	g.down.html(b, "grid")
	b.WriteString("</div>\n")
}

func (s *sample) html(b *bytes.Buffer) {
	b.WriteString(`<blockquote class="` + tone(s.kind) + `"><b>` + html.EscapeString(s.model) + "</b>")
	for _, w := range s.texts {
		copied := ""
		if w.copied != "" {
			copied = "<u>" + html.EscapeString(w.copied) + "</u>"
		}
		b.WriteString("<bdi>" + html.EscapeString(w.before) + copied + html.EscapeString(w.rest) + "</bdi>")
	}
	b.WriteString("</blockquote>\n")
}
