package cli

import (
	"bufio"
	"fmt"
	"io"

	"github.com/refrain-lm/refrain/checkpoint"
	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/eval"
	"github.com/refrain-lm/refrain/ngram"
	"github.com/refrain-lm/refrain/train"
)

// importARPA makes a model folder of an ARPA file.
func (a *app) importARPA(o trainFlags, args []string) error {
	if err := a.checkImport(o, args); err != nil {
		return err
	}
	m, err := a.readARPA(o.arpa)
	if err != nil {
		return err
	}
	dir := o.out
	if dir == "" {
		dir = defaultOut([]string{o.arpa})
	}
	if err := m.Save(dir); err != nil {
		return err
	}
	a.note("%s, %s words, %s n-grams; their probabilities are the file's, not checked to sum to one",
		m.Ngram.Config(), commas(int64(m.Tokenizer.Distinct())), commas(gramsOf(m.Ngram)))
	if o.json {
		return (&trainRun{app: a}).writeJSON(map[string]string{"kind": "done", "model": dir})
	}
	_, err = fmt.Fprintln(a.out.w, dir)
	return err
}

// checkImport refuses what reading a finished model has no use for.
func (a *app) checkImport(o trainFlags, args []string) error {
	switch {
	case len(args) > 0:
		return usagef("--arpa reads a finished model; leave out %s", quotePath(args[0]))
	case o.resume != "":
		return usagef("--arpa makes a model folder; leave out --resume")
	case len(o.valid) > 0:
		return usagef("--arpa reads a finished model; leave out --valid, then: refrain eval DIR %s", quotePath(o.valid[0]))
	case o.dryRun:
		return usagef("--arpa has no plan to show; leave out --dry-run")
	}
	for _, f := range train.Flags() {
		if a.origin[f.Name] == fromFlag && f.Name != "model" {
			return usagef("--arpa reads a finished model; leave out --%s", f.Name)
		}
	}
	return nil
}

// readARPA reads a file, packed or not, or standard input.
func (a *app) readARPA(path string) (*eval.Model, error) {
	src, err := data.Sources([]string{path}, a.in, data.ReadOptions{AllowBinary: true})
	if err != nil {
		return nil, err
	}
	defer func() { _ = data.CloseSources(src) }()
	if len(src) != 1 {
		return nil, usagef("--arpa %s: give one file", quotePath(path))
	}
	r, err := src[0].Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	p := a.startProgress("reading "+visible(path), "bytes", 0)
	defer p.close()
	m, err := eval.ReadARPA(r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", visible(path), err)
	}
	return m, nil
}

// exportARPA writes an n-gram model as an ARPA file, which must not exist.
func (a *app) exportARPA(m *eval.Model, path string) error {
	if path == "-" {
		w := bufio.NewWriter(a.out.w)
		if err := m.WriteARPA(w); err != nil {
			return err
		}
		return w.Flush()
	}
	if exists(path) {
		return fmt.Errorf("%s exists already; nothing is overwritten: take another name", quotePath(path))
	}
	var refused error // the disk's errors do not pass through the writing function
	err := checkpoint.ReplaceFile(checkpoint.OS{}, path, func(w io.Writer) error {
		refused = m.WriteARPA(w)
		return refused
	})
	if refused != nil {
		return refused
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(a.out.w, path)
	return err
}

// gramsOf is the number of all n-grams.
func gramsOf(m *ngram.Model) int64 {
	var all int64
	for _, n := range m.Grams() {
		all += n
	}
	return all
}
