package cli

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/refrain-lm/refrain/eval"
)

// printTokens shows every token's surprisal: digits under the line's
// characters, numbers under words, or a line a token in a pipe.
func (s *scoring) printTokens(text []byte, sc eval.LineScore, bits float64, exact bool) {
	switch {
	case !s.app.out.terminal:
		for _, t := range sc.Each {
			fmt.Fprintf(s.out, "%d\t%s\t%.3f\n", s.number, tabless(t.Text), t.Bits)
		}
	case s.m.Tokenizer.Unit() == "word":
		s.printCells(wordCells(sc.Each), " ", mark(bits, exact, true)+" bits/byte")
	default:
		s.printCells(s.charCells(text, sc), "", mark(bits, exact, true)+" bits/byte")
	}
}

// tabless keeps a token within its column and line.
func tabless(token string) string {
	return strings.NewReplacer("\t", `\t`, "\n", `\n`, "\r", `\r`).Replace(token)
}

// cell is a piece of a line and what stands under it, of equal width.
type cell struct {
	above, below string
	bits         float64
}

// charCells puts a digit under each character. The bytes of a character that
// the model spells out stand together, with the sum of their bits.
func (s *scoring) charCells(text []byte, sc eval.LineScore) []cell {
	var cells []cell
	add := func(above string, bits float64) {
		cells = append(cells, cell{above, digit(bits) + strings.Repeat(" ", max(1, textColumns(above))-1), bits})
	}
	if sc.Lossy { // the tokens are of another text than the line
		for _, t := range sc.Each {
			add(visible(t.Text), t.Bits)
		}
		return cells
	}
	for each := sc.Each; len(text) > 0 && len(each) > 0; {
		_, size := utf8.DecodeRune(text)
		s.ids = s.m.Tokenizer.Encode(s.ids[:0], text[:size])
		n, bits := min(len(s.ids), len(each)), 0.0
		for _, t := range each[:n] {
			bits += t.Bits
		}
		add(visible(string(text[:size])), bits)
		text, each = text[size:], each[n:]
	}
	return cells
}

// wordCells puts a number under each word, its line end left out.
func wordCells(each []eval.Surprisal) []cell {
	var cells []cell
	for _, t := range each {
		if t.Text == "<eos>" {
			continue
		}
		above, below := visible(t.Text), fmt.Sprintf("%.1f", t.Bits)
		w := max(textColumns(above), len(below))
		cells = append(cells, cell{above + strings.Repeat(" ", w-textColumns(above)), below + strings.Repeat(" ", w-len(below)), t.Bits})
	}
	return cells
}

// digit is bits rounded: . under half, 9 for nine or more.
func digit(bits float64) string {
	switch {
	case bits < 0.5:
		return "."
	case bits >= 8.5 || math.IsNaN(bits):
		return "9"
	}
	return fmt.Sprint(int(math.Floor(bits + 0.5)))
}

// look repeats in style what the digit says.
func look(bits float64) style {
	switch d := digit(bits); {
	case d == "9":
		return reverse
	case d >= "6":
		return alarm
	case d >= "3":
		return underline
	}
	return ""
}

// printCells writes cells in lines as wide as the terminal, the total after the last.
func (s *scoring) printCells(cells []cell, gap, total string) {
	columns := s.app.out.columns()
	for first := true; first || len(cells) > 0; first = false {
		var above, below strings.Builder
		at, n := 0, 0
		for ; n < len(cells); n++ {
			c := cells[n]
			w := textColumns(c.below)
			if at > 0 && at+w > columns {
				break
			}
			word := strings.TrimRight(c.above, " ")
			if word == "" {
				word = c.above // a space is a character too
			}
			if l := look(c.bits); l != "" {
				above.WriteString(s.app.out.paint(l, word))
			} else {
				above.WriteString(word)
			}
			above.WriteString(c.above[len(word):] + gap)
			below.WriteString(c.below + gap)
			at += w + len(gap)
		}
		cells = cells[n:]
		line := strings.TrimRight(below.String(), " ")
		if len(cells) == 0 {
			if pad := at - len(line); at+3+len(total) <= columns {
				line += strings.Repeat(" ", pad+3) + total
			} else {
				line += "\n" + total
			}
		}
		fmt.Fprintf(s.out, "%s\n%s\n", strings.TrimRight(above.String(), " "), line)
	}
}
