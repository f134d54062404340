package tokenizer

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"
)

// charNoise is the rate of artificial unseen characters: see the package
// documentation.
const charNoise = 8192

// maxCountedBytes bounds the words counted at once, together with maxVocab.
// Beyond either the rarest are forgotten, always at the same word of the same
// text.
const maxCountedBytes = 1 << 26

// A Trainer counts what stands in a text, piece by piece, in at most about
// 400 MB of memory.
type Trainer struct {
	opts    Options
	cleaner cleaner
	scratch scratch

	ascii [utf8.RuneSelf]int64
	pages map[rune]*[256]int64 // counts of other characters, by r>>8

	words  *table
	counts []int64 // of words
	lost   int64   // occurrences of words that were forgotten or too long
	// The most words and bytes of words counted at once.
	limitWords, limitBytes int
}

// NewTrainer returns a trainer for o; the error names all that is wrong in o.
func NewTrainer(o Options) (*Trainer, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if o.Kind == Keras {
		return nil, errors.New("tokenizer: kind keras is not trained: fit a tokenizer of package keras and take FromKeras")
	}
	o = o.withDefaults()
	return &Trainer{
		opts: o, cleaner: newCleaner(o),
		pages: make(map[rune]*[256]int64),
		words: newTable(0), limitWords: maxVocab - firstWord, limitBytes: maxCountedBytes,
	}, nil
}

// Write counts a piece of the training text; pieces are cut as for
// [Tokenizer.Encode].
func (t *Trainer) Write(chunk []byte) {
	if t.opts.Kind == Byte {
		return
	}
	if !t.cleaner.active() && t.opts.Words != Punct {
		t.count(chunk)
		return
	}
	for len(chunk) > 0 {
		line, rest := nextLine(chunk)
		t.count(t.cleaner.clean(&t.scratch, line))
		chunk = rest
	}
}

// count counts cleaned text, for kind punct a line.
func (t *Trainer) count(text []byte) {
	switch {
	case t.opts.Kind == Char:
		t.countChars(text)
	case t.opts.Words == Punct:
		t.scratch.split.split(text, func(plain, marked []byte, _ int) ([]byte, bool) {
			t.countWord(marked)
			return plain, true
		})
	default:
		splitSpace(text, func(w []byte, _ int) { t.countWord(w) }, func() {})
	}
}

func (t *Trainer) countChars(text []byte) {
	for i := 0; i < len(text); {
		if b := text[i]; b < utf8.RuneSelf {
			t.ascii[b]++
			i++
			continue
		}
		r, n := utf8.DecodeRune(text[i:])
		i += n
		if r == utf8.RuneError && n == 1 {
			continue
		}
		page := t.pages[r>>8]
		if page == nil {
			page = new([256]int64)
			t.pages[r>>8] = page
		}
		page[r&255]++
	}
}

func (t *Trainer) countWord(w []byte) {
	if len(w) > maxWord {
		t.lost++
		return
	}
	i, fresh := t.words.add(w)
	if fresh {
		t.counts = append(t.counts, 0)
	}
	t.counts[i]++
	if t.words.len() > t.limitWords || len(t.words.bytes) > t.limitBytes {
		t.prune()
	}
}

// prune forgets the rarest words until half of the room is free.
func (t *Trainer) prune() {
	for rare := int64(1); t.words.len() > t.limitWords/2 || len(t.words.bytes) > t.limitBytes/2; rare++ {
		kept, counts := newTable(t.words.len()/2), t.counts[:0]
		for i, n := range t.counts {
			if n > rare {
				kept.add(t.words.at(i))
				counts = append(counts, n)
			} else {
				t.lost += n
			}
		}
		t.words, t.counts = kept, counts
	}
}

// Tokenizer returns the tokenizer of what was counted. A text without any
// characters or words is an error. Of a text with more than 2 million distinct
// words the rarest are unknown words.
func (t *Trainer) Tokenizer() (*Tokenizer, error) {
	switch t.opts.Kind {
	case Byte:
		return NewByte(), nil
	case Char:
		return t.charTokenizer()
	}
	return t.wordTokenizer()
}

func (t *Trainer) charTokenizer() (*Tokenizer, error) {
	type counted struct {
		r rune
		n int64
	}
	var kept []rune // ASCII, then the most frequent others
	for r, n := range t.ascii {
		if n >= int64(t.opts.MinCount) {
			kept = append(kept, rune(r))
		}
	}
	var other []counted
	for p, page := range t.pages {
		for i, n := range page {
			if n > 0 && n >= int64(t.opts.MinCount) {
				other = append(other, counted{p<<8 | rune(i), n})
			}
		}
	}
	if len(kept)+len(other) == 0 {
		return nil, fmt.Errorf("tokenizer: no character occurs %d times in the training text", t.opts.MinCount)
	}
	slices.SortFunc(other, func(a, b counted) int {
		return cmp.Or(cmp.Compare(b.n, a.n), cmp.Compare(a.r, b.r))
	})
	if room := t.opts.VocabSize - 256; t.opts.VocabSize > 0 && len(other) > room {
		other = other[:room]
	}
	for _, c := range other {
		kept = append(kept, c.r)
	}
	slices.Sort(kept)
	return finish(&Tokenizer{opts: t.opts, chars: newCharset(kept, charNoise)}), nil
}

func (t *Trainer) wordTokenizer() (*Tokenizer, error) {
	unknown := t.lost
	var order []int
	for i, n := range t.counts {
		switch {
		case string(t.words.at(i)) == unknownText:
			unknown += n
		case n < int64(t.opts.MinCount):
			unknown += n
		default:
			order = append(order, i)
		}
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(t.counts[b], t.counts[a]), bytes.Compare(t.words.at(a), t.words.at(b)))
	})
	if room := t.opts.VocabSize - firstWord; t.opts.VocabSize > 0 && len(order) > room {
		unknown++ // at least
		order = order[:room]
	}
	if len(order) == 0 {
		return nil, fmt.Errorf("tokenizer: no word occurs %d times in the training text", t.opts.MinCount)
	}
	words := newTable(len(order) + firstWord)
	words.add([]byte(unknownText))
	words.add([]byte{'\n'})
	for _, i := range order {
		words.add(t.words.at(i))
	}
	ws := &wordset{words: words, punct: t.opts.Words == Punct}
	if unknown == 0 {
		ws.noise = wordNoise
	}
	return finish(&Tokenizer{opts: t.opts, words: ws}), nil
}
