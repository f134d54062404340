//go:build (!amd64 && !arm64) || purego

package kernel

import "github.com/refrain-lm/refrain/internal/cpu"

// Constants here, so that the branches to assembly vanish.
const (
	path              = cpu.Generic
	useAsm, useAVX512 = false, false
	useX86, useVNNI   = false, false
	usePairs, useAMX  = false, false
)
