package checkpoint_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/refrain-lm/refrain/checkpoint"
)

// errStopped is what a process that no longer exists gets to see.
var errStopped = errors.New("stopped")

// faultFS is the real file system with one fault at step number at (from 1; 0
// is none). A step is any call that may change the disk, each Write included.
// Syncs are only noted down: cutPower acts on them, and the tests stay quick.
type faultFS struct {
	at    int
	fault fault
	steps int
	log   []string // what each step was

	// What a power cut would undo.
	unsynced []string // files without Sync
	entries  []string // created names whose folder was not synced
	renames  []rename // renames whose folder was not synced
}

type rename struct {
	from, to string
	replaced []byte // the file that was there, if one was
}

// fault is what happens at the step.
type fault struct {
	name  string
	err   error // the step fails with it and does nothing; nil for the others
	half  bool  // a Write writes half, says so and gives err
	stop  bool  // the process ends here: this step and all later ones do nothing
	power bool  // and what was not synced is lost
}

// next counts a step and says whether the fault hits it.
func (f *faultFS) next(what string) error {
	f.steps++
	f.log = append(f.log, what)
	switch {
	case f.at == 0 || f.steps < f.at:
		return nil
	case f.fault.stop:
		return errStopped
	case f.steps == f.at:
		return f.fault.err
	}
	return nil
}

func (f *faultFS) Create(name string) (checkpoint.Handle, error) {
	if err := f.next("create " + filepath.Base(name)); err != nil {
		return nil, err
	}
	h, err := checkpoint.OS{}.Create(name)
	if err != nil {
		return nil, err
	}
	f.unsynced, f.entries = append(f.unsynced, name), append(f.entries, name)
	return &faultHandle{h, f, name}, nil
}

func (f *faultFS) Append(name string) (checkpoint.Handle, error) {
	if err := f.next("append " + filepath.Base(name)); err != nil {
		return nil, err
	}
	h, err := checkpoint.OS{}.Append(name)
	if err != nil {
		return nil, err
	}
	return &faultHandle{h, f, name}, nil
}

func (f *faultFS) Mkdir(name string) error {
	if err := f.next("mkdir " + filepath.Base(name)); err != nil {
		return err
	}
	return checkpoint.OS{}.Mkdir(name)
}

func (f *faultFS) Rename(from, to string) error {
	if err := f.next("rename " + filepath.Base(from) + " " + filepath.Base(to)); err != nil {
		return err
	}
	before, _ := os.ReadFile(to) // no file there: nil
	if err := (checkpoint.OS{}).Rename(from, to); err != nil {
		return err
	}
	f.renames = append(f.renames, rename{from, to, before})
	for _, list := range [][]string{f.unsynced, f.entries} {
		for i, name := range list {
			if rest, ok := strings.CutPrefix(name+"/", from+"/"); ok {
				list[i] = filepath.Join(to, rest)
			}
		}
	}
	return nil
}

func (f *faultFS) Remove(name string) error {
	if err := f.next("remove " + filepath.Base(name)); err != nil {
		return err
	}
	return checkpoint.OS{}.Remove(name)
}

func (f *faultFS) SyncDir(name string) error {
	if err := f.next("syncdir " + filepath.Base(name)); err != nil {
		return err
	}
	inside := func(p string) bool { return filepath.Dir(p) == name }
	f.entries = slices.DeleteFunc(f.entries, inside)
	f.renames = slices.DeleteFunc(f.renames, func(r rename) bool { return inside(r.to) })
	return nil
}

// cutPower undoes what nobody made durable: renames, names, content.
func (f *faultFS) cutPower() error {
	for _, name := range f.unsynced {
		if info, err := os.Stat(name); err == nil {
			if err := os.Truncate(name, info.Size()/2); err != nil {
				return err
			}
		}
	}
	for _, name := range f.entries {
		if err := os.RemoveAll(name); err != nil {
			return err
		}
	}
	for _, r := range slices.Backward(f.renames) {
		if err := os.Rename(r.to, r.from); err != nil {
			// A renamed file whose name was among the entries is gone already.
			if !errors.Is(err, os.ErrNotExist) {
				return err
			}
		}
		if r.replaced != nil {
			if err := os.WriteFile(r.to, r.replaced, 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

type faultHandle struct {
	h    checkpoint.Handle
	f    *faultFS
	name string
}

func (h *faultHandle) Write(p []byte) (int, error) {
	hit := h.f.steps+1 == h.f.at
	err := h.f.next("write " + filepath.Base(h.name))
	switch {
	case hit && (h.f.fault.half || h.f.fault.stop):
		n, werr := h.h.Write(p[:len(p)/2])
		if werr != nil {
			return n, werr
		}
		if err == nil {
			err = io.ErrShortWrite
		}
		return n, err
	case err != nil:
		return 0, err
	}
	return h.h.Write(p)
}

func (h *faultHandle) Sync() error {
	if err := h.f.next("sync " + filepath.Base(h.name)); err != nil {
		return err
	}
	h.f.unsynced = slices.DeleteFunc(h.f.unsynced, func(n string) bool { return n == h.name })
	return nil
}

// Close really closes whatever happens, as the end of a process does.
func (h *faultHandle) Close() error {
	err := h.f.next("close " + filepath.Base(h.name))
	return errors.Join(err, h.h.Close())
}
