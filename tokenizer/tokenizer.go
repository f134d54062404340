package tokenizer

import (
	"bytes"
	"fmt"
	"strconv"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/refrain-lm/refrain/keras"
)

// A Tokenizer is a trained vocabulary with its rules. It never changes and may
// be used from many goroutines.
type Tokenizer struct {
	opts    Options
	cleaner cleaner
	chars   *charset // kind char
	words   *wordset // kind word
	keras   *keras.Tokenizer
	size    int // of kind keras
	id      string
	pool    sync.Pool // *scratch
}

// scratch is what encoding a line needs besides its result.
type scratch struct {
	normal, lower, text []byte
	ids                 []int32
	split               splitter
}

func (t *Tokenizer) scratch() *scratch {
	if s, ok := t.pool.Get().(*scratch); ok {
		return s
	}
	return new(scratch)
}

// NewByte returns the byte tokenizer, the one that needs no training.
func NewByte() *Tokenizer {
	return finish(&Tokenizer{opts: Options{Kind: Byte}.withDefaults()})
}

// Encode appends the ids of text to dst. It never fails. A long text can come
// in pieces, cut after line ends (see the package documentation).
func (t *Tokenizer) Encode(dst []int32, text []byte) []int32 {
	return t.encode(dst, text, false, 0)
}

// EncodeTraining is [Tokenizer.Encode] for training text, with the rare noise
// that teaches a model about characters and words it will never see there.
// offset is the place of text's first byte in the whole training text; the
// noise depends on it and on nothing else.
func (t *Tokenizer) EncodeTraining(dst []int32, text []byte, offset uint64) []int32 {
	return t.encode(dst, text, true, offset)
}

func (t *Tokenizer) encode(dst []int32, text []byte, noisy bool, offset uint64) []int32 {
	switch {
	case t.opts.Kind == Byte:
		for _, b := range text {
			dst = append(dst, int32(b))
		}
		return dst
	case t.cleaner.active() || t.keras != nil || t.words != nil && t.words.punct:
		s := t.scratch()
		for len(text) > 0 {
			line, rest := nextLine(text)
			dst = t.encodeLine(dst, s, t.cleaner.clean(s, line), noisy, offset)
			offset += uint64(len(line))
			text = rest
		}
		t.pool.Put(s)
		return dst
	}
	return t.encodeLine(dst, nil, text, noisy, offset)
}

// encodeLine appends the ids of a cleaned line; without a splitter to set up
// (kind punct) it may be several lines.
func (t *Tokenizer) encodeLine(dst []int32, s *scratch, line []byte, noisy bool, offset uint64) []int32 {
	switch {
	case t.chars != nil && noisy:
		return t.chars.encodeTraining(dst, line, offset)
	case t.chars != nil:
		return t.chars.encode(dst, line)
	case t.keras != nil:
		return t.encodeKeras(dst, line)
	case t.words.punct:
		return t.words.encodePunct(dst, &s.split, line, noisy, offset)
	}
	return t.words.encodeSpace(dst, line, noisy, offset)
}

// AppendDecode appends the text of id to dst, the text so far: whether a word
// gets a space before it depends on dst's last characters (its last 8 bytes
// suffice). It allocates only where dst has to grow. id must be in
// [0, Size).
func (t *Tokenizer) AppendDecode(dst []byte, id int32) []byte {
	if id < 0 || int(id) >= t.Size() {
		panic(fmt.Sprintf("tokenizer: id %d, vocabulary of %d", id, t.Size()))
	}
	switch {
	case t.words != nil && t.words.punct:
		return t.words.appendPunct(dst, id)
	case t.words != nil:
		return t.words.appendSpace(dst, id)
	case t.keras != nil:
		return t.appendKeras(dst, id)
	case id < 256:
		return append(dst, byte(id))
	}
	return utf8.AppendRune(dst, t.chars.runes[id-256])
}

// Size returns the number of ids.
func (t *Tokenizer) Size() int {
	switch {
	case t.words != nil:
		return t.words.words.len()
	case t.chars != nil:
		return 256 + len(t.chars.runes)
	case t.keras != nil:
		return t.size
	}
	return 256
}

// Kind returns what a token stands for.
func (t *Tokenizer) Kind() Kind { return t.opts.Kind }

// Options returns what the tokenizer was trained with, defaults filled in.
func (t *Tokenizer) Options() Options { return t.opts }

// Distinct returns how many distinct characters or words of the training text
// are in the vocabulary, ASCII characters included; 256 for kind byte.
func (t *Tokenizer) Distinct() int {
	switch {
	case t.words != nil:
		return t.Size() - firstWord
	case t.chars != nil:
		return len(t.chars.all)
	case t.keras != nil:
		return t.size - 1
	}
	return 256
}

// Unknown returns the id of words that are not in the vocabulary, −1 for the
// kinds that need none.
func (t *Tokenizer) Unknown() int32 {
	if t.words != nil {
		return unknownWord
	}
	if t.keras != nil {
		return t.kerasUnknown()
	}
	return -1
}

// LineEnd returns the id of "\n".
func (t *Tokenizer) LineEnd() int32 {
	if t.words != nil {
		return lineEndWord
	}
	if t.keras != nil {
		return kerasPadding
	}
	return '\n'
}

// Unit returns what a loss is per: "byte", "char" or "word".
func (t *Tokenizer) Unit() string {
	switch {
	case t.keras != nil && t.keras.CharLevel:
		return string(Char)
	case t.keras != nil:
		return string(Word)
	}
	return string(t.opts.Kind)
}

// Loses tells whether decoding the ids of text gives another text: because of
// unknown words, lower-casing, normalisation, or white space that words don't
// keep. Bits per byte mean nothing for such a text. text ends with a line end
// or with the stream.
func (t *Tokenizer) Loses(text []byte) bool {
	if t.words == nil && t.keras == nil && !t.cleaner.active() {
		return false
	}
	s := t.scratch()
	defer t.pool.Put(s)
	for len(text) > 0 {
		line, rest := nextLine(text)
		s.ids = t.encodeLine(s.ids[:0], s, t.cleaner.clean(s, line), false, 0)
		s.text = s.text[:0]
		for _, id := range s.ids {
			s.text = t.AppendDecode(s.text, id)
		}
		if !bytes.Equal(s.text, line) {
			return true
		}
		text = rest
	}
	return false
}

// TokenText returns id as people read it: a character or word as it is, but
// control characters and single bytes escaped as in Go ("\n", "\x1b"), a
// word's line end as <eos>, and a word of kind punct with its mark (" -" has an
// unexpected space before it, "##-" has none where one is expected).
func (t *Tokenizer) TokenText(id int32) string {
	if t.words != nil && id == lineEndWord || t.keras != nil && id == kerasPadding {
		return "<eos>"
	}
	var text []byte
	if t.words != nil {
		text = t.words.words.at(int(id))
	} else {
		text = t.AppendDecode(nil, id)
	}
	for rest := text; len(rest) > 0; {
		r, n := utf8.DecodeRune(rest)
		if r == utf8.RuneError && n == 1 || !unicode.IsPrint(r) {
			q := strconv.Quote(string(text))
			return q[1 : len(q)-1]
		}
		rest = rest[n:]
	}
	return string(text)
}

// ID returns the SHA-256 of the canonical tokenizer.json in hexadecimal: equal
// IDs mean equal ids for every text.
func (t *Tokenizer) ID() string { return t.id }
