package checkpoint

import (
	"fmt"
	"os"
	"path/filepath"
)

// NewFolder makes dir a folder of these files, all or nothing: they are written
// beside it as .new-NAME, each synced, and the folder is renamed. After an error
// there is no dir; what an interrupted call left beside it is removed by the next.
//
// dir must not exist yet, else the error matches os.ErrExist; its parent must.
// Only one process may make one dir at a time.
func NewFolder(fsys FS, dir string, files []File) error {
	for _, f := range files {
		if err := checkName(f.Name); err != nil {
			return fmt.Errorf("checkpoint %s: file %w", dir, err)
		}
	}
	dir = filepath.Clean(dir)
	if exists(dir) {
		return fmt.Errorf("%s cannot be made (%w): nothing is overwritten; remove it, or take another name", dir, os.ErrExist)
	}
	parent, name := filepath.Dir(dir), filepath.Base(dir)
	tmp := filepath.Join(parent, newPrefix+name)
	_, need, err := writeFiles(fsys, tmp, files)
	if err == nil {
		err = fsys.SyncDir(tmp)
	}
	if err == nil {
		err = fsys.Rename(tmp, dir)
	}
	if err != nil {
		// Undone as far as possible; the error that counts is the first.
		_ = fsys.Remove(tmp)
		return saveError(dir, need, err)
	}
	if err := fsys.SyncDir(parent); err != nil {
		_ = fsys.Remove(dir)
		return saveError(dir, 0, err)
	}
	return nil
}
