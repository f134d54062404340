// Command refrain is Refrain's side of bench/keras: it does one piece of the
// article's experiment and prints what came out as JSON.
//
//	refrain tokens FILE OUT        sequences and the tokenizer's JSON, in OUT
//	refrain steps [flags] FILE OUT losses of single steps; initial weights and batches in OUT
//	refrain train [flags] FILE     a row for each epoch
//	refrain about                  versions
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/refrain-lm/refrain/checkpoint"
	"github.com/refrain-lm/refrain/compare"
	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/internal/kernel"
	"github.com/refrain-lm/refrain/keras"
	"github.com/refrain-lm/refrain/lm"
	"github.com/refrain-lm/refrain/train"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench/keras/refrain:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return errors.New("want tokens, steps, train or about")
	}
	flags := flag.NewFlagSet(args[0], flag.ExitOnError)
	var a compare.Article
	cell := flags.String("cell", "rnn", "rnn, lstm or gru")
	form := flags.String("form", "every", "every or last")
	steps := flags.Int64("steps", 200, "of the command steps")
	flags.IntVar(&a.Epochs, "epochs", 0, "of the command train")
	flags.IntVar(&a.MaxLen, "maxlen", 0, "longest input")
	flags.Uint64Var(&a.Seed, "seed", 1, "of weights and order")
	flags.IntVar(&a.Threads, "threads", 0, "threads")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	a.Form = data.Form(*form)
	switch {
	case args[0] == "about":
		return print(map[string]any{"go": runtime.Version(), "kernels": kernel.Name()})
	case args[0] == "tokens" && flags.NArg() == 2:
		return tokens(flags.Arg(0), flags.Arg(1))
	case args[0] == "steps" && flags.NArg() == 2:
		return trainSteps(a, lm.Cell(*cell), *steps, flags.Arg(0), flags.Arg(1))
	case args[0] == "train" && flags.NArg() == 1:
		return trainEpochs(a, lm.Cell(*cell), flags.Arg(0))
	}
	return fmt.Errorf("%q with %d files: see the comment of the command", args[0], flags.NArg())
}

func print(v any) error { return json.NewEncoder(os.Stdout).Encode(v) }

func texts(file string) ([]string, error) {
	src, err := data.Sources([]string{file}, nil, data.ReadOptions{})
	if err != nil {
		return nil, err
	}
	return data.Texts(src, false)
}

// tokens encodes a file, each line a document.
func tokens(file, out string) error {
	docs, err := texts(file)
	if err != nil {
		return err
	}
	began := time.Now()
	t := keras.NewTokenizer()
	t.FitOnTexts(docs)
	sequences := t.TextsToSequences(docs)
	seconds := time.Since(began).Seconds()
	if err := writeJSON(filepath.Join(out, "tokenizer.json"), t); err != nil {
		return err
	}
	if err := writeJSON(filepath.Join(out, "sequences.json"), sequences); err != nil {
		return err
	}
	return print(map[string]any{"seconds": seconds, "documents": len(docs)})
}

func writeJSON(path string, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return os.WriteFile(path, raw, 0o666)
}

// trainSteps writes the initial weights and the first batches, and prints the
// loss and the seconds of every step, and the validation loss after the last.
func trainSteps(a compare.Article, cell lm.Cell, steps int64, file, out string) error {
	x, m, err := experiment(a, cell, file)
	if err != nil {
		return err
	}
	err = create(filepath.Join(out, "weights.safetensors"), func(w io.Writer) error {
		return checkpoint.WriteSafetensors(w, m.Tensors())
	})
	if err != nil {
		return err
	}
	if err := create(filepath.Join(out, "batches.jsonl"), func(w io.Writer) error { return writeBatches(w, x.Train, steps) }); err != nil {
		return err
	}
	if err := x.Train.Seek(data.Cursor{}); err != nil {
		return err
	}
	var losses, seconds []float64
	last := time.Now()
	o := x.Options(func(compare.Epoch) {})
	var valid float64
	o.Steps, o.ReportEvery, o.ValidEvery, o.SaveEvery = steps, 1, steps, steps
	o.On = func(e train.Event) {
		switch e.Kind {
		case train.EventStep:
			losses, seconds = append(losses, e.Loss), append(seconds, time.Since(last).Seconds())
			last = time.Now()
		case train.EventValid:
			valid = e.Valid
		}
	}
	if _, err := train.Run(context.Background(), m, x.Train, o); err != nil {
		return err
	}
	return print(map[string]any{"losses": losses, "seconds": seconds, "val_loss": valid, "vocab": x.Tokenizer.Size(), "emsize": x.Article.EmSize, "batches": x.Train.Windows()})
}

func create(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	return errors.Join(write(w), w.Flush(), f.Close())
}

// writeBatches writes a JSON line for each batch, [T,B] as they are.
func writeBatches(w io.Writer, feed *data.Documents, n int64) error {
	var b data.Batch
	for range n {
		if err := feed.Next(&b); err != nil {
			return err
		}
		raw, err := json.Marshal(b)
		if err != nil {
			return err
		}
		if _, err := w.Write(append(raw, '\n')); err != nil {
			return err
		}
	}
	return nil
}

func experiment(a compare.Article, cell lm.Cell, file string) (*compare.Experiment, *lm.Model, error) {
	docs, err := texts(file)
	if err != nil {
		return nil, nil, err
	}
	x, err := compare.NewExperiment(docs, a)
	if err != nil {
		return nil, nil, err
	}
	m, err := x.Model(cell)
	return x, m, err
}

func trainEpochs(a compare.Article, cell lm.Cell, file string) error {
	x, _, err := experiment(a, cell, file)
	if err != nil {
		return err
	}
	var epochs []compare.Epoch
	if _, err := x.Run(context.Background(), cell, func(e compare.Epoch) { epochs = append(epochs, e) }); err != nil {
		return err
	}
	return print(map[string]any{"epochs": epochs, "batches": x.Train.Windows()})
}
