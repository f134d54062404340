//go:build !linux

package train

// systemMemory is 0 where the machine's memory is not known.
func systemMemory() int64 { return 0 }
