//go:build linux || darwin || freebsd

package checkpoint

import (
	"math/bits"

	"golang.org/x/sys/unix"
)

// FreeSpace is the number of bytes that this user can still write under dir.
func FreeSpace(dir string) (int64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, err
	}
	blocks := int64(s.Bavail) // signed on FreeBSD, where it can fall below zero
	if blocks < 0 {
		return 0, nil
	}
	hi, lo := bits.Mul64(uint64(blocks), uint64(s.Bsize))
	if hi != 0 || lo > 1<<62 {
		return 1 << 62, nil
	}
	return int64(lo), nil
}
