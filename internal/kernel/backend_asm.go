//go:build (amd64 || arm64) && !purego

package kernel

import (
	"runtime"

	"github.com/refrain-lm/refrain/internal/cpu"
)

// path is the implementation in use. Tests change it; nothing else does.
// useAsm chooses between an assembly routine and its Generic twin, useAVX512
// the tiles of products; useX86 and useVNNI are for routines that only amd64 has.
var (
	path              cpu.Path
	useAsm, useAVX512 bool
	useX86, useVNNI   bool
	usePairs, useAMX  bool // products of bfloat16, faster than those of float32; with the matrix units
)

func init() { setPath(cpu.Chosen) }

func setPath(p cpu.Path) {
	path, useAsm, useAVX512, useAMX = p, p != cpu.Generic, p == cpu.AVX512 || p == cpu.AMX, p == cpu.AMX
	usePairs = useAMX || useAVX512 && cpu.FastBFloat16()
	useX86 = useAsm && runtime.GOARCH == "amd64"
	useVNNI = p == cpu.AVXVNNI || useAVX512 && cpu.AVX512VNNI()
}
