package checkpoint

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Name is the name of the checkpoint of a step: checkpoint-N.
func Name(step int64) string { return fmt.Sprintf("checkpoint-%d", step) }

// candidate is a folder that may be a checkpoint.
type candidate struct {
	path  string
	step  int64
	aside bool // moved aside by an interrupted Commit
}

// stepOf reads a name that Name made.
func stepOf(name string) (int64, bool) {
	digits, ok := strings.CutPrefix(name, "checkpoint-")
	if !ok {
		return 0, false
	}
	step, err := strconv.ParseInt(digits, 10, 64)
	return step, err == nil && step >= 0 && Name(step) == name
}

// candidates lists dir's checkpoints, newest first; of one step, the one in
// place before the one aside.
func candidates(dir string) ([]candidate, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", dir, err)
	}
	var list []candidate
	for _, e := range entries {
		name, aside := strings.CutPrefix(e.Name(), oldPrefix)
		if step, ok := stepOf(name); ok && e.IsDir() {
			list = append(list, candidate{filepath.Join(dir, e.Name()), step, aside})
		}
	}
	slices.SortFunc(list, func(a, b candidate) int {
		if a.step != b.step {
			if a.step > b.step {
				return -1
			}
			return 1
		}
		if a.aside {
			return 1
		}
		return -1
	})
	return list, nil
}

// Newest finds the checkpoint-N of the highest step whose manifest holds, each
// file hashed. Without any the error matches [ErrNone].
func Newest(dir string) (path string, step int64, err error) {
	return NewestOf(dir, nil)
}

// NewestOf is [Newest], and tells skipped (unless nil) about each newer
// checkpoint that it had to pass over, and why.
func NewestOf(dir string, skipped func(error)) (path string, step int64, err error) {
	list, err := candidates(dir)
	if err != nil {
		return "", 0, err
	}
	for _, c := range list {
		err := Verify(c.path)
		if err == nil {
			return c.path, c.step, nil
		}
		if skipped != nil {
			skipped(err)
		}
	}
	return "", 0, fmt.Errorf("%s holds %w", dir, ErrNone)
}

// Prune removes all of dir's checkpoints but the newest keep that look whole
// (manifest and sizes; nothing is hashed), and whatever interrupted commits
// left behind. Oldest go first. Call it after a Commit, under the same [Lock].
// It panics when keep is below one.
func Prune(fsys FS, dir string, keep int) error {
	if keep < 1 {
		panic(fmt.Sprintf("checkpoint: Prune to %d checkpoints, want at least 1", keep))
	}
	list, err := candidates(dir)
	if err != nil {
		return err
	}
	kept, last := 0, int64(-1)
	var drop []candidate
	for _, c := range list {
		if _, err := verifySizes(c.path); err == nil && kept < keep && c.step != last {
			kept, last = kept+1, c.step
			continue
		}
		drop = append(drop, c)
	}
	if kept == 0 {
		return nil // nothing whole: whatever is there may still help a person
	}
	slices.Reverse(drop)
	for _, c := range drop {
		if err := removeCheckpoint(fsys, dir, c.path); err != nil {
			return err
		}
	}
	return removeLeftovers(fsys, dir)
}

// removeCheckpoint gives the folder another name first, so that a half removed
// one is never taken for a damaged checkpoint.
func removeCheckpoint(fsys FS, dir, path string) error {
	del := filepath.Join(dir, delPrefix+strings.TrimPrefix(filepath.Base(path), oldPrefix))
	if err := fsys.Remove(del); err != nil {
		return fmt.Errorf("%s cannot be removed: %w", del, err)
	}
	if err := fsys.Rename(path, del); err != nil {
		return fmt.Errorf("%s cannot be removed: %w", path, err)
	}
	if err := fsys.Remove(del); err != nil {
		return fmt.Errorf("%s cannot be removed: %w", del, err)
	}
	return nil
}

func removeLeftovers(fsys FS, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("%s cannot be read: %w", dir, err)
	}
	for _, e := range entries {
		rest, tmp := strings.CutPrefix(e.Name(), tmpPrefix)
		if !tmp {
			var del bool
			if rest, del = strings.CutPrefix(e.Name(), delPrefix); !del {
				continue
			}
		}
		if _, ok := stepOf(rest); !ok {
			continue
		}
		if err := fsys.Remove(filepath.Join(dir, e.Name())); err != nil {
			return fmt.Errorf("%s cannot be removed: %w", filepath.Join(dir, e.Name()), err)
		}
	}
	return nil
}
