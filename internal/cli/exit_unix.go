//go:build unix

package cli

import (
	"os"
	"os/signal"
	"syscall"
	"time"
)

// Exit ends the process with Main's status. A status of 128+n is a death by
// signal n, so that shells and supervisors see what they would see of a
// program that had caught nothing.
func Exit(status int) {
	if n := status - exitSignal; n > 0 && n < 32 {
		s := syscall.Signal(n)
		if !signal.Ignored(s) {
			signal.Reset(s)
			if syscall.Kill(os.Getpid(), s) == nil {
				time.Sleep(time.Second) // the signal arrives on some thread soon
			}
		}
	}
	os.Exit(status)
}
