package checkpoint

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// File is one file of a checkpoint to be written.
type File struct {
	Name  string                // plain name within the folder
	Size  int64                 // bytes that Write will produce, 0 where unknown; only for the message about a full disk
	Write func(io.Writer) error // produces the content; called once
}

const (
	tmpPrefix = ".tmp-" // being written; never read
	oldPrefix = ".old-" // moved aside by a commit of the same name; still whole
	delPrefix = ".del-" // being removed; never read
	newPrefix = ".new-" // a folder that NewFolder is writing; never read
)

// Commit makes dir/name a folder of these files, all or nothing. They are
// written in order under a temporary name, each synced, then the manifest;
// the folder is synced and renamed, and dir is synced. A checkpoint of that name
// that exists already is moved aside for the moment of the rename and removed
// afterwards; [Newest] and the next Commit find it there should the process end
// in between. Whatever happens, dir holds the old state or the new one.
//
// dir must exist and be held by this process (see [Lock]). Names are plain: no
// separators, no leading dot; else the error says so and nothing is written.
func Commit(fsys FS, dir, name string, files []File) error {
	if err := checkNames(name, files); err != nil {
		return err
	}
	final := filepath.Join(dir, name)
	if err := settle(fsys, dir, name); err != nil {
		return saveError(final, 0, err)
	}
	tmp := filepath.Join(dir, tmpPrefix+name)
	if need, err := writeFolder(fsys, tmp, files); err != nil {
		// Undone as far as possible; the error that counts is the first.
		_ = fsys.Remove(tmp)
		return saveError(final, need, err)
	}
	if err := putInPlace(fsys, dir, name); err != nil {
		_ = fsys.Remove(tmp)
		return saveError(final, 0, err)
	}
	return nil
}

func checkNames(name string, files []File) error {
	if err := checkName(name); err != nil {
		return fmt.Errorf("checkpoint: folder %w", err)
	}
	seen := map[string]bool{manifestName: true}
	for _, f := range files {
		if err := checkName(f.Name); err != nil {
			return fmt.Errorf("checkpoint %s: file %w", name, err)
		}
		if seen[f.Name] {
			return fmt.Errorf("checkpoint %s: file %q is given twice, or is the manifest's; rename one", name, f.Name)
		}
		seen[f.Name] = true
	}
	return nil
}

// settle ends what an interrupted Commit of the same name left half done.
func settle(fsys FS, dir, name string) error {
	old, final := filepath.Join(dir, oldPrefix+name), filepath.Join(dir, name)
	if !exists(old) {
		return nil
	}
	if exists(final) {
		if Verify(final) == nil {
			return fsys.Remove(old)
		}
		if err := fsys.Remove(final); err != nil {
			return err
		}
	}
	if err := fsys.Rename(old, final); err != nil {
		return err
	}
	return fsys.SyncDir(dir)
}

// writeFolder writes the files and their manifest. need is the size of the
// whole as far as it is known.
func writeFolder(fsys FS, tmp string, files []File) (need int64, err error) {
	m := manifest{Version: manifestVersion}
	if m.Files, need, err = writeFiles(fsys, tmp, files); err != nil {
		return need, err
	}
	_, _, err = writeFile(fsys, filepath.Join(tmp, manifestName), func(w io.Writer) error {
		b, err := json.MarshalIndent(m, "", "  ")
		if err != nil {
			return err
		}
		_, err = w.Write(append(b, '\n'))
		return err
	})
	if err != nil {
		return need, err
	}
	return need, fsys.SyncDir(tmp)
}

// writeFiles makes the folder tmp, removing what has that name, and writes the
// files into it, each synced.
func writeFiles(fsys FS, tmp string, files []File) (written []manifestFile, need int64, err error) {
	for _, f := range files {
		need += f.Size
	}
	if err := fsys.Remove(tmp); err != nil {
		return nil, need, err
	}
	if err := fsys.Mkdir(tmp); err != nil {
		return nil, need, err
	}
	for _, f := range files {
		size, sum, err := writeFile(fsys, filepath.Join(tmp, f.Name), f.Write)
		need += max(size, f.Size) - f.Size
		if err != nil {
			return nil, need, err
		}
		written = append(written, manifestFile{Name: f.Name, Size: size, SHA256: hex.EncodeToString(sum[:])})
	}
	return written, need, nil
}

// putInPlace renames the finished temporary folder.
func putInPlace(fsys FS, dir, name string) error {
	tmp, old, final := filepath.Join(dir, tmpPrefix+name), filepath.Join(dir, oldPrefix+name), filepath.Join(dir, name)
	replaced := exists(final)
	if replaced {
		if err := fsys.Rename(final, old); err != nil {
			return err
		}
	}
	if err := fsys.Rename(tmp, final); err != nil {
		if replaced {
			err = errors.Join(err, fsys.Rename(old, final))
		}
		return err
	}
	if err := fsys.SyncDir(dir); err != nil {
		return err
	}
	if replaced {
		return fsys.Remove(old)
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
