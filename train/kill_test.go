package train_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/refrain-lm/refrain/checkpoint"
	"github.com/refrain-lm/refrain/train"
)

// TestKilledAnywhere kills runs of their own processes, as kill -9 does, at
// steps of their disks, at events from the first reading on, and at moments.
// What they leave goes on to the end of a run never killed, to the byte.
func TestKilledAnywhere(t *testing.T) {
	dir := t.TempDir()
	text := write(t, dir, "book.txt", prose(40))
	whole := &badDisk{}
	if err := runOn(whole, filepath.Join(dir, "whole"), text, "", short, quiet); err != nil {
		t.Fatal(err)
	}
	want := outcome(t, filepath.Join(dir, "whole"))
	at := func(name string, c child, after time.Duration) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.Out = filepath.Join(dir, name)
			killed(t, c, after)
			if _, err := os.Stat(c.Out); err != nil { // before there was anything to keep
				err = runOn(checkpoint.OS{}, c.Out, text, "", short, quiet)
				if err != nil {
					t.Fatal(err)
				}
			}
			// Once more while it goes on, then to the end.
			killed(t, child{Out: c.Out, KillAt: c.KillAt/3 + 2}, 0)
			if err := resumeOn(c.Out); err != nil && !errors.Is(err, train.ErrFinished) {
				t.Fatal(err)
			}
			sameOutcome(t, c.Out, want)
		})
	}
	for n := 1; n <= whole.steps; n += 4 * stride(6) {
		at(fmt.Sprint("step ", n), child{Text: text, Settings: short, KillAt: n}, 0)
	}
	for _, kind := range []string{train.EventRead, train.EventTokenize, train.EventPlan, train.EventSave, train.EventValid, train.EventFinal} {
		at(kind, child{Text: text, Settings: short, KillOn: kind}, 0)
	}
	for ms := 5; ms < 200; ms *= 2 {
		at(fmt.Sprintf("%d ms", ms), child{Text: text, Settings: short}, time.Duration(ms)*time.Millisecond)
	}
}

// killed runs c until it kills itself, or is killed after a while if that is
// not 0, or ends before that.
func killed(t *testing.T, c child, after time.Duration) {
	t.Helper()
	cmd := c.command(t)
	cmd.Stderr = nil // a finished run complains that there is nothing left to do
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if after > 0 {
		time.Sleep(after)
		_ = cmd.Process.Kill() // it may have ended
	}
	_ = cmd.Wait()
	if after == 0 && c.Text != "" && cmd.ProcessState.Exited() && runtime.GOOS != "windows" {
		t.Fatalf("it was to die by a signal: %v", cmd.ProcessState)
	}
}
