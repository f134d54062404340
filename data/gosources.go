package data

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Bounds on what GoSources takes.
const (
	maxGoFile = 128 << 10 // larger ones are tables and bundles
	maxGoText = 8 << 20
)

// goPackages are readable packages of Go's standard library, sorted.
var goPackages = []string{
	"archive/tar", "archive/zip", "bufio", "bytes", "compress/flate", "compress/gzip", "container/heap",
	"container/list", "context", "database/sql", "encoding/base64", "encoding/binary", "encoding/csv",
	"encoding/gob", "encoding/hex", "encoding/json", "encoding/pem", "encoding/xml", "errors", "expvar", "flag",
	"fmt", "go/ast", "go/build", "go/doc", "go/format", "go/parser", "go/printer", "go/scanner", "go/token",
	"go/types", "html", "html/template", "image", "image/color", "image/draw", "image/gif", "image/jpeg",
	"image/png", "index/suffixarray", "io", "io/fs", "log", "log/slog", "maps", "mime", "mime/multipart", "net",
	"net/http", "net/http/cookiejar", "net/http/httptest", "net/http/httputil", "net/mail", "net/netip",
	"net/rpc", "net/smtp", "net/textproto", "net/url", "os", "os/exec", "os/signal", "os/user", "path",
	"path/filepath", "reflect", "regexp", "regexp/syntax", "slices", "sort", "strconv", "strings", "sync",
	"testing", "testing/fstest", "testing/quick", "text/scanner", "text/tabwriter", "text/template",
	"text/template/parse", "time", "unicode/utf16", "unicode/utf8",
}

// GoSourcesName is the Name of what [GoSources] returns.
const GoSourcesName = "Go's standard library"

// GoSources returns text that is on every machine with Go: readable packages
// of the standard library, without tests, generated files and licence headers,
// at most 8 MiB as one source. It looks in $GOROOT, then asks the go command. Go may be missing:
// the error says what to do instead.
func GoSources() ([]Source, error) {
	var files []string
	var total int64
	root := goRoot()
	for _, pkg := range goPackages {
		// The folder's listing is sorted by name.
		entries, err := os.ReadDir(filepath.Join(root, "src", filepath.FromSlash(pkg)))
		if err != nil {
			continue
		}
		for _, e := range entries {
			name := e.Name()
			if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
				continue
			}
			path := filepath.Join(root, "src", filepath.FromSlash(pkg), name)
			text, err := goFile(path)
			if err != nil || len(text) == 0 || total+int64(len(text)) > maxGoText {
				continue
			}
			files = append(files, path)
			total += int64(len(text))
		}
	}
	if len(files) == 0 {
		return nil, errors.New("data: no Go sources on this machine: pass a text file: refrain train book.txt")
	}
	open := func() (io.ReadCloser, error) { return &filesReader{files: files, hash: sha256.New()}, nil }
	return []Source{{Name: GoSourcesName, Size: total, Open: open}}, nil
}

// goFile returns the text of a file if it is one to learn from: without the
// licence that every file begins with, which a model would learn by heart.
func goFile(path string) (text []byte, err error) {
	st, err := os.Stat(path)
	if err != nil || !st.Mode().IsRegular() || st.Size() > maxGoFile {
		return nil, err
	}
	text, err = os.ReadFile(path)
	if bytes.Contains(text[:min(len(text), 1024)], []byte("Code generated ")) {
		return nil, err
	}
	if _, rest, found := bytes.Cut(text, []byte("\n\n")); found && bytes.HasPrefix(text, []byte("// Copyright")) {
		text = rest
	}
	return text, err
}

// goRoot returns the folder of the Go installation, empty if there is none.
func goRoot() string {
	candidates := []string{os.Getenv("GOROOT")}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if !hasSources(candidates[0]) { // the go command takes a moment
		if out, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output(); err == nil {
			candidates = append(candidates, strings.TrimSpace(string(out)))
		}
	}
	candidates = append(candidates, "/usr/local/go", "/usr/lib/go", "/usr/lib/golang")
	if i := slices.IndexFunc(candidates, hasSources); i >= 0 {
		return candidates[i]
	}
	return ""
}

// hasSources tells whether root is a Go installation with its sources.
func hasSources(root string) bool {
	if root == "" {
		return false
	}
	_, err := os.Stat(filepath.Join(root, "src", "fmt", "print.go"))
	return err == nil
}

// A filesReader reads what goFile leaves of each file, one after the other.
type filesReader struct {
	files []string // still to read
	text  []byte   // still to give
	hash  hash.Hash
	whole bool
}

// Read implements [io.Reader].
func (r *filesReader) Read(p []byte) (int, error) {
	for len(r.text) == 0 {
		if len(r.files) == 0 {
			r.whole = true
			return 0, io.EOF
		}
		text, err := goFile(r.files[0])
		if err != nil {
			return 0, fmt.Errorf("data: %w", err)
		}
		r.text, r.files = text, r.files[1:]
	}
	n := copy(p, r.text)
	r.hash.Write(p[:n])
	r.text = r.text[n:]
	return n, nil
}

// SHA256 returns the SHA-256 of all the text, once it has been read.
func (r *filesReader) SHA256() string {
	if !r.whole {
		return ""
	}
	return hex.EncodeToString(r.hash.Sum(nil))
}

// Close implements [io.Closer].
func (r *filesReader) Close() error { return nil }
