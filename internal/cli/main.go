package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/refrain-lm/refrain/internal/typo"
)

// app is one command line being run.
type app struct {
	prog    string // how to call this program again, quoted
	args    []string
	in      io.Reader
	out     *stream
	err     *stream
	written *noting // what out writes to
	env     map[string]string
	origin  map[string]string // flag name: flag, env or config
	verbs   []*cobra.Command  // in the order of the front page
	pages   map[*cobra.Command]*page
	now     func() time.Time

	quiet   bool
	verbose bool
	colour  string
	config  string
}

// Main runs one command line, args[0] being the program, and returns the exit
// status: 0, 1 (failed), 2 (wrong usage) or 128+n where signal n ended it.
// env is as os.Environ gives it.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer, env []string) int {
	a := newApp(args, stdin, stdout, stderr, env)
	root := a.root()
	err := a.execute(root)
	if err == nil {
		err = a.written.err
	}
	return a.report(err)
}

func newApp(args []string, stdin io.Reader, stdout, stderr io.Writer, env []string) *app {
	a := &app{prog: "refrain", in: stdin, env: map[string]string{}, origin: map[string]string{}, pages: map[*cobra.Command]*page{}, now: time.Now}
	if len(args) > 0 {
		a.prog, a.args = programName(args[0]), args[1:]
	}
	for _, pair := range env {
		name, value, _ := strings.Cut(pair, "=")
		a.env[name] = value
	}
	a.out, a.err = openStream(stdout, a.env), openStream(stderr, a.env)
	a.written = &noting{w: a.out.w}
	a.out.w = a.written
	return a
}

// execute parses and runs; panics of ours are bugs and keep their trace.
func (a *app) execute(root *cobra.Command) error {
	var unknown error
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) {
		if words := cmd.Flags().Args(); cmd == root && len(words) > 0 {
			unknown = a.unknownVerb(root, words[0])
			return
		}
		fmt.Fprint(a.out.w, a.help(cmd, a.out))
	})
	root.SetArgs(a.args)
	if cmd, rest, err := root.Find(a.args); err == nil {
		cmd.InheritedFlags() // merges them, so that hints see every flag
		if err := singleDash(cmd, rest); err != nil {
			return err
		}
	}
	return cmp.Or(root.ExecuteContext(context.Background()), unknown)
}

// root assembles the command tree.
func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "refrain",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if version, _ := cmd.Flags().GetBool("version"); version {
				return a.printVersion()
			}
			if len(args) > 0 {
				return a.unknownVerb(cmd, args[0])
			}
			_, err := io.WriteString(a.out.w, a.frontPage(cmd, a.out))
			return err
		},
	}
	root.SetOut(a.out.w)
	root.SetErr(a.err.w)
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetGlobalNormalizationFunc(dashes)
	root.Flags().Bool("version", false, "print the version")
	root.SetHelpCommand(a.helpCommand())
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		if verb := firstWord(a.args); cmd == root && verb != "" {
			return a.unknownVerb(cmd, verb)
		}
		return flagError(cmd, err)
	})
	for _, verb := range []func() *cobra.Command{
		a.trainCommand, a.evalCommand, a.generateCommand, a.scoreCommand, a.compareCommand, a.inspectCommand, a.tokenizeCommand, a.quantizeCommand,
		a.doctorCommand, a.benchCommand, a.completionCommand, a.manCommand, a.versionCommand,
	} {
		a.verbs = append(a.verbs, verb())
	}
	root.AddCommand(a.verbs...)
	a.commonFlags(root)
	for _, cmd := range a.verbs {
		a.commonFlags(cmd)
		completeValues(cmd)
	}
	return root
}

// commonFlags adds what every verb understands.
func (a *app) commonFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&a.colour, "color", "auto", "`WHEN` to colour: auto, always, never")
	f.BoolVarP(&a.quiet, "quiet", "q", false, "only errors and the result")
	f.BoolVarP(&a.verbose, "verbose", "v", false, "more detail")
	f.StringVar(&a.config, "config", "", "YAML `FILE` of flags and values")
	f.BoolP("help", "h", false, "this page")
	if run := cmd.RunE; run != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			if err := a.settle(cmd); err != nil {
				return err
			}
			return run(cmd, args)
		}
	}
}

func (a *app) helpCommand() *cobra.Command {
	return &cobra.Command{Use: "help [VERB]", Short: "a verb's page", Hidden: true, SilenceUsage: true, SilenceErrors: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			target, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return a.unknownVerb(cmd.Root(), args[0])
			}
			_, err = fmt.Fprint(a.out.w, a.help(target, a.out))
			return err
		}}
}

// unknownVerb says what was probably meant; a file's name means train.
func (a *app) unknownVerb(root *cobra.Command, word string) error {
	var verbs []string
	for _, c := range root.Commands() {
		if !c.Hidden {
			verbs = append(verbs, c.Name())
		}
	}
	peers := map[string]string{"sample": "generate", "predict": "generate", "perplexity": "eval", "evaluate": "eval", "test": "eval", "learn": "train", "fit": "train", "info": "inspect", "show": "inspect", "run": "generate", "encode": "tokenize"}
	if verb := peers[word]; verb != "" {
		return usagef("no command %s; did you mean %s?", word, a.command(verb))
	}
	if near := typo.Nearest(word, verbs); near != "" {
		return usagef("no command %s; did you mean %s?", word, a.command(near))
	}
	if _, err := os.Stat(word); err == nil {
		return usagef("no command %s; did you mean %s?", word, a.command("train", quotePath(word)))
	}
	return usagef("no command %s; %s lists them", word, a.prog)
}

// firstWord is the first argument that is no flag.
func firstWord(args []string) string {
	for _, arg := range args {
		if !strings.HasPrefix(arg, "-") {
			return arg
		}
	}
	return ""
}

// inputs are the files of a verb after its model folder: the rest of args, or
// standard input. With neither, the verb explains itself.
func (a *app) inputs(cmd *cobra.Command, args []string) ([]string, error) {
	if len(args) > 0 {
		return args, nil
	}
	if isTerminalInput(a.in) {
		return nil, helpError{cmd}
	}
	return []string{"-"}, nil
}
