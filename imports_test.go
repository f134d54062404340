package refrain_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/refrain-lm/refrain"

// tiers says who may import whom: a package imports only packages of lower
// tiers. A package that is not here fails the test: give it a place first.
var tiers = map[string]int{
	".": 10, "bench/coverage": 10, "bench/kenlm": 10, "bench/keras/refrain": 10, "bench/peers/refrain": 10, "bench/quality": 10,
	"cmd/refrain":    9,
	"internal/cli":   8,
	"compare/report": 7,
	"compare/lab":    6,
	"serve":          5, "compare": 5,
	"train": 4, "internal/speed": 4,
	"eval": 3, "probe": 3,
	"lm": 2, "ngram": 2, "embedding": 2,
	"nn": 1, "optim": 1, "sample": 1, "checkpoint": 1,
	"internal/kernel": 0, "internal/parallel": 0, "internal/cpu": 0, "internal/typo": 0, "internal/webui": 0, "tokenizer": 0, "data": 0, "keras": 0,
}

// within lists the imports inside tier 0: kernels run on the workers of
// parallel, on what cpu found; a tokenizer may be Keras'.
var within = map[string][]string{
	"internal/kernel": {"internal/cpu", "internal/parallel"},
	"tokenizer":       {"keras"},
}

// never lists what the order of tiers would allow but the design forbids.
var never = map[string][]string{
	"serve": {"train"}, // a server must not carry the trainer
}

// allowed says whether package from may import package to, both relative to the module.
func allowed(from, to string) bool {
	if slices.Contains(never[from], to) {
		return false
	}
	return tiers[to] < tiers[from] || slices.Contains(within[from], to)
}

func TestImportsPointDown(t *testing.T) {
	seen := 0
	for file, imports := range goFiles(t) {
		from := path.Dir(file)
		if _, known := tiers[from]; !known {
			t.Errorf("%s: package %s has no tier; add it to the table in this test", file, from)
			continue
		}
		if strings.HasSuffix(file, "_test.go") {
			continue // tests may look at anything
		}
		for _, imported := range imports {
			to, ours := strings.CutPrefix(imported, module+"/")
			if !ours {
				continue
			}
			seen++
			if _, known := tiers[to]; !known {
				t.Errorf("%s imports %s, which has no tier", file, to)
			} else if !allowed(from, to) {
				t.Errorf("%s (tier %d) imports %s (tier %d); imports point strictly down", file, tiers[from], to, tiers[to])
			}
		}
	}
	if seen == 0 {
		t.Error("no import between the module's packages was seen; the test looks in the wrong place")
	}
}

func TestAllowed(t *testing.T) {
	for _, c := range []struct {
		from, to string
		want     bool
	}{
		{"train", "lm", true},
		{"lm", "train", false},
		{"optim", "checkpoint", false}, // same tier
		{"internal/kernel", "internal/cpu", true},
		{"internal/cpu", "internal/kernel", false},
		{"serve", "eval", true},
		{"serve", "train", false},
		{"compare", "train", true},
	} {
		if got := allowed(c.from, c.to); got != c.want {
			t.Errorf("allowed(%s, %s) = %v, want %v", c.from, c.to, got, c.want)
		}
	}
}

// TestPackagesAreDocumented wants each library package's comment in its doc.go.
func TestPackagesAreDocumented(t *testing.T) {
	documented, library := map[string]bool{}, map[string]bool{}
	for file := range goFiles(t) {
		dir := path.Dir(file)
		if strings.HasPrefix(dir, "cmd/") || strings.HasPrefix(dir, "bench/") || strings.HasSuffix(file, "_test.go") {
			continue
		}
		library[dir] = true
		if path.Base(file) != "doc.go" {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		documented[dir] = parsed.Doc != nil && strings.HasPrefix(parsed.Doc.Text(), "Package ")
	}
	for dir := range library {
		if !documented[dir] {
			t.Errorf("package %s has no package comment in a doc.go", dir)
		}
	}
}

// goFiles maps every Go file of the module, for whatever system and tags it
// is, to its imports. Paths have forward slashes and are relative to the root.
func goFiles(t *testing.T) map[string][]string {
	t.Helper()
	files := map[string][]string{}
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		if d.IsDir() {
			if base := d.Name(); base == "testdata" || base != "." && strings.HasPrefix(base, ".") {
				return fs.SkipDir
			}
			if _, err := os.Stat(filepath.Join(name, "go.mod")); err == nil && name != "." {
				return fs.SkipDir // a module of its own
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		imports := []string{}
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			imports = append(imports, imported)
		}
		files[name] = imports
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
