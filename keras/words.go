package keras

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Words splits a document as Keras does before it counts or looks up words:
// lower-cases it, replaces filtered characters by the separator, splits there and
// leaves out what is empty (text_to_word_sequence); with CharLevel it gives the
// characters.
func (t *Tokenizer) Words(text string) []string {
	if t.Lower {
		text = lower(text)
	}
	if t.CharLevel {
		return characters(text)
	}
	if t.Filters != "" {
		text = replaceAny(text, t.Filters, t.Split)
	}
	words := strings.Split(text, t.Split)
	kept := words[:0]
	for _, w := range words {
		if w != "" {
			kept = append(kept, w)
		}
	}
	return kept
}

// lowered are the tokens of a document that is a list of them.
func (t *Tokenizer) lowered(tokens []string) []string {
	if !t.Lower {
		return tokens
	}
	out := make([]string, len(tokens))
	for i, w := range tokens {
		out[i] = lower(w)
	}
	return out
}

// characters are the code points of text.
func characters(text string) []string {
	out := make([]string, 0, len(text))
	for _, r := range text {
		out = append(out, string(r))
	}
	return out
}

// replaceAny puts with in place of every character of text that is in chars.
func replaceAny(text, chars, with string) string {
	var b strings.Builder
	b.Grow(len(text))
	for _, r := range text {
		if strings.ContainsRune(chars, r) {
			b.WriteString(with)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// lower is Python's str.lower: Unicode's full mapping, in which the dotted
// capital İ becomes two characters and a capital sigma at the end of a word the
// final one.
func lower(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	for i, r := range text {
		switch {
		case r < utf8.RuneSelf:
			if 'A' <= r && r <= 'Z' {
				r += 'a' - 'A'
			}
			b.WriteByte(byte(r))
		case r == 'İ':
			b.WriteString("i\u0307")
		case r == 'Σ' && finalSigma(text[:i], text[i+len("Σ"):]):
			b.WriteRune('ς')
		default:
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return b.String()
}

// finalSigma is Unicode's condition of that name (The Unicode Standard, section
// 3.13): a cased letter before the sigma and none after it, whatever characters
// that casing ignores stand between.
func finalSigma(before, after string) bool {
	for {
		r, n := utf8.DecodeLastRuneInString(before)
		if n == 0 || !caseIgnorable(r) {
			if n == 0 || !cased(r) {
				return false
			}
			break
		}
		before = before[:len(before)-n]
	}
	for _, r := range after {
		if !caseIgnorable(r) {
			return !cased(r)
		}
	}
	return true
}

func cased(r rune) bool {
	return unicode.In(r, unicode.Lu, unicode.Ll, unicode.Lt, unicode.Other_Uppercase, unicode.Other_Lowercase)
}

// caseIgnorable is the property Case_Ignorable: marks, format characters,
// modifiers, and the punctuation that may stand within a word.
func caseIgnorable(r rune) bool {
	return unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk) ||
		strings.ContainsRune("'.:·\u0387\u055f\u05f4\u2018\u2019\u2024\u2027\ufe13\ufe52\ufe55\uff07\uff0e\uff1a", r)
}
