package tokenizer

import (
	"errors"
	"fmt"
	"strings"

	"github.com/refrain-lm/refrain/keras"
)

// kerasPadding is the id that Keras' tokenizer gives to no word. It stands for
// "\n" here: the line end that a stream begins with, and that no text is encoded
// to, since Keras' documents have no end.
const kerasPadding = 0

// FromKeras returns the tokenizer that gives k's ids, each line a document. k must
// not be changed afterwards.
func FromKeras(k *keras.Tokenizer) (*Tokenizer, error) {
	if k.Size() < 2 || k.Size() > maxVocab {
		return nil, fmt.Errorf("tokenizer: Keras' tokenizer has %d ids, want 2…%d: fit it on some text", k.Size(), maxVocab)
	}
	return finish(&Tokenizer{opts: Options{Kind: Keras}, keras: k}), nil
}

func (f *file) kerasTokenizer() (*keras.Tokenizer, error) {
	if f.Keras == nil || f.Characters != "" || f.Tokens != nil || f.Noise != 0 {
		return nil, errors.New("kind keras needs Keras' tokenizer and nothing else")
	}
	if n := f.Keras.Size(); n < 2 || n > maxVocab {
		return nil, fmt.Errorf("%d ids, want 2…%d", n, maxVocab)
	}
	return f.Keras, nil
}

// encodeKeras appends the ids of a line.
func (t *Tokenizer) encodeKeras(dst []int32, line []byte) []int32 {
	text := strings.TrimSuffix(string(line), "\n")
	return append(dst, t.keras.TextsToSequences([]string{text})[0]...)
}

// appendKeras appends the word of id after dst.
func (t *Tokenizer) appendKeras(dst []byte, id int32) []byte {
	word, ok := t.keras.IndexWord(id)
	if !ok {
		return append(dst, '\n')
	}
	if len(dst) > 0 && dst[len(dst)-1] != '\n' && !t.keras.CharLevel {
		dst = append(dst, ' ')
	}
	return append(dst, word...)
}

// kerasUnknown is the id of words that the vocabulary has not, −1 where they are
// left out.
func (t *Tokenizer) kerasUnknown() int32 {
	if id, ok := t.keras.WordIndex(t.keras.OOVToken); ok && t.keras.OOVToken != "" {
		return id
	}
	return -1
}
