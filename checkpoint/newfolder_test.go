package checkpoint_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/refrain-lm/refrain/checkpoint"
)

// TestNewFolderFaults wants, whatever happens at whatever step, no folder or the
// whole one, and the next try to succeed.
func TestNewFolderFaults(t *testing.T) {
	clean := &faultFS{}
	if err := checkpoint.NewFolder(clean, filepath.Join(t.TempDir(), "model"), filesOf("new")); err != nil {
		t.Fatal(err)
	}
	for _, f := range faults {
		for at := 1; at <= clean.steps; at++ {
			if f.half && !strings.HasPrefix(clean.log[at-1], "write") {
				continue
			}
			t.Run(fmt.Sprintf("%s/%s %d", f.name, clean.log[at-1], at), func(t *testing.T) {
				parent := t.TempDir()
				dir := filepath.Join(parent, "model")
				fsys := &faultFS{at: at, fault: f}
				if err := checkpoint.NewFolder(fsys, dir, filesOf("new")); err == nil {
					t.Error("the fault was swallowed")
				}
				if f.power {
					if err := fsys.cutPower(); err != nil {
						t.Fatal(err)
					}
				}
				if left := names(t, parent); !f.stop && len(left) != 0 {
					t.Errorf("left behind: %v", left)
				}
				if _, err := os.Stat(dir); err == nil {
					wantWhole(t, dir)
					return
				}
				if err := checkpoint.NewFolder(&faultFS{}, dir, filesOf("new")); err != nil {
					t.Fatalf("the next try: %v", err)
				}
				wantWhole(t, dir)
				if left := names(t, parent); len(left) != 1 {
					t.Errorf("left beside it: %v", left)
				}
			})
		}
	}
}

func wantWhole(t *testing.T, dir string) {
	t.Helper()
	for _, file := range filesOf("new") {
		b, err := os.ReadFile(filepath.Join(dir, file.Name))
		var want strings.Builder
		if werr := file.Write(&want); werr != nil {
			t.Fatal(werr)
		}
		if err != nil || string(b) != want.String() {
			t.Errorf("%s has %d bytes (%v), want %d", file.Name, len(b), err, want.Len())
		}
	}
	if len(names(t, dir)) != 2 {
		t.Errorf("%v, want two files", names(t, dir))
	}
}

func TestNewFolderRefuses(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		dir   string
		files []checkpoint.File
		want  error
		text  string
	}{
		{"a folder", dir, filesOf("new"), os.ErrExist, "nothing is overwritten"},
		{"a file", filepath.Join(dir, "file"), filesOf("new"), os.ErrExist, "nothing is overwritten"},
		{"no parent", filepath.Join(dir, "none", "model"), filesOf("new"), os.ErrNotExist, "make it again"},
		{"outside", filepath.Join(dir, "model"), []checkpoint.File{{Name: "../model.json"}}, nil, "plain file name"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := checkpoint.NewFolder(checkpoint.OS{}, c.dir, c.files)
			if err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("error %v, want one like %v with %q", err, c.want, c.text)
			}
		})
	}
	if left := names(t, dir); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
}
