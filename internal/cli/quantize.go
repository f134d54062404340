package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/refrain-lm/refrain/checkpoint"
	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/eval"
	"github.com/refrain-lm/refrain/lm"
)

// quantizeFlags are the flags of quantize.
type quantizeFlags struct {
	to, out string
	valid   []string
	threads int
	json    bool
}

func (a *app) quantizeCommand() *cobra.Command {
	var o quantizeFlags
	cmd := &cobra.Command{Use: "quantize DIR", Short: "make a model smaller and faster, for use alone", Args: cobra.ArbitraryArgs}
	f := cmd.Flags()
	f.StringVar(&o.to, "to", lm.Int8, "`WEIGHTS`: int8, or bfloat16")
	_ = cmd.RegisterFlagCompletionFunc("to", cobra.FixedCompletions([]string{lm.Int8, lm.BFloat16}, cobra.ShellCompDirectiveNoFileComp))
	f.StringVar(&o.out, "out", "", "`DIR` to make; never overwritten")
	f.StringArrayVar(&o.valid, "valid", nil, "`FILE` to measure the loss of both on; may be repeated")
	f.IntVar(&o.threads, "threads", 0, "`N` threads; changes no digit")
	f.BoolVar(&o.json, "json", false, "one JSON object")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) == 0:
			return helpError{cmd}
		case len(args) > 1:
			return usagef("one model at a time: leave out %s", quotePath(args[1]))
		case o.to != lm.Int8 && o.to != lm.BFloat16:
			return usagef("--to %s: takes int8 or bfloat16", quote(o.to))
		}
		for _, file := range o.valid {
			if file == "-" {
				return usagef("--valid is read once for each model; give a file instead of -")
			}
		}
		return a.quantize(cmd.Context(), args[0], o)
	}
	a.describe(cmd, page{
		summary:  "Make a copy of a model whose weights take a quarter (int8) or half (bfloat16) of the space. It evaluates, scores and generates as the original does, faster, and prints what that costs on a validation text; it cannot be trained further, and PyTorch does not open it.",
		examples: []string{"quantize book-model", "quantize book-model --to bfloat16 --valid other.txt"},
		groups:   []flagGroup{{title: "How", names: []string{"to", "out", "valid", "threads", "json"}}},
	}, map[string]string{"out": "book-model-int8", "valid": "the run's own validation text", "threads": "all cores, if the model is large"})
	return cmd
}

// quantizing is what came out.
type quantizing struct {
	Model     string       `json:"model"`
	Weights   string       `json:"weights"`
	Bytes     int64        `json:"bytes"`
	BytesWere int64        `json:"bytes_were"`
	Loss      *eval.Result `json:"loss,omitempty"`
	LossWas   *eval.Result `json:"loss_was,omitempty"`
}

func (a *app) quantize(parent context.Context, dir string, o quantizeFlags) error {
	was, err := openModel(dir)
	if err != nil {
		return err
	}
	out := o.out
	if out == "" {
		out = freeName([]string{filepath.Clean(dir)}, "-"+o.to)
	} else if exists(out) {
		return usagef("--out %s exists already; nothing is overwritten: remove it, or take another name", quotePath(out))
	}
	is, err := was.Quantize(o.to)
	if err != nil {
		return err
	}
	q := quantizing{Model: out, Weights: o.to, Bytes: weightBytes(is), BytesWere: weightBytes(was)}
	ctx, stop := watch(parent)
	defer stop()
	if q.LossWas, err = a.validLoss(ctx, was, dir, o); err != nil {
		return causeOf(ctx, err)
	}
	if q.LossWas != nil {
		if q.Loss, err = a.validLoss(ctx, is, dir, o); err != nil {
			return causeOf(ctx, err)
		}
	}
	more, err := q.files(dir, was)
	if err != nil {
		return err
	}
	if err := is.Save(out, more...); err != nil {
		return err
	}
	return a.sayQuantized(q, o.json)
}

// weightBytes is the size of the file of weights.
func weightBytes(m *eval.Model) int64 { return checkpoint.SafetensorsSize(m.LM.Tensors()) }

// validLoss measures m on the files of --valid, or on what the run in dir held
// back; nil where there is neither.
func (a *app) validLoss(ctx context.Context, m *eval.Model, dir string, o quantizeFlags) (*eval.Result, error) {
	pool := m.StreamPool(o.threads)
	defer pool.Close()
	what := "measuring float32"
	if m.Config.Weights != "" {
		what = "measuring " + m.Config.Weights
	}
	if len(o.valid) > 0 {
		src, err := data.Sources(o.valid, a.in, data.ReadOptions{AllowBinary: m.Tokenizer.Kind() == "byte"})
		if err != nil {
			return nil, err
		}
		defer func() { _ = data.CloseSources(src) }()
		p := a.startProgress(what, m.Tokenizer.Unit()+"s", tokensOf(m, src))
		defer p.close()
		res, err := eval.Stream(ctx, m, src, pool, p.set)
		return &res, err
	}
	ids, err := data.OpenIDs(filepath.Join(dir, idsFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer ids.Close()
	if ids.TokenizerID() != m.Tokenizer.ID() || ids.Valid().Len() < 2 {
		return nil, nil
	}
	p := a.startProgress(what, m.Tokenizer.Unit()+"s", ids.Valid().Len())
	defer p.close()
	res, err := eval.StreamIDs(ctx, m, ids.Valid(), 0, 0, false, pool, p.set)
	return &res, err
}

// files are those of the new folder beside the model's own: a card, and the
// lines' distribution of the original, from which this model's hardly differs.
func (q quantizing) files(dir string, was *eval.Model) ([]checkpoint.File, error) {
	files := []checkpoint.File{{Name: "README.md", Write: func(w io.Writer) error { return q.card(w, was) }}}
	lines, err := os.ReadFile(filepath.Join(dir, eval.LineStatsFile))
	if errors.Is(err, os.ErrNotExist) {
		return files, nil
	}
	return append(files, checkpoint.File{Name: eval.LineStatsFile, Write: func(w io.Writer) error {
		_, err := w.Write(lines)
		return err
	}}), err
}

func (q quantizing) card(w io.Writer, was *eval.Model) error {
	_, err := fmt.Fprintf(w, "# %s, weights in %s\n\n%s, %d parameters, %s tokens (vocabulary %d); made by `refrain quantize` of the float32 model %s.\n"+
		"For use with Refrain alone: it cannot be trained further, and PyTorch does not open it.\n",
		was.Config, q.Weights, was.Config, was.Config.Params(), was.Tokenizer.Kind(), was.Config.Vocab, filepath.Base(was.Dir))
	if err == nil && q.Loss != nil {
		_, err = fmt.Fprintf(w, "\nOn %d validation tokens, one stream: %.4f nats/%s, the original %.4f.\n", q.Loss.Tokens, q.Loss.Loss(), q.Loss.Unit, q.LossWas.Loss())
	}
	return err
}

// sayQuantized tells the sizes and the losses; the folder goes to stdout.
func (a *app) sayQuantized(q quantizing, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(a.out.w).Encode(q)
	}
	if !a.quiet {
		a.line(fmt.Sprintf("weights     %s, %s; float32 had %s", q.Weights, size(q.Bytes), size(q.BytesWere)))
		if q.Loss == nil {
			a.note("nothing to measure the loss on: the folder has no validation text; give --valid FILE")
		} else {
			was, is := q.LossWas, q.Loss
			a.line(a.err.fit(fmt.Sprintf("loss        %.4f nats/%s, was %.4f; %s predictions", is.Loss(), is.Unit, was.Loss(), a.count(is.Tokens)), "            "))
			a.line(a.err.fit(fmt.Sprintf("perplexity  %s per %s, was %s: %+.2f %%", significant(is.Perplexity()), is.Unit, significant(was.Perplexity()),
				100*(math.Exp(is.Loss()-was.Loss())-1)), "            "))
		}
	}
	_, err := fmt.Fprintln(a.out.w, q.Model)
	return err
}
