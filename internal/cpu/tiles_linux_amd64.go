package cpu

import "golang.org/x/sys/unix"

// permitTiles asks Linux for the registers of the matrix units, which a process
// has only once it was given them, and reports whether it was.
func permitTiles() bool {
	const requestPermission, tileData = 0x1023, 18 // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
	_, _, err := unix.RawSyscall(unix.SYS_ARCH_PRCTL, requestPermission, tileData, 0)
	return err == 0
}
