package data

import (
	"bytes"
	"io"
)

// What external tests and fuzz targets need of the inside.

// OpenBytes opens a file of ids that is in memory.
func OpenBytes(raw []byte) (*IDs, error) {
	return newIDs(bytes.NewReader(raw), int64(len(raw)), "test.ids")
}

// ReadAll reads a stored text as Sources would.
func ReadAll(stored []byte, o ReadOptions) ([]byte, error) {
	r, err := newTextReader("test", bytes.NewReader(stored), nil, o)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// Replace makes w write to f from now on.
func (w *IDWriter) Replace(wrap func(f io.Writer) io.Writer) {
	w.f = &wrapped{w.f, wrap(w.f)}
}

type wrapped struct {
	idFile
	w io.Writer
}

func (f *wrapped) Write(p []byte) (int, error) { return f.w.Write(p) }
func (f *wrapped) WriteAt(p []byte, _ int64) (int, error) {
	if n, err := f.w.Write(nil); err != nil {
		return n, err
	}
	return f.idFile.WriteAt(p, 0)
}
func (f *wrapped) Sync() error {
	if _, err := f.w.Write(nil); err != nil {
		return err
	}
	return f.idFile.Sync()
}
