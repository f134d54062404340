package checkpoint_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/refrain-lm/refrain/checkpoint"
)

// damages are ways to spoil a checkpoint, and a part of what Verify then says.
var damages = []struct {
	name   string
	damage func(path string) error
	says   string
}{
	{"no manifest", func(p string) error { return os.Remove(filepath.Join(p, "manifest.json")) }, "no manifest.json"},
	{"file gone", func(p string) error { return os.Remove(filepath.Join(p, "state.json")) }, "state.json is missing"},
	{"cut", func(p string) error { return os.Truncate(filepath.Join(p, "model.safetensors"), 120_000) }, "model.safetensors is cut at 120.0 of 300.0 KB; copy it again"},
	{"cut by a byte", func(p string) error { return os.Truncate(filepath.Join(p, "model.safetensors"), 299_999) }, "is cut at 299999 of 300000 bytes"},
	{"longer", func(p string) error { return appendTo(filepath.Join(p, "state.json"), "x") }, "state.json has 4 bytes, its manifest says 3"},
	{"one bit", func(p string) error { return os.WriteFile(filepath.Join(p, "state.json"), []byte("2nd"), 0o644) }, "SHA-256 differs"},
	{"folder for a file", func(p string) error {
		name := filepath.Join(p, "state.json")
		return errors.Join(os.Remove(name), os.Mkdir(name, 0o755))
	}, "not a regular file"},
	{"manifest not JSON", func(p string) error { return writeManifest(p, "{") }, "not a manifest"},
	{"manifest too long", func(p string) error { return writeManifest(p, strings.Repeat(" ", 2<<20)) }, "longer than"},
	{"newer version", func(p string) error { return writeManifest(p, `{"version":2,"files":[]}`) }, "version 2"},
	{"path outside", func(p string) error {
		return writeManifest(p, `{"version":1,"files":[{"name":"../checkpoint-10/state.json","size":1,"sha256":""}]}`)
	}, "not a plain file name"},
	{"absolute path", func(p string) error {
		return writeManifest(p, `{"version":1,"files":[{"name":"/etc/passwd","size":1,"sha256":""}]}`)
	}, "not a plain file name"},
	{"unknown key", func(p string) error { return writeManifest(p, `{"version":1,"files":[],"more":1}`) }, "unknown field"},
	{"trailing text", func(p string) error { return writeManifest(p, `{"version":1,"files":[]} {}`) }, "text follows"},
	{"bad hash", func(p string) error {
		return writeManifest(p, `{"version":1,"files":[{"name":"state.json","size":3,"sha256":"zz"}]}`)
	}, "no valid size and SHA-256"},
	{"negative size", func(p string) error {
		return writeManifest(p, `{"version":1,"files":[{"name":"state.json","size":-3,"sha256":"`+strings.Repeat("00", 32)+`"}]}`)
	}, "no valid size and SHA-256"},
}

func writeManifest(path, text string) error {
	return os.WriteFile(filepath.Join(path, "manifest.json"), []byte(text), 0o644)
}

func appendTo(name, text string) error {
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	return os.WriteFile(name, append(b, text...), 0o644)
}

func TestNewestPassesOverDamage(t *testing.T) {
	for _, d := range damages {
		t.Run(d.name, func(t *testing.T) {
			dir := t.TempDir()
			mustCommit(t, dir, 10, "1st")
			mustCommit(t, dir, 20, "new")
			bad := filepath.Join(dir, "checkpoint-20")
			if err := d.damage(bad); err != nil {
				t.Fatal(err)
			}
			err := checkpoint.Verify(bad)
			if !errors.Is(err, checkpoint.ErrDamaged) || !strings.Contains(err.Error(), d.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("Verify: %v, want one line of damage with %q", err, d.says)
			}
			var skipped []error
			_, step, err := checkpoint.NewestOf(dir, func(e error) { skipped = append(skipped, e) })
			if err != nil || step != 10 || len(skipped) != 1 {
				t.Errorf("newest is step %d (%v), skipped %v; want 10 and one skipped", step, err, skipped)
			}
			mustCommit(t, dir, 15, "3rd")
			if err := checkpoint.Prune(checkpoint.OS{}, dir, 2); err != nil {
				t.Fatal(err)
			}
			want := []string{"checkpoint-10", "checkpoint-15"}
			if d.name == "one bit" { // only hashing would show it
				want = []string{"checkpoint-15", "checkpoint-20"}
			}
			if got := names(t, dir); !slices.Equal(got, want) {
				t.Errorf("after pruning %v, want %v", got, want)
			}
		})
	}
}

func TestNewest(t *testing.T) {
	tests := []struct {
		name  string
		steps []int64
		other []string // folders that are none
		want  int64    // −1: none
	}{
		{"none", nil, nil, -1},
		{"one", []int64{0}, nil, 0},
		{"by number, not by letter", []int64{9, 10, 100, 99}, nil, 100},
		{"others' names", []int64{7}, []string{"checkpoint-", "checkpoint-008", "checkpoint-+9", "checkpoint--1", "checkpoint-9x", ".tmp-checkpoint-9", "checkpoint-99999999999999999999"}, 7},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			for _, s := range test.steps {
				mustCommit(t, dir, s, fmt.Sprint("s", s))
			}
			for _, n := range test.other {
				mustCommit(t, dir, 1<<40, "no")
				if err := os.Rename(filepath.Join(dir, checkpoint.Name(1<<40)), filepath.Join(dir, n)); err != nil {
					t.Fatal(err)
				}
			}
			path, step, err := checkpoint.Newest(dir)
			if test.want < 0 {
				if !errors.Is(err, checkpoint.ErrNone) {
					t.Fatalf("error %v, want ErrNone", err)
				}
				return
			}
			if err != nil || step != test.want || path != filepath.Join(dir, checkpoint.Name(step)) {
				t.Errorf("found %s, step %d (%v), want step %d", path, step, err, test.want)
			}
		})
	}
	if _, _, err := checkpoint.Newest(filepath.Join(t.TempDir(), "gone")); err == nil || errors.Is(err, checkpoint.ErrNone) {
		t.Errorf("missing folder: error %v, want another than ErrNone", err)
	}
}

// TestPruneKeepsDamagedOnly: where nothing is whole, nothing is removed.
func TestPruneKeepsDamagedOnly(t *testing.T) {
	dir := t.TempDir()
	mustCommit(t, dir, 10, "old")
	if err := os.Remove(filepath.Join(dir, "checkpoint-10", "state.json")); err != nil {
		t.Fatal(err)
	}
	if err := checkpoint.Prune(checkpoint.OS{}, dir, 2); err != nil {
		t.Fatal(err)
	}
	if got := names(t, dir); len(got) != 1 {
		t.Errorf("after pruning %v, want the damaged checkpoint", got)
	}
}
