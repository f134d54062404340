package cli

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// watch returns a context that the first Ctrl-C, SIGTERM or SIGHUP cancels with
// a signalError as its cause; the second one meets the system's own handling
// and ends the process at once. Signals that the parent ignores (nohup) stay
// ignored. stop ends the watch.
func watch(parent context.Context) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	var wanted []os.Signal
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) {
			wanted = append(wanted, s)
		}
	}
	if len(wanted) == 0 { // Notify without names would take every signal
		return ctx, func() { cancel(nil) }
	}
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, wanted...)
	done := make(chan struct{})
	go func() {
		select {
		case s := <-caught:
			signal.Stop(caught)
			cancel(signalError{s})
		case <-done:
		}
	}()
	return ctx, func() {
		signal.Stop(caught)
		close(done)
		cancel(nil)
	}
}

// signalName is how messages name a signal.
func signalName(s os.Signal) string {
	switch s {
	case os.Interrupt:
		return "^C"
	case syscall.SIGTERM:
		return "SIGTERM:"
	case syscall.SIGHUP:
		return "SIGHUP:"
	}
	return s.String() + ":"
}
