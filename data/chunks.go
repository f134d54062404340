package data

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"unicode/utf8"
)

// chunkSize is the most bytes in a piece of text.
const chunkSize = 1 << 20

// Chunks reads the sources in order and calls fn with each piece, at most
// 1 MiB, cut at line ends (see the package documentation). A piece holds until
// fn returns; its error ends the reading.
func Chunks(src []Source, fn func(chunk []byte) error) error {
	w := walker{fn: func(p piece) error { return fn(p.text) }}
	_, err := w.walk(context.Background(), src)
	return err
}

// A piece of text.
type piece struct {
	text   []byte
	offset int64 // of its first byte, from the beginning of all sources
	line   bool  // it begins a line, or a source
}

// A walker calls fn for every piece of its sources.
type walker struct {
	fn  func(p piece) error
	buf []byte
}

// walk reads all sources and describes them.
func (w *walker) walk(ctx context.Context, src []Source) ([]SourceInfo, error) {
	if w.buf == nil {
		w.buf = make([]byte, chunkSize)
	}
	infos := make([]SourceInfo, 0, len(src))
	var offset int64
	for _, s := range src {
		info, err := w.source(ctx, s, offset)
		if err != nil {
			return nil, err
		}
		if s.Size >= 0 && info.Bytes != s.Size {
			return nil, fmt.Errorf("data: %s had %d bytes of text and now has %d: don't change it while it is read", s.Name, s.Size, info.Bytes)
		}
		offset += info.Bytes
		infos = append(infos, info)
	}
	return infos, nil
}

// source reads one source that begins at offset.
func (w *walker) source(ctx context.Context, s Source, offset int64) (SourceInfo, error) {
	info := SourceInfo{Name: s.Name, Path: s.Path}
	rc, err := s.Open()
	if err != nil {
		return info, err
	}
	defer rc.Close()
	stored, _ := rc.(interface{ SHA256() string })
	sum := sha256.New()
	have, line := 0, true
	for {
		if err := ctx.Err(); err != nil {
			return info, err
		}
		n, err := io.ReadFull(rc, w.buf[have:])
		if stored == nil {
			sum.Write(w.buf[have : have+n])
		}
		have += n
		end := err == io.EOF || err == io.ErrUnexpectedEOF
		if err != nil && !end {
			return info, err
		}
		cut := cutPoint(w.buf[:have], end)
		if cut > 0 {
			if err := w.fn(piece{w.buf[:cut], offset + info.Bytes, line}); err != nil {
				return info, err
			}
			line = w.buf[cut-1] == '\n'
		}
		info.Bytes += int64(cut)
		have = copy(w.buf, w.buf[cut:have])
		if end {
			break
		}
	}
	info.SHA256 = hex.EncodeToString(sum.Sum(nil))
	if stored != nil {
		info.SHA256 = stored.SHA256()
	}
	return info, nil
}

// cutPoint returns where to end a piece of b; end: nothing comes after b.
func cutPoint(b []byte, end bool) int {
	if end {
		return len(b)
	}
	if i := bytes.LastIndexByte(b, '\n'); i >= 0 {
		return i + 1
	}
	if i := bytes.LastIndexAny(b, " \t"); i >= 0 {
		return i + 1
	}
	// Leave a character that may go on.
	for n := 1; n < utf8.UTFMax && n < len(b); n++ {
		if c := b[len(b)-n]; utf8.RuneStart(c) {
			if !utf8.FullRune(b[len(b)-n:]) {
				return len(b) - n
			}
			break
		}
	}
	return len(b)
}
