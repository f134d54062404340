package refrain_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/eval"
	"github.com/refrain-lm/refrain/sample"
	"github.com/refrain-lm/refrain/train"
)

// counting is a text that a small model knows after a few hundred steps.
var counting = strings.Repeat("one two three four five six seven eight nine ten\n", 600)

// Train in 20 lines: learn makes of a text file a model folder, the same that
// the command "refrain train" makes.
func Example_train() {
	dir, err := os.MkdirTemp("", "refrain-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	book := filepath.Join(dir, "book.txt")
	if err := os.WriteFile(book, []byte(counting), 0o600); err != nil {
		log.Fatal(err)
	}

	outcome, err := learn(book, filepath.Join(dir, "model"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("steps:", outcome.Steps)
	fmt.Println("perplexity below 1.2:", outcome.Result.Perplexity() < 1.2)
	// Output:
	// steps: 300
	// perplexity below 1.2: true
}

// learn trains a small model on the text file book and leaves it in the new
// folder dir.
func learn(book, dir string) (train.Outcome, error) {
	var none train.Outcome
	sources, err := data.Sources([]string{book}, nil, data.ReadOptions{})
	if err != nil {
		return none, err
	}
	var s train.Settings // what is not set, the plan chooses
	for name, value := range map[string]string{"steps": "300", "lr": "0.01", "nhid": "32", "batch-size": "8", "bptt": "32", "threads": "1"} {
		if err := s.Set(name, value, "flag"); err != nil {
			return none, err
		}
	}
	ctx, quiet := context.Background(), func(train.Event) {}
	job, err := train.Prepare(ctx, s, train.Input{Sources: sources, Out: dir}, quiet)
	if err != nil {
		return none, err
	}
	defer job.Close()
	return job.Run(ctx, quiet)
}

// Embed in 10 lines: open a model folder, read a prompt, write on token by
// token. The model is read-only and serves any number of goroutines, each with
// a stepper of its own; the loop allocates nothing but the text.
func Example_embed() {
	model := counter() // the path of a model folder
	m, err := eval.Open(model)
	if err != nil {
		log.Fatal(err)
	}
	next, err := sample.New(sample.Options{Temperature: 0.5, TopK: 3, Seed: 1}, m.Tokenizer.Size())
	if err != nil {
		log.Fatal(err)
	}
	stream, text := m.LM.NewStepper(), []byte("one two")
	for logits := stream.Feed(m.Tokenizer.Encode(nil, text)); len(text) < 33; {
		id := next.Next(logits)
		text = m.Tokenizer.AppendDecode(text, id)
		logits = stream.Step(id)
	}
	fmt.Printf("%s\n", text)
	// Output: one two three four five six seven
}

// Score lines: how surprising is each for the model, in bits a byte?
func Example_score() {
	model := counter() // the path of a model folder
	m, err := eval.Open(model)
	if err != nil {
		log.Fatal(err)
	}
	scorer := eval.NewLineScorer(m, false)
	for _, line := range []string{
		"one two three four five six seven eight nine ten\n",
		"one two three four five six seven ate nine ten\n",
	} {
		score := scorer.Score([]byte(line), false, false)
		fmt.Printf("surprising: %-5v  %s", score.BitsPerByte() > 0.5, line)
	}
	// Output:
	// surprising: false  one two three four five six seven eight nine ten
	// surprising: true   one two three four five six seven ate nine ten
}

// Generate an answer piece by piece, as a service would stream it: whole
// characters only, until a stop string.
func Example_generate() {
	model := counter() // the path of a model folder
	m, err := eval.Open(model)
	if err != nil {
		log.Fatal(err)
	}
	g, err := eval.NewGenerator(m, eval.GenerateOptions{MaxTokens: 100, Stop: []string{" seven"}})
	if err != nil {
		log.Fatal(err)
	}
	reason, err := g.Generate(context.Background(), "one two", func(piece []byte) error {
		_, err := os.Stdout.Write(piece)
		return err
	})
	fmt.Printf("\n%s %v\n", reason, err)
	// Output:
	//  three four five six
	// stop <nil>
}

// counter makes a model folder of the counting text, once for all examples.
var counter = sync.OnceValue(func() string {
	book := filepath.Join(scratch, "book.txt")
	if err := os.WriteFile(book, []byte(counting), 0o600); err != nil {
		log.Fatal(err)
	}
	model := filepath.Join(scratch, "model")
	if _, err := learn(book, model); err != nil {
		log.Fatal(err)
	}
	return model
})

// scratch is a folder that TestMain removes.
var scratch string

func TestMain(m *testing.M) {
	var err error
	if scratch, err = os.MkdirTemp("", "refrain-examples-"); err != nil {
		log.Fatal(err)
	}
	code := m.Run()
	if err := os.RemoveAll(scratch); err != nil {
		log.Print(err)
	}
	os.Exit(code)
}
