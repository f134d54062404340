package ngram

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
	"path/filepath"
)

// WeightsFile is the file of a model folder that holds the n-grams; config.json
// says what they are.
const (
	WeightsFile = "model.ngram"
	configFile  = "config.json"
)

// The file of n-grams, little endian: a header of 16 bytes and 8 for each
// length, the levels' arrays one after another, and the CRC-32C of all before.
//
//	 0  magic "refrngrm"
//	 8  version, uint32
//	12  order, uint32
//	16  n-grams of 1, 2, …, order tokens, uint64 each
//
// A level is its last tokens (int32, not of single tokens), begins (uint32, one
// more than n-grams), ln p (float32) and ln γ (float32); the highest level has
// neither begins nor γ.
const (
	fileMagic   = "refrngrm"
	fileVersion = 1
	fileBuffer  = 1 << 16
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// fileSize is the size of a file of so many n-grams; ok is false where that
// overflows.
func fileSize(grams []uint64) (size int64, ok bool) {
	total := uint64(16 + 8*len(grams) + 4)
	for k, n := range grams {
		if n >= math.MaxUint32 {
			return 0, false
		}
		total += 4 * n
		if k > 0 {
			total += 4 * n
		}
		if k < len(grams)-1 {
			total += 4*(n+1) + 4*n
		}
	}
	return int64(total), true
}

// Write writes the n-grams as [WeightsFile]; equal models give equal bytes.
func (m *Model) Write(w io.Writer) error {
	out := &cellWriter{w: w, buf: make([]byte, 0, fileBuffer)}
	out.buf = append(out.buf, fileMagic...)
	out.buf = binary.LittleEndian.AppendUint32(out.buf, fileVersion)
	out.buf = binary.LittleEndian.AppendUint32(out.buf, uint32(len(m.levels)))
	for _, n := range m.Grams() {
		out.buf = binary.LittleEndian.AppendUint64(out.buf, uint64(n))
	}
	for _, l := range m.levels {
		for _, v := range l.word {
			out.cell(uint32(v))
		}
		for _, v := range l.begin {
			out.cell(v)
		}
		for _, v := range l.logp {
			out.cell(math.Float32bits(v))
		}
		for _, v := range l.backoff {
			out.cell(math.Float32bits(v))
		}
	}
	out.flush()
	out.cell(out.sum)
	out.flush()
	if out.err != nil {
		return fmt.Errorf("ngram: %w", out.err)
	}
	return nil
}

// cellWriter writes cells of 4 bytes and keeps the checksum and the first error.
type cellWriter struct {
	w   io.Writer
	buf []byte
	sum uint32
	err error
}

func (c *cellWriter) cell(v uint32) {
	if len(c.buf) > fileBuffer-4 {
		c.flush()
	}
	c.buf = binary.LittleEndian.AppendUint32(c.buf, v)
}

func (c *cellWriter) flush() {
	c.sum = crc32.Update(c.sum, castagnoli, c.buf)
	if c.err == nil {
		_, c.err = c.w.Write(c.buf)
	}
	c.buf = c.buf[:0]
}

// Load reads the model of a folder: config.json and model.ngram.
func Load(dir string) (*Model, error) {
	cfg, err := loadConfig(filepath.Join(dir, configFile))
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, WeightsFile)
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("ngram: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("ngram: %w", err)
	}
	m, err := Read(cfg, f, info.Size())
	if err != nil {
		return nil, fmt.Errorf("%s: %w; copy it again, or train anew", path, err)
	}
	return m, nil
}

func loadConfig(path string) (Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return Config{}, fmt.Errorf("ngram: %w", err)
	}
	defer f.Close()
	cfg, err := ReadConfig(f)
	if err != nil {
		return cfg, fmt.Errorf("%s: %w", path, err)
	}
	return cfg, nil
}

// Read reads the n-grams of a model of cfg from a file of size bytes. The size
// is checked before memory is taken, and every place and value before the model
// is given out.
func Read(cfg Config, r io.Reader, size int64) (*Model, error) {
	in := &cellReader{r: bufio.NewReaderSize(r, fileBuffer)}
	grams, err := in.header(cfg)
	if err != nil {
		return nil, err
	}
	switch want, ok := fileSize(grams); {
	case !ok || want > size:
		return nil, fmt.Errorf("it is cut at %d bytes, its header promises more", size)
	case want < size:
		return nil, fmt.Errorf("it has %d bytes, its header says %d", size, want)
	}
	m := &Model{cfg: cfg}
	for k, n := range grams {
		l := level{}
		if k > 0 {
			l.word = make([]int32, n)
			in.cells(len(l.word), func(i int, v uint32) { l.word[i] = int32(v) })
		}
		if k < len(grams)-1 {
			l.begin, l.backoff = make([]uint32, n+1), make([]float32, n)
			in.cells(len(l.begin), func(i int, v uint32) { l.begin[i] = v })
		}
		l.logp = make([]float32, n)
		in.cells(len(l.logp), func(i int, v uint32) { l.logp[i] = math.Float32frombits(v) })
		in.cells(len(l.backoff), func(i int, v uint32) { l.backoff[i] = math.Float32frombits(v) })
		m.levels = append(m.levels, l)
	}
	if err := in.checksum(); err != nil {
		return nil, err
	}
	return m, m.checkLevels()
}

// cellReader reads cells of 4 bytes and keeps the checksum and the first error.
type cellReader struct {
	r   io.Reader
	sum uint32
	err error
}

func (c *cellReader) bytes(b []byte) []byte {
	if c.err == nil {
		_, c.err = io.ReadFull(c.r, b)
	}
	c.sum = crc32.Update(c.sum, castagnoli, b)
	return b
}

func (c *cellReader) header(cfg Config) ([]uint64, error) {
	head := c.bytes(make([]byte, 16))
	order := binary.LittleEndian.Uint32(head[12:])
	switch {
	case c.err != nil:
		return nil, errors.New("it is cut within its header")
	case string(head[:8]) != fileMagic:
		return nil, errors.New("it is no file of n-grams")
	case binary.LittleEndian.Uint32(head[8:]) != fileVersion:
		return nil, fmt.Errorf("it has version %d, this program reads %d", binary.LittleEndian.Uint32(head[8:]), fileVersion)
	case order != uint32(cfg.Order):
		return nil, fmt.Errorf("it is of order %d, %s says %d", order, configFile, cfg.Order)
	}
	counts := c.bytes(make([]byte, 8*order))
	if c.err != nil {
		return nil, errors.New("it is cut within its header")
	}
	grams := make([]uint64, order)
	for k := range grams {
		grams[k] = binary.LittleEndian.Uint64(counts[8*k:])
	}
	if grams[0] != uint64(cfg.Vocab) {
		return nil, fmt.Errorf("it has %d single tokens, %s says %d", grams[0], configFile, cfg.Vocab)
	}
	return grams, nil
}

// cells calls fn with n cells.
func (c *cellReader) cells(n int, fn func(i int, v uint32)) {
	var buf [fileBuffer]byte
	for at := 0; at < n && c.err == nil; {
		part := c.bytes(buf[:min(len(buf), 4*(n-at))])
		for i := 0; i < len(part); i += 4 {
			fn(at, binary.LittleEndian.Uint32(part[i:]))
			at++
		}
	}
}

func (c *cellReader) checksum() error {
	sum := c.sum
	want := c.bytes(make([]byte, 4))
	if c.err != nil {
		return fmt.Errorf("it cannot be read: %w", c.err)
	}
	if binary.LittleEndian.Uint32(want) != sum {
		return errors.New("it is damaged (checksum)")
	}
	return nil
}

// checkLevels refuses what no trie can hold, whoever computed the checksum.
func (m *Model) checkLevels() error {
	for k, l := range m.levels {
		for i, p := range l.logp {
			if !(p <= 0) || math.IsInf(float64(p), 0) {
				return fmt.Errorf("it is damaged: ln p of n-gram %d of %d tokens is %v", i, k+1, p)
			}
		}
		for i, b := range l.backoff {
			if math.IsNaN(float64(b)) || math.IsInf(float64(b), 0) {
				return fmt.Errorf("it is damaged: the backoff of n-gram %d of %d tokens is %v", i, k+1, b)
			}
		}
		if l.begin != nil {
			if err := m.checkContinuations(k); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *Model) checkContinuations(k int) error {
	begin, word := m.levels[k].begin, m.levels[k+1].word
	at := uint32(0)
	for node, end := range begin[1:] {
		if begin[node] != at || end < at || int64(end) > int64(len(word)) {
			return fmt.Errorf("it is damaged: the continuations of n-gram %d of %d tokens overlap others", node, k+1)
		}
		for last := int32(-1); at < end; at++ {
			if w := word[at]; w <= last || int(w) >= m.cfg.Vocab {
				return fmt.Errorf("it is damaged: the continuations of n-gram %d of %d tokens are out of order", node, k+1)
			}
			last = word[at]
		}
	}
	if int(at) != len(word) {
		return fmt.Errorf("it is damaged: %d n-grams of %d tokens have no context", len(word)-int(at), k+2)
	}
	return nil
}
