package cpu

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

// OverrideVariable is the environment variable that lowers the level.
const OverrideVariable = "REFRAIN_CPU"

// AVX2 reports whether kernels may use AVX2 and FMA: the processor has them,
// the operating system saves their registers, and neither the override nor the
// build tag purego forbids it.
// It never changes after start.
var AVX2 bool

var overrideError error

func init() {
	AVX2, overrideError = choose(os.Getenv(OverrideVariable), assembly && hasAVX2())
}

// choose applies the override to what the machine has.
func choose(override string, avx2 bool) (bool, error) {
	switch override {
	case "":
		return avx2, nil
	case "generic":
		return false, nil
	case "avx2":
		if avx2 {
			return true, nil
		}
		return false, fmt.Errorf("cpu: %s=avx2: this machine or build has no AVX2 with FMA: use %s=generic or unset it",
			OverrideVariable, OverrideVariable)
	default:
		return avx2, fmt.Errorf("cpu: %s=%q is unknown: use generic or avx2", OverrideVariable, override)
	}
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
