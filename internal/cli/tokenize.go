package cli

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/eval"
	"github.com/refrain-lm/refrain/tokenizer"
)

func (a *app) tokenizeCommand() *cobra.Command {
	var ids, info, asJSON bool
	var k kerasFlags
	cmd := &cobra.Command{Use: "tokenize DIR [FILE|-]...", Short: "show a model's tokens, or Keras' ids", Args: cobra.ArbitraryArgs}
	f := cmd.Flags()
	f.BoolVar(&ids, "ids", false, "ids, one line of them for each line")
	f.BoolVar(&info, "info", false, "the vocabulary instead of a text")
	f.BoolVar(&asJSON, "json", false, "a JSON object a line")
	group := k.add(f)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := k.check(cmd); err != nil {
			return err
		}
		if k.on {
			files, err := a.inputs(cmd, args)
			if err != nil {
				return err
			}
			return a.tokenizeKeras(files, k, info, asJSON)
		}
		if len(args) == 0 {
			return helpError{cmd}
		}
		tok, err := loadTokenizer(args[0])
		if err != nil {
			return err
		}
		if info {
			return a.tokenizerInfo(tok, asJSON)
		}
		files, err := a.inputs(cmd, args[1:])
		if err != nil {
			return err
		}
		src, err := data.Sources(files, a.in, data.ReadOptions{AllowBinary: true})
		if err != nil {
			return err
		}
		defer func() { _ = data.CloseSources(src) }()
		return a.tokenize(tok, src, ids, asJSON)
	}
	a.describe(cmd, page{
		summary:  "Show the tokens a model sees in a text, one a line: id TAB token; with --keras the ids of Keras' Tokenizer, a line a document.",
		examples: []string{"tokenize book-model other.txt --ids", "tokenize book-model --info", "tokenize --keras poems.txt --maxlen 20 --write tokenizer.json"},
		groups:   []flagGroup{{title: "What", names: []string{"ids", "info", "json"}}, group},
	}, map[string]string{"filters": "punctuation, tabs, line ends", "split": "a space"})
	return cmd
}

// loadTokenizer reads a folder's tokenizer.json; the model itself is not needed.
func loadTokenizer(dir string) (*tokenizer.Tokenizer, error) {
	f, err := os.Open(filepath.Join(dir, eval.TokenizerFile))
	if err != nil {
		if _, cause := openModel(dir); cause != nil {
			err = cause // which says what to do
		}
		return nil, err
	}
	defer f.Close()
	t, err := tokenizer.Load(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name(), err)
	}
	return t, nil
}

func (a *app) tokenizerInfo(t *tokenizer.Tokenizer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(a.out.w).Encode(map[string]any{
			"kind": string(t.Kind()), "size": t.Size(), "distinct": t.Distinct(), "sha256": t.ID(), "line_end": t.LineEnd(), "unknown": t.Unknown(),
		})
	}
	_, err := fmt.Fprintf(a.out.w, "kind      %s\ntokens    %s\ndistinct  %s\nsha256    %s\n", t.Kind(), a.count(int64(t.Size())), a.count(int64(t.Distinct())), t.ID())
	return err
}

// count writes n with commas on a terminal.
func (a *app) count(n int64) string {
	if a.out.terminal {
		return commas(n)
	}
	return fmt.Sprint(n)
}

func (a *app) tokenize(t *tokenizer.Tokenizer, src []data.Source, ids, asJSON bool) error {
	w := bufio.NewWriter(a.out.w)
	var buf []int32
	err := data.Chunks(src, func(chunk []byte) error {
		for len(chunk) > 0 {
			line := chunk
			if i := strings.IndexByte(string(chunk), '\n'); i >= 0 {
				line = chunk[:i+1]
			}
			chunk = chunk[len(line):]
			buf = t.Encode(buf[:0], line)
			if err := writeTokens(w, t, buf, ids, asJSON); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return w.Flush()
}

func writeTokens(w io.Writer, t *tokenizer.Tokenizer, ids []int32, idsOnly, asJSON bool) error {
	switch {
	case asJSON:
		tokens := make([]string, len(ids))
		for i, id := range ids {
			tokens[i] = t.TokenText(id)
		}
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		return enc.Encode(map[string]any{"ids": ids, "tokens": tokens})
	case idsOnly:
		_, err := fmt.Fprintln(w, strings.Trim(fmt.Sprint(ids), "[]"))
		return err
	}
	for _, id := range ids {
		if _, err := fmt.Fprintf(w, "%d\t%s\n", id, tabless(t.TokenText(id))); err != nil {
			return err
		}
	}
	return nil
}
