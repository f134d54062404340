package tokenizer

import (
	"fmt"
	"strings"
)

// The ids that every word vocabulary begins with.
const (
	unknownWord = 0 // spelled <unk>
	lineEndWord = 1 // spelled "\n", which no word can be
	firstWord   = 2
)

const unknownText = "<unk>"

// wordNoise is the rate of artificial unknown words where the text has none.
const wordNoise = 2048

// A wordset is the vocabulary of kind word.
type wordset struct {
	words *table
	punct bool
	noise uint64
}

// NewWords returns the tokenizer of a given vocabulary, split at white space:
// words are the texts of its ids, "<unk>" and "\n" first.
func NewWords(words []string) (*Tokenizer, error) {
	f := file{Format: fileFormat, Version: fileVersion, Kind: Word, Words: Whitespace, MinCount: 1}
	for i, w := range words {
		if i >= firstWord && strings.ContainsAny(w, " \t\n\v\f\r") {
			return nil, fmt.Errorf("tokenizer: the word %.40q holds white space", w)
		}
		f.Tokens = append(f.Tokens, token(w))
	}
	t, err := f.tokenizer()
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	return finish(t), nil
}

// isSpace holds the ASCII white space, as C's isspace and Python's
// bytes.split have it.
var isSpace = [256]bool{' ': true, '\t': true, '\n': true, '\v': true, '\f': true, '\r': true}

// splitSpace calls word for every token of text and its place, and, for every
// "\n", end.
func splitSpace(text []byte, word func(w []byte, at int), end func()) {
	for i := 0; i < len(text); {
		if b := text[i]; isSpace[b] {
			if b == '\n' {
				end()
			}
			i++
			continue
		}
		from := i
		for i < len(text) && !isSpace[text[i]] {
			i++
		}
		word(text[from:i], from)
	}
}

// id returns the id of a word.
func (ws *wordset) id(w []byte) int32 {
	if i := ws.words.lookup(w); i >= 0 {
		return int32(i)
	}
	return unknownWord
}

// encodeSpace appends the ids of text, split at white space; offset decides
// about noise where noisy.
func (ws *wordset) encodeSpace(dst []int32, text []byte, noisy bool, offset uint64) []int32 {
	limit := ws.limit(noisy)
	splitSpace(text, func(w []byte, at int) {
		id := ws.id(w)
		if limit > 0 && mix(offset+uint64(at)) < limit {
			id = unknownWord
		}
		dst = append(dst, id)
	}, func() { dst = append(dst, lineEndWord) })
	return dst
}

// limit is the bound below which a hash makes a word unknown.
func (ws *wordset) limit(noisy bool) uint64 {
	if !noisy || ws.noise == 0 {
		return 0
	}
	return ^uint64(0) / ws.noise
}

// appendSpace appends the text of id after dst, for tokens split at white
// space.
func (ws *wordset) appendSpace(dst []byte, id int32) []byte {
	if id != lineEndWord && len(dst) > 0 && dst[len(dst)-1] != '\n' {
		dst = append(dst, ' ')
	}
	return append(dst, ws.words.at(int(id))...)
}
