package data

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"unicode/utf8"
)

// nearCut is how far before the cut point a line end may be.
const nearCut = 1 << 16

// A SourceInfo describes a source that was read.
type SourceInfo struct {
	Name   string `json:"name"`
	Path   string `json:"path,omitempty"` // absolute; empty for standard input
	Bytes  int64  `json:"bytes"`          // of text
	SHA256 string `json:"sha256"`         // of the stored bytes
}

// A PartInfo counts what is in the training or the validation part.
type PartInfo struct {
	Bytes      int64 `json:"bytes"`
	Characters int64 `json:"characters"` // a byte that is not UTF-8 counts as one
	Lines      int64 `json:"lines"`      // line ends
	Tokens     int64 `json:"tokens"`
}

// A Corpus describes prepared data.
type Corpus struct {
	Sources      []SourceInfo `json:"sources"`
	ValidSources []SourceInfo `json:"valid_sources,omitempty"` // empty where the tail of Sources validates
	Train        PartInfo     `json:"train"`
	Valid        PartInfo     `json:"valid"`
	Vocabulary   int          `json:"vocabulary"`
	Tokenizer    string       `json:"tokenizer"` // its SHA-256
}

// An Encoding turns text into ids.
type Encoding struct {
	Vocabulary int    // every id is below it
	ID         string // SHA-256 of the tokenizer, in hexadecimal
	// Train appends the ids of training text; offset is the place of text in
	// the training part.
	Train func(dst []int32, text []byte, offset uint64) []int32
	// Valid appends the ids of validation text.
	Valid func(dst []int32, text []byte) []int32
}

// A Progress says how far [Prepare] is: Stage is "measure", "read" or
// "encode", Done and Total are bytes of text, Total −1 where unknown.
type Progress struct {
	Stage       string
	Done, Total int64
}

// PrepareOptions say what [Prepare] does.
type PrepareOptions struct {
	// Train are the sources to train on; Valid those to validate on. Without
	// Valid the tail of Train validates.
	Train, Valid []Source
	// ValidFraction is the share of Train's bytes that validates where Valid
	// is empty, below 1; 0 means 0.1. Negative: nothing validates.
	ValidFraction float64
	// Learn, if not nil, is called with every piece of the training part,
	// before Encoding.
	Learn func(chunk []byte)
	// Encoding returns how to encode, when Learn has seen everything.
	Encoding func() (Encoding, error)
	// Path is the file of ids to write; empty to count only.
	Path string
	// Progress, if not nil, is called for every piece.
	Progress func(Progress)
}

// Prepare reads the sources, lets a tokenizer learn from the training part,
// and writes the ids of both parts. Memory does not grow with the text. On
// error or when ctx ends, no file is left.
func Prepare(ctx context.Context, o PrepareOptions) (*Corpus, error) {
	p := &preparer{o: o}
	if err := p.check(); err != nil {
		return nil, err
	}
	if err := p.measure(ctx); err != nil {
		return nil, err
	}
	c, err := p.learn(ctx)
	if err != nil {
		return nil, err
	}
	enc, err := o.Encoding()
	if err != nil {
		return nil, err
	}
	c.Vocabulary, c.Tokenizer = enc.Vocabulary, enc.ID
	if err := p.encode(ctx, c, enc); err != nil {
		return nil, err
	}
	return c, nil
}

// A preparer carries what the passes of Prepare learn.
type preparer struct {
	o      PrepareOptions
	walker walker
	total  int64 // bytes of Train
	target int64 // where the tail should begin, −1: no tail
	cut    int64 // where it begins, −1: not known yet
	near   int64
}

func (p *preparer) check() error {
	if len(p.o.Train) == 0 {
		return errors.New("data: no text to train on")
	}
	if f := p.o.ValidFraction; !(f < 1) {
		return fmt.Errorf("data: %g of the text to validate on: give less than 1", f)
	}
	if p.o.ValidFraction == 0 {
		p.o.ValidFraction = 0.1
	}
	return nil
}

// measure finds the size of the training sources, reading them only where it
// has to.
func (p *preparer) measure(ctx context.Context) error {
	p.total = 0
	unknown := slices.ContainsFunc(p.o.Train, func(s Source) bool { return s.Size < 0 })
	if unknown {
		infos, err := p.walk(ctx, "measure", -1, p.o.Train, func(piece) error { return nil })
		if err != nil {
			return err
		}
		for _, s := range infos {
			p.total += s.Bytes
		}
	} else {
		for _, s := range p.o.Train {
			p.total += s.Size
		}
	}
	p.target, p.cut = -1, p.total
	if len(p.o.Valid) == 0 && p.o.ValidFraction > 0 {
		tail := int64(float64(p.total) * p.o.ValidFraction)
		p.target, p.cut = p.total-tail, -1
		p.near = min(nearCut, tail/2)
	}
	return nil
}

// walk is walker.walk with progress.
func (p *preparer) walk(ctx context.Context, stage string, total int64, src []Source, fn func(piece) error) ([]SourceInfo, error) {
	p.walker.fn = func(x piece) error {
		if err := fn(x); err != nil {
			return err
		}
		if p.o.Progress != nil {
			p.o.Progress(Progress{stage, x.offset + int64(len(x.text)), total})
		}
		return nil
	}
	return p.walker.walk(ctx, src)
}

// learn reads everything once: the tokenizer sees the training part, and what
// is in both parts is counted.
func (p *preparer) learn(ctx context.Context) (*Corpus, error) {
	c := &Corpus{}
	var err error
	c.Sources, err = p.walk(ctx, "read", p.total, p.o.Train, func(x piece) error {
		train, valid := p.split(x)
		c.Train.add(train)
		c.Valid.add(valid)
		if p.o.Learn != nil && len(train) > 0 {
			p.o.Learn(train)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if c.Train.Bytes == 0 {
		return nil, errors.New("data: the training text is empty")
	}
	if len(p.o.Valid) > 0 {
		c.ValidSources, err = p.walk(ctx, "read", -1, p.o.Valid, func(x piece) error {
			c.Valid.add(x.text)
			return nil
		})
	}
	return c, err
}

// add counts text.
func (i *PartInfo) add(text []byte) {
	i.Bytes += int64(len(text))
	i.Characters += int64(utf8.RuneCount(text))
	i.Lines += int64(bytes.Count(text, []byte{'\n'}))
}

// split divides a piece between the parts; the first piece that reaches the
// target fixes the cut.
func (p *preparer) split(x piece) (train, valid []byte) {
	end := x.offset + int64(len(x.text))
	if p.cut < 0 {
		if end <= p.target && end < p.total {
			return x.text, nil
		}
		p.cut = x.offset + int64(cutBefore(x, int(p.target-x.offset), int(p.near)))
	}
	switch {
	case end <= p.cut:
		return x.text, nil
	case x.offset >= p.cut:
		return nil, x.text
	}
	return x.text[:p.cut-x.offset], x.text[p.cut-x.offset:]
}

// cutBefore returns where to cut a piece: after the last line end at most near
// bytes before at, or between two characters there.
func cutBefore(x piece, at, near int) int {
	lo := max(at-near, 0)
	if i := bytes.LastIndexByte(x.text[max(lo-1, 0):at], '\n'); i >= 0 {
		return max(lo-1, 0) + i + 1
	}
	if at <= near && x.line && x.offset > 0 {
		return 0
	}
	for n := 0; n < utf8.UTFMax && n < at; n++ {
		if at-n < len(x.text) && utf8.RuneStart(x.text[at-n]) {
			return at - n
		}
	}
	return at
}

// encode reads everything again and writes the ids, or counts them.
func (p *preparer) encode(ctx context.Context, c *Corpus, enc Encoding) (err error) {
	out := &partWriter{enc: enc}
	if p.o.Path != "" {
		if out.w, err = CreateIDs(p.o.Path, enc.Vocabulary, enc.ID); err != nil {
			return err
		}
		defer func() {
			if err != nil {
				err = errors.Join(err, out.w.Abort())
			}
		}()
	}
	infos, err := p.walk(ctx, "encode", p.total, p.o.Train, func(x piece) error {
		train, valid := p.split(x)
		if err := out.train(train, x.offset); err != nil {
			return err
		}
		return out.valid(valid)
	})
	if err != nil {
		return err
	}
	if err := unchanged(c.Sources, infos); err != nil {
		return err
	}
	if len(p.o.Valid) > 0 {
		infos, err := p.walk(ctx, "encode", -1, p.o.Valid, func(x piece) error { return out.valid(x.text) })
		if err != nil {
			return err
		}
		if err := unchanged(c.ValidSources, infos); err != nil {
			return err
		}
	}
	c.Train.Tokens, c.Valid.Tokens = out.trained, out.validated
	if out.w != nil {
		return out.w.Close()
	}
	return nil
}

// A partWriter encodes the parts, training first.
type partWriter struct {
	enc                Encoding
	w                  *IDWriter // nil: count only
	ids                []int32
	begun              bool // the validation part
	trained, validated int64
}

func (o *partWriter) train(text []byte, offset int64) error {
	if len(text) == 0 {
		return nil
	}
	o.ids = o.enc.Train(o.ids[:0], text, uint64(offset))
	o.trained += int64(len(o.ids))
	return o.write()
}

func (o *partWriter) valid(text []byte) error {
	if len(text) == 0 {
		return nil
	}
	if !o.begun && o.w != nil {
		o.w.StartValid()
	}
	o.begun = true
	o.ids = o.enc.Valid(o.ids[:0], text)
	o.validated += int64(len(o.ids))
	return o.write()
}

func (o *partWriter) write() error {
	if o.w == nil {
		return nil
	}
	return o.w.Append(o.ids)
}

// unchanged compares two readings of the same sources.
func unchanged(before, now []SourceInfo) error {
	for i, b := range before {
		if b != now[i] {
			return fmt.Errorf("data: %s changed while it was read: start again when it is complete", b.Name)
		}
	}
	return nil
}

// CheckUnchanged compares the sources that still exist with what was read when
// the corpus was prepared; one with another SHA-256 is an error. Sources
// without a file, or whose file is gone, pass.
func (c *Corpus) CheckUnchanged(ctx context.Context) error {
	for _, s := range slices.Concat(c.Sources, c.ValidSources) {
		if s.Path == "" {
			continue
		}
		sum, err := fileSum(ctx, s.Path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("data: %s: %w", s.Name, err)
		}
		if sum != s.SHA256 {
			return fmt.Errorf("data: %s is not what the run began with (SHA-256 %.8s, was %.8s): put the old file back, or train anew", s.Name, sum, s.SHA256)
		}
	}
	return nil
}

// fileSum returns the SHA-256 of a file in hexadecimal.
func fileSum(ctx context.Context, path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	for {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		if _, err := io.CopyN(h, f, chunkSize); err == io.EOF {
			return hex.EncodeToString(h.Sum(nil)), nil
		} else if err != nil {
			return "", err
		}
	}
}
