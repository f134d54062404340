package refrain_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// generated are documents that a command writes and that may not be there yet.
var generated = []string{"bench/RESULTS.md"}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// TestLinksResolve wants a file behind every relative link in the documents.
func TestLinksResolve(t *testing.T) {
	for _, document := range documents(t) {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range link.FindAllSubmatch(text, -1) {
			target, _, _ := strings.Cut(string(found[1]), "#")
			if target == "" || strings.Contains(target, "://") || slices.Contains(generated, target) {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(document), filepath.FromSlash(target))); err != nil {
				t.Errorf("%s links to %s, which is not there", document, target)
			}
		}
	}
}

// code finds what a document says about the source: `folder/file.go:Name`, with
// Name a function, a method Type.Name or a type.
var code = regexp.MustCompile("`([a-z_0-9/]+\\.go)(?::([A-Za-z.]+))?`")

// TestPointersResolve wants every pointer into the source to hit: the file is
// there and declares the name.
func TestPointersResolve(t *testing.T) {
	seen := 0
	for _, document := range documents(t) {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range code.FindAllSubmatch(text, -1) {
			file, name := string(found[1]), string(found[2])
			source, err := os.ReadFile(filepath.FromSlash(file))
			if err != nil {
				t.Errorf("%s points to %s, which is not there", document, file)
				continue
			}
			seen++
			if name != "" && !declares(source, name) {
				t.Errorf("%s points to %s:%s, which that file does not declare", document, file, name)
			}
		}
	}
	if seen < 20 {
		t.Errorf("%d pointers into the source were seen; the test looks in the wrong place", seen)
	}
}

// declares reports whether Go source declares the function, type, variable or,
// given as Type.Name, method.
func declares(source []byte, name string) bool {
	pattern := `(?m)^(func|type|var|const) ` + name + `\b|^\t` + name + ` +(=|\S+ +=|\w+$)`
	if owner, method, ok := strings.Cut(name, "."); ok {
		pattern = `(?m)^func \(\w* ?\*?` + owner + `\) ` + method + `\(`
	}
	return regexp.MustCompile(pattern).Match(source)
}

// TestReadmeRunsItsCode wants the README's Go code to be a part of the examples,
// which are compiled and run.
func TestReadmeRunsItsCode(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	examples, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllSubmatch(readme, -1)
	if len(blocks) == 0 {
		t.Error("README.md has no Go code")
	}
	for _, block := range blocks {
		if !bytes.Contains(outdent(examples), outdent(block[1])) {
			t.Errorf("this code of README.md is not in example_test.go:\n%s", block[1])
		}
	}
}

// outdent drops the indentation of every line.
func outdent(text []byte) []byte {
	lines := bytes.Split(text, []byte("\n"))
	for i, line := range lines {
		lines[i] = bytes.TrimLeft(line, "\t")
	}
	return bytes.Join(lines, []byte("\n"))
}

func documents(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob("*.md")
	if err != nil || len(found) < 2 {
		t.Fatalf("documents: %v, %v", found, err)
	}
	return found
}
