package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

// manCommand writes a man page for each verb. It is for packagers, so no list
// shows it. The pages bear no date: equal sources give equal bytes.
func (a *app) manCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "man DIR", Short: "write man pages", Hidden: true, Args: cobra.ArbitraryArgs}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return helpError{cmd}
		}
		if err := os.MkdirAll(args[0], 0o755); err != nil {
			return err
		}
		pages := map[string]string{"refrain.1": a.manRoot()}
		for _, c := range a.verbs {
			if !c.Hidden {
				pages["refrain-"+c.Name()+".1"] = a.manPage(c)
			}
		}
		for name, text := range pages {
			if err := os.WriteFile(filepath.Join(args[0], name), []byte(text), 0o644); err != nil {
				return err
			}
		}
		return nil
	}
	a.describe(cmd, page{summary: "Write the man pages refrain.1 and refrain-VERB.1 into a folder.", examples: []string{"man share/man/man1"}}, nil)
	return cmd
}

// roff escapes text: backslashes, hyphens, and a control character in front.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		text = `\&` + text
	}
	return text
}

func manHead(name, short string) string {
	return fmt.Sprintf(".TH %q 1 \"\" \"Refrain\" \"Refrain\"\n.SH NAME\n%s \\- %s\n", strings.ToUpper(name), roff(name), roff(short))
}

func (a *app) manRoot() string {
	var b strings.Builder
	b.WriteString(manHead("refrain", "trains and runs recurrent language models"))
	b.WriteString(".SH SYNOPSIS\n.B refrain\nVERB [ARGUMENT]... [FLAG]...\n.SH VERBS\n")
	for _, c := range a.verbs {
		if !c.Hidden {
			fmt.Fprintf(&b, ".TP\n.B %s\n%s; see refrain\\-%s(1)\n", c.Name(), roff(c.Short), c.Name())
		}
	}
	b.WriteString(manCommon)
	return b.String()
}

// manCommon holds for every verb.
const manCommon = `.SH SETTINGS
A flag wins over its environment variable (REFRAIN_LR for \-\-lr), that over the
file named by \-\-config (YAML, one name: value a line), that over the recipe, the
plan and the default.
.SH EXIT STATUS
0, 1 if it failed, 2 if it was called wrongly; on a signal the work is saved and
the process dies by that signal.
`

// manPage is the page of one verb.
func (a *app) manPage(cmd *cobra.Command) string {
	p := a.pages[cmd]
	name := "refrain-" + cmd.Name()
	var b strings.Builder
	b.WriteString(manHead(name, cmd.Short))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B refrain %s\n[FLAG]...\n.SH DESCRIPTION\n%s\n", roff(cmd.Use), roff(p.summary))
	for _, n := range p.notes {
		if !strings.Contains(n, "--help --all") {
			fmt.Fprintf(&b, ".PP\n%s\n", roff(n))
		}
	}
	b.WriteString(".SH FLAGS\n")
	for _, g := range append(p.groups, commonGroup) {
		fmt.Fprintf(&b, ".SS %s\n", roff(g.title))
		for _, n := range g.names {
			f := cmd.Flags().Lookup(n)
			if f == nil {
				continue
			}
			head, usage, def := flagColumns(f)
			fmt.Fprintf(&b, ".TP\n.B %s\n%s", roff(head), roff(usage))
			if def != "" {
				fmt.Fprintf(&b, " [%s]", roff(def))
			}
			b.WriteByte('\n')
		}
	}
	b.WriteString(".SH EXAMPLES\n.nf\n")
	for _, e := range p.examples {
		if !strings.Contains(e, "refrain ") {
			e = "refrain " + e
		}
		b.WriteString(roff(e) + "\n")
	}
	b.WriteString(".fi\n" + manCommon + ".SH SEE ALSO\nrefrain(1)\n")
	return b.String()
}
