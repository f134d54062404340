// Command quality measures what the built refrain reaches on real text and
// prints a table in Markdown for each corpus:
//
//	go run ./bench/quality ptb            --recipe zaremba-small on PTB, 3 seeds (validation perplexity)
//	go run ./bench/quality ptb-hour       PTB in --time 1h
//	go run ./bench/quality shakespeare    tinyshakespeare in --time 10m, 3 seeds (nats a character, last 10 %)
//	go run ./bench/quality shakespeare-minute    the same in --time 1m
//	go run ./bench/quality poems          Tang poems in --time 5m: share of clauses with 5 or 7 characters
//	go run ./bench/quality go             the demo on Go's sources: brackets, longest copied stretch
//	go run ./bench/quality bfloat16       PTB and tinyshakespeare in float32 and bfloat16, 3 seeds, the same 1,500 steps
//
// Every figure is a validation figure, from refrain eval --json on the model
// folder that refrain train left. The corpora lie in the folder that
// REFRAIN_DATA names, else in ../shared/data: ptb/ptb.train.txt and
// ptb.valid.txt, tinyshakespeare/input.txt,
// unicode/chinese-poetry-tang/poet.tang.*.json.
package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/refrain-lm/refrain/internal/cpu"
)

// settings are the command line's.
type settings struct {
	program program
	data    string
	seeds   int
	budget  time.Duration // 0: the corpus' own
	extra   []string      // further arguments of refrain train
}

// A corpus is one table.
type corpus struct {
	name   string
	title  string
	budget time.Duration // of each run; 0: a recipe decides
	seeds  int
	run    func(settings) (table string, err error)
}

var corpora = []corpus{
	{"ptb", "PTB words, --recipe zaremba-small", 0, 3, zarembaSmall},
	{"ptb-hour", "PTB words, a budget", time.Hour, 1, penn},
	{"shakespeare", "tinyshakespeare, ten minutes", 10 * time.Minute, 3, shakespeare},
	{"shakespeare-minute", "tinyshakespeare, a minute", time.Minute, 3, shakespeare},
	{"poems", "Tang poems", 5 * time.Minute, 1, poems},
	{"bfloat16", "Training in bfloat16 beside float32", 0, 3, precisions},
	{"go", "Go's own sources: refrain train without arguments", 0, 1, goSources},
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench/quality:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		return fmt.Errorf("name a corpus: %s", names())
	}
	i := slices.IndexFunc(corpora, func(c corpus) bool { return c.name == args[0] })
	if i < 0 {
		return fmt.Errorf("no corpus %q; there are %s", args[0], names())
	}
	c := corpora[i]
	flags := flag.NewFlagSet(c.name, flag.ExitOnError)
	bin := flags.String("bin", "bin/refrain", "the built `command`; make build makes it")
	dir := flags.String("dir", "", "`folder` for the models, kept; runs found there are resumed (default: a temporary one, removed)")
	results := flags.String("results", "", "Markdown `file` whose section of this corpus is replaced, such as bench/RESULTS.md")
	seeds := flags.Int("seeds", c.seeds, "seeds 1 to `N`")
	budget := flags.Duration("time", c.budget, "budget of each run")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	s := settings{data: dataFolder(), seeds: *seeds, budget: *budget, extra: flags.Args()}
	if s.seeds < 1 {
		return errors.New("-seeds wants 1 or more")
	}
	if _, err := os.Stat(s.data); errors.Is(err, fs.ErrNotExist) && c.name != "go" {
		return errors.New("set REFRAIN_DATA to the folder of the corpora")
	}
	if _, err := os.Stat(*bin); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("no %s: make build makes it, -bin names another", *bin)
	}
	s.program = program{bin: *bin, dir: *dir, progress: os.Stderr}
	if *dir == "" {
		temp, err := os.MkdirTemp("", "refrain-quality-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(temp)
		s.program.dir = temp
	}
	table, err := c.run(s)
	if err != nil {
		return err
	}
	section := fmt.Sprintf("## %s\n\n`go run ./bench/quality %s`, %s, %s.\n\n%s", c.title, repeatable(args, flags.Args()),
		time.Now().Format(time.DateOnly), cpu.Describe(), strings.TrimRight(table, "\n"))
	fmt.Println(section)
	if *results == "" {
		return nil
	}
	return replaceSection(*results, c.name, section)
}

// repeatable is the command that prints the table again, anywhere: where things
// lay on this machine is left out.
func repeatable(args, extra []string) string {
	words := []string{args[0]}
	for i, arg := range args[:len(args)-len(extra)] {
		if (arg == "-seeds" || arg == "-time") && i+1 < len(args) {
			words = append(words, arg, args[i+1])
		}
	}
	if len(extra) > 0 {
		words = append(append(words, "--"), extra...)
	}
	return strings.Join(words, " ")
}

func names() string {
	var all []string
	for _, c := range corpora {
		all = append(all, c.name)
	}
	return strings.Join(all, ", ")
}

func dataFolder() string {
	return cmp.Or(os.Getenv("REFRAIN_DATA"), filepath.Join("..", "shared", "data"))
}

// replaceSection puts body between the two marks of a name in a Markdown
// file, or at its end.
func replaceSection(path, name, body string) error {
	old, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		old, err = []byte("# Results\n\nTables that commands under `bench/` wrote.\n"), nil
	}
	if err != nil {
		return err
	}
	return os.WriteFile(path, []byte(withSection(string(old), name, body)), 0o666)
}

func withSection(text, name, body string) string {
	section := fmt.Sprintf("<!-- %s -->\n%s\n<!-- end of %s -->", name, body, name)
	old := regexp.MustCompile(`(?s)<!-- ` + regexp.QuoteMeta(name) + ` -->.*<!-- end of ` + regexp.QuoteMeta(name) + ` -->`)
	if old.MatchString(text) {
		return old.ReplaceAllLiteralString(text, section)
	}
	return strings.TrimRight(text, "\n") + "\n\n" + section + "\n"
}
