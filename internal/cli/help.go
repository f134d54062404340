package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// page is the help of one verb beyond its flags.
type page struct {
	summary  string   // one sentence
	examples []string // without the program's name
	groups   []flagGroup
	notes    []string
}

// flagGroup is a titled run of flags.
type flagGroup struct {
	title string
	names []string
	brief bool // names only, unless --all
}

// commonGroup closes every page.
var commonGroup = flagGroup{title: "Any verb", names: []string{"config", "color", "quiet", "verbose", "help"}, brief: true}

// frontPage is what a bare refrain says.
func (a *app) frontPage(root *cobra.Command, s *stream) string {
	var b strings.Builder
	b.WriteString("Refrain trains and runs recurrent language models on the CPU you have.\n\n")
	for _, row := range [][2]string{
		{"train book.txt", "learn a text (no file: Go's own sources)"},
		{"generate book-model", "write like it"},
		{"score book-model x.txt", "find what surprises it"},
	} {
		fmt.Fprintf(&b, "  %s%s  %s\n", s.paint(cyan, a.prog+" "+row[0]), strings.Repeat(" ", max(0, 23-len(row[0]))), row[1])
	}
	shown := map[string]bool{"train": true, "generate": true, "score": true}
	var also []string
	for _, c := range a.verbs {
		if !c.Hidden && !shown[c.Name()] {
			also = append(also, c.Name())
		}
	}
	b.WriteString("\n" + wrap("Also: "+strings.Join(also, " ")+". Help: "+a.prog+" VERB --help", "", s.columns()) + "\n")
	return b.String()
}

// help is the page of cmd.
func (a *app) help(cmd *cobra.Command, s *stream) string {
	p := a.pages[cmd]
	if p == nil {
		return a.frontPage(cmd.Root(), s)
	}
	var b strings.Builder
	b.WriteString(wrap(p.summary, "", s.columns()) + "\n")
	for _, e := range p.examples {
		b.WriteString("  " + s.paint(cyan, a.example(e)) + "\n")
	}
	all, _ := cmd.Flags().GetBool("all")
	for i, g := range append(p.groups, commonGroup) {
		if i == 0 || !g.brief || all {
			b.WriteByte('\n')
		}
		if g.brief && !all {
			b.WriteString(briefGroup(cmd, g, s))
		} else {
			b.WriteString(fullGroup(cmd, g, s))
		}
	}
	for _, n := range p.notes {
		b.WriteString(wrap(strings.ReplaceAll(n, "refrain ", a.prog+" "), "", s.columns()) + "\n")
	}
	return b.String()
}

// example is a page's example as it can be typed; one that begins with another
// program's name holds ours later, behind a pipe.
func (a *app) example(text string) string {
	if !strings.Contains(text, "refrain ") {
		text = "refrain " + text
	}
	return strings.ReplaceAll(text, "refrain ", a.prog+" ")
}

const titleWidth = 10

// fullGroup has a line for each flag.
func fullGroup(cmd *cobra.Command, g flagGroup, s *stream) string {
	var rows [][3]string
	var left, mid int
	for _, name := range g.names {
		f := cmd.Flags().Lookup(name)
		if f == nil {
			continue
		}
		head, usage, def := flagColumns(f)
		rows = append(rows, [3]string{head, usage, def})
		left, mid = max(left, len(head)), max(mid, len(usage))
	}
	var b strings.Builder
	for i, r := range rows {
		title := strings.Repeat(" ", titleWidth)
		if i == 0 {
			title = s.paint(bold, g.title) + strings.Repeat(" ", max(0, titleWidth-len(g.title)))
		}
		b.WriteString(title + flagRow(r, left, mid, s.columns()-titleWidth) + "\n")
	}
	return b.String()
}

// unbroken stands for a space at which wrap does not break.
const unbroken = "\u00a0"

// flagRow aligns a flag's columns where they fit; else the usage wraps under itself.
func flagRow(r [3]string, left, mid, columns int) string {
	line := fmt.Sprintf("%-*s  %s", left, r[0], r[1])
	if r[2] == "" && len(line) <= columns {
		return line
	}
	if r[2] != "" {
		if aligned := fmt.Sprintf("%-*s  %-*s  [%s]", left, r[0], mid, r[1], r[2]); len(aligned) <= columns {
			return aligned
		}
		def := "[" + r[2] + "]"
		if left+2+len(def) <= columns {
			def = strings.ReplaceAll(def, " ", unbroken)
		}
		line += " " + def
	}
	head := strings.ReplaceAll(line[:left+2], " ", "_") // one word, so that it stays whole
	indent := strings.Repeat(" ", titleWidth+left+2)
	wrapped := wrap(strings.Repeat("_", titleWidth)+head+strings.TrimLeft(line[left+2:], " "), indent, titleWidth+columns)
	return line[:left+2] + strings.ReplaceAll(wrapped[titleWidth+left+2:], unbroken, " ")
}

// briefGroup lists names only.
func briefGroup(cmd *cobra.Command, g flagGroup, s *stream) string {
	var names []string
	for _, n := range g.names {
		if cmd.Flags().Lookup(n) != nil {
			names = append(names, "--"+n)
		}
	}
	indent := strings.Repeat(" ", titleWidth)
	text := wrap(indent+strings.Join(names, " "), indent, s.columns())
	return s.paint(bold, g.title) + strings.Repeat(" ", titleWidth-len(g.title)) + strings.TrimLeft(text, " ") + "\n"
}

// flagColumns are a flag's three columns of help.
func flagColumns(f *pflag.Flag) (head, usage, def string) {
	value, usage := pflag.UnquoteUsage(f)
	head = "--" + f.Name
	if f.Shorthand != "" {
		head += ", -" + f.Shorthand
	}
	if f.NoOptDefVal == "" && value != "" {
		head += " " + value
	}
	def = f.DefValue
	if shown := f.Annotations["default"]; len(shown) > 0 {
		def = shown[0]
	}
	if t := f.Value.Type(); t == "stringSlice" || t == "stringArray" {
		def = strings.Trim(def, "[]")
	}
	if f.NoOptDefVal != "" && def == "false" {
		def = ""
	}
	return head, usage, def
}

// describe registers a verb's page and hides the value "DEFAULT" columns that
// would mislead: a flag whose default is chosen elsewhere says so in shown.
func (a *app) describe(cmd *cobra.Command, p page, shown map[string]string) {
	a.pages[cmd] = &p
	cmd.Flags().SortFlags = false
	cmd.Flags().Bool("all", false, "with --help: every flag in full")
	_ = cmd.Flags().MarkHidden("all")
	for name, text := range shown {
		if f := cmd.Flags().Lookup(name); f != nil {
			if f.Annotations == nil {
				f.Annotations = map[string][]string{}
			}
			f.Annotations["default"] = []string{text}
		}
	}
}
