package checkpoint

import (
	"path/filepath"
	"strings"
	"testing"
)

// FuzzManifest: whatever a manifest says, the files it names lie in its folder,
// are no links upwards by name, and are listed once.
func FuzzManifest(f *testing.F) {
	sum := strings.Repeat("ca", 32)
	for _, seed := range []string{
		`{"version":1,"files":[{"name":"a","size":1,"sha256":"` + sum + `"}]}`,
		`{"version":1,"files":[{"name":"a","size":1,"sha256":"` + sum + `"},{"name":"a","size":1,"sha256":"` + sum + `"}]}`,
		`{"version":1,"files":[{"name":"../a","size":1,"sha256":"` + sum + `"}]}`,
		`{"version":1,"files":[{"name":"a/..\\b","size":1e3,"sha256":"` + sum + `"}]}`,
		`{"version":1,"version":2,"files":null}`,
		strings.Repeat("[", 20000),
		strings.Repeat(`{"files":`, 20000),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := parseManifest(text)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("message %q is not one line", err)
			}
			return
		}
		seen := map[string]bool{}
		for _, file := range m.Files {
			if filepath.Dir(filepath.Join("dir", file.Name)) != "dir" || strings.ContainsAny(file.Name, "/\\:\x00") || seen[file.Name] || file.Size < 0 {
				t.Errorf("manifest %q: accepted %+v", text, file)
			}
			seen[file.Name] = true
		}
	})
}
