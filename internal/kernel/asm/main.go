// Command asm writes the assembly of package kernel. It is a module of its
// own, so that users of Refrain never download the generator. "make asm" runs
// it, and "make check" fails where the files are not what it writes.
//
// Every routine is the AVX2 form of a body with the suffix Generic, and products
// have tiles with AVX-512 too; the Go files there say what is computed. The NEON
// routines for arm64 are translations of the AVX2 ones.
package main

//go:generate go run . -routines gemm -out ../gemm_amd64.s -stubs ../gemm_amd64.go -pkg kernel
//go:generate go run . -routines gemm512 -out ../gemm512_amd64.s -stubs ../gemm512_amd64.go -pkg kernel
//go:generate go run . -routines vector -out ../vector_amd64.s -stubs ../vector_amd64.go -pkg kernel
//go:generate go run . -routines compact -out ../compact_amd64.s -stubs ../compact_amd64.go -pkg kernel
//go:generate go run . -routines vector512 -out ../vector512_amd64.s -stubs ../vector512_amd64.go -pkg kernel
//go:generate go run . -routines pairs -out ../gemmpairs_amd64.s -stubs ../gemmpairs_amd64.go -pkg kernel
//go:generate go run . -routines unknown
//go:generate go run . -routines neon
//go:generate go run . -routines stubs

import (
	"flag"
	"fmt"
	"os"

	. "github.com/mmcloughlin/avo/build"
)

func main() {
	routines := flag.String("routines", "", "what to write: gemm, gemm512, pairs, unknown, vector, vector512, compact, neon or stubs")
	flag.Parse()
	switch *routines {
	case "gemm":
		ConstraintExpr("amd64,!purego")
		gemm()
		pack()
		Generate()
	case "gemm512":
		ConstraintExpr("amd64,!purego")
		gemm512()
		Generate()
	case "pairs":
		ConstraintExpr("amd64,!purego")
		pairs()
		Generate()
	case "unknown":
		check(encode("../compact_amd64.s"))
		check(encode("../gemmpairs_amd64.s"))
	case "vector", "vector512":
		wide = *routines == "vector512"
		ConstraintExpr("amd64,!purego")
		arithmetic()
		activations()
		lstmGates()
		rnnGate()
		gruGates()
		softmax()
		optimizers()
		if !wide {
			peaks()
		}
		Generate()
	case "compact":
		ConstraintExpr("amd64,!purego")
		compact()
		Generate()
	case "stubs":
		check(writeOther("../compact_other.go", "!amd64 || purego", "", "../compact_amd64.go"))
		check(writeOther("../asm_other.go", "(!amd64 && !arm64) || purego", "", "../gemm_amd64.go", "../vector_amd64.go"))
		check(writeOther("../gemm512_other.go", "!amd64 || purego", noAssembly, "../gemm512_amd64.go"))
		check(writeOther("../gemmpairs_other.go", "!amd64 || purego", "", "../gemmpairs_amd64.go"))
	case "neon":
		for _, name := range []string{"../gemm", "../vector"} {
			check(writeNEON(name+"_amd64.s", name+"_amd64.go", name+"_arm64.s", name+"_arm64.go"))
		}
	default:
		flag.Usage()
		os.Exit(2)
	}
}

const noAssembly = "\nconst noAssembly = \"kernel: this build has no such assembly\"\n"

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "asm:", err)
		os.Exit(1)
	}
}
