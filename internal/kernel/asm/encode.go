package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// unknown are instructions that neither Go's assembler nor avo knows, by the file that
// has them. There they stand as others with the same operands, which it has no use
// for, until encode puts bytes in their place.
var unknown = map[string]map[string]instruction{
	"gemmpairs_amd64.s": {
		"VFMADD231PS":  {"VDPBF16PS", "Z", 2, 0x52},
		"VFNMADD231PS": {"VCVTNE2PS2BF16", "Z", 3, 0x72},
	},
	"compact_amd64.s": {"VFNMADD231PS": {"VPDPBUSD", "Y", 1, 0x50}},
}

// instruction is one on three vector registers: Y with VEX or Z with EVEX, its
// mandatory prefix (1 for 66, 2 for F3, 3 for F2) and its opcode in map 0F38.
type instruction struct {
	name, register string
	prefix, opcode int
}

// encode gives the bytes of d = d op (a, b), in Go's order b, a, d.
func (i instruction) encode(b, a, d int) string {
	inverted := func(n, bit, to int) int { return (^n >> bit & 1) << to }
	operands := 3<<6 | d&7<<3 | b&7
	bytes := []int{
		0x62,
		inverted(d, 3, 7) | inverted(b, 4, 6) | inverted(b, 3, 5) | inverted(d, 4, 4) | 2,
		(^a&15)<<3 | 4 | i.prefix,
		2<<5 | inverted(a, 4, 3),
		i.opcode,
		operands,
	}
	if i.register == "Y" {
		bytes = []int{
			0xc4,
			inverted(d, 3, 7) | 1<<6 | inverted(b, 3, 5) | 2,
			(^a&15)<<3 | 1<<2 | i.prefix,
			i.opcode,
			operands,
		}
	}
	var text strings.Builder
	for _, x := range bytes {
		fmt.Fprintf(&text, "BYTE $0x%02x; ", x)
	}
	r := i.register
	return fmt.Sprintf("%s// %s %s%d, %s%d, %s%d", text.String(), i.name, r, b, r, a, r, d)
}

var threeRegisters = regexp.MustCompile(`(?m)^\t(\w+)\s+([YZ])(\d+), [YZ](\d+), [YZ](\d+)$`)

// encode puts a file's unknown instructions into what avo wrote.
func encode(path string) error {
	source, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	source = threeRegisters.ReplaceAllFunc(source, func(line []byte) []byte {
		m := threeRegisters.FindStringSubmatch(string(line))
		i, ok := unknown[filepath.Base(path)][m[1]]
		if !ok || i.register != m[2] {
			return line
		}
		var r [3]int
		for j := range r {
			r[j], _ = strconv.Atoi(m[3+j])
		}
		return []byte("\t" + i.encode(r[0], r[1], r[2]))
	})
	return os.WriteFile(path, source, 0o644)
}
