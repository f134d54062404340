package data_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/tokenizer"
)

// Windows of two lanes from ids in memory.
func ExampleStream() {
	stream, err := data.NewStream(data.Slice{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, 2, 2)
	if err != nil {
		log.Fatal(err)
	}
	var b data.Batch
	for range stream.Windows() {
		if err := stream.Next(&b); err != nil {
			log.Fatal(err)
		}
		fmt.Println(b.Inputs, b.Targets, b.Reset)
	}
	// Output:
	// [0 5 1 6] [1 6 2 7] true
	// [2 7 3 8] [3 8 4 9] false
}

// From text to a file of ids, with a tokenizer of its own.
func ExamplePrepare() {
	dir, err := os.MkdirTemp("", "refrain-example-*")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	sources, err := data.Sources([]string{"-"}, strings.NewReader("one two\nthree\nfour\n"), data.ReadOptions{TempDir: dir})
	if err != nil {
		log.Fatal(err)
	}
	defer data.CloseSources(sources)
	trainer, err := tokenizer.NewTrainer(tokenizer.Options{Kind: tokenizer.Word})
	if err != nil {
		log.Fatal(err)
	}
	corpus, err := data.Prepare(context.Background(), data.PrepareOptions{
		Train: sources, ValidFraction: 0.3, Path: filepath.Join(dir, "data.ids"),
		Learn: trainer.Write,
		Encoding: func() (data.Encoding, error) {
			tok, err := trainer.Tokenizer()
			if err != nil {
				return data.Encoding{}, err
			}
			return data.Encoding{Vocabulary: tok.Size(), ID: tok.ID(), Train: tok.EncodeTraining, Valid: tok.Encode}, nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(corpus.Train.Tokens, corpus.Valid.Tokens, corpus.Vocabulary)
	// Output: 5 2 5
}

// A source can be anything that can be read again, such as a part of an open
// file. Size -1: only reading tells.
func ExampleSource() {
	file := strings.NewReader("--a\nb\n--")
	src := data.Source{Name: "the middle", Size: -1, Open: func() (io.ReadCloser, error) {
		return io.NopCloser(io.NewSectionReader(file, 2, 4)), nil
	}}
	err := data.Chunks([]data.Source{src, data.Text("memory", []byte("c\n"))}, func(chunk []byte) error {
		fmt.Printf("%q\n", chunk)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// "a\nb\n"
	// "c\n"
}
