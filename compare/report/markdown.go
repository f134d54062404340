package report

import (
	"bytes"
	"fmt"
	"strings"
)

// markdown writes the page for readers of text; figures are the PNG files.
func (p *page) markdown() []byte {
	var b bytes.Buffer
	b.WriteString("# " + p.title.markdown() + "\n\n")
	for i, s := range p.verdict {
		if i > 0 {
			b.WriteString(" ")
		}
		b.WriteString(s.markdown())
	}
	b.WriteString("\n\n" + p.about.markdown() + "\n")
	for i, s := range p.sections {
		fmt.Fprintf(&b, "\n## %d. %s\n", i+1, s.title)
		for _, part := range s.parts {
			b.WriteString("\n")
			switch {
			case part.text != nil:
				b.WriteString(part.text.markdown() + "\n")
			case part.figure != nil:
				fmt.Fprintf(&b, "![%s](figures/%s.png)\n\n%s\n", escaped(part.figure.title), part.figure.id, part.figure.says.markdown())
			case part.table != nil:
				part.table.markdown(&b)
			case part.grid != nil:
				part.grid.down.markdown(&b)
			case part.sample != nil:
				part.sample.markdown(&b)
			default:
				b.WriteString(fenced(part.pre))
			}
		}
	}
	return b.Bytes()
}

func (t *table) markdown(b *bytes.Buffer) {
	b.WriteString(t.caption + ":\n\n|")
	for _, c := range t.columns {
		b.WriteString(" " + escaped(c.head) + " |")
	}
	b.WriteString("\n|")
	for _, c := range t.columns {
		if c.text {
			b.WriteString(":--|")
		} else {
			b.WriteString("--:|")
		}
	}
	b.WriteString("\n")
	for _, row := range t.rows {
		b.WriteString("|")
		for _, c := range row {
			text := escaped(c.text)
			if c.own {
				text = inlineCode(strings.ReplaceAll(c.text, "|", "\\|"))
			}
			b.WriteString(" " + text + " |")
		}
		b.WriteString("\n")
	}
}

// markdown has no underlining; the copied stretch is named below.
func (s *sample) markdown(b *bytes.Buffer) {
	b.WriteString(escaped(s.model) + ":\n")
	for _, w := range s.texts {
		b.WriteString("\n" + fenced(w.before+w.copied+w.rest))
		if w.copied != "" {
			b.WriteString("\nLongest stretch copied: " + inlineCode(strings.ReplaceAll(w.copied, "\n", "⏎")) + "\n")
		}
	}
}

// fenced is a block of text that ends where it should.
func fenced(text string) string {
	fence := "```"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	return fence + "\n" + strings.TrimRight(text, "\n") + "\n" + fence + "\n"
}

// escaped takes the meaning from Markdown's signs.
func escaped(text string) string {
	return strings.NewReplacer("\\", "\\\\", "|", "\\|", "*", "\\*", "_", "\\_", "<", "&lt;", "`", "\\`", "[", "\\[").Replace(text)
}
