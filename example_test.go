package refrain_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/eval"
	"github.com/refrain-lm/refrain/lm"
	"github.com/refrain-lm/refrain/nn"
	"github.com/refrain-lm/refrain/optim"
	"github.com/refrain-lm/refrain/sample"
	"github.com/refrain-lm/refrain/tokenizer"
	"github.com/refrain-lm/refrain/train"
)

// counting is a text that a small model knows after a few hundred steps.
var counting = strings.Repeat("one two three four five six seven eight nine ten\n", 600)

// Train in 20 lines: text in, a model folder out, as the command "refrain train"
// makes it. Here the text is in memory; data.Sources reads files and folders.
func Example_train() {
	text := []data.Source{data.Text("counting", []byte(counting))}
	out := filepath.Join(scratch, "trained") // the new model folder

	ctx := context.Background()
	settings := train.Settings{Steps: 300, Hidden: 32, BatchSize: 8, BPTT: 32, LR: 0.01} // the plan chooses the rest
	job, err := train.Prepare(ctx, settings, train.Input{Sources: text, Out: out}, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer job.Close()
	outcome, err := job.Run(ctx, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("steps:", outcome.Steps)
	fmt.Println("perplexity below 1.2:", outcome.Result.Perplexity() < 1.2)
	// Output:
	// steps: 300
	// perplexity below 1.2: true
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
	stream, text := m.LM.NewStepper(nil), []byte("one two")
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

// A model and a loop of one's own: any ids, any windows, nothing on the disk until
// Save. The pool gives scoring more threads than the caller's; no number of them
// changes a bit.
func Example_loop() {
	tok := tokenizer.NewByte()
	ids := data.Slice(tok.Encode(nil, []byte(counting)))
	model, err := lm.New(lm.Config{Cell: lm.GRU, Vocab: tok.Size(), EmSize: 16, Hidden: 32}, nn.InitConfig{}, 1)
	if err != nil {
		log.Fatal(err)
	}
	stream, err := data.NewStream(ids, 8, 32)
	if err != nil {
		log.Fatal(err)
	}
	options := train.Options{Steps: 200, Schedule: optim.Schedule{LR: 0.01}, Clip: 1}
	if _, err := train.Run(context.Background(), model, stream, options); err != nil {
		log.Fatal(err)
	}
	m, dir := eval.New("", model, tok), filepath.Join(scratch, "saved")
	if err := m.Save(dir); err != nil { // eval.Open and the command open it
		log.Fatal(err)
	}

	pool := nn.NewPool(0) // all cores
	defer pool.Close()
	line := []data.Source{data.Text("line", []byte("one two three four five six seven\n"))}
	result, err := eval.Stream(context.Background(), m, line, pool, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d %ss, below 0.5 bits a byte: %v\n", result.Tokens, result.Unit, result.BitsPerByte() < 0.5)
	// Output: 33 bytes, below 0.5 bits a byte: true
}

// counter is a folder with a model of the counting text, made once for the
// examples that use one.
var counter = sync.OnceValue(func() string {
	in := train.Input{Sources: []data.Source{data.Text("counting", []byte(counting))}, Out: filepath.Join(scratch, "model")}
	job, err := train.Prepare(context.Background(), train.Settings{Steps: 300, Hidden: 32, BatchSize: 8, BPTT: 32, LR: 0.01}, in, nil)
	if err == nil {
		_, err = job.Run(context.Background(), nil)
		err = errors.Join(err, job.Close())
	}
	if err != nil {
		log.Fatal(err)
	}
	return in.Out
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
