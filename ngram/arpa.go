package ngram

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
)

// The marks of ARPA files. Here one id is both ends of a line.
const (
	arpaUnknown = "<unk>"
	arpaBegin   = "<s>"
	arpaEnd     = "</s>"
	arpaNever   = -99 // log10 p of <s>, which is never predicted
)

// WriteARPA writes the model in the text format that KenLM, SRILM and others
// read, word giving each token's text. A model whose contexts run on across
// lines has no sentences as the format wants them, and is an error.
func (m *Model) WriteARPA(w io.Writer, word func(id int32) string) error {
	if m.cfg.LineEnd < 0 {
		return errors.New("ngram: ARPA knows sentences only, and the contexts of this model run on across lines")
	}
	for id := range int32(m.cfg.Vocab) {
		if w := word(id); id != m.cfg.LineEnd && (w == arpaBegin || w == arpaEnd) {
			return fmt.Errorf("ngram: %s is a word of this model's text; ARPA keeps it for the ends of sentences", w)
		}
	}
	a := arpaWriter{m: m, w: bufio.NewWriterSize(w, fileBuffer), word: word}
	a.w.WriteString("\\data\\\n")
	for k, n := range m.Grams() {
		if k == 0 {
			n++ // the line end stands there twice
		}
		fmt.Fprintf(a.w, "ngram %d=%d\n", k+1, n)
	}
	for k := range m.levels {
		fmt.Fprintf(a.w, "\n\\%d-grams:\n", k+1)
		for node := range uint32(len(m.levels[0].logp)) {
			a.descend(append(a.path[:0], int32(node)), node, k)
		}
	}
	a.w.WriteString("\n\\end\\\n")
	if err := a.w.Flush(); err != nil { // it keeps the first error
		return fmt.Errorf("ngram: %w", err)
	}
	return nil
}

type arpaWriter struct {
	m    *Model
	w    *bufio.Writer
	word func(id int32) string
	path []int32
	line []byte
}

// descend writes the n-grams of level to below n-gram node, whose tokens are path.
func (a *arpaWriter) descend(path []int32, node uint32, to int) {
	k := len(path) - 1
	if k == to {
		a.write(path, node)
		return
	}
	for i := a.m.levels[k].begin[node]; i < a.m.levels[k].begin[node+1]; i++ {
		a.descend(append(path, a.m.levels[k+1].word[i]), i, to)
	}
}

func (a *arpaWriter) write(path []int32, node uint32) {
	k := len(path) - 1
	l := &a.m.levels[k]
	if k == 0 && path[0] == a.m.cfg.LineEnd {
		a.row(log10(l.logp[node]), []string{arpaEnd}, l.backoff != nil, 0)
		a.row(arpaNever, []string{arpaBegin}, l.backoff != nil, a.backoff(l, node))
		return
	}
	words := make([]string, len(path))
	for i, id := range path {
		switch {
		case id != a.m.cfg.LineEnd:
			words[i] = a.word(id)
		case i == 0:
			words[i] = arpaBegin
		default:
			words[i] = arpaEnd
		}
	}
	a.row(log10(l.logp[node]), words, l.backoff != nil, a.backoff(l, node))
}

func (a *arpaWriter) backoff(l *level, node uint32) float32 {
	if l.backoff == nil {
		return 0
	}
	return log10(l.backoff[node])
}

func (a *arpaWriter) row(logp float32, words []string, more bool, backoff float32) {
	a.line = strconv.AppendFloat(a.line[:0], float64(logp), 'g', -1, 32)
	between := byte('\t')
	for _, w := range words {
		a.line = append(append(a.line, between), w...)
		between = ' '
	}
	if more {
		a.line = append(a.line, '\t')
		a.line = strconv.AppendFloat(a.line, float64(backoff), 'g', -1, 32)
	}
	a.w.Write(append(a.line, '\n'))
}

// log10 is a natural logarithm as the format has it.
func log10(ln float32) float32 { return float32(float64(ln) / math.Ln10) }
