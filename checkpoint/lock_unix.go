//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package checkpoint

import (
	"errors"
	"os"
	"syscall"
)

// tryLock takes an flock, which belongs to the open file and so also keeps out
// a second Lock in the same process.
func tryLock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EWOULDBLOCK):
			return ErrLocked
		}
		return err
	}
}

// unlock removes the file while the lock is still held: whoever opened it
// before finds it gone (stillThere) and tries anew.
func unlock(f *os.File) error {
	return errors.Join(os.Remove(f.Name()), f.Close())
}
