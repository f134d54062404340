package compare

import (
	"testing"
	"time"
)

// TestMemoryWatch sees memory that is used for a moment, and not what was used before.
func TestMemoryWatch(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector holds memory of its own for all that a program has used")
	}
	use := func(bytes int) {
		held := make([]byte, bytes)
		for i := 0; i < len(held); i += 4096 {
			held[i] = 1
		}
	}
	idle := watchMemory().peak()
	w := watchMemory()
	use(100e6)
	w.look()
	if got := w.peak() - idle; got < 90e6 || got > 200e6 {
		t.Errorf("100 MB were used, %d bytes seen", got)
	}
	deadline := time.Now().Add(5 * time.Second)
	for watchMemory().peak()-idle > 50e6 {
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes are still seen when a run begins", watchMemory().peak()-idle)
		}
	}
}
