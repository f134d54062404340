package tokenizer

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// Kind is what a token stands for.
type Kind string

// The kinds.
const (
	Byte Kind = "byte"
	Char Kind = "char"
	Word Kind = "word"
	// Keras is what [FromKeras] makes: words or characters with the ids of
	// Keras' tokenizer. It is not trained here.
	Keras Kind = "keras"
)

// UnmarshalText accepts the name of a kind.
func (k *Kind) UnmarshalText(b []byte) error {
	switch v := Kind(b); v {
	case Byte, Char, Word, Keras:
		*k = v
		return nil
	}
	return fmt.Errorf("tokenizer: kind %q is none of byte, char, word, keras", b)
}

// The ways of kind word to find words (Options.Words).
const (
	Whitespace = "whitespace" // exactly what stands between ASCII white space
	Punct      = "punct"      // Unicode words, punctuation apart
)

// Limits that bound memory whatever the text or the file.
const (
	maxVocab = 1 << 21 // entries of a vocabulary, and words counted at once
	maxWord  = 1 << 10 // bytes of a word; a longer one is unknown
)

// Options say how to train a tokenizer. They are saved with it.
type Options struct {
	// Kind is byte, char or word; empty means char.
	Kind Kind
	// Words is, for kind word, whitespace or punct; empty means whitespace.
	Words string
	// MinCount is how often a character or word has to occur to get an id of
	// its own; 0 means 1.
	MinCount int
	// VocabSize bounds the number of ids, special ids and the 256 bytes of
	// kind char included: the most frequent stay. 0 means no bound.
	VocabSize int
	// Lower maps text to lower case before anything else (Unicode's simple
	// mapping). What case there was is lost.
	Lower bool
	// Normalize is the Unicode normal form that text is brought to: NFC, NFKC,
	// NFD, NFKD, or empty for none.
	Normalize string
}

// withDefaults returns o with the documented values in place of zeros.
func (o Options) withDefaults() Options {
	if o.Kind == "" {
		o.Kind = Char
	}
	if o.Kind == Word && o.Words == "" {
		o.Words = Whitespace
	}
	if (o.Kind == Char || o.Kind == Word) && o.MinCount == 0 {
		o.MinCount = 1
	}
	return o
}

// Validate reports everything that is wrong with o, in one line.
func (o Options) Validate() error {
	o = o.withDefaults()
	var bad []string
	add := func(format string, a ...any) { bad = append(bad, fmt.Sprintf(format, a...)) }
	switch o.Kind {
	case Byte:
		if o.MinCount > 1 || o.VocabSize != 0 || o.Lower || o.Normalize != "" {
			add("kind byte keeps every byte: drop minimum count, vocabulary size, lower case and normalisation, or take kind char")
		}
	case Keras:
		if o != (Options{Kind: Keras}) {
			add("kind keras has the options of Keras' tokenizer only")
		}
	case Char, Word:
		least := 256
		if o.Kind == Word {
			least = firstWord + 1
		}
		if o.VocabSize != 0 && (o.VocabSize < least || o.VocabSize > maxVocab) {
			add("vocabulary size %d is not from %d to %d", o.VocabSize, least, maxVocab)
		}
		if o.MinCount < 0 {
			add("minimum count %d is negative", o.MinCount)
		}
	default:
		add("kind %q is none of byte, char, word, keras", o.Kind)
	}
	switch {
	case o.Kind != Word && o.Words != "":
		add("words %q goes with kind word only", o.Words)
	case o.Kind == Word && o.Words != Whitespace && o.Words != Punct:
		add("words %q is none of whitespace, punct", o.Words)
	}
	if _, err := form(o.Normalize); err != nil {
		add("%v", err)
	}
	if len(bad) > 0 {
		return errors.New("tokenizer: " + strings.Join(bad, "; "))
	}
	return nil
}

// form returns the normal form of that name; NFC for the empty name, where the
// caller doesn't apply it.
func form(name string) (norm.Form, error) {
	switch name {
	case "", "NFC":
		return norm.NFC, nil
	case "NFKC":
		return norm.NFKC, nil
	case "NFD":
		return norm.NFD, nil
	case "NFKD":
		return norm.NFKD, nil
	}
	return 0, fmt.Errorf("normal form %q is none of NFC, NFKC, NFD, NFKD", name)
}
