package compare

import (
	"runtime/debug"
	"runtime/metrics"
)

// memoryWatch follows how much memory the program holds: its resident size where
// the system counts that, else what Go's runtime has of it.
type memoryWatch struct {
	counted bool // the system counts
	sample  []metrics.Sample
	most    int64
}

// watchMemory gives back what an earlier run has left, and begins to watch.
func watchMemory() *memoryWatch {
	debug.FreeOSMemory()
	w := &memoryWatch{counted: resetPeak(), sample: []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}}
	w.look()
	return w
}

// look is called now and then.
func (w *memoryWatch) look() {
	if !w.counted {
		metrics.Read(w.sample)
		w.most = max(w.most, int64(w.sample[0].Value.Uint64()-w.sample[1].Value.Uint64()))
	}
}

// peak is the most that was held, in bytes.
func (w *memoryWatch) peak() int64 {
	if w.counted {
		return peakResident()
	}
	return w.most
}
