//go:build (amd64 || arm64) && !purego

package kernel

import (
	"slices"

	"github.com/refrain-lm/refrain/internal/cpu"
)

// SetBackend chooses an implementation for a test and returns what undoes it;
// nil if this machine cannot run it.
func SetBackend(name string) (restore func()) {
	if !slices.Contains(cpu.Paths(), cpu.Path(name)) {
		return nil
	}
	old := path
	setPath(cpu.Path(name))
	return func() { setPath(old) }
}
