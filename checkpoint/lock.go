package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

const lockName = ".lock"

// FolderLock is a held folder.
type FolderLock struct{ f *os.File }

// Lock takes dir for this process. Where it is held already the error matches
// [ErrLocked] and names the holder's process. The operating system gives the
// lock back when the process ends, however it ends; the file that carries it is
// called .lock.
func Lock(dir string) (*FolderLock, error) {
	path := filepath.Join(dir, lockName)
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
		if err != nil {
			return nil, saveError(path, 0, err)
		}
		err = tryLock(f)
		if errors.Is(err, ErrLocked) {
			holder := readHolder(f)
			f.Close()
			return nil, fmt.Errorf("%s is %w by %s: wait for it to end, or use another folder", dir, ErrLocked, holder)
		}
		if err != nil {
			f.Close()
			return nil, fmt.Errorf("%s cannot be locked (%w): use a folder on a local disk", dir, err)
		}
		// Its holder may have removed the file between our opening and our locking it.
		if !stillThere(f, path) {
			f.Close()
			continue
		}
		if err := writeHolder(f); err != nil {
			f.Close()
			return nil, saveError(path, 0, err)
		}
		return &FolderLock{f}, nil
	}
}

// Unlock gives the folder back and removes the lock's file.
func (l *FolderLock) Unlock() error { return unlock(l.f) }

func writeHolder(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// readHolder names the holder as far as it is known: it may not have written
// its number yet.
func readHolder(f *os.File) string {
	b, err := io.ReadAll(io.LimitReader(f, 32))
	pid, perr := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || perr != nil || pid <= 0 {
		return "another process"
	}
	return fmt.Sprintf("process %d", pid)
}

func stillThere(f *os.File, path string) bool {
	mine, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(path)
	return err == nil && os.SameFile(mine, there)
}
