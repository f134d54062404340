package cli

import (
	"io"
	"os"
	"strconv"

	"golang.org/x/term"
)

// stream is one of the process's output streams and what is known of its reader.
type stream struct {
	w        io.Writer
	terminal bool // moving text is welcome: a terminal that is not dumb
	colour   bool
	size     func() (columns, rows int) // asked anew at each use, since windows change
}

// sizer is a writer that says it is a terminal; tests are such writers.
type sizer interface{ Size() (columns, rows int) }

// noting keeps the first error of a write, since most who print look at none.
type noting struct {
	w   io.Writer
	err error
}

func (n *noting) Write(p []byte) (int, error) {
	count, err := n.w.Write(p)
	if n.err == nil {
		n.err = err
	}
	return count, err
}

// openStream judges w alone. dumb terminals (TERM=dumb) and CI logs count as files.
func openStream(w io.Writer, env map[string]string) *stream {
	s := &stream{w: w, size: func() (int, int) { return 80, 24 }}
	switch w := w.(type) {
	case sizer:
		s.terminal, s.size = true, w.Size
	case *os.File:
		fd := int(w.Fd())
		if term.IsTerminal(fd) && enableEscapes(w) {
			s.terminal = true
			s.size = func() (int, int) {
				columns, rows, err := term.GetSize(fd)
				if err != nil || columns < 1 {
					return 80, 24
				}
				return columns, rows
			}
		}
	}
	onTerminal := s.terminal
	if env["TERM"] == "dumb" || env["CI"] != "" && env["CI"] != "false" {
		s.terminal = false
	}
	s.colour = wantsColour("auto", env, onTerminal)
	return s
}

// wantsColour follows --color > NO_COLOR > FORCE_COLOR, CLICOLOR_FORCE >
// TERM=dumb > whether the stream is a terminal.
func wantsColour(flag string, env map[string]string, terminal bool) bool {
	switch flag {
	case "always":
		return true
	case "never":
		return false
	}
	set := func(name string) bool { return env[name] != "" && env[name] != "0" }
	switch {
	case env["NO_COLOR"] != "": // any value, 0 too: no-color.org
		return false
	case set("FORCE_COLOR"), set("CLICOLOR_FORCE"):
		return true
	case env["TERM"] == "dumb":
		return false
	}
	return terminal
}

// columns is the width to write within: the terminal's less the last column,
// where some terminals wrap, or 80.
func (s *stream) columns() int {
	if !s.terminal {
		return 80
	}
	columns, _ := s.size()
	return max(columns-1, 10)
}

// fit wraps text where the stream is a terminal; a log keeps its lines whole.
func (s *stream) fit(text, indent string) string {
	if !s.terminal {
		return text
	}
	return wrap(text, indent, s.columns())
}

// style is one of the few looks that all eight-colour terminals share.
type style string

const (
	bold      style = "1"
	underline style = "4"
	reverse   style = "7"
	cyan      style = "36"
	yellow    style = "33"
	red       style = "31"
	alarm     style = "1;33"
)

// paint wraps text in a style where the stream takes colour.
func (s *stream) paint(st style, text string) string {
	if !s.colour || text == "" {
		return text
	}
	return "\x1b[" + string(st) + "m" + text + "\x1b[0m"
}

// isTerminalInput reports whether r is a keyboard.
func isTerminalInput(r io.Reader) bool {
	switch r := r.(type) {
	case sizer:
		return true
	case *os.File:
		return term.IsTerminal(int(r.Fd()))
	}
	return false
}

// atoi is strconv.Atoi with 0 for what is no number.
func atoi(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0
	}
	return n
}
