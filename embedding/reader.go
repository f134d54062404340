package embedding

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
)

// Bounds of what a file may hold.
const (
	maxWidth = 1 << 14 // numbers a vector
	maxWord  = 1 << 12 // bytes a word
	maxLine  = maxWord + maxWidth*32
	window   = 1 << 16 // bytes looked at to tell text from binary
)

// Reader reads the vectors of a file one after another.
type Reader struct {
	r      *bufio.Reader
	close  []io.Closer
	binary bool
	width  int
	words  int64 // the header's, −1 without one
	read   int64
	first  []byte    // text without header: the line that gave the width
	vector []float32 // [width]
	raw    []byte    // of binary: [4·width]
	word   []byte
}

// Open opens a file of word vectors, whatever its format.
func Open(path string) (*Reader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	r, err := NewReader(f)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	r.close = append(r.close, f)
	return r, nil
}

// NewReader reads the header of r, gzipped or not.
func NewReader(r io.Reader) (*Reader, error) {
	out := &Reader{r: bufio.NewReaderSize(r, window), words: -1}
	if magic, _ := out.r.Peek(2); string(magic) == "\x1f\x8b" {
		z, err := gzip.NewReader(out.r)
		if err != nil {
			return nil, fmt.Errorf("gzip: %w", err)
		}
		out.close = append(out.close, z)
		out.r = bufio.NewReaderSize(z, window)
	}
	if err := out.header(); err != nil {
		return nil, err
	}
	out.vector = make([]float32, out.width)
	return out, nil
}

// header finds width and format.
func (r *Reader) header() error {
	line, err := r.line()
	if err != nil {
		if errors.Is(err, io.EOF) {
			return errors.New("the file is empty, word vectors were expected")
		}
		return err
	}
	fields := bytes.Fields(line)
	if len(fields) == 2 {
		words, err := strconv.ParseInt(string(fields[0]), 10, 64)
		width, err2 := strconv.Atoi(string(fields[1]))
		if err == nil && err2 == nil {
			if words < 0 || width < 1 || width > maxWidth {
				return fmt.Errorf("a header of %d words of %d numbers; a vector may have 1 to %d", words, width, maxWidth)
			}
			r.words, r.width = words, width
			r.binary = r.looksBinary()
			return nil
		}
	}
	r.width = len(fields) - 1
	if r.width < 1 || r.width > maxWidth || parseVector(make([]float32, r.width), fields[1:]) != nil {
		return errors.New("not a file of word vectors: its first line is neither a word with its numbers nor the count of words and the width")
	}
	r.first = bytes.Clone(line)
	return nil
}

// looksBinary tells by the bytes after the first word whether its numbers are
// written in digits.
func (r *Reader) looksBinary() bool {
	head, _ := r.r.Peek(window)
	at := bytes.IndexByte(head, ' ')
	if at < 0 {
		return false
	}
	numbers := head[at+1:]
	numbers = numbers[:min(len(numbers), 4*r.width)]
	for _, b := range numbers {
		if !bytes.ContainsRune([]byte("0123456789+-.eE \r\n\tnaifNAIF"), rune(b)) {
			return len(numbers) == 4*r.width || !bytes.ContainsRune(numbers, '\n')
		}
		if b == '\n' {
			return false // the end of a first line in digits
		}
	}
	return false
}

// Width is the number of numbers of every vector.
func (r *Reader) Width() int { return r.width }

// Next returns the next word and its vector [Width], both valid until the next
// call; io.EOF after the last.
func (r *Reader) Next() (word []byte, vector []float32, err error) {
	if r.binary {
		err = r.nextBinary()
	} else {
		err = r.nextText()
	}
	if errors.Is(err, io.EOF) {
		return nil, nil, r.checkCount()
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", r.place(), err)
	}
	r.read++
	for i, v := range r.vector {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return nil, nil, fmt.Errorf("%q: number %d is %v", r.word, i+1, v)
		}
	}
	return r.word, r.vector, nil
}

// checkCount is io.EOF where the file holds as many words as its header says.
func (r *Reader) checkCount() error {
	if r.words >= 0 && r.read < r.words {
		return fmt.Errorf("the file is cut: %d vectors, its first line says %d; copy it again", r.read, r.words)
	}
	return io.EOF
}

// place names where an error is.
func (r *Reader) place() string {
	if r.binary {
		return fmt.Sprintf("word %d", r.read+1)
	}
	line := r.read + 1
	if r.words >= 0 {
		line++
	}
	return fmt.Sprintf("line %d", line)
}

// nextText reads a line: the last Width fields are the vector, what stands before
// them is the word, which may hold spaces.
func (r *Reader) nextText() error {
	line := r.first
	if r.first = nil; line == nil {
		var err error
		if line, err = r.line(); err != nil {
			return err
		}
	}
	rest := bytes.TrimRight(line, " \r\t")
	numbers := make([][]byte, r.width)
	for i := r.width - 1; i >= 0; i-- {
		at := bytes.LastIndexAny(rest, " \t")
		if at < 0 {
			return fmt.Errorf("%d numbers, want %d", r.width-1-i, r.width)
		}
		numbers[i] = rest[at+1:]
		rest = rest[:at]
	}
	if err := parseVector(r.vector, numbers); err != nil {
		return fmt.Errorf("%w; every line needs a word and %d numbers", err, r.width)
	}
	if len(rest) > maxWord {
		return fmt.Errorf("a word of %d bytes", len(rest))
	}
	if at := bytes.LastIndexByte(rest, ' '); at >= 0 && parseVector(make([]float32, 1), [][]byte{rest[at+1:]}) == nil {
		return fmt.Errorf("more than %d numbers, which is the width of the first", r.width)
	}
	r.word = append(r.word[:0], rest...)
	return nil
}

func parseVector(dst []float32, fields [][]byte) error {
	for i, f := range fields {
		v, err := strconv.ParseFloat(string(f), 32)
		if err != nil {
			return fmt.Errorf("%.20q is not a number", f)
		}
		dst[i] = float32(v)
	}
	return nil
}

// nextBinary reads a word, up to a space, and its numbers. Some writers end a
// vector with a line end.
func (r *Reader) nextBinary() error {
	if r.read == r.words {
		return io.EOF
	}
	r.word = r.word[:0]
	for {
		b, err := r.r.ReadByte()
		switch {
		case err != nil && len(r.word) == 0:
			return err
		case err != nil:
			return errors.New("the file is cut within a word; copy it again")
		case b == '\n' && len(r.word) == 0:
			continue
		case b == '\n':
			return fmt.Errorf("%.40q holds a line end: the word before it has a space in it, which this format cannot hold, or the width in the first line does not fit the file", r.word)
		}
		if b == ' ' {
			break
		}
		if r.word = append(r.word, b); len(r.word) > maxWord {
			return fmt.Errorf("a word of more than %d bytes: the width in the first line does not fit the file", maxWord)
		}
	}
	if r.raw == nil {
		r.raw = make([]byte, 4*r.width)
	}
	if _, err := io.ReadFull(r.r, r.raw); err != nil {
		return fmt.Errorf("%.40q: the file is cut within its vector; copy it again", r.word)
	}
	for i := range r.vector {
		r.vector[i] = math.Float32frombits(binary.LittleEndian.Uint32(r.raw[4*i:]))
	}
	return nil
}

// line reads a line of at most maxLine bytes, without its end.
func (r *Reader) line() ([]byte, error) {
	var long []byte
	for {
		part, err := r.r.ReadSlice('\n')
		if long == nil && err == nil {
			return part[:len(part)-1], nil
		}
		long = append(long, part...)
		switch {
		case len(long) > maxLine:
			return nil, fmt.Errorf("a line of more than %d bytes is no word with its numbers", maxLine)
		case err == nil:
			return long[:len(long)-1], nil
		case err == io.EOF && len(long) > 0:
			return long, nil
		case errors.Is(err, bufio.ErrBufferFull):
		default:
			return nil, err
		}
	}
}

// Close closes the file.
func (r *Reader) Close() error {
	var errs []error
	for _, c := range r.close {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}
