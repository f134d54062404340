//go:build !purego

package kernel

import "github.com/refrain-lm/refrain/internal/cpu"

// SetBackend chooses an implementation for a test and returns what undoes it;
// nil if this machine cannot run it.
func SetBackend(name string) (restore func()) {
	if name == "avx2" && !cpu.AVX2 {
		return nil
	}
	old := useAVX2
	useAVX2 = name == "avx2"
	return func() { useAVX2 = old }
}
