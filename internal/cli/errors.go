package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/refrain-lm/refrain/internal/typo"
)

// usageError is wrong usage: exit status 2.
type usageError struct{ message string }

func (e usageError) Error() string { return e.message }

func usagef(format string, args ...any) error {
	return usageError{fmt.Sprintf(format, args...)}
}

// helpError asks for a verb's help on standard error and exit status 2.
type helpError struct{ cmd *cobra.Command }

func (e helpError) Error() string { return "usage" }

// signalError says that a signal ended the work; all there is to say is said.
type signalError struct{ signal os.Signal }

func (e signalError) Error() string { return e.signal.String() }

// Exit statuses that Main returns besides 0.
const (
	exitFailed = 1
	exitUsage  = 2
	exitSignal = 128 // plus the signal's number
)

// report prints err as one line and returns the exit status.
func (a *app) report(err error) int {
	var usage usageError
	var help helpError
	var sig signalError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &help):
		fmt.Fprint(a.err.w, a.help(help.cmd, a.err))
		return exitUsage
	case errors.As(err, &sig):
		if n, ok := sig.signal.(syscall.Signal); ok {
			return exitSignal + int(n)
		}
		return exitFailed
	case errors.Is(err, syscall.EPIPE):
		return exitSignal + int(syscall.SIGPIPE) // the reader has left; nobody to tell
	case errors.Is(err, context.Canceled):
		return exitFailed
	case errors.As(err, &usage):
		a.say(red, "error: ", a.callable(err.Error()))
		return exitUsage
	}
	text := a.callable(tidy(err))
	if errors.Is(err, syscall.ENOSPC) && !strings.Contains(text, "disk full") {
		text = "disk full: " + text + "; free space, then try again"
	}
	a.say(red, "error: ", text)
	return exitFailed
}

// say prints one message on standard error; terminals wrap it, logs don't.
func (a *app) say(look style, head, text string) {
	text = strings.TrimSpace(text)
	if a.err.terminal {
		text = a.err.fit(head+visible(text), "  ")[len(head):]
	}
	if head != "" {
		text = a.err.paint(look, strings.TrimSpace(head)) + " " + text
	}
	fmt.Fprintln(a.err.w, text)
}

// note prints an explanation, which -q leaves out; terminals wrap it.
func (a *app) note(format string, args ...any) {
	a.line(a.err.fit(fmt.Sprintf(format, args...), "  "))
}

// line prints a line as it is, unless -q: commands to paste, painted text.
func (a *app) line(text string) {
	if !a.quiet {
		fmt.Fprintln(a.err.w, text)
	}
}

// ourCommands are what messages of other packages tell to type.
var ourCommands = regexp.MustCompile(`(^|\s)refrain (train|eval|generate|score|inspect|compare)\b`)

// callable makes the commands in a message work when pasted, however this
// program was called.
func (a *app) callable(text string) string {
	if a.prog == "refrain" {
		return text
	}
	return ourCommands.ReplaceAllString(text, "${1}"+strings.ReplaceAll(a.prog, "$", "$$")+" $2")
}

// warn prints a warning.
func (a *app) warn(format string, args ...any) {
	if !a.quiet {
		a.say(yellow, "warning: ", fmt.Sprintf(format, args...))
	}
}

var packagePrefix = regexp.MustCompile(`^(?:(?:lm|ngram|train|compare|eval|data|tokenizer|keras|checkpoint|sample|optim|nn|cpu|config): )+`)

// tidy makes an error one line without the names of our packages in front.
func tidy(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) && errors.Is(err, fs.ErrNotExist) && strings.HasSuffix(err.Error(), path.Error()) {
		head := packagePrefix.ReplaceAllString(strings.TrimSuffix(err.Error(), path.Error()), "")
		return head + path.Path + ": no such file or folder"
	}
	lines := strings.Split(err.Error(), "\n")
	for i, l := range lines {
		lines[i] = packagePrefix.ReplaceAllString(strings.TrimSpace(l), "")
	}
	return strings.Join(lines, "; ")
}

// flagError rewrites pflag's errors as ours, with hints.
func flagError(cmd *cobra.Command, err error) error {
	if errors.Is(err, pflag.ErrHelp) {
		return err
	}
	var missing *pflag.NotExistError
	var valueless *pflag.ValueRequiredError
	var invalid *pflag.InvalidValueError
	switch {
	case errors.As(err, &missing):
		if shorts := missing.GetSpecifiedShortnames(); shorts != "" {
			return usagef("no flag -%s; %s", shorts, flagHint(cmd, shorts))
		}
		name := missing.GetSpecifiedName()
		return usagef("no flag --%s; %s", name, flagHint(cmd, name))
	case errors.As(err, &valueless):
		return usagef("--%s needs a value", valueless.GetFlag().Name)
	case errors.As(err, &invalid):
		var own usageError
		if errors.As(invalid.Unwrap(), &own) {
			return own
		}
		return usagef("--%s %s: %s", invalid.GetFlag().Name, quote(invalid.GetValue()), typo.Value(invalid.Unwrap()))
	}
	return usagef("%s; see %s --help", err, cmd.CommandPath())
}

// singleDash finds a long flag written with one dash, which would otherwise be
// read as a row of short ones.
func singleDash(cmd *cobra.Command, args []string) error {
	for _, arg := range args {
		if arg == "--" {
			return nil
		}
		if len(arg) < 3 || arg[0] != '-' || arg[1] == '-' || !isLetter(arg[1]) || !isLetter(arg[2]) {
			continue
		}
		name, _, _ := strings.Cut(arg[1:], "=")
		if allShort(cmd, name) {
			continue
		}
		return usagef("no flag -%s; %s", name, flagHint(cmd, name))
	}
	return nil
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// allShort reports whether name is a row of short flags.
func allShort(cmd *cobra.Command, name string) bool {
	for _, c := range name {
		if cmd.Flags().ShorthandLookup(string(c)) == nil {
			return false
		}
	}
	return true
}
