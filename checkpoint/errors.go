package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"
)

// Errors to test for with errors.Is.
var (
	// ErrDamaged marks a file or checkpoint whose content is not what its own
	// header or manifest promises.
	ErrDamaged = errors.New("damaged")
	// ErrDiskFull marks a write that found no space; the error is a
	// *[DiskFullError] and also matches the system's own code.
	ErrDiskFull = errors.New("disk full")
	// ErrNone says that a folder holds no whole checkpoint.
	ErrNone = errors.New("no whole checkpoint")
	// ErrLocked says that another process, or another part of this one, holds
	// the folder.
	ErrLocked = errors.New("in use")
)

// DiskFullError says what could not be saved, and how much it needs.
type DiskFullError struct {
	Path string // the file or checkpoint that was being written
	Need int64  // bytes that it takes in all; 0 where unknown
	Free int64  // bytes free once the attempt was undone; −1 where unknown
	Err  error  // the system's error
}

// Error is one line with the sizes that are known.
func (e *DiskFullError) Error() string {
	sizes := ""
	switch {
	case e.Need > 0 && e.Free >= 0:
		sizes = fmt.Sprintf(" (needs %s, has %s)", bytesText(e.Need), bytesText(e.Free))
	case e.Need > 0:
		sizes = fmt.Sprintf(" (needs %s)", bytesText(e.Need))
	case e.Free >= 0:
		sizes = fmt.Sprintf(" (has %s)", bytesText(e.Free))
	}
	return fmt.Sprintf("disk full saving %s%s: free space", filepath.Base(e.Path), sizes)
}

// Unwrap gives the system's error.
func (e *DiskFullError) Unwrap() error { return e.Err }

// Is matches [ErrDiskFull].
func (e *DiskFullError) Is(target error) bool { return target == ErrDiskFull }

// damagedError is a complete sentence about a file that matches ErrDamaged.
type damagedError struct{ text string }

func (e *damagedError) Error() string        { return e.text }
func (e *damagedError) Is(target error) bool { return target == ErrDamaged }

func damaged(format string, args ...any) error {
	return &damagedError{fmt.Sprintf(format, args...)}
}

// cut is the error for a file that ends before it should.
func cut(name string, have, want int64) error {
	h, w := have, want
	unit, div := unitOf(want)
	text := fmt.Sprintf("%.1f of %.1f %s", float64(h)/div, float64(w)/div, unit)
	if fmt.Sprintf("%.1f", float64(h)/div) == fmt.Sprintf("%.1f", float64(w)/div) || div == 1 {
		text = fmt.Sprintf("%d of %d bytes", h, w)
	}
	return damaged("%s is cut at %s; copy it again", name, text)
}

// saveError says what went wrong while path was written. need is the size of
// the whole in bytes, 0 where unknown.
func saveError(path string, need int64, err error) error {
	if isDiskFull(err) {
		free, ferr := FreeSpace(filepath.Dir(path))
		if ferr != nil {
			free = -1
		}
		return &DiskFullError{Path: path, Need: need, Free: free, Err: err}
	}
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return fmt.Errorf("%s cannot be written (%w): make its folder writable, or use another", path, err)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s cannot be written (%w): its folder is gone; make it again", path, err)
	}
	return fmt.Errorf("%s could not be saved (%w): what was there before is kept; check the disk", path, err)
}

// NeedSpace refuses work that dir has no room for, before it begins: what names the
// work. Where the free space is not known, a full disk is reported when it happens.
func NeedSpace(what, dir string, need int64) error {
	free, err := FreeSpace(dir)
	if err != nil || free >= need {
		return nil
	}
	return fmt.Errorf("%s needs %s of disk in %s, which has %s free: free some, or take another --out", what, bytesText(need), dir, bytesText(free))
}

// bytesText is n in decimal units, as the command line prints sizes.
func bytesText(n int64) string {
	unit, div := unitOf(n)
	if div == 1 {
		return fmt.Sprintf("%d bytes", n)
	}
	v := float64(n) / div
	if v < 10 {
		return fmt.Sprintf("%.1f %s", v, unit)
	}
	return fmt.Sprintf("%.0f %s", v, unit)
}

func unitOf(n int64) (unit string, div float64) {
	switch {
	case n >= 1e9:
		return "GB", 1e9
	case n >= 1e6:
		return "MB", 1e6
	case n >= 1e3:
		return "KB", 1e3
	}
	return "bytes", 1
}
