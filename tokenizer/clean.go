package tokenizer

import (
	"bytes"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// A cleaner brings a line to the form that the vocabulary is made of:
// normalised, then in lower case. Its zero value changes nothing.
type cleaner struct {
	normalize bool
	form      norm.Form
	lower     bool
}

func newCleaner(o Options) cleaner {
	f, err := form(o.Normalize)
	if err != nil {
		panic(err) // Validate comes first
	}
	return cleaner{normalize: o.Normalize != "", form: f, lower: o.Lower}
}

// active tells whether clean can change anything.
func (c *cleaner) active() bool { return c.normalize || c.lower }

// clean returns the cleaned line: line itself where nothing changes, else a
// slice of s that holds until the next call.
func (c *cleaner) clean(s *scratch, line []byte) []byte {
	if c.normalize && c.form.QuickSpan(line) < len(line) {
		s.normal = c.form.Append(s.normal[:0], line...)
		line = s.normal
	}
	if c.lower {
		s.lower = appendLower(s.lower[:0], line)
		line = s.lower
	}
	return line
}

// appendLower appends text in lower case; bytes that are not UTF-8 stay.
func appendLower(dst, text []byte) []byte {
	for i := 0; i < len(text); {
		b := text[i]
		if b < utf8.RuneSelf {
			if 'A' <= b && b <= 'Z' {
				b += 'a' - 'A'
			}
			dst = append(dst, b)
			i++
			continue
		}
		r, n := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && n == 1 {
			dst = append(dst, b)
		} else {
			dst = utf8.AppendRune(dst, unicode.ToLower(r))
		}
		i += n
	}
	return dst
}

// nextLine splits text after its first "\n".
func nextLine(text []byte) (line, rest []byte) {
	if i := bytes.IndexByte(text, '\n'); i >= 0 {
		return text[:i+1], text[i+1:]
	}
	return text, nil
}
