package cpu

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
)

// Path is one implementation of the kernels.
type Path string

const (
	Generic Path = "generic" // plain Go
	AVX2    Path = "avx2"    // AVX2 with FMA
	AVXVNNI Path = "avxvnni" // products of bytes that do not saturate, beside AVX2
	AVX512  Path = "avx512"  // AVX-512 F, BW, DQ and VL, beside AVX2
	AMX     Path = "amx"     // matrix units for bfloat16, beside AVX-512
	NEON    Path = "neon"    // arm64's vectors of 128 bits
)

// OverrideVariable is the environment variable that chooses a lower path.
const OverrideVariable = "REFRAIN_CPU"

// Chosen is the path of this process: the best that processor, operating
// system, build and the override allow. It never changes after start.
var Chosen Path

var overrideError error

func init() { Chosen, overrideError = choose(os.Getenv(OverrideVariable), Paths()) }

// Paths lists what this machine and build can run, plain Go first, the best
// last.
func Paths() []Path {
	if !assembly {
		return []Path{Generic}
	}
	return append([]Path{Generic}, vectorPaths()...)
}

// choose applies the override to the paths there are.
func choose(override string, paths []Path) (Path, error) {
	best := paths[len(paths)-1]
	switch want := Path(override); {
	case want == "":
		return best, nil
	case slices.Contains(paths, want):
		return want, nil
	case want == AVX2 || want == AVXVNNI || want == AVX512 || want == AMX || want == NEON:
		return best, fmt.Errorf("cpu: %s=%s: this machine or build has not got it: use one of %s, or unset it", OverrideVariable, override, list(paths))
	}
	return best, fmt.Errorf("cpu: %s=%q is unknown: use one of %s, or unset it", OverrideVariable, override, list(paths))
}

func list(paths []Path) string {
	var names []string
	for _, p := range paths {
		names = append(names, string(p))
	}
	return strings.Join(names, ", ")
}

// OverrideError tells what is wrong with REFRAIN_CPU, nil if nothing is.
func OverrideError() error { return overrideError }

// Describe says in one line what the machine is: name, vector features that
// matter here, and the number of cores Go may use.
func Describe() string {
	name := brand()
	if name == "" {
		name = "unknown processor"
	}
	features := features()
	if len(features) == 0 {
		features = []string{"no vector features used"}
	}
	return fmt.Sprintf("%s (%s), %s, %d cores", name, runtime.GOARCH, strings.Join(features, " "), runtime.NumCPU())
}
