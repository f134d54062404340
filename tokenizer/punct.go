package tokenizer

import (
	"bytes"
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/words"
)

// Kind punct cuts a line at the word boundaries of Unicode Standard Annex 29
// and drops the white space. Whether there was a space before a token is
// guessed from its neighbours (spaceBefore), by encoder and decoder alike;
// where the guess is wrong, the token gets a mark, if the vocabulary has the
// marked form. So "Well, (he said)" is Well , ( he said ), all unmarked, and
// decodes to itself; only runs of white space, and spacing that the vocabulary
// has not seen, are lost.
const (
	spaced = ' '  // first byte of a token with an unexpected space before it
	joined = "##" // prefix of a token with no space where one is expected
)

// A tail is what the spacing before the next token depends on: the text that
// the decoder has so far, reduced to its last character and whether that
// stands at the beginning of a line or after a space. Character 0: a line
// begins here.
type tail struct {
	last rune
	free bool
}

// tailOf returns the tail of a text.
func tailOf(text []byte) tail {
	r, n := utf8.DecodeLastRune(text)
	if n == 0 || r == '\n' {
		return tail{}
	}
	before := text[:len(text)-n]
	free := len(before) == 0 || before[len(before)-1] == ' ' || before[len(before)-1] == '\n'
	return tail{r, free}
}

// after returns the tail when token w has been put after t.
func (t tail) after(w []byte, space bool) tail {
	r, n := utf8.DecodeLastRune(w)
	if n < len(w) {
		return tail{r, w[len(w)-n-1] == ' ' || w[len(w)-n-1] == '\n'}
	}
	return tail{r, space || t.last == 0}
}

// spaceBefore guesses whether a space stands between t and a token that begins
// with r.
func spaceBefore(t tail, r rune) bool {
	if t.last == 0 || dense(t.last) || dense(r) {
		return false
	}
	switch side(t.last) {
	case opening:
		return false
	case quoting:
		if t.free {
			return false // it opened
		}
	case linking, symbol:
		if !t.free {
			return false // joined on the left, joined on the right
		}
	}
	switch side(r) {
	case closing, linking:
		return false
	}
	return true
}

// The sides of a character to which text is joined.
type sides int

const (
	word    sides = iota // spaces on both sides
	closing              // joined to what stands before: , . ; : ! ? ) ]
	opening              // joined to what follows: ( [ # $
	quoting              // opens and closes in turn: " '
	linking              // joins both: - / _
	symbol               // alike on both sides: = + * &
)

// side classifies a character.
func side(r rune) sides {
	switch r {
	case ',', '.', ';', ':', '!', '?', ')', ']', '}', '%', '…':
		return closing
	case '(', '[', '{', '$', '#', '@', '¿', '¡':
		return opening
	case '"', '\'', '`':
		return quoting
	case '-', '/', '_', '‐', '‑', '–', '—', '\\':
		return linking
	case '<', '>': // so that <unk> stands like a word
		return word
	}
	if r < utf8.RuneSelf {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return word
		}
		return symbol
	}
	switch {
	case unicode.In(r, unicode.Pe, unicode.Pf):
		return closing
	case unicode.In(r, unicode.Ps, unicode.Pi, unicode.Sc):
		return opening
	case unicode.In(r, unicode.Sm, unicode.Po, unicode.Pd):
		return symbol
	}
	return word
}

// dense tells the scripts that are written without spaces between words, and
// their punctuation.
func dense(r rune) bool {
	if r < 0x0e00 {
		return false
	}
	return r <= 0x0eff || // Thai, Lao
		0x1000 <= r && r <= 0x109f || // Burmese
		0x1780 <= r && r <= 0x17ff || // Khmer
		0x2e80 <= r && r <= 0x30ff || // CJK radicals and punctuation, kana
		0x31c0 <= r && r <= 0x9fff || // Han
		0xf900 <= r && r <= 0xfaff ||
		0xff00 <= r && r <= 0xff9f || // full-width forms
		0x20000 <= r && r <= 0x3ffff
}

// A splitter cuts lines into tokens.
type splitter struct {
	words *words.Iterator[[]byte]
	buf   []byte // a marked token
}

// split calls emit for each token of line, with its plain and its marked form
// (equal where the guess holds) and its place. emit returns what the decoder
// will show, and whether that has the marked form's spacing. The line's own
// "\n" is not among the tokens.
func (s *splitter) split(line []byte, emit func(plain, marked []byte, at int) (shown []byte, exact bool)) {
	if s.words == nil {
		s.words = words.FromBytes(nil)
	}
	// Without its end: the annex's tables, given a cut character just before,
	// would swallow it.
	line = bytes.TrimSuffix(line, []byte{'\n'})
	s.words.SetText(line)
	var t tail
	space := false
	for s.words.Next() {
		at := s.words.Start()
		w := s.token(line)
		// A combining mark may stand on a space: only the space goes.
		lead := leadingSpace(w)
		if lead > 0 {
			space, w, at = true, w[lead:], at+lead
		}
		if len(w) == 0 {
			continue
		}
		first, _ := utf8.DecodeRune(w)
		guess := spaceBefore(t, first)
		if t.last == 0 {
			space = false // white space that a line begins with is dropped
		}
		shown, exact := emit(w, s.mark(w, space, guess), at)
		if !exact {
			space = guess
		}
		t, space = t.after(shown, space), false
	}
}

// token returns the iterator's word; a literal <unk>, three words by the
// annex, is taken whole.
func (s *splitter) token(line []byte) []byte {
	from := s.words.Start()
	if line[from] == unknownText[0] && bytes.HasPrefix(line[from:], []byte(unknownText)) {
		for s.words.End()-from < len(unknownText) && s.words.Next() {
		}
	}
	return line[from:s.words.End()]
}

// mark returns w with the mark that it needs where the guess is wrong. The unknown word has one form
// only.
func (s *splitter) mark(w []byte, space, guess bool) []byte {
	switch {
	case space == guess, string(w) == unknownText:
		return w
	case space:
		s.buf = append(s.buf[:0], spaced)
	default:
		s.buf = append(s.buf[:0], joined...)
	}
	s.buf = append(s.buf, w...)
	return s.buf
}

// leadingSpace returns the length of the white space that w begins with.
func leadingSpace(w []byte) int {
	n := 0
	for n < len(w) {
		r, size := utf8.DecodeRune(w[n:])
		if !unicode.IsSpace(r) {
			break
		}
		n += size
	}
	return n
}

// encodePunct appends the ids of a line.
func (ws *wordset) encodePunct(dst []int32, s *splitter, line []byte, noisy bool, offset uint64) []int32 {
	limit := ws.limit(noisy)
	s.split(line, func(plain, marked []byte, at int) ([]byte, bool) {
		id, exact := int32(ws.words.lookup(marked)), true
		if id < 0 {
			id, exact = ws.id(plain), false
		}
		if limit > 0 && mix(offset+uint64(at)) < limit {
			id = unknownWord
		}
		dst = append(dst, id)
		if id == unknownWord {
			return ws.words.at(unknownWord), false
		}
		return plain, exact
	})
	if len(line) > 0 && line[len(line)-1] == '\n' {
		dst = append(dst, lineEndWord)
	}
	return dst
}

// appendPunct appends the text of id after dst.
func (ws *wordset) appendPunct(dst []byte, id int32) []byte {
	w := ws.words.at(int(id))
	switch {
	case id == lineEndWord:
		return append(dst, w...)
	case len(w) > 1 && w[0] == spaced: // the mark is the space itself
		return append(dst, w...)
	case len(w) > len(joined) && string(w[:len(joined)]) == joined:
		return append(dst, w[len(joined):]...)
	}
	if first, _ := utf8.DecodeRune(w); spaceBefore(tailOf(dst), first) {
		dst = append(dst, ' ')
	}
	return append(dst, w...)
}
