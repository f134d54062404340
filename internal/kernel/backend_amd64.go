//go:build !purego

package kernel

import "github.com/refrain-lm/refrain/internal/cpu"

// useAVX2 chooses between an assembly routine and its Generic twin. Tests
// change it; nothing else does.
var useAVX2 = cpu.AVX2
