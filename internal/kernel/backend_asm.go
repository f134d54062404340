//go:build (amd64 || arm64) && !purego

package kernel

import "github.com/refrain-lm/refrain/internal/cpu"

// path is the implementation in use. Tests change it; nothing else does.
// useAsm chooses between an assembly routine and its Generic twin, useAVX512
// the tiles of products.
var (
	path              cpu.Path
	useAsm, useAVX512 bool
)

func init() { setPath(cpu.Chosen) }

func setPath(p cpu.Path) { path, useAsm, useAVX512 = p, p != cpu.Generic, p == cpu.AVX512 }
