//go:build !linux

package compare

// resetPeak is false: this system is not asked.
func resetPeak() bool { return false }

func peakResident() int64 { return 0 }
