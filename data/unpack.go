package data

import (
	"compress/bzip2"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// Bounds on what an archive may make this program do.
const (
	defaultUnpacked = 64 << 30 // bytes of text
	freeUnpacked    = 1 << 30  // bytes of text that need no excuse
	maxRatio        = 200      // beyond those: bytes of text a byte of archive
	maxZstdWindow   = 128 << 20
	maxXZDictionary = 256 << 20
)

// unpack returns the text in r.stored, through the unpacker that its first
// bytes ask for.
func (r *textReader) unpack(o ReadOptions) (io.Reader, error) {
	head, err := r.stored.Peek(64)
	if err != nil && err != io.EOF {
		return nil, r.failed(err)
	}
	has := func(magic string) bool { return len(head) >= len(magic) && string(head[:len(magic)]) == magic }
	var text io.Reader
	r.packed = true
	switch {
	case has("\x1f\x8b"):
		text, err = gzip.NewReader(r.stored)
	case has("\x28\xb5\x2f\xfd"), len(head) >= 4 && head[0]&0xf0 == 0x50 && string(head[1:4]) == "\x2a\x4d\x18":
		text, err = r.unzstd()
	case has("\xfd7zXZ\x00"):
		// The unpacker takes a file without index and footer for whole.
		r.footer = "YZ"
		if err = checkXZ(head); err == nil {
			text, err = xz.NewReader(r.stored)
		}
	case len(head) >= 10 && string(head[:3]) == "BZh" && string(head[4:10]) == "\x31\x41\x59\x26\x53\x59":
		text, err = bzip2.NewReader(r.stored), nil
	default:
		r.packed = false
		return r.stored, nil
	}
	if err != nil {
		if err == io.EOF { // an unpacker's way to say that its header is cut
			err = io.ErrUnexpectedEOF
		}
		return nil, r.failed(err)
	}
	return &limitedReader{r: text, raw: r.raw, max: o.MaxUnpacked}, nil
}

func (r *textReader) unzstd() (io.Reader, error) {
	d, err := zstd.NewReader(r.stored, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(maxZstdWindow))
	if err != nil {
		return nil, err
	}
	r.close = append(r.close, d.IOReadCloser())
	return d, nil
}

// checkXZ refuses an xz file whose first block wants an immense dictionary,
// which the unpacker would allocate on trust. See section 3.1 of the file
// format: block header at byte 12, its flags, two optional sizes, then the
// filter LZMA2 (0x21) with one byte that says the dictionary's size.
func checkXZ(head []byte) error {
	if len(head) < 24 {
		return io.ErrUnexpectedEOF
	}
	at := 14
	for _, sized := range []bool{head[13]&0x40 != 0, head[13]&0x80 != 0} {
		for sized && at < len(head) {
			sized = head[at]&0x80 != 0
			at++
		}
	}
	if at+2 >= len(head) || head[at] != 0x21 {
		return nil // another filter, or no block: the unpacker will say
	}
	bits := head[at+2]
	if size := uint64(2|bits&1) << (bits/2 + 11); bits > 40 || size > maxXZDictionary {
		return fmt.Errorf("its dictionary is larger than %d MiB", maxXZDictionary>>20)
	}
	return nil
}

// A limitedReader stops what unpacks to too much.
type limitedReader struct {
	r   io.Reader
	raw *hashingReader
	max int64
	n   int64
}

// A tooLargeError says that an archive unpacks to more than it may.
type tooLargeError struct{ n, packed int64 }

func (e *tooLargeError) Error() string {
	return fmt.Sprintf("unpacks to more than %d bytes from %d: unpack it yourself if that is right, and use the result", e.n, e.packed)
}

func (l *limitedReader) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	l.n += int64(n)
	over := l.max > 0 && l.n > l.max
	if l.max <= 0 {
		over = l.n > defaultUnpacked || l.n > freeUnpacked && l.n/maxRatio > l.raw.n
	}
	if over {
		return 0, &tooLargeError{l.n, l.raw.n}
	}
	return n, err
}
