package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/eval"
	"github.com/refrain-lm/refrain/lm"
)

func (a *app) evalCommand() *cobra.Command {
	var perLine, asJSON bool
	var threads int
	var mix mixFlags
	cmd := &cobra.Command{Use: "eval DIR [FILE|DIR|-]...", Short: "measure a model on text", Args: cobra.ArbitraryArgs}
	f := cmd.Flags()
	f.BoolVar(&perLine, "per-line", false, "every line starts fresh; its line end counts")
	f.BoolVar(&asJSON, "json", false, "one JSON object; loss in nats a token")
	f.IntVar(&threads, "threads", 0, "`N` threads; changes no digit")
	mix.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return helpError{cmd}
		}
		files, err := a.inputs(cmd, args[1:])
		if err != nil {
			return err
		}
		res, err := a.measure(cmd.Context(), args[0], files, perLine, threads, mix)
		if err != nil {
			return err
		}
		if asJSON {
			return json.NewEncoder(a.out.w).Encode(res)
		}
		return a.printResult(res)
	}
	a.describe(cmd, page{
		summary:  "Measure a model on text: files in the given order are one stream from a zero state; the first token is given, so N tokens make N-1 predictions.",
		examples: []string{"eval book-model other.txt", "eval lstm-model other.txt --mix ngram-model"},
		groups:   []flagGroup{{title: "How", names: []string{"per-line", "json", "threads"}}, mixGroup},
	}, map[string]string{"threads": "all cores, if the model is large", "mix-weight": mixWeightDefault})
	return cmd
}

// openModel opens a model folder.
func openModel(dir string) (*eval.Model, error) {
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		if parent := filepath.Dir(dir); exists(filepath.Join(parent, lm.ConfigFile)) {
			return nil, usagef("%s is a file of a model; give the folder: %s", dir, quotePath(parent))
		}
		return nil, usagef("%s is a file, not a model folder; train makes one: refrain train %s", dir, quotePath(dir))
	}
	return eval.Open(dir)
}

// measure opens the model and runs it over the files.
func (a *app) measure(parent context.Context, dir string, files []string, perLine bool, threads int, mix mixFlags) (eval.Result, error) {
	m, err := a.openMixed(parent, dir, mix)
	if err != nil {
		return eval.Result{}, err
	}
	src, err := data.Sources(files, a.in, data.ReadOptions{AllowBinary: m.Tokenizer.Kind() == "byte"})
	if err != nil {
		return eval.Result{}, err
	}
	defer func() { _ = data.CloseSources(src) }()
	pool := m.StreamPool(threads)
	defer pool.Close()
	ctx, stop := watch(parent)
	defer stop()
	p := a.startProgress("evaluating", m.Tokenizer.Unit()+"s", tokensOf(m, src))
	defer p.close()
	var res eval.Result
	if perLine {
		res, err = eval.PerLine(ctx, m, src, p.set)
	} else {
		res, err = eval.Stream(ctx, m, src, pool, p.set)
	}
	return res, causeOf(ctx, err)
}

// tokensOf is how many tokens src will make, where that is known before
// reading: bytes are tokens of the byte kind, and of the char kind in ASCII.
func tokensOf(m *eval.Model, src []data.Source) int64 {
	var n int64
	for _, s := range src {
		if s.Size < 0 || m.Tokenizer.Unit() == "word" {
			return 0
		}
		n += s.Size
	}
	return n
}

// causeOf replaces a cancellation by the signal behind it.
func causeOf(ctx context.Context, err error) error {
	var sig signalError
	if err != nil && errors.As(context.Cause(ctx), &sig) {
		return sig
	}
	return err
}

// printResult is eval's table: every number with its base and denominator.
func (a *app) printResult(res eval.Result) error {
	bits, why := "-", "none: the tokenizer lost something of this text"
	if v := res.BitsPerByte(); !math.IsNaN(v) {
		bits, why = fmt.Sprintf("%.3f", v), a.count(res.Bytes)+" bytes; compare models by this one"
	}
	perplexity := significant(res.Perplexity())
	loss := fmt.Sprintf("%.4f", res.Loss())
	w := max(len(loss), len(perplexity), len(bits))
	accuracy := ""
	if v := res.Accuracy(); !math.IsNaN(v) {
		accuracy = fmt.Sprintf("accuracy    %-*s  of predictions were the most probable %s\n", w-1, fmt.Sprintf("%.1f %%", 100*v), res.Unit)
	}
	_, err := fmt.Fprintf(a.out.w, "loss        %-*s nats/%s  %s predictions\nperplexity  %-*s  per %s\nbits/byte   %-*s  %s\n%s",
		len(loss), loss, res.Unit, a.count(res.Tokens), w-1, perplexity, res.Unit, w-1, bits, why, accuracy)
	return err
}
