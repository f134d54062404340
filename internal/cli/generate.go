package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/refrain-lm/refrain/eval"
	"github.com/refrain-lm/refrain/sample"
)

// generateFlags are the flags of generate.
type generateFlags struct {
	prompt, promptFile string
	maxTokens, threads int
	interactive, json  bool
	stop               []string
	sample             sample.Options
	mix                mixFlags
}

func (a *app) generateCommand() *cobra.Command {
	var o generateFlags
	cmd := &cobra.Command{Use: "generate DIR", Short: "write like a model's text", Args: cobra.ArbitraryArgs}
	f := cmd.Flags()
	f.StringVar(&o.prompt, "prompt", "", "`TEXT` to continue; - reads standard input")
	f.StringVar(&o.promptFile, "prompt-file", "", "`FILE` whose text to continue")
	f.IntVar(&o.maxTokens, "max-tokens", eval.DefaultMaxTokens, "`N` tokens; -1: until stopped")
	f.StringArrayVar(&o.stop, "stop", nil, "end before this `TEXT`; may be repeated")
	f.Float64Var(&o.sample.Temperature, "temperature", 0.8, "`X` below 1 is safer, above 1 wilder; 0 takes the likeliest")
	f.IntVar(&o.sample.TopK, "top-k", 0, "only the `N` likeliest tokens; 0: all")
	f.Float64Var(&o.sample.TopP, "top-p", 1, "only the likeliest tokens that sum to `P`")
	f.Float64Var(&o.sample.MinP, "min-p", 0, "only tokens of `P` times the likeliest's probability")
	f.Float64Var(&o.sample.RepetitionPenalty, "repetition-penalty", 1, "`X` above 1 avoids recent tokens")
	f.Uint64Var(&o.sample.Seed, "seed", 1, "`N` makes the same text again")
	f.IntVar(&o.threads, "threads", 0, "`N` threads; changes no character")
	f.BoolVarP(&o.interactive, "interactive", "i", false, "continue line after line; state is kept")
	f.BoolVar(&o.json, "json", false, "one JSON object; the text without its prompt")
	o.mix.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return helpError{cmd}
		}
		if err := o.check(args); err != nil {
			return err
		}
		return a.generate(cmd, args[0], o)
	}
	a.describe(cmd, page{
		summary:  "Write like the text a model has learnt. The prompt and its continuation go to standard output as they come.",
		examples: []string{`generate book-model --prompt "The king"`, "generate go-model -i"},
		groups: []flagGroup{
			{title: "Text", names: []string{"prompt", "prompt-file", "max-tokens", "stop", "interactive", "json"}},
			{title: "Choice", names: []string{"temperature", "top-k", "top-p", "min-p", "repetition-penalty", "seed"}},
			{title: "Running", names: []string{"threads"}},
			mixGroup,
		},
	}, map[string]string{"top-p": "1: all", "repetition-penalty": "1: off", "threads": "all cores, if the model is large", "mix-weight": mixWeightDefault})
	return cmd
}

func (o generateFlags) check(args []string) error {
	switch {
	case len(args) > 1:
		return usagef("one model at a time: leave out %s; text to continue goes to --prompt", quotePath(args[1]))
	case o.prompt != "" && o.promptFile != "":
		return usagef("--prompt and --prompt-file: give one")
	case o.interactive && (o.prompt == "-" || o.promptFile == "-"):
		return usagef("-i reads standard input itself; leave out --prompt -")
	case o.interactive && o.json:
		return usagef("-i is for people; leave out --json")
	case o.maxTokens < -1 || o.maxTokens == 0:
		return usagef("--max-tokens %d: 1 or more, or -1 for no end", o.maxTokens)
	case o.json && o.maxTokens == -1:
		return usagef("--json needs an end: leave out --max-tokens -1")
	}
	if err := o.sample.Validate(); err != nil {
		return usageError{"--" + strings.TrimPrefix(err.Error(), "sampling: ")}
	}
	return nil
}

// promptText is what to continue.
func (a *app) promptText(o generateFlags) (string, error) {
	file := o.promptFile
	if o.prompt == "-" {
		file = "-"
	}
	if file == "" {
		return o.prompt, nil
	}
	r := a.in
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return "", err
		}
		defer f.Close()
		r = f
	}
	const most = 64 << 20
	raw, err := io.ReadAll(io.LimitReader(r, most+1))
	if err == nil && len(raw) > most {
		err = errors.New("a prompt has 64 MB at most")
	}
	return string(raw), err
}

func (a *app) generate(cmd *cobra.Command, dir string, o generateFlags) error {
	m, err := a.openMixed(cmd.Context(), dir, o.mix)
	if err != nil {
		return err
	}
	pool := m.StreamPool(o.threads)
	defer pool.Close()
	g, err := eval.NewGenerator(m, eval.GenerateOptions{MaxTokens: o.maxTokens, Stop: o.stop, Sample: o.sample, Pool: pool})
	if err != nil {
		return err
	}
	if o.interactive {
		return a.converse(cmd.Context(), g, o.prompt)
	}
	prompt, err := a.promptText(o)
	if err != nil {
		return err
	}
	if o.json {
		return a.generateJSON(cmd.Context(), g, prompt)
	}
	ctx, stop := watch(cmd.Context())
	defer stop()
	w := &textWriter{out: a.out}
	if err := w.write([]byte(prompt)); err != nil {
		return err
	}
	if _, err := g.Generate(ctx, prompt, w.write); err != nil {
		return err
	}
	if err := w.end(); err != nil {
		return err
	}
	return causeOf(ctx, ctx.Err())
}

func (a *app) generateJSON(parent context.Context, g *eval.Generator, prompt string) error {
	ctx, stop := watch(parent)
	defer stop()
	var text strings.Builder
	reason, err := g.Generate(ctx, prompt, func(p []byte) error { text.Write(p); return nil })
	if err == nil {
		err = causeOf(ctx, ctx.Err())
	}
	if err != nil {
		return err
	}
	enc := json.NewEncoder(a.out.w)
	enc.SetEscapeHTML(false)
	return enc.Encode(struct {
		Prompt string `json:"prompt"`
		Text   string `json:"text"`
		Tokens int    `json:"tokens"`
		Reason string `json:"reason"`
		Seed   uint64 `json:"seed"`
	}{prompt, text.String(), g.Tokens(), reason, g.Options().Sample.Seed})
}

// textWriter writes made text: raw into a pipe, with control characters
// spelled out on a terminal, where they could move the cursor or worse.
type textWriter struct {
	out  *stream
	buf  []byte
	last byte
}

func (w *textWriter) write(piece []byte) error {
	if len(piece) == 0 {
		return nil
	}
	w.last = piece[len(piece)-1]
	if w.out.terminal {
		w.buf = appendVisible(w.buf[:0], piece, true)
		piece = w.buf
	}
	_, err := w.out.w.Write(piece)
	return err
}

// end closes the last line on a terminal, for the shell's prompt to follow.
func (w *textWriter) end() error {
	if !w.out.terminal || w.last == '\n' {
		return nil
	}
	w.last = '\n'
	_, err := fmt.Fprintln(w.out.w)
	return err
}
