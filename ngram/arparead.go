package ngram

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
)

// The ids that ReadARPA gives out first, as word tokenizers have them.
const (
	unknownID = 0
	lineEndID = 1
)

// arpaLine is the longest line that ReadARPA takes, in bytes.
const arpaLine = 1 << 20

// ReadARPA reads a model in the text format of KenLM, SRILM and others. words
// are the texts of its ids: 0 is <unk>, 1 the line end "\n", which is both <s>
// and </s>, and the others follow in the file's order. A file without <unk>
// gives it 1e-100. Memory grows with what is read, whatever the file promises.
func ReadARPA(r io.Reader) (m *Model, words []string, err error) {
	a := &arpaReader{lines: bufio.NewScanner(r), ids: map[string]int32{}}
	a.lines.Buffer(make([]byte, 0, fileBuffer), arpaLine)
	if err := a.read(); err != nil {
		return nil, nil, err
	}
	return a.m, a.words, nil
}

type arpaReader struct {
	lines  *bufio.Scanner
	number int // of the line at hand
	line   []byte
	sizes  []int64 // n-grams promised, by length
	m      *Model
	ids    map[string]int32
	words  []string
	fields [][]byte
}

// bad is an error about the line at hand, which nothing is read after.
func (a *arpaReader) bad(format string, args ...any) error {
	if !a.lines.Scan() {
		format += "; the file ends there and may be cut short: copy it again"
	}
	return fmt.Errorf("line %d: "+format, append([]any{a.number}, args...)...)
}

// next goes to the next line that is not blank; false at the end.
func (a *arpaReader) next() bool {
	for a.lines.Scan() {
		a.number++
		if a.line = bytes.TrimSpace(a.lines.Bytes()); len(a.line) > 0 {
			return true
		}
	}
	a.line = nil
	return false
}

// ended is the error for a file that ends within what.
func (a *arpaReader) ended(what string) error {
	switch err := a.lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return fmt.Errorf("line %d: longer than 1 MB; this is no ARPA file", a.number+1)
	case err != nil:
		return err
	}
	return fmt.Errorf("it is cut short: it ends at line %d within %s; copy it again", a.number, what)
}

func (a *arpaReader) read() error {
	if err := a.head(); err != nil {
		return err
	}
	a.m = &Model{cfg: Config{Version: Version, Kind: Kind, Order: len(a.sizes), LineEnd: lineEndID}}
	for k := range a.sizes {
		if want := fmt.Sprintf("\\%d-grams:", k+1); string(a.line) != want {
			return a.bad("%.40q where %s belongs", a.line, want)
		}
		if err := a.section(k); err != nil {
			return err
		}
	}
	if string(a.line) != "\\end\\" {
		return a.bad("%.40q where \\end\\ belongs", a.line)
	}
	if err := a.m.cfg.Validate(); err != nil {
		return err
	}
	return a.m.checkLevels()
}

// head reads up to the first section: what lies before \data\ is a comment.
func (a *arpaReader) head() error {
	for a.next() && string(a.line) != "\\data\\" {
		if a.number > 1000 {
			break
		}
	}
	if string(a.line) != "\\data\\" {
		if err := a.lines.Err(); err != nil {
			return a.ended("its head")
		}
		return errors.New(`it is no ARPA file: it has no \data\`)
	}
	for a.next() && bytes.HasPrefix(a.line, []byte("ngram ")) {
		n, count, ok := bytes.Cut(a.line[len("ngram "):], []byte("="))
		size, err := strconv.ParseInt(string(bytes.TrimSpace(count)), 10, 64)
		if !ok || err != nil || size < 0 || string(bytes.TrimSpace(n)) != strconv.Itoa(len(a.sizes)+1) {
			return a.bad("%.40q, want ngram %d=count", a.line, len(a.sizes)+1)
		}
		if a.sizes = append(a.sizes, size); len(a.sizes) > MaxOrder {
			return a.bad("n-grams of more than %d words", MaxOrder)
		}
	}
	if a.line == nil {
		return a.ended("its head")
	}
	if len(a.sizes) == 0 {
		return a.bad("%.40q, want ngram 1=count", a.line)
	}
	return nil
}

// gram is an n-gram while its level is read.
type gram struct {
	context       uint32 // its place one level below
	word          int32
	logp, backoff float32
}

// section reads the n-grams of level k, up to the next heading.
func (a *arpaReader) section(k int) error {
	var grams []gram
	for a.next() && a.line[0] != '\\' {
		if int64(len(grams)) == a.sizes[k] {
			return a.bad("more %d-grams than the %d promised", k+1, a.sizes[k])
		}
		g, err := a.gram(k)
		if err != nil {
			return err
		}
		grams = append(grams, g)
	}
	what := fmt.Sprintf("the %d-grams, %d of %d read", k+1, len(grams), a.sizes[k])
	switch {
	case a.line == nil:
		return a.ended(what)
	case int64(len(grams)) != a.sizes[k]:
		return a.bad("%d %d-grams, %d were promised: a part of the file is missing", len(grams), k+1, a.sizes[k])
	case k == 0:
		return a.single(grams)
	}
	return a.level(k, grams)
}

// gram reads the n-gram of the line at hand: log10 p, words, perhaps log10 of
// the backoff.
func (a *arpaReader) gram(k int) (g gram, err error) {
	a.fields = a.fields[:0]
	for rest := a.line; len(rest) > 0; {
		n := bytes.IndexAny(rest, " \t")
		if n < 0 {
			n = len(rest)
		}
		if n > 0 {
			a.fields = append(a.fields, rest[:n])
		}
		rest = rest[min(n+1, len(rest)):]
	}
	if n := len(a.fields); n != k+2 && n != k+3 {
		return g, a.bad("%d fields, want a probability, %d words and perhaps a backoff", n, k+1)
	}
	if g.logp, err = a.number32(a.fields[0]); err != nil {
		return g, err
	}
	if g.logp > 0 {
		return g, a.bad("log10 of a probability of %s, above 0", a.fields[0])
	}
	if len(a.fields) == k+3 {
		if g.backoff, err = a.number32(a.fields[k+2]); err != nil {
			return g, err
		}
	}
	if k == 0 {
		g.word, err = a.newWord(a.fields[1])
		return g, err
	}
	g.context, g.word, err = a.place(k, a.fields[1:k+2])
	return g, err
}

// number32 reads a logarithm to base 10 as a natural one. Minus infinity is
// what others write as -99.
func (a *arpaReader) number32(text []byte) (float32, error) {
	v, err := strconv.ParseFloat(string(text), 64)
	switch {
	case err != nil || math.IsNaN(v) || v > 1e6:
		return 0, a.bad("%.40q is no logarithm of a probability", text)
	case v < -1e6:
		v = arpaNever
	}
	return float32(v * math.Ln10), nil
}

// newWord is the id of a single word; the begin of a sentence has none of its
// own, −1.
func (a *arpaReader) newWord(text []byte) (int32, error) {
	if len(a.words) == 0 {
		a.words = []string{arpaUnknown, "\n"}
	}
	name := string(text)
	if _, twice := a.ids[name]; twice {
		return 0, a.bad("%.40q comes twice", name)
	}
	id := int32(len(a.words))
	switch name {
	case arpaUnknown:
		id = unknownID
	case arpaEnd:
		id = lineEndID
	case arpaBegin:
		id = -1
	default:
		if len(a.words) >= maxVocab {
			return 0, a.bad("more than %d words", maxVocab)
		}
		a.words = append(a.words, name)
	}
	a.ids[name] = id
	return id, nil
}

// place finds the context of an n-gram of level k and its last word.
func (a *arpaReader) place(k int, words [][]byte) (context uint32, word int32, err error) {
	for i, text := range words {
		id, known := a.ids[string(text)]
		switch {
		case !known:
			return 0, 0, a.bad("%.40q is not among the 1-grams", text)
		case id == -1 && i > 0 || id == lineEndID && i < k:
			return 0, 0, a.bad("%s within an n-gram", text)
		case id == -1:
			id = lineEndID
		}
		switch {
		case i == 0:
			context = uint32(id)
		case i < k:
			if context = a.m.child(i-1, context, id); context == none {
				return 0, 0, a.bad("its first %d words are no %d-gram", k, k)
			}
		default:
			word = id
		}
	}
	return context, word, nil
}

// single makes level 0.
func (a *arpaReader) single(grams []gram) error {
	if _, ok := a.ids[arpaEnd]; !ok {
		return errors.New("it has no </s>: the ends of sentences have no probability")
	}
	l := level{logp: make([]float32, len(a.words)), backoff: make([]float32, len(a.words))}
	l.logp[unknownID] = -100 * math.Ln10
	for _, g := range grams {
		switch {
		case g.word < 0:
			l.backoff[lineEndID] = g.backoff
		case g.word == lineEndID:
			l.logp[lineEndID] = g.logp
		default:
			l.logp[g.word], l.backoff[g.word] = g.logp, g.backoff
		}
	}
	a.m.cfg.Vocab = len(a.words)
	a.add(l)
	return nil
}

// level makes level k of grams in any order.
func (a *arpaReader) level(k int, grams []gram) error {
	order := func(x, y gram) int {
		return cmp.Or(cmp.Compare(x.context, y.context), cmp.Compare(x.word, y.word))
	}
	slices.SortFunc(grams, order)
	l := level{word: make([]int32, len(grams)), logp: make([]float32, len(grams)), backoff: make([]float32, len(grams))}
	begin := make([]uint32, len(a.m.levels[k-1].logp)+1)
	for i, g := range grams {
		if i > 0 && order(grams[i-1], g) == 0 {
			return fmt.Errorf("a %d-gram that ends with %.40q comes twice", k+1, a.words[g.word])
		}
		l.word[i], l.logp[i], l.backoff[i] = g.word, g.logp, g.backoff
		begin[g.context+1]++
	}
	for i := range begin[1:] {
		begin[i+1] += begin[i]
	}
	a.m.levels[k-1].begin = begin
	a.add(l)
	return nil
}

// add appends a level; the highest has no backoffs.
func (a *arpaReader) add(l level) {
	if len(a.m.levels) == len(a.sizes)-1 {
		l.backoff = nil
	}
	a.m.levels = append(a.m.levels, l)
}
