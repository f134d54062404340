package data

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
	"sync"
)

// The file of ids: a header of 128 bytes, little endian, then the training ids
// and the validation ids, 2 bytes each where the vocabulary has at most 65,536
// entries, else 4.
//
//	 0  magic "refrain\x01"     40  SHA-256 of the tokenizer
//	 8  version, uint32         72  CRC-32C of all ids, uint32
//	12  bytes an id, uint32     76  zeros
//	16  vocabulary, uint64     124  CRC-32C of the 124 bytes before, uint32
//	24  training ids, uint64
//	32  validation ids, uint64
const (
	idsMagic   = "refrain\x01"
	idsVersion = 1
	headerSize = 128
	idBuffer   = 1 << 15 // bytes read or written at once
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// header is what the first 128 bytes say.
type header struct {
	width     int
	vocab     int
	train     int64
	valid     int64
	tokenizer [32]byte
	sum       uint32
}

// widthOf returns the bytes that an id takes.
func widthOf(vocab int) int {
	if vocab <= 1<<16 {
		return 2
	}
	return 4
}

func (h *header) encode() [headerSize]byte {
	var b [headerSize]byte
	le := binary.LittleEndian
	copy(b[:], idsMagic)
	le.PutUint32(b[8:], idsVersion)
	le.PutUint32(b[12:], uint32(h.width))
	le.PutUint64(b[16:], uint64(h.vocab))
	le.PutUint64(b[24:], uint64(h.train))
	le.PutUint64(b[32:], uint64(h.valid))
	copy(b[40:], h.tokenizer[:])
	le.PutUint32(b[72:], h.sum)
	le.PutUint32(b[124:], crc32.Checksum(b[:124], castagnoli))
	return b
}

// decodeHeader reads a header and checks it against the size of its file.
func decodeHeader(b *[headerSize]byte, size int64) (header, error) {
	le := binary.LittleEndian
	var h header
	switch {
	case string(b[:8]) != idsMagic:
		return h, errors.New("not a file of ids")
	case le.Uint32(b[8:]) != idsVersion:
		return h, fmt.Errorf("file version %d, this program reads %d", le.Uint32(b[8:]), idsVersion)
	case le.Uint32(b[124:]) != crc32.Checksum(b[:124], castagnoli):
		return h, errors.New("damaged header")
	}
	vocab, train, valid := le.Uint64(b[16:]), le.Uint64(b[24:]), le.Uint64(b[32:])
	if vocab < 1 || vocab > math.MaxInt32 {
		return h, fmt.Errorf("vocabulary of %d", vocab)
	}
	h.width, h.vocab = widthOf(int(vocab)), int(vocab)
	if got := le.Uint32(b[12:]); got != uint32(h.width) {
		return h, fmt.Errorf("%d bytes an id, want %d for a vocabulary of %d", got, h.width, vocab)
	}
	room := uint64(size-headerSize) / uint64(h.width)
	if train > room || valid > room-train {
		return h, fmt.Errorf("cut: %d bytes, %d + %d ids need more", size, train, valid)
	}
	if want := headerSize + int64(train+valid)*int64(h.width); size != want {
		return h, fmt.Errorf("%d bytes, %d + %d ids need %d", size, train, valid, want)
	}
	h.train, h.valid, h.sum = int64(train), int64(valid), le.Uint32(b[72:])
	copy(h.tokenizer[:], b[40:])
	return h, nil
}

// A Reader gives ids by their place.
type Reader interface {
	// Len returns the number of ids.
	Len() int64
	// Read fills dst with the ids from at on, or returns an error.
	Read(dst []int32, at int64) error
}

// A Slice is a Reader of ids in memory.
type Slice []int32

// Len implements [Reader].
func (s Slice) Len() int64 { return int64(len(s)) }

// Read implements [Reader].
func (s Slice) Read(dst []int32, at int64) error {
	if err := within(at, len(dst), s.Len()); err != nil {
		return err
	}
	copy(dst, s[at:])
	return nil
}

// within checks that n ids from at on lie in a reader of length all.
func within(at int64, n int, all int64) error {
	if at < 0 || at > all || int64(n) > all-at {
		return fmt.Errorf("data: ids %d…%d of %d: %w", at, at+int64(n), all, io.ErrUnexpectedEOF)
	}
	return nil
}

// IDs is an open file of ids. It may be read from many goroutines.
type IDs struct {
	r    io.ReaderAt
	c    io.Closer
	path string
	h    header
	pool sync.Pool // *[idBuffer]byte
}

// OpenIDs opens a file of ids and checks its header against its size.
func OpenIDs(path string) (*IDs, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	st, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("data: %w", err)
	}
	d, err := newIDs(f, st.Size(), path)
	if err != nil {
		f.Close()
		return nil, err
	}
	d.c = f
	return d, nil
}

// newIDs reads ids from r, of that many bytes.
func newIDs(r io.ReaderAt, size int64, path string) (*IDs, error) {
	var b [headerSize]byte
	if size < headerSize {
		return nil, fmt.Errorf("data: %s is cut at %d bytes: train anew", path, size)
	}
	if _, err := r.ReadAt(b[:], 0); err != nil {
		return nil, fmt.Errorf("data: %s: %w", path, err)
	}
	h, err := decodeHeader(&b, size)
	if err != nil {
		return nil, fmt.Errorf("data: %s: %w: train anew", path, err)
	}
	d := &IDs{r: r, path: path, h: h}
	d.pool.New = func() any { return new([idBuffer]byte) }
	return d, nil
}

// Close closes the file.
func (d *IDs) Close() error {
	if d.c == nil {
		return nil
	}
	return d.c.Close()
}

// Len returns the number of ids in both parts.
func (d *IDs) Len() int64 { return d.h.train + d.h.valid }

// Vocabulary returns the number of possible ids: every id that Read gives is
// below it.
func (d *IDs) Vocabulary() int { return d.h.vocab }

// TokenizerID returns the SHA-256 of the tokenizer that made the ids, in
// hexadecimal.
func (d *IDs) TokenizerID() string { return hex.EncodeToString(d.h.tokenizer[:]) }

// Train returns the training part.
func (d *IDs) Train() Part { return Part{d, 0, d.h.train} }

// Valid returns the validation part.
func (d *IDs) Valid() Part { return Part{d, d.h.train, d.h.valid} }

// Read fills dst with the ids from at on, training part first. An id outside
// the vocabulary is an error.
func (d *IDs) Read(dst []int32, at int64) error {
	if err := within(at, len(dst), d.Len()); err != nil {
		return err
	}
	buf := d.pool.Get().(*[idBuffer]byte)
	defer d.pool.Put(buf)
	for len(dst) > 0 {
		n := min(len(dst), idBuffer/d.h.width)
		raw := buf[:n*d.h.width]
		if got, err := d.r.ReadAt(raw, headerSize+at*int64(d.h.width)); got < len(raw) {
			return fmt.Errorf("data: %s at id %d: %w", d.path, at, err)
		}
		if bad := unpackIDs(dst[:n], raw, d.h.width, d.h.vocab); bad >= 0 {
			return fmt.Errorf("data: %s is damaged: id %d in place %d, vocabulary of %d: train anew",
				d.path, uint32(dst[bad]), at+int64(bad), d.h.vocab)
		}
		dst, at = dst[n:], at+int64(n)
	}
	return nil
}

// unpackIDs decodes raw into dst and returns the place of the first id outside
// the vocabulary, −1 if there is none.
func unpackIDs(dst []int32, raw []byte, width, vocab int) int {
	bad := -1
	for i := range dst {
		var id uint32
		if width == 2 {
			id = uint32(binary.LittleEndian.Uint16(raw[2*i:]))
		} else {
			id = binary.LittleEndian.Uint32(raw[4*i:])
		}
		dst[i] = int32(id)
		if id >= uint32(vocab) && bad < 0 {
			bad = i
		}
	}
	return bad
}

// Verify reads the whole file and compares its checksum.
func (d *IDs) Verify() error {
	buf := d.pool.Get().(*[idBuffer]byte)
	defer d.pool.Put(buf)
	var sum uint32
	end := headerSize + d.Len()*int64(d.h.width)
	for at := int64(headerSize); at < end; {
		raw := buf[:min(idBuffer, end-at)]
		if got, err := d.r.ReadAt(raw, at); got < len(raw) {
			return fmt.Errorf("data: %s at byte %d: %w", d.path, at, err)
		}
		sum = crc32.Update(sum, castagnoli, raw)
		at += int64(len(raw))
	}
	if sum != d.h.sum {
		return fmt.Errorf("data: %s is damaged (checksum): train anew", d.path)
	}
	return nil
}

// A Part is the training or the validation part of a file of ids.
type Part struct {
	ids   *IDs
	from  int64
	count int64
}

// Len implements [Reader].
func (p Part) Len() int64 { return p.count }

// Read implements [Reader].
func (p Part) Read(dst []int32, at int64) error {
	if err := within(at, len(dst), p.count); err != nil {
		return err
	}
	return p.ids.Read(dst, p.from+at)
}
