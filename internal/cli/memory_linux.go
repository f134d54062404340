package cli

import (
	"bufio"
	"os"
	"strconv"
	"strings"
)

// machineMemory is the memory that can be had now and in all, in bytes, within
// the limit of the control group if there is one; 0 where it is not known.
func machineMemory() (free, total int64) {
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0, 0
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 2 {
			continue
		}
		kb := int64(atoi(fields[1]))
		switch fields[0] {
		case "MemAvailable:":
			free = kb * 1024
		case "MemTotal:":
			total = kb * 1024
		}
	}
	limit, used := readBytes("/sys/fs/cgroup/memory.max"), readBytes("/sys/fs/cgroup/memory.current")
	if limit > 0 && limit < total {
		total, free = limit, min(free, max(0, limit-used))
	}
	return free, total
}

// readBytes reads a number from a file; 0 if there is none ("max").
func readBytes(path string) int64 {
	raw, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	n, _ := strconv.ParseInt(strings.TrimSpace(string(raw)), 10, 64)
	return n
}
