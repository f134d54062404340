package cli

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// quote writes one word so that a shell reads it back as it is.
func quote(word string) string {
	if word == "" {
		return `""`
	}
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-./:=,+@%", r) ||
			r == '\\' && runtime.GOOS == "windows"
	}
	if strings.IndexFunc(word, func(r rune) bool { return !plain(r) }) < 0 {
		return word
	}
	if runtime.GOOS == "windows" {
		return `"` + strings.ReplaceAll(word, `"`, `\"`) + `"`
	}
	if !strings.ContainsAny(word, "\"$`\\!\n\r\t\x1b") {
		return `"` + word + `"`
	}
	return `'` + strings.ReplaceAll(word, `'`, `'\''`) + `'`
}

// quotePath is quote for a file name, which may not look like a flag or like
// standard input.
func quotePath(path string) string {
	if strings.HasPrefix(path, "-") {
		path = "." + string(filepath.Separator) + path
	}
	return quote(path)
}

// command joins words that are already quoted behind the program's name.
func (a *app) command(words ...string) string {
	return strings.Join(append([]string{a.prog}, words...), " ")
}

// programName is how to call this program again: "refrain" from the search
// path, the path it was called by, or go run.
func programName(arg0 string) string {
	switch {
	case arg0 == "" || !strings.ContainsRune(arg0, filepath.Separator):
		return "refrain"
	case strings.Contains(arg0, "go-build"):
		if _, err := os.Stat(filepath.FromSlash("cmd/refrain/main.go")); err == nil {
			return "go run ./cmd/refrain"
		}
		return "refrain"
	}
	return quote(arg0)
}
