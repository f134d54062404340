package cli

import (
	"strings"
	"testing"
)

func TestBaseName(t *testing.T) {
	for path, want := range map[string]string{
		"books/song.txt":              "song",
		"唐诗.txt":                      "唐诗",
		"été":                         "été",
		"a.tar.gz":                    "a",
		".hidden":                     "hidden",
		"/":                           "text",
		strings.Repeat("诗", 40):       strings.Repeat("诗", 33), // 100 bytes cut the 34th
		strings.Repeat("é", 60):       strings.Repeat("é", 50),
		"x" + strings.Repeat("é", 60): "x" + strings.Repeat("é", 49),
	} {
		if got := baseName(path); got != want {
			t.Errorf("baseName(%q) = %q, want %q", path, got, want)
		}
	}
}
