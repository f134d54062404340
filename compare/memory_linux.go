package compare

import (
	"bytes"
	"os"
	"strconv"
)

// resetPeak makes the system forget the largest resident size so far, and says
// whether it can be asked for (proc_pid_clear_refs(5), Linux 4.0).
func resetPeak() bool {
	return os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) == nil && peakResident() > 0
}

// peakResident is the largest resident size of this process since, in bytes.
func peakResident() int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, line, _ := bytes.Cut(status, []byte("\nVmHWM:"))
	fields := bytes.Fields(line)
	if len(fields) == 0 {
		return 0
	}
	kilobytes, err := strconv.ParseInt(string(fields[0]), 10, 64)
	if err != nil {
		return 0
	}
	return kilobytes << 10
}
