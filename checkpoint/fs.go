package checkpoint

import (
	"bufio"
	"crypto/sha256"
	"io"
	"os"
	"path/filepath"
)

// Handle is a file being written.
type Handle interface {
	io.Writer
	Sync() error // returns once the content is on the disk
	Close() error
}

// FS is every way in which this package changes a disk. Names are paths of the
// operating system. [OS] is the real one; tests stand between.
type FS interface {
	Create(name string) (Handle, error) // a new file; an old one, or a link, of that name is removed first
	Append(name string) (Handle, error) // a file that exists, to write on at its end
	Mkdir(name string) error            // fails where name exists
	Rename(from, to string) error       // a file replaces a file; a folder needs a free name
	Remove(name string) error           // with all that is in it; a missing name is no error
	SyncDir(name string) error          // returns once the names in the folder are on the disk
}

// OS is the operating system's file system.
type OS struct{}

// Create removes what has the name first and then insists on a new file, so
// that a link left by somebody else is never written through.
func (OS) Create(name string) (Handle, error) {
	if err := os.RemoveAll(name); err != nil {
		return nil, err
	}
	return os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
}

// Append opens a file for writing at its end.
func (OS) Append(name string) (Handle, error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return nil, err // not a nil *os.File in a Handle
	}
	return f, nil
}

// Mkdir makes one folder.
func (OS) Mkdir(name string) error { return os.Mkdir(name, 0o755) }

// Rename moves a file or folder within one file system.
func (OS) Rename(from, to string) error { return os.Rename(from, to) }

// Remove removes a file, or a folder with its content.
func (OS) Remove(name string) error { return os.RemoveAll(name) }

// SyncDir makes the names in a folder durable. Windows has no such call and
// does it by itself.
func (OS) SyncDir(name string) error { return syncDir(name) }

// ReplaceFile makes write's output the content of path, all or nothing: it is
// written to a temporary file in the same folder, synced, renamed over path,
// and the folder is synced. On an error the former file, if any, is untouched
// and the temporary one is removed. Only one process may replace one path at a
// time; see [Lock].
func ReplaceFile(fsys FS, path string, write func(io.Writer) error) error {
	dir, base := filepath.Split(path)
	if dir == "" {
		dir = "."
	}
	tmp := filepath.Join(dir, ".tmp-"+base)
	n, _, err := writeFile(fsys, tmp, write)
	if err == nil {
		err = fsys.Rename(tmp, path)
	}
	if err != nil {
		// The first error is the one to report; a leftover is overwritten by the next try.
		_ = fsys.Remove(tmp)
		return saveError(path, n, err)
	}
	if err := fsys.SyncDir(dir); err != nil {
		return saveError(path, 0, err)
	}
	return nil
}

// writeFile writes one synced file and returns its SHA-256 and its size: what
// write produced, also when the disk took less of it.
func writeFile(fsys FS, path string, write func(io.Writer) error) (size int64, sum [sha256.Size]byte, err error) {
	h, err := fsys.Create(path)
	if err != nil {
		return 0, sum, err
	}
	hash := sha256.New()
	out := &sink{w: io.MultiWriter(h, hash)}
	buf := bufio.NewWriterSize(out, 1<<17)
	err = write(buf)
	if ferr := buf.Flush(); err == nil {
		err = ferr
	}
	if out.err != nil {
		err = out.err
	}
	if err == nil {
		err = h.Sync()
	}
	if cerr := h.Close(); err == nil {
		err = cerr
	}
	hash.Sum(sum[:0])
	return out.n, sum, err
}

// sink passes writes on until one fails, keeps that error, and from then on only
// counts, so that the message about a full disk can say how much is needed.
type sink struct {
	w   io.Writer
	n   int64
	err error
}

func (s *sink) Write(p []byte) (int, error) {
	s.n += int64(len(p))
	if s.err == nil {
		_, s.err = s.w.Write(p) // MultiWriter makes a short write an error
	}
	return len(p), nil
}
