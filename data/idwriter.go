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
	"path/filepath"
	"runtime"
)

// idFile is what an IDWriter needs of a file.
type idFile interface {
	io.Writer
	io.WriterAt
	Sync() error
	Close() error
}

// An IDWriter writes a file of ids under a temporary name. [IDWriter.Close]
// puts it in place; after an error, [IDWriter.Abort] removes it.
type IDWriter struct {
	f     idFile
	path  string
	h     header
	buf   []byte
	count *int64 // the part that grows
}

// CreateIDs begins a file of ids below vocab, made by the tokenizer with that
// ID (SHA-256 in hexadecimal). It is written as path.partial, which may be
// there from a run that was killed.
func CreateIDs(path string, vocab int, tokenizerID string) (*IDWriter, error) {
	w, err := newIDWriter(path, vocab, tokenizerID)
	if err != nil {
		return nil, err
	}
	f, err := os.Create(w.partial())
	if err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	if err := w.start(f); err != nil {
		return nil, errors.Join(err, w.Abort())
	}
	return w, nil
}

func newIDWriter(path string, vocab int, tokenizerID string) (*IDWriter, error) {
	if vocab < 1 || vocab > math.MaxInt32 {
		return nil, fmt.Errorf("data: vocabulary of %d ids", vocab)
	}
	w := &IDWriter{path: path, h: header{width: widthOf(vocab), vocab: vocab}}
	if n, err := hex.Decode(w.h.tokenizer[:], []byte(tokenizerID[:min(len(tokenizerID), 64)])); err != nil || n != 32 || len(tokenizerID) != 64 {
		return nil, fmt.Errorf("data: tokenizer ID %q is not a SHA-256 in hexadecimal", tokenizerID)
	}
	w.count = &w.h.train
	return w, nil
}

// start leaves room for the header.
func (w *IDWriter) start(f idFile) error {
	w.f = f
	w.buf = make([]byte, headerSize, idBuffer)
	return w.flush(false)
}

func (w *IDWriter) partial() string { return w.path + ".partial" }

// Append adds ids to the part being written. An id outside the vocabulary is
// an error.
func (w *IDWriter) Append(ids []int32) error {
	for _, id := range ids {
		if uint32(id) >= uint32(w.h.vocab) {
			return fmt.Errorf("data: id %d, vocabulary of %d", id, w.h.vocab)
		}
		if w.h.width == 2 {
			w.buf = binary.LittleEndian.AppendUint16(w.buf, uint16(id))
		} else {
			w.buf = binary.LittleEndian.AppendUint32(w.buf, uint32(id))
		}
		if len(w.buf) > idBuffer-4 {
			if err := w.flush(true); err != nil {
				return err
			}
		}
	}
	*w.count += int64(len(ids))
	return nil
}

// flush writes the buffer; ids count in the checksum, the header doesn't.
func (w *IDWriter) flush(ids bool) error {
	if ids {
		w.h.sum = crc32.Update(w.h.sum, castagnoli, w.buf)
	}
	_, err := w.f.Write(w.buf)
	w.buf = w.buf[:0]
	if err != nil {
		return fmt.Errorf("data: write ids: %w", err)
	}
	return nil
}

// StartValid ends the training part: what follows is the validation part.
func (w *IDWriter) StartValid() { w.count = &w.h.valid }

// Close completes the file: ids, header, sync, rename. After an error the
// file is not in place and the temporary one is gone.
func (w *IDWriter) Close() error {
	if err := w.finish(); err != nil {
		return errors.Join(err, w.Abort())
	}
	if err := os.Rename(w.partial(), w.path); err != nil {
		return errors.Join(fmt.Errorf("data: %w", err), os.Remove(w.partial()))
	}
	return syncDir(filepath.Dir(w.path))
}

// finish makes the temporary file whole and durable.
func (w *IDWriter) finish() error {
	if err := w.flush(true); err != nil {
		return err
	}
	head := w.h.encode()
	if _, err := w.f.WriteAt(head[:], 0); err != nil {
		return fmt.Errorf("data: write ids: %w", err)
	}
	if err := w.f.Sync(); err != nil {
		return fmt.Errorf("data: write ids: %w", err)
	}
	f := w.f
	w.f = nil
	if err := f.Close(); err != nil {
		return fmt.Errorf("data: write ids: %w", err)
	}
	return nil
}

// Abort closes and removes the temporary file. It is an error only where that
// fails.
func (w *IDWriter) Abort() error {
	var err error
	if w.f != nil {
		err = w.f.Close()
		w.f = nil
	}
	if e := os.Remove(w.partial()); e != nil && !errors.Is(e, os.ErrNotExist) {
		err = errors.Join(err, e)
	}
	if err != nil {
		return fmt.Errorf("data: remove %s: %w", w.partial(), err)
	}
	return nil
}

// syncDir makes a rename in dir durable, where the system can.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" { // has no way to sync a folder
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("data: %w", err)
	}
	err = errors.Join(d.Sync(), d.Close())
	if err != nil {
		return fmt.Errorf("data: sync %s: %w", dir, err)
	}
	return nil
}
