//go:build !linux

package cli

// machineMemory is not known on this system.
func machineMemory() (free, total int64) { return 0, 0 }
