// Command asm writes the assembly of package kernel. It is a module of its
// own, so that users of Refrain never download the generator. "make asm" runs
// it, and "make check" fails where the files are not what it writes.
//
// Every routine is the AVX2 form of a body with the suffix Generic, and products
// have tiles with AVX-512 too; the Go files there say what is computed.
package main

//go:generate go run . -routines gemm -out ../gemm_amd64.s -stubs ../gemm_amd64.go -pkg kernel
//go:generate go run . -routines gemm512 -out ../gemm512_amd64.s -stubs ../gemm512_amd64.go -pkg kernel
//go:generate go run . -routines vector -out ../vector_amd64.s -stubs ../vector_amd64.go -pkg kernel
//go:generate go run . -routines stubs

import (
	"flag"
	"fmt"
	"os"

	. "github.com/mmcloughlin/avo/build"
)

func main() {
	routines := flag.String("routines", "", "what to write: gemm, gemm512, vector or stubs")
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
	case "vector":
		ConstraintExpr("amd64,!purego")
		arithmetic()
		activations()
		lstmGates()
		rnnGate()
		gruGates()
		softmax()
		optimizers()
		peaks()
		Generate()
	case "stubs":
		if err := writeOther("../asm_other.go", "../gemm_amd64.go", "../gemm512_amd64.go", "../vector_amd64.go"); err != nil {
			fmt.Fprintln(os.Stderr, "asm:", err)
			os.Exit(1)
		}
	default:
		flag.Usage()
		os.Exit(2)
	}
}
