package train_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/refrain-lm/refrain/checkpoint"
	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/train"
)

// fault is what a disk does wrong.
type fault struct {
	name  string
	err   error
	half  bool   // a Write writes half of its bytes first
	lasts bool   // every later step fails too
	only  string // with lasts: the later steps that fail, as words; "" for all
	every int    // test each so-manieth step
}

var faults = []fault{
	{name: "full once", err: syscall.ENOSPC, half: true, every: 1},
	{name: "failing once", err: syscall.EIO, every: 3},
	{name: "full from then on", err: syscall.ENOSPC, lasts: true, half: true, only: "create append mkdir write", every: 2},
	{name: "gone", err: syscall.EIO, lasts: true, every: 3},
}

// badDisk is the real disk with a fault at step number at (from 1; 0 is none).
// A step is any call that may change it, each Write included. Syncs only count:
// what a power cut does is the checkpoint package's to test.
type badDisk struct {
	checkpoint.OS
	at    int
	fault fault
	steps int
	hook  func() // called at step at instead of a fault
	hit   string // the step that failed first
}

func (d *badDisk) next(what, path string) error {
	d.steps++
	if d.at == 0 || d.steps < d.at || d.steps > d.at && !d.fault.lasts {
		return nil
	}
	if d.steps > d.at && d.fault.only != "" && !strings.Contains(d.fault.only, what) {
		return nil
	}
	if d.hook != nil {
		d.hook()
	}
	if d.hit == "" {
		d.hit = what + " " + filepath.Base(path)
	}
	return d.fault.err
}

func (d *badDisk) Create(path string) (checkpoint.Handle, error) {
	if err := d.next("create", path); err != nil {
		return nil, err
	}
	h, err := d.OS.Create(path)
	return &badHandle{h, d, path}, err
}

func (d *badDisk) Append(path string) (checkpoint.Handle, error) {
	if err := d.next("append", path); err != nil {
		return nil, err
	}
	h, err := d.OS.Append(path)
	return &badHandle{h, d, path}, err
}

func (d *badDisk) Mkdir(path string) error {
	if err := d.next("mkdir", path); err != nil {
		return err
	}
	return d.OS.Mkdir(path)
}

func (d *badDisk) Rename(from, to string) error {
	if err := d.next("rename", to); err != nil {
		return err
	}
	return d.OS.Rename(from, to)
}

func (d *badDisk) Remove(path string) error {
	if err := d.next("remove", path); err != nil {
		return err
	}
	return d.OS.Remove(path)
}

func (d *badDisk) SyncDir(path string) error { return d.next("syncdir", path) }

type badHandle struct {
	h    checkpoint.Handle
	d    *badDisk
	path string
}

func (h *badHandle) Write(p []byte) (int, error) {
	err := h.d.next("write", h.path)
	switch {
	case err == nil:
		return h.h.Write(p)
	case h.d.fault.half && h.d.steps == h.d.at:
		n, werr := h.h.Write(p[:len(p)/2])
		return n, errors.Join(err, werr)
	}
	return 0, err
}

func (h *badHandle) Sync() error { return h.d.next("sync", h.path) }

// Close really closes whatever happens, as the end of a process does.
func (h *badHandle) Close() error { return errors.Join(h.d.next("close", h.path), h.h.Close()) }

// short is a run of hundredths of a second that saves, validates and averages.
var short = []string{"steps=12", "nhid=8", "emsize=4", "batch-size=2", "bptt=8", "dropout=0.1", "lr=0.01",
	"valid-every=6", "save-every=6", "average=0.3", "threads=1"}

// outcome is a run's files that every way to its end must reproduce to the byte.
func outcome(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, name := range []string{"plan.json", "model.safetensors", "config.json", "tokenizer.json", "data.ids", "lines.json",
		"checkpoint-12/state.safetensors", "checkpoint-12/state.json"} {
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(raw)
	}
	return files
}

func sameOutcome(t *testing.T, dir string, want map[string]string) {
	t.Helper()
	for name, text := range outcome(t, dir) {
		if text != want[name] {
			t.Errorf("%s differs from that of a run never disturbed", name)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "README.md")); err != nil {
		t.Error(err)
	}
	events, err := train.ReadMetrics(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range events[1:] {
		if e.Step < events[i].Step {
			t.Errorf("metrics.jsonl goes back from step %d to %d", events[i].Step, e.Step)
		}
	}
}

// TestEveryDiskFault lets each step of a run's disk fail in each way. The run
// ends as if nothing had happened, or says what is wrong in one line and, on a
// good disk, goes on to the same end.
func TestEveryDiskFault(t *testing.T) {
	dir := t.TempDir()
	text := write(t, dir, "book.txt", prose(40))
	whole := &badDisk{}
	if err := runOn(whole, filepath.Join(dir, "whole"), text, "", short, quiet); err != nil {
		t.Fatal(err)
	}
	want := outcome(t, filepath.Join(dir, "whole"))
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			for at := 1; at <= whole.steps; at += f.every * stride(9) {
				out := filepath.Join(dir, f.name)
				checkFault(t, &badDisk{at: at, fault: f}, out, text, want)
				if err := os.RemoveAll(out); err != nil {
					t.Fatal(err)
				}
				if t.Failed() {
					t.Fatalf("with the fault at step %d of %d", at, whole.steps)
				}
			}
		})
	}
}

// stride is 1, or n where time is dear.
func stride(n int) int {
	if testing.Short() || raceEnabled {
		return n
	}
	return 1
}

// runOn prepares and runs on a disk of its own.
func runOn(disk checkpoint.FS, out, text, valid string, pairs []string, on func(train.Event)) error {
	var s train.Settings
	for _, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		if err := s.Set(name, value, "flag"); err != nil {
			return err
		}
	}
	in := train.Input{Out: out}
	var err error
	if in.Sources, err = data.Sources([]string{text}, nil, data.ReadOptions{}); err != nil {
		return err
	}
	if valid != "" {
		if in.Valid, err = data.Sources([]string{valid}, nil, data.ReadOptions{}); err != nil {
			return err
		}
	}
	j, err := train.PrepareOn(context.Background(), disk, s, in, on)
	if err != nil {
		return err
	}
	defer j.Close()
	_, err = j.Run(context.Background(), on)
	return err
}

func checkFault(t *testing.T, disk *badDisk, out, text string, want map[string]string) {
	t.Helper()
	warned := false
	err := runOn(disk, out, text, "", short, func(e train.Event) {
		warned = warned || e.Kind == train.EventWarning && strings.Contains(e.Text, "training goes on")
	})
	t.Logf("%s: %v", disk.hit, err)
	if err != nil {
		if full := errors.Is(disk.fault.err, syscall.ENOSPC); full && !errors.Is(err, syscall.ENOSPC) || !full && !errors.Is(err, syscall.EIO) {
			t.Errorf("%s: error %v does not say so", disk.hit, err)
		}
		if _, serr := os.Stat(out); serr != nil { // it failed before there was anything to keep
			err = runOn(checkpoint.OS{}, out, text, "", short, quiet)
		} else {
			err = resumeOn(out)
		}
		if err != nil && !errors.Is(err, train.ErrFinished) {
			t.Fatalf("%s, then on a good disk: %v", disk.hit, err)
		}
	} else if !warned && !strings.HasPrefix(disk.hit, "remove") && !strings.Contains(disk.hit, "metrics.jsonl") {
		t.Errorf("%s failed and nobody was told", disk.hit)
	}
	sameOutcome(t, out, want)
}

func resumeOn(out string) error {
	j, err := train.Resume(context.Background(), out, train.Settings{}, quiet)
	if err != nil {
		return err
	}
	defer j.Close()
	_, err = j.Run(context.Background(), quiet)
	return err
}
