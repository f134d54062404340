package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/refrain-lm/refrain/data"
)

// zarembaSmall is the small network of Zaremba, Sutskever and Vinyals (2014).
func zarembaSmall(s settings) (string, error) {
	file, valid := s.penn()
	return s.everySeed(valid, perplexity, append([]string{file, "--valid", valid, "--recipe", "zaremba-small"}, s.extra...))
}

// penn trains on PTB within a budget.
func penn(s settings) (string, error) {
	file, valid := s.penn()
	return s.everySeed(valid, perplexity, append([]string{file, "--valid", valid, "--tokenizer", "word",
		"--time", s.budget.String()}, s.extra...))
}

func (s settings) penn() (train, valid string) {
	return filepath.Join(s.data, "ptb", "ptb.train.txt"), filepath.Join(s.data, "ptb", "ptb.valid.txt")
}

// shakespeare trains on tinyshakespeare within a budget.
func shakespeare(s settings) (string, error) {
	file, valid, err := s.tinyShakespeare()
	if err != nil {
		return "", err
	}
	return s.everySeed(valid, nats, append([]string{file, "--time", s.budget.String()}, s.extra...))
}

// tinyShakespeare is the whole file, whose tail refrain keeps for validation, and
// the last 10 % of its bytes, to evaluate on.
func (s settings) tinyShakespeare() (file, valid string, err error) {
	file = filepath.Join(s.data, "tinyshakespeare", "input.txt")
	text, err := os.ReadFile(file)
	if err != nil {
		return "", "", err
	}
	valid = filepath.Join(s.program.dir, "last-tenth.txt")
	return file, valid, os.WriteFile(valid, text[len(text)*9/10:], 0o666)
}

// measure is one column of an evaluation.
type measure struct {
	name   string
	format string
	of     func(evaluation) float64
}

var (
	perplexity = measure{"validation perplexity", "%.2f", func(e evaluation) float64 { return e.Perplexity }}
	nats       = measure{"nats a character", "%.4f", func(e evaluation) float64 { return e.Loss }}
)

// everySeed trains and evaluates with each seed.
func (s settings) everySeed(valid string, m measure, args []string) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "| seed | plan | took | %s |\n|--:|---|--:|--:|\n", m.name)
	var values []float64
	for seed := 1; seed <= s.seeds; seed++ {
		t, err := s.program.train("seed-"+strconv.Itoa(seed), append(args, "--seed", strconv.Itoa(seed))...)
		if err != nil {
			return "", err
		}
		e, err := s.program.eval(t.folder, valid)
		if err != nil {
			return "", err
		}
		planned, err := plan(t.folder)
		if err != nil {
			return "", err
		}
		values = append(values, m.of(e))
		fmt.Fprintf(&b, "| %d | %s | %s | "+m.format+" |\n", seed, planned, t.took, m.of(e))
	}
	fmt.Fprintf(&b, "| mean | | | "+m.format+" |\n", mean(values))
	return b.String(), nil
}

// poems trains on Tang poems and counts the characters of the clauses it writes.
func poems(s settings) (string, error) {
	text, err := readPoems(filepath.Join(s.data, "unicode", "chinese-poetry-tang"))
	if err != nil {
		return "", err
	}
	file := filepath.Join(s.program.dir, "tang.txt")
	if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
		return "", err
	}
	t, err := s.program.train("poems", append([]string{file, "--tokenizer", "char", "--time", s.budget.String()}, s.extra...)...)
	if err != nil {
		return "", err
	}
	planned, err := plan(t.folder)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s.\n\n| text | clauses | with 5 or 7 characters |\n|---|--:|--:|\n", planned, t.took)
	row := func(name, text string) {
		c := clauses(text)
		fmt.Fprintf(&b, "| %s | %d | %.1f %% |\n", name, len(c), 100*regularShare(c))
	}
	row("the poems", text)
	var first string
	for seed := 1; seed <= 3; seed++ {
		written, err := s.program.generate(t.folder, 5000, seed)
		if err != nil {
			return "", err
		}
		row(fmt.Sprintf("5,000 generated characters, seed %d", seed), written)
		if seed == 1 {
			first = written
		}
	}
	fmt.Fprintf(&b, "\n```\n%s\n```\n", head(first, 200))
	return b.String(), nil
}

// goSources runs the demo and measures how Go-like its text is.
func goSources(s settings) (string, error) {
	original, err := readGoSources()
	if err != nil {
		return "", err
	}
	source := oneBlank(original)
	args := s.extra
	if s.budget != 0 {
		args = append([]string{"--time", s.budget.String()}, args...)
	}
	t, err := s.program.train("go", args...)
	if err != nil {
		return "", err
	}
	planned, err := plan(t.folder)
	if err != nil {
		return "", err
	}
	const length = 5000
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s.\n\n| text | brackets | that balance | longest stretch copied |\n|---|--:|--:|--:|\n", planned, t.took)
	var copied, first string
	for seed := 1; seed <= 3; seed++ {
		written, err := s.program.generate(t.folder, length, seed)
		if err != nil {
			return "", err
		}
		paired, all := balance(written)
		stretch := longestCopy(oneBlank(written), source)
		fmt.Fprintf(&b, "| %d generated characters, seed %d | %d | %.1f %% | %d characters |\n", utf8.RuneCountInString(written),
			seed, all, 100*float64(paired)/float64(max(all, 1)), utf8.RuneCountInString(stretch))
		if len(stretch) > len(copied) {
			copied = stretch
		}
		if seed == 1 {
			first = written
		}
	}
	paired, all := balance(head(original, length))
	fmt.Fprintf(&b, "| the first %d characters of the sources | %d | %.1f %% | |\n", length, all, 100*float64(paired)/float64(max(all, 1)))
	fmt.Fprintf(&b, "\nThe longest stretch (of blanks in a row, one counts): %q\n\n```\n%s\n```\n", copied, head(first, 600))
	return b.String(), nil
}

// readGoSources returns the text that refrain train takes without arguments.
func readGoSources() (string, error) {
	sources, err := data.GoSources()
	if err != nil {
		return "", err
	}
	defer func() { _ = data.CloseSources(sources) }()
	var text strings.Builder
	for _, s := range sources {
		r, err := s.Open()
		if err != nil {
			return "", err
		}
		_, err = io.Copy(&text, r)
		if err := r.Close(); err != nil {
			return "", err
		}
		if err != nil {
			return "", err
		}
	}
	return text.String(), nil
}

// head returns the first n characters.
func head(text string, n int) string {
	for i := range text {
		if n == 0 {
			return text[:i]
		}
		n--
	}
	return text
}
