package checkpoint

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	manifestName    = "manifest.json"
	manifestVersion = 1
	maxManifest     = 1 << 20 // bytes; a real one has a few hundred
)

// manifest lists what a checkpoint holds, in the order it was written.
type manifest struct {
	Version int            `json:"version"`
	Files   []manifestFile `json:"files"`
}

type manifestFile struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"` // lower-case hexadecimal
}

// checkName refuses every name that could leave the folder, hide in it, or mean
// something else on another system.
func checkName(name string) error {
	bad := name == "" || len(name) > 200 || !utf8.ValidString(name) || name[0] == '.' ||
		strings.ContainsAny(name, `/\:*?"<>|`) || strings.ContainsFunc(name, unicode.IsControl) || !filepath.IsLocal(name)
	if bad {
		return fmt.Errorf("name %.80q is not a plain file name: use letters, digits, '-', '_' and '.'", name)
	}
	return nil
}

// readManifest reads and checks the manifest of the folder at path; it looks at
// no other file.
func readManifest(path string) (manifest, error) {
	var m manifest
	name := filepath.Join(path, manifestName)
	f, err := openRegular(name)
	if errors.Is(err, fs.ErrNotExist) {
		return m, damaged("%s has no %s, so it is not whole; use an older checkpoint", path, manifestName)
	}
	if err != nil {
		return m, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxManifest+1))
	if err != nil {
		return m, fmt.Errorf("%s cannot be read (%w): check the disk", name, err)
	}
	if m, err = parseManifest(b); err != nil {
		return m, damaged("%s: %v; use an older checkpoint", name, err)
	}
	return m, nil
}

func parseManifest(b []byte) (manifest, error) {
	var m manifest
	if len(b) > maxManifest {
		return m, fmt.Errorf("longer than %d bytes", maxManifest)
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&m); err != nil {
		return m, fmt.Errorf("not a manifest (%w)", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return m, errors.New("text follows its end")
	}
	if m.Version != manifestVersion {
		return m, fmt.Errorf("version %d, this program knows %d", m.Version, manifestVersion)
	}
	seen := map[string]bool{manifestName: true}
	for _, f := range m.Files {
		if err := checkName(f.Name); err != nil {
			return m, err
		}
		if seen[f.Name] {
			return m, fmt.Errorf("lists %q twice", f.Name)
		}
		seen[f.Name] = true
		sum, err := hex.DecodeString(f.SHA256)
		if err != nil || len(sum) != sha256.Size || f.Size < 0 {
			return m, fmt.Errorf("the entry of %q has no valid size and SHA-256", f.Name)
		}
	}
	return m, nil
}

// Verify checks that the checkpoint at path is whole: its manifest is there and
// every file has the size and the SHA-256 that it promises. Sizes are compared
// before anything is hashed. Files that the manifest does not list are not
// looked at.
func Verify(path string) error {
	m, err := verifySizes(path)
	if err != nil {
		return err
	}
	for _, f := range m.Files {
		if err := verifyHash(filepath.Join(path, f.Name), f); err != nil {
			return err
		}
	}
	return nil
}

// verifySizes is the cheap part of Verify.
func verifySizes(path string) (manifest, error) {
	m, err := readManifest(path)
	if err != nil {
		return m, err
	}
	for _, f := range m.Files {
		name := filepath.Join(path, f.Name)
		info, err := os.Lstat(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return m, damaged("%s is missing; copy the folder again", name)
		case err != nil:
			return m, fmt.Errorf("%s cannot be read: %w", name, err)
		case !info.Mode().IsRegular():
			return m, damaged("%s is not a regular file; copy the folder again", name)
		case info.Size() < f.Size:
			return m, cut(name, info.Size(), f.Size)
		case info.Size() > f.Size:
			return m, damaged("%s has %d bytes, its manifest says %d; copy it again", name, info.Size(), f.Size)
		}
	}
	return m, nil
}

func verifyHash(name string, want manifestFile) error {
	f, err := openRegular(name)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.CopyN(h, f, want.Size); err != nil {
		return fmt.Errorf("%s cannot be read (%w): check the disk", name, err)
	}
	if hex.EncodeToString(h.Sum(nil)) != strings.ToLower(want.SHA256) {
		return damaged("%s is not what was saved (its SHA-256 differs); copy it again", name)
	}
	return nil
}

// openRegular opens a file for reading, but neither a folder nor a device or
// pipe, which could block or never end.
func openRegular(name string) (*os.File, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", name, err)
	}
	if !info.Mode().IsRegular() {
		return nil, damaged("%s is not a regular file; copy it again", name)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", name, err)
	}
	return f, nil
}
