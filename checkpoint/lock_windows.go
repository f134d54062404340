package checkpoint

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// lockOffset lies far behind the file's content: a locked range cannot be read
// by others, and they shall read the process id.
const lockOffset = 0x7fffffff

func tryLock(f *os.File) error {
	at := &windows.Overlapped{OffsetHigh: lockOffset}
	err := windows.LockFileEx(windows.Handle(f.Fd()),
		windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, at)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) || errors.Is(err, windows.ERROR_IO_PENDING) {
		return ErrLocked
	}
	return err
}

// unlock closes first, since Windows removes no open file; where another
// process has opened it meanwhile it stays, which does no harm.
func unlock(f *os.File) error {
	err := f.Close()
	_ = os.Remove(f.Name())
	return err
}
