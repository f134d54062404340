package checkpoint_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/refrain-lm/refrain/checkpoint"
)

// filesOf is a checkpoint of two files, the first of several writes.
func filesOf(text string) []checkpoint.File {
	big := bytes.Repeat([]byte(text), 300_000/len(text))
	return []checkpoint.File{
		{Name: "model.safetensors", Size: int64(len(big)), Write: func(w io.Writer) error {
			_, err := w.Write(big)
			return err
		}},
		{Name: "state.json", Write: func(w io.Writer) error {
			_, err := io.WriteString(w, text)
			return err
		}},
	}
}

// newestText is the state that Newest finds.
func newestText(t *testing.T, dir string) (text string, step int64) {
	t.Helper()
	path, step, err := checkpoint.Newest(dir)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(path, "state.json"))
	if err != nil {
		t.Fatal(err)
	}
	big, err := os.ReadFile(filepath.Join(path, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(big, b) {
		t.Fatalf("%s mixes two states", path)
	}
	return string(b), step
}

func mustCommit(t *testing.T, dir string, step int64, text string) {
	t.Helper()
	if err := checkpoint.Commit(&faultFS{}, dir, checkpoint.Name(step), filesOf(text)); err != nil {
		t.Fatal(err)
	}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

var faults = []fault{
	{name: "disk full", err: syscall.ENOSPC},
	{name: "I/O error", err: syscall.EIO},
	{name: "short write", half: true},
	{name: "full in the middle", half: true, err: syscall.ENOSPC},
	{name: "kill", stop: true},
	{name: "power cut", stop: true, power: true},
}

// saves are the ways in which a run saves. Each begins on a folder with what
// before makes, whose newest state is "old", and ends with "new" as the newest.
var saves = []struct {
	name   string
	before func(t *testing.T, dir string)
	save   func(fsys checkpoint.FS, dir string) error
}{
	{"a step further", func(t *testing.T, dir string) {
		mustCommit(t, dir, 9, "older")
		mustCommit(t, dir, 10, "old")
	}, func(fsys checkpoint.FS, dir string) error {
		return checkpoint.Commit(fsys, dir, "checkpoint-20", filesOf("new"))
	}},
	{"the same step again", func(t *testing.T, dir string) {
		mustCommit(t, dir, 10, "old")
	}, func(fsys checkpoint.FS, dir string) error {
		return checkpoint.Commit(fsys, dir, "checkpoint-10", filesOf("new"))
	}},
	{"after a kill between the renames", func(t *testing.T, dir string) {
		mustCommit(t, dir, 10, "old")
		if err := os.Rename(filepath.Join(dir, "checkpoint-10"), filepath.Join(dir, ".old-checkpoint-10")); err != nil {
			t.Fatal(err)
		}
	}, func(fsys checkpoint.FS, dir string) error {
		return checkpoint.Commit(fsys, dir, "checkpoint-10", filesOf("new"))
	}},
	{"and prune", func(t *testing.T, dir string) {
		mustCommit(t, dir, 5, "oldest")
		mustCommit(t, dir, 9, "older")
		mustCommit(t, dir, 10, "old")
		if err := os.Mkdir(filepath.Join(dir, ".tmp-checkpoint-7"), 0o755); err != nil {
			t.Fatal(err)
		}
	}, func(fsys checkpoint.FS, dir string) error {
		if err := checkpoint.Commit(fsys, dir, "checkpoint-20", filesOf("new")); err != nil {
			return err
		}
		return checkpoint.Prune(fsys, dir, 2)
	}},
}

// TestFaults lets every step of every kind of save fail, and the process or the
// machine stop there. What is found afterwards is the old state or the new one,
// and the next save works.
func TestFaults(t *testing.T) {
	for _, save := range saves {
		dir := t.TempDir()
		save.before(t, dir)
		if text, _ := newestText(t, dir); text != "old" {
			t.Fatalf("%s: begins with %q, want old", save.name, text)
		}
		clean := &faultFS{}
		if err := save.save(clean, dir); err != nil {
			t.Fatalf("%s: %v", save.name, err)
		}
		if text, _ := newestText(t, dir); text != "new" {
			t.Fatalf("%s: ends with %q, want new", save.name, text)
		}
		if clean.steps < 15 {
			t.Fatalf("%s: only %d steps: %v", save.name, clean.steps, clean.log)
		}
		for _, f := range faults {
			for at := 1; at <= clean.steps; at++ {
				if f.half && !strings.HasPrefix(clean.log[at-1], "write") {
					continue
				}
				t.Run(fmt.Sprintf("%s/%s/%s %d", save.name, f.name, clean.log[at-1], at), func(t *testing.T) {
					dir := t.TempDir()
					save.before(t, dir)
					checkFault(t, dir, save.save, &faultFS{at: at, fault: f})
				})
			}
		}
	}
}

func checkFault(t *testing.T, dir string, save func(checkpoint.FS, string) error, fsys *faultFS) {
	t.Helper()
	err := save(fsys, dir)
	if err == nil {
		t.Error("the fault was swallowed")
	} else if strings.Contains(err.Error(), "\n") && !fsys.fault.stop {
		t.Errorf("error %q, want one line", err)
	}
	if fsys.fault.err == syscall.ENOSPC && strings.HasPrefix(fsys.log[fsys.at-1], "write") && !errors.Is(err, checkpoint.ErrDiskFull) {
		t.Errorf("error %q, want one that matches ErrDiskFull", err)
	}
	if fsys.fault.power {
		if err := fsys.cutPower(); err != nil {
			t.Fatal(err)
		}
	}
	text, _ := newestText(t, dir)
	if text != "old" && text != "new" {
		t.Errorf("afterwards the newest state is %q, want old or new", text)
	}
	if !fsys.fault.stop {
		for _, n := range names(t, dir) {
			if strings.HasPrefix(n, ".tmp-") && n != ".tmp-checkpoint-7" && !strings.HasPrefix(fsys.log[fsys.at-1], "remove") {
				t.Errorf("%s is left behind", n)
			}
		}
	}
	if err := save(&faultFS{}, dir); err != nil {
		t.Fatalf("the next save: %v", err)
	}
	if text, _ := newestText(t, dir); text != "new" {
		t.Errorf("after the next save the newest state is %q, want new", text)
	}
	if err := checkpoint.Prune(&faultFS{}, dir, 1); err != nil {
		t.Fatal(err)
	}
	if left := names(t, dir); len(left) != 1 {
		t.Errorf("after pruning to one there are %v", left)
	}
}

func TestReplaceFileFaults(t *testing.T) {
	replace := func(fsys checkpoint.FS, path string) error {
		return checkpoint.ReplaceFile(fsys, path, filesOf("new")[0].Write)
	}
	setup := func(t *testing.T) string {
		path := filepath.Join(t.TempDir(), "model.safetensors")
		if err := checkpoint.ReplaceFile(&faultFS{}, path, filesOf("old")[0].Write); err != nil {
			t.Fatal(err)
		}
		return path
	}
	path := setup(t)
	clean := &faultFS{}
	if err := replace(clean, path); err != nil {
		t.Fatal(err)
	}
	for _, f := range faults {
		for at := 1; at <= clean.steps; at++ {
			if f.half && !strings.HasPrefix(clean.log[at-1], "write") {
				continue
			}
			t.Run(fmt.Sprintf("%s/%s %d", f.name, clean.log[at-1], at), func(t *testing.T) {
				path := setup(t)
				fsys := &faultFS{at: at, fault: f}
				if err := replace(fsys, path); err == nil {
					t.Error("the fault was swallowed")
				}
				if f.power {
					if err := fsys.cutPower(); err != nil {
						t.Fatal(err)
					}
				}
				b, err := os.ReadFile(path)
				if err != nil || len(b) != 300_000 || !slices.Contains([]string{"old", "new"}, string(b[:3])) {
					t.Fatalf("afterwards %d bytes of %.3q (%v), want the old or the new file", len(b), b, err)
				}
				if left := names(t, filepath.Dir(path)); !f.stop && len(left) != 1 {
					t.Errorf("left behind: %v", left)
				}
				if err := replace(&faultFS{}, path); err != nil {
					t.Errorf("the next save: %v", err)
				}
			})
		}
	}
}

// TestWriterFails: an error of the caller's own is passed on, and nothing stays.
func TestWriterFails(t *testing.T) {
	dir := t.TempDir()
	mine := errors.New("mine")
	fail := func(io.Writer) error { return mine }
	if err := checkpoint.Commit(checkpoint.OS{}, dir, "checkpoint-1", []checkpoint.File{{Name: "a", Write: fail}}); !errors.Is(err, mine) {
		t.Errorf("Commit: error %v, want mine", err)
	}
	if err := checkpoint.ReplaceFile(checkpoint.OS{}, filepath.Join(dir, "a"), fail); !errors.Is(err, mine) {
		t.Errorf("ReplaceFile: error %v, want mine", err)
	}
	if left := names(t, dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestDiskFullSaysHowMuch(t *testing.T) {
	err := checkpoint.Commit(&faultFS{at: 4, fault: faults[0]}, t.TempDir(), "checkpoint-20", filesOf("new"))
	var full *checkpoint.DiskFullError
	if !errors.As(err, &full) || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("error %v, want a DiskFullError of ENOSPC", err)
	}
	if full.Need != 300_000 || full.Free <= 0 {
		t.Errorf("needs %d, has %d; want 300000 and what the system says", full.Need, full.Free)
	}
	full.Free = 2_400_000
	full.Need = 11_200_000
	if got, want := full.Error(), "disk full saving checkpoint-20 (needs 11 MB, has 2.4 MB): free space"; got != want {
		t.Errorf("message %q, want %q", got, want)
	}
}

// TestDiskFullCountsOn: where no size was given, what the writer produces after
// the fault still counts.
func TestDiskFullCountsOn(t *testing.T) {
	full := fault{half: true, err: syscall.ENOSPC}
	var got *checkpoint.DiskFullError
	err := checkpoint.ReplaceFile(&faultFS{at: 2, fault: full}, filepath.Join(t.TempDir(), "x"), func(w io.Writer) error {
		for range 10 {
			if _, err := w.Write(make([]byte, 100_000)); err != nil {
				return err
			}
		}
		return nil
	})
	if !errors.As(err, &got) || got.Need != 1_000_000 {
		t.Errorf("error %v, want one that needs 1.0 MB", err)
	}
}

func TestReadOnlyFolder(t *testing.T) {
	err := checkpoint.Commit(&faultFS{at: 3, fault: fault{err: syscall.EROFS}}, t.TempDir(), "checkpoint-20", filesOf("new"))
	if err == nil || !strings.Contains(err.Error(), "make its folder writable, or use another") {
		t.Errorf("error %v, want advice about the folder", err)
	}
	err = checkpoint.ReplaceFile(checkpoint.OS{}, filepath.Join(t.TempDir(), "gone", "x"), filesOf("new")[0].Write)
	if !errors.Is(err, fs.ErrNotExist) || strings.Contains(err.Error(), "\n") {
		t.Errorf("error %v, want one line about the missing folder", err)
	}
}

func TestCommitRefusesNames(t *testing.T) {
	bad := []string{"", ".", "..", "../x", "a/b", `a\b`, "/x", "C:x", ".hidden", "a\x00b", "a\nb", "manifest.json", "twice", strings.Repeat("x", 300), "a\xff"}
	for _, name := range bad {
		dir := t.TempDir()
		err := checkpoint.Commit(checkpoint.OS{}, dir, "checkpoint-1", []checkpoint.File{{Name: "twice"}, {Name: name}})
		if err == nil || len(names(t, dir)) > 0 {
			t.Errorf("file name %.20q: error %v and %v on disk, want an error and nothing", name, err, names(t, dir))
		}
		if name != "manifest.json" && name != "twice" {
			if err := checkpoint.Commit(checkpoint.OS{}, dir, name, nil); err == nil {
				t.Errorf("folder name %.20q is accepted", name)
			}
		}
	}
}

// TestCreateDoesNotFollowLinks: a link that lies where a temporary file goes is
// removed, not written through.
func TestCreateDoesNotFollowLinks(t *testing.T) {
	dir := t.TempDir()
	victim := filepath.Join(dir, "victim")
	if err := os.WriteFile(victim, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(victim, filepath.Join(dir, ".tmp-x")); err != nil {
		t.Skip("no links here:", err)
	}
	if err := checkpoint.ReplaceFile(checkpoint.OS{}, filepath.Join(dir, "x"), filesOf("new")[0].Write); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(victim); err != nil || string(b) != "mine" {
		t.Errorf("the linked file is now %.10q (%v)", b, err)
	}
}
