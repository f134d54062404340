package data

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A Source is a text that can be read any number of times. [Sources] makes them
// of files, [Text] of memory.
type Source struct {
	// Name is what messages and the model card call it.
	Name string
	// Path is the absolute path of its file, empty if it has none.
	Path string
	// Size is the number of bytes that Open's reader gives, −1 where only
	// reading tells.
	Size int64
	// Open begins to read the text. A reader with a method SHA256() string
	// names the SHA-256 of its stored bytes once it has been read to the end.
	Open func() (io.ReadCloser, error)
	// Close gives up what the source holds (the copy of standard input); nil
	// if that is nothing.
	Close func() error
}

// Text is a source in memory, of exactly these bytes. Its name is what messages
// and the model card call it.
func Text(name string, text []byte) Source {
	return Source{Name: name, Size: int64(len(text)), Open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(text)), nil
	}}
}

// ReadOptions say what to take as text. The zero value is right for text.
type ReadOptions struct {
	// MaxUnpacked bounds what an archive may unpack to, in bytes; 0 is 64 GiB,
	// and beyond 1 GiB not more than 200 times the archive.
	MaxUnpacked int64
	// AllowBinary takes any bytes (for the byte tokenizer), byte order marks
	// included.
	AllowBinary bool
	// TempDir is where a copy of standard input goes; empty is the system's
	// folder for such files.
	TempDir string
	// Skipped, if not nil, hears of the files in folders that are left out:
	// empty or binary ones, links and devices. Hidden files and folders are
	// left out without a word.
	Skipped func(path, why string)
}

// Sources lists what paths name, in their order: a file, a folder (the text
// files in it and below, sorted by path), or "-" for stdin, which is copied to
// a temporary file, as is a pipe or device. The beginning of every file is
// looked at, so that a missing, empty or binary one is an error now. Close the
// sources with [CloseSources].
func Sources(paths []string, stdin io.Reader, o ReadOptions) ([]Source, error) {
	var all []Source
	for _, path := range paths {
		more, err := sources(path, stdin, o)
		if err != nil {
			return nil, errors.Join(err, CloseSources(all))
		}
		if path == "-" {
			stdin = strings.NewReader("") // it can be read once
		}
		all = append(all, more...)
	}
	if len(all) == 0 {
		return nil, errors.New("data: no files to read: name a text file, a folder, or - for standard input")
	}
	return all, nil
}

func sources(path string, stdin io.Reader, o ReadOptions) ([]Source, error) {
	if path == "-" {
		s, err := spool("standard input", stdin, o)
		return []Source{s}, err
	}
	st, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("data: %s: no such file or folder", path)
	case err != nil:
		return nil, fmt.Errorf("data: %w", err)
	case st.IsDir():
		return folder(path, o)
	case !st.Mode().IsRegular():
		f, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("data: %w", err)
		}
		defer f.Close()
		s, err := spool(path, f, o)
		return []Source{s}, err
	}
	s, err := fileSource(path, st.Size(), o)
	return []Source{s}, err
}

// CloseSources closes every source.
func CloseSources(src []Source) error {
	var errs []error
	for _, s := range src {
		if s.Close != nil {
			errs = append(errs, s.Close())
		}
	}
	return errors.Join(errs...)
}

// folder lists the text files below path.
func folder(path string, o ReadOptions) ([]Source, error) {
	skipped := o.Skipped
	if skipped == nil {
		skipped = func(string, string) {}
	}
	root, err := filepath.EvalSymlinks(path) // WalkDir doesn't follow one
	if err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	var all []Source
	err = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("data: %w", err)
		}
		hidden := p != root && strings.HasPrefix(d.Name(), ".")
		switch {
		case hidden && d.IsDir():
			return filepath.SkipDir
		case hidden || d.IsDir():
			return nil
		case !d.Type().IsRegular():
			skipped(p, "not a regular file")
			return nil
		}
		st, err := d.Info()
		if err != nil {
			return fmt.Errorf("data: %w", err)
		}
		s, err := fileSource(p, st.Size(), o)
		var no *NotTextError
		if errors.As(err, &no) {
			skipped(p, no.Why)
			return nil
		}
		all = append(all, s)
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("data: %s: no text files in this folder", path)
	}
	// By path components, so that the order is the same with any separator.
	slices.SortStableFunc(all, func(a, b Source) int {
		return cmp.Compare(filepath.ToSlash(a.Name), filepath.ToSlash(b.Name))
	})
	return all, nil
}

// fileSource is the source of a regular file of that size, whose beginning has
// been read and found to be text.
func fileSource(path string, size int64, o ReadOptions) (Source, error) {
	s := Source{Name: path, Size: -1}
	if abs, err := filepath.Abs(path); err == nil {
		s.Path = abs
	}
	s.Open = func() (io.ReadCloser, error) {
		f, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("data: %w", err)
		}
		// A log that grows meanwhile is read up to where it was.
		return newTextReader(path, io.LimitReader(f, size), f, o)
	}
	return s, s.probe(size)
}

// probe opens a source once: it must be text, and its size follows unless it
// is compressed.
func (s *Source) probe(stored int64) error {
	rc, err := s.Open()
	if err != nil {
		return err
	}
	if r := rc.(*textReader); !r.packed {
		s.Size = stored - int64(r.mark)
	}
	return rc.Close()
}

// spool copies what can be read only once to a temporary file. Where the
// system lets an open file lose its name, it does so at once, and nothing
// stays behind however the program ends.
func spool(name string, from io.Reader, o ReadOptions) (Source, error) {
	f, err := os.CreateTemp(o.TempDir, "refrain-input-*")
	if err != nil {
		return Source{}, fmt.Errorf("data: copy %s: %w", name, err)
	}
	gone := os.Remove(f.Name()) == nil
	s := Source{Name: name, Size: -1}
	s.Close = func() error {
		err := f.Close()
		if !gone {
			err = errors.Join(err, os.Remove(f.Name()))
		}
		if err != nil && !errors.Is(err, fs.ErrClosed) {
			return fmt.Errorf("data: remove the copy of %s: %w", name, err)
		}
		return nil
	}
	n, err := io.Copy(f, from)
	if err != nil {
		return Source{}, errors.Join(fmt.Errorf("data: copy %s: %w", name, err), s.Close())
	}
	s.Open = func() (io.ReadCloser, error) {
		return newTextReader(name, io.NewSectionReader(f, 0, n), nil, o)
	}
	if err := s.probe(n); err != nil {
		return Source{}, errors.Join(err, s.Close())
	}
	return s, nil
}
