// Command refrain trains and runs recurrent language models on the CPU.
// Package cli has the verbs; "refrain --help" lists them.
package main

import (
	"os"

	"github.com/refrain-lm/refrain/internal/cli"
)

func main() {
	cli.Exit(cli.Main(os.Args, os.Stdin, os.Stdout, os.Stderr, os.Environ()))
}
