package eval

import (
	"fmt"
	"io"

	"github.com/refrain-lm/refrain/ngram"
	"github.com/refrain-lm/refrain/tokenizer"
)

// ReadARPA reads an n-gram model in the text format of KenLM, SRILM and others,
// with the tokenizer that its words make; Save writes both as a folder.
func ReadARPA(r io.Reader) (*Model, error) {
	m, words, err := ngram.ReadARPA(r)
	if err != nil {
		return nil, err
	}
	tok, err := tokenizer.NewWords(words)
	if err != nil {
		return nil, err
	}
	return NewNgram("", m, tok), nil
}

// WriteARPA writes an n-gram model of white space's words in the text format of
// KenLM, SRILM and others.
func (m *Model) WriteARPA(w io.Writer) error {
	switch {
	case m.Ngram == nil:
		return fmt.Errorf("%s is no n-gram model; ARPA has no form for others", m.Dir)
	case m.Tokenizer.Options().Words != tokenizer.Whitespace:
		return fmt.Errorf("%s has tokens that may hold white space, which ARPA cannot write; train it with --tokenizer word", m.Dir)
	}
	return m.Ngram.WriteARPA(w, func(id int32) string { return string(m.Tokenizer.AppendDecode(nil, id)) })
}
