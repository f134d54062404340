package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"

	"github.com/refrain-lm/refrain/eval"
	"github.com/refrain-lm/refrain/internal/typo"
)

const interactiveHelp = `A line you type is continued; the model remembers all so far.
  /reset     forget everything      /max 200   tokens an answer
  /temp 0.7  temperature            /seed 2    other random numbers
  /help      this                   Ctrl-C cuts an answer, Ctrl-D ends`

// converse continues line after line, keeping the state.
func (a *app) converse(parent context.Context, g *eval.Generator, first string) error {
	a.note("Your line is continued; state is kept. /reset /temp 0.7 /max 200 /help")
	a.note("Ctrl-C cuts the answer, Ctrl-D ends.")
	interrupts := make(chan os.Signal, 1)
	if !signal.Ignored(os.Interrupt) {
		signal.Notify(interrupts, os.Interrupt)
		defer signal.Stop(interrupts)
	}
	lines := readLines(a.in)
	asking := isTerminalInput(a.in) && a.err.terminal
	if first != "" {
		if err := a.answer(parent, g, first, interrupts); err != nil {
			return err
		}
	}
	for {
		if asking {
			fmt.Fprint(a.err.w, a.err.paint(bold, "> "))
		}
		select {
		case <-interrupts:
			a.line("\n(Ctrl-D ends)")
		case l := <-lines:
			if l.err != nil {
				if asking {
					fmt.Fprintln(a.err.w)
				}
				if errors.Is(l.err, io.EOF) {
					return nil
				}
				return l.err
			}
			if strings.HasPrefix(l.text, "/") {
				a.obey(g, l.text)
				continue
			}
			if err := a.answer(parent, g, l.text, interrupts); err != nil {
				return err
			}
		}
	}
}

// typed is a line from the keyboard, or why there is none.
type typed struct {
	text string
	err  error
}

// readLines reads in the background, so that Ctrl-C is heard at the prompt. It
// ends with the input; when the conversation ends first, so does the process.
func readLines(r io.Reader) <-chan typed {
	out := make(chan typed)
	go func() {
		br := bufio.NewReader(r)
		for {
			text, err := br.ReadString('\n')
			if text != "" {
				out <- typed{text: strings.TrimRight(text, "\r\n")}
			}
			if err != nil {
				out <- typed{err: err}
				return
			}
		}
	}()
	return out
}

// answer writes one continuation. A line begins anew where the text before it
// does not end with a line end.
func (a *app) answer(parent context.Context, g *eval.Generator, line string, interrupts <-chan os.Signal) error {
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	done := make(chan struct{})
	defer close(done)
	go func() {
		select {
		case <-interrupts:
			cancel()
		case <-done:
		}
	}()
	if !g.AtLineStart() {
		line = "\n" + line
	}
	w := &textWriter{out: a.out}
	if _, err := g.Generate(ctx, line, w.write); err != nil {
		return err
	}
	if w.last == '\n' {
		return nil
	}
	_, err := fmt.Fprintln(a.out.w)
	return err
}

// obey carries out a /command.
func (a *app) obey(g *eval.Generator, line string) {
	name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
	value = strings.TrimSpace(value)
	o := g.Options()
	var err error
	switch name {
	case "/reset":
		g.Reset()
		a.note("Forgotten.")
		return
	case "/temp", "/temperature":
		o.Sample.Temperature, err = strconv.ParseFloat(value, 64)
	case "/max":
		n, bad := strconv.Atoi(value)
		if bad == nil && n >= -1 && n != 0 {
			g.SetMaxTokens(n) // the random numbers go on
			a.note("max is %d now.", n)
			return
		}
		err = errors.New("1 or more, or -1 for no end")
	case "/seed":
		o.Sample.Seed, err = strconv.ParseUint(value, 10, 64)
	case "/help", "/?":
		fmt.Fprintln(a.err.w, interactiveHelp)
		return
	default:
		a.say(yellow, "", "no command "+name+"; /help lists them")
		return
	}
	if err == nil {
		err = g.SetOptions(o)
	}
	switch {
	case value == "":
		a.say(yellow, "", name+" needs a value; /help shows one")
		return
	case err != nil:
		a.say(yellow, "", name+" "+value+": "+strings.TrimPrefix(typo.Value(err), "sampling: "))
		return
	}
	a.note("%s is %s now.", strings.TrimPrefix(name, "/"), value)
}
