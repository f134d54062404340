package cpu

import (
	"strings"

	"golang.org/x/sys/cpu"
)

// cpuid executes CPUID with the given leaf and subleaf.
//
//go:noescape
func cpuid(leaf, subleaf uint32) (eax, ebx, ecx, edx uint32)

// xgetbv reads the lower half of XCR0: which registers the operating system saves.
func xgetbv() uint32

// vectorPaths asks for what the kernels use. The flags include the check that
// the operating system saves the registers.
func vectorPaths() []Path {
	x := &cpu.X86
	if !x.HasAVX2 || !x.HasFMA {
		return nil
	}
	paths := []Path{AVX2}
	if x.HasAVXVNNI {
		paths = append(paths, AVXVNNI)
	}
	if !x.HasAVX512F || !x.HasAVX512BW || !x.HasAVX512DQ || !x.HasAVX512VL {
		return paths
	}
	paths = append(paths, AVX512)
	if !x.HasAMXTile || !x.HasAMXBF16 || !x.HasAVX512BF16 || !systemSavesTiles() || !permitTiles() {
		return paths
	}
	return append(paths, AMX)
}

// systemSavesTiles reports whether the operating system has switched on the
// registers of the matrix units.
func systemSavesTiles() bool {
	const osxsave, tiles = 1 << 27, 1<<17 | 1<<18
	_, _, c, _ := cpuid(1, 0)
	return c&osxsave != 0 && xgetbv()&tiles == tiles
}

// AVX512VNNI reports whether AVX-512 has products of bytes that do not saturate.
func AVX512VNNI() bool { return cpu.X86.HasAVX512VNNI }

// FastBFloat16 reports whether AVX-512 has products of bfloat16 and they do
// twice as many operations as those of float32: AMD's do, Intel's do not.
func FastBFloat16() bool {
	_, b, c, d := cpuid(0, 0)
	return cpu.X86.HasAVX512BF16 && vendor(b, d, c) == "AuthenticAMD"
}

func vendor(words ...uint32) string {
	var name []byte
	for _, w := range words {
		name = append(name, byte(w), byte(w>>8), byte(w>>16), byte(w>>24))
	}
	return string(name)
}

// brand reads the 48 bytes of leaves 0x80000002 to 0x80000004.
func brand() string {
	const first, last = 0x80000002, 0x80000004
	if highest, _, _, _ := cpuid(0x80000000, 0); highest < last {
		return ""
	}
	var name []byte
	for leaf := uint32(first); leaf <= last; leaf++ {
		a, b, c, d := cpuid(leaf, 0)
		for _, word := range [...]uint32{a, b, c, d} {
			name = append(name, byte(word), byte(word>>8), byte(word>>16), byte(word>>24))
		}
	}
	text, _, _ := strings.Cut(string(name), "\x00")
	return strings.Join(strings.Fields(text), " ")
}

func features() []string {
	var list []string
	for _, f := range []struct {
		name string
		has  bool
	}{
		{"avx2", cpu.X86.HasAVX2},
		{"fma", cpu.X86.HasFMA},
		{"avx-vnni", cpu.X86.HasAVXVNNI},
		{"avx512", cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VL},
		{"avx512-vnni", cpu.X86.HasAVX512VNNI},
		{"avx512-bf16", cpu.X86.HasAVX512BF16},
		{"amx-bf16", cpu.X86.HasAMXBF16},
	} {
		if f.has {
			list = append(list, f.name)
		}
	}
	return list
}
