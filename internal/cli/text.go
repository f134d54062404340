package cli

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// runeColumns is how many terminal columns r takes: 2 for wide East Asian
// characters and emoji, 0 for marks that join the character before.
func runeColumns(r rune) int {
	if unicode.In(r, unicode.Mn, unicode.Me) || r == 0x200D {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// textColumns is the width of text that holds no control characters.
func textColumns(text string) int {
	n := 0
	for _, r := range text {
		n += runeColumns(r)
	}
	return n
}

// cut shortens text to at most columns.
func cut(text string, columns int) string {
	n := 0
	for i, r := range text {
		n += runeColumns(r)
		if n > columns {
			return text[:i]
		}
	}
	return text
}

// cutAtSpace is cut after the last space in the right half of what fits, if
// there is one.
func cutAtSpace(text string, columns int) string {
	head := cut(text, columns)
	if at := strings.LastIndexByte(head, ' '); len(head) < len(text) && at > len(head)/2 {
		return head[:at+1]
	}
	return head
}

// unsafeRune reports whether a terminal might act on r instead of showing it.
func unsafeRune(r rune) bool {
	return r < 0x20 || r >= 0x7F && r < 0xA0 || unicode.Is(unicode.Cf, r) && r != 0x200D && r != 0x200C && r != 0xAD ||
		r == 0x2028 || r == 0x2029
}

// appendVisible appends text with everything a terminal might act on spelled
// as \x1b. Line ends and tabs stay if keepLines.
func appendVisible(dst []byte, text []byte, keepLines bool) []byte {
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && n <= 1:
			dst = fmt.Appendf(dst, `\x%02x`, text[0])
		case keepLines && (r == '\n' || r == '\t'):
			dst = append(dst, byte(r))
		case r == '\n':
			dst = append(dst, `\n`...)
		case r == '\t':
			dst = append(dst, `\t`...)
		case r == '\r':
			dst = append(dst, `\r`...)
		case unsafeRune(r):
			for _, b := range text[:n] {
				dst = fmt.Appendf(dst, `\x%02x`, b)
			}
		default:
			dst = append(dst, text[:n]...)
		}
		text = text[n:]
	}
	return dst
}

// visible is appendVisible for one line.
func visible(text string) string { return string(appendVisible(nil, []byte(text), false)) }

// oneLine makes a sample fit a table's row: white space runs become one space.
func oneLine(text string, columns int) string {
	return cut(visible(strings.Join(strings.Fields(text), " ")), columns)
}

// wrap breaks text at spaces to lines of at most columns, later ones indented.
func wrap(text, indent string, columns int) string {
	var b strings.Builder
	at := 0
	for i, word := range strings.Split(text, " ") {
		n := textColumns(word)
		switch {
		case i == 0:
		case at+1+n > columns && at > len(indent):
			b.WriteString("\n" + indent)
			at = len(indent)
		default:
			b.WriteByte(' ')
			at++
		}
		b.WriteString(word)
		at += n
	}
	return b.String()
}
