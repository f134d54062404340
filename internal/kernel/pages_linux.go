package kernel

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// adviseLargePages asks for 2 MiB pages for the whole small pages of x. A kernel
// that has none may say so; nothing depends on it.
func adviseLargePages(x []byte) {
	page := uintptr(unix.Getpagesize())
	first := -uintptr(unsafe.Pointer(unsafe.SliceData(x))) & (page - 1)
	whole := (uintptr(len(x)) - first) &^ (page - 1)
	_ = unix.Madvise(x[first:first+whole], unix.MADV_HUGEPAGE)
}
