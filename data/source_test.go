package data_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"github.com/refrain-lm/refrain/data"
)

// pack compresses text; the empty format leaves it.
func pack(t testing.TB, format string, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	var err error
	switch format {
	case "":
		return text
	case "gzip":
		w = gzip.NewWriter(&b)
	case "zstd":
		w, err = zstd.NewWriter(&b)
	case "xz":
		w, err = xz.NewWriter(&b)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

var formats = []string{"", "gzip", "zstd", "xz"}

// put writes a file below dir and returns its path.
func put(t testing.TB, dir, name string, text []byte) string {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// sources is data.Sources for tests.
func sources(t testing.TB, o data.ReadOptions, stdin string, paths ...string) []data.Source {
	t.Helper()
	if o.TempDir == "" {
		o.TempDir = t.TempDir()
	}
	src, err := data.Sources(paths, strings.NewReader(stdin), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := data.CloseSources(src); err != nil {
			t.Error(err)
		}
	})
	return src
}

// text reads all sources.
func text(t testing.TB, src []data.Source) string {
	t.Helper()
	var b strings.Builder
	if err := data.Chunks(src, func(chunk []byte) error { b.Write(chunk); return nil }); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

const poem = "The woods are lovely, dark and deep,\nBut I have promises to keep,\n"

func TestFormats(t *testing.T) {
	long := strings.Repeat(poem, 30000)
	for _, format := range formats {
		for _, want := range []string{poem, long, "x"} {
			stored := pack(t, format, []byte(want))
			path := put(t, t.TempDir(), "a.txt", stored)
			src := sources(t, data.ReadOptions{}, string(stored), path, "-")
			for _, s := range src {
				for range 2 { // a source can be read again
					if got := text(t, []data.Source{s}); got != want {
						t.Fatalf("%s, %s: %d bytes, want %d", format, s.Name, len(got), len(want))
					}
				}
				if known := s.Size >= 0; known != (format == "") || known && s.Size != int64(len(want)) {
					t.Errorf("%s: size %d", format, s.Size)
				}
				rc, err := s.Open()
				if err != nil {
					t.Fatal(err)
				}
				sum := rc.(interface{ SHA256() string })
				if sum.SHA256() != "" {
					t.Error("a SHA-256 before the end")
				}
				if _, err := io.Copy(io.Discard, rc); err != nil {
					t.Fatal(err)
				}
				if want := sha256.Sum256(stored); sum.SHA256() != hex.EncodeToString(want[:]) {
					t.Errorf("%s: SHA-256 %s of %d bytes stored", format, sum.SHA256(), len(stored))
				}
				rc.Close()
			}
			if src[0].Path != path || src[1].Path != "" {
				t.Errorf("paths %q and %q", src[0].Path, src[1].Path)
			}
		}
	}
}

func TestSeveralMembers(t *testing.T) {
	for _, format := range formats {
		stored := slices.Concat(pack(t, format, []byte("one\n")), pack(t, format, []byte("two\n")))
		got, err := data.ReadAll(stored, data.ReadOptions{})
		if err != nil || string(got) != "one\ntwo\n" {
			t.Errorf("%s: %q, %v", format, got, err)
		}
	}
}

// Go has no writer of bzip2: "hello\n" as the bzip2 program packs it.
func TestBzip2(t *testing.T) {
	stored, err := hex.DecodeString("425a6839314159265359c1c080e2000001410000100244a00030cd00c3462997177245385090c1c080e2")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := data.ReadAll(stored, data.ReadOptions{}); err != nil || string(got) != "hello\n" {
		t.Errorf("%q, %v", got, err)
	}
}

// An archive cut anywhere is an error that says so, never a shorter text.
func TestCutArchives(t *testing.T) {
	want := bytes.Repeat([]byte(poem), 40)
	for _, format := range formats[1:] {
		stored := pack(t, format, want)
		for n := 6; n < len(stored); n++ {
			if got, err := data.ReadAll(stored[:n], data.ReadOptions{}); err == nil {
				t.Fatalf("%s cut at %d of %d bytes reads as %d bytes", format, n, len(stored), len(got))
			} else if !strings.Contains(err.Error(), "is cut or damaged") {
				t.Fatalf("%s cut at %d: %v", format, n, err)
			}
		}
	}
}

func TestBombs(t *testing.T) {
	zeros := bytes.Repeat([]byte("a b\n"), 1<<18)
	for _, format := range formats[1:] {
		stored := pack(t, format, zeros)
		if _, err := data.ReadAll(stored, data.ReadOptions{MaxUnpacked: 1 << 19}); err == nil || !strings.Contains(err.Error(), "unpacks to more than") {
			t.Errorf("%s beyond the limit: %v", format, err)
		}
		if got, err := data.ReadAll(stored, data.ReadOptions{MaxUnpacked: 1 << 20}); err != nil || len(got) != 1<<20 {
			t.Errorf("%s at the limit: %d bytes, %v", format, len(got), err)
		}
	}
	xzHead := pack(t, "xz", []byte(poem))
	if i := bytes.Index(xzHead, []byte{0x21, 1}); i < 0 {
		t.Error("no filter in the xz header")
	} else {
		xzHead[i+2] = 40
		if _, err := data.ReadAll(xzHead, data.ReadOptions{}); err == nil || !strings.Contains(err.Error(), "dictionary") {
			t.Errorf("immense dictionary: %v", err)
		}
	}
}

func TestNotText(t *testing.T) {
	latin := bytes.Repeat([]byte("d\xe9j\xe0 vu, une fois de plus, "), 9)
	tests := []struct {
		name, stored string
		want         string // in the error; empty: it is text
	}{
		{"empty", "", "is empty"},
		{"only a mark", "\ufeff", "is empty"},
		{"NUL", "abc\x00def", "a NUL at byte 3"},
		{"UTF-16", "\xff\xfea\x00b\x00", "UTF-16"},
		{"UTF-16 big endian", "\xfe\xff\x00a\x00b", "UTF-16"},
		{"zip", "PK\x03\x04rest", "a zip archive"},
		{"pdf", "%PDF-1.7\n", "a PDF"},
		{"Cyrillic of another time", strings.Repeat("\xd0\xd2\xc9\xd7\xc5\xd4 ", 20), "not UTF-8"},
		{"empty gzip", string(pack(t, "gzip", nil)), "is empty"},
		{"binary gzip", string(pack(t, "gzip", []byte("a\x00"))), "a NUL"},
		{"Latin-1 French", string(latin), ""},
		{"a character cut at the end", "é" + "\xe2\x82", ""},
		{"one byte", "a", ""},
		{"one line", strings.Repeat("x", 100000), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := put(t, t.TempDir(), "a", []byte(tt.stored))
			for _, from := range []string{path, "-"} {
				src, err := data.Sources([]string{from}, strings.NewReader(tt.stored), data.ReadOptions{TempDir: t.TempDir()})
				if err == nil {
					err = data.CloseSources(src)
				}
				if (err == nil) != (tt.want == "") {
					t.Fatalf("%s: error %v", from, err)
				}
				if err == nil {
					continue
				}
				var no *data.NotTextError
				if !errors.As(err, &no) || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
					t.Errorf("%s: error %v, want one with %q", from, err, tt.want)
				}
			}
		})
	}
}

func TestAllowBinary(t *testing.T) {
	for _, stored := range []string{"a\x00b", "\ufeffx", "\xff\xfea\x00", "PK\x03\x04"} {
		got, err := data.ReadAll([]byte(stored), data.ReadOptions{AllowBinary: true})
		if err != nil || string(got) != stored {
			t.Errorf("%q reads as %q, %v", stored, got, err)
		}
	}
	if _, err := data.ReadAll(nil, data.ReadOptions{AllowBinary: true}); err == nil {
		t.Error("nothing at all is taken")
	}
}

func TestByteOrderMark(t *testing.T) {
	dir := t.TempDir()
	src := sources(t, data.ReadOptions{}, "",
		put(t, dir, "a", []byte("\ufeffone\r\n")), put(t, dir, "b", pack(t, "gzip", []byte("\ufefftwo\n\ufeffx"))))
	if got := text(t, src); got != "one\r\ntwo\n\ufeffx" {
		t.Errorf("read %q", got)
	}
	if src[0].Size != 5 {
		t.Errorf("size %d, want 5", src[0].Size)
	}
}

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"b.txt": "2\n", "a/z.txt": "1\n", "c/a": "4\n", "c.txt": "3\n", "d.gz": string(pack(t, "gzip", []byte("5\n"))),
		".hidden": "no\n", ".git/x": "no\n", "a/.b": "no\n", "bin": "\x00", "empty": "",
	} {
		put(t, dir, name, []byte(text))
	}
	links := 0
	if os.Symlink(filepath.Join(dir, "b.txt"), filepath.Join(dir, "link")) == nil {
		links++
	}
	var skipped []string
	o := data.ReadOptions{Skipped: func(path, why string) { skipped = append(skipped, filepath.Base(path)+": "+why) }}
	src := sources(t, o, "", dir)
	if got := text(t, src); got != "1\n2\n3\n4\n5\n" {
		t.Errorf("read %q", got)
	}
	want := []string{"bin: binary (a NUL at byte 0)", "empty: empty", "link: not a regular file"}[:2+links]
	if !slices.Equal(skipped, want) {
		t.Errorf("skipped %q, want %q", skipped, want)
	}
	if links > 0 {
		through := filepath.Join(t.TempDir(), "to-folder")
		if err := os.Symlink(dir, through); err != nil {
			t.Fatal(err)
		}
		if got := text(t, sources(t, data.ReadOptions{}, "", through)); got != "1\n2\n3\n4\n5\n" {
			t.Errorf("through a link: read %q", got)
		}
	}
}

func TestSourcesErrors(t *testing.T) {
	dir := t.TempDir()
	good := put(t, dir, "good", []byte(poem))
	tests := []struct {
		name  string
		paths []string
		want  string
	}{
		{"none", nil, "no files to read"},
		{"missing", []string{good, filepath.Join(dir, "none.txt")}, "none.txt: no such file"},
		{"folder without text", []string{t.TempDir()}, "no text files"},
		{"standard input twice", []string{"-", "-"}, "standard input is empty"},
	}
	for _, tt := range tests {
		temp := t.TempDir()
		_, err := data.Sources(tt.paths, strings.NewReader(poem), data.ReadOptions{TempDir: temp})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want one with %q", tt.name, err, tt.want)
		}
		if left, _ := os.ReadDir(temp); len(left) > 0 {
			t.Errorf("%s: %s is left", tt.name, left[0].Name())
		}
	}
	if _, err := data.Sources([]string{"-"}, strings.NewReader(poem), data.ReadOptions{TempDir: filepath.Join(dir, "none")}); err == nil {
		t.Error("no error where the copy can't be made")
	}
}

func TestStandardInput(t *testing.T) {
	temp := t.TempDir()
	src, err := data.Sources([]string{"-"}, strings.NewReader(poem), data.ReadOptions{TempDir: temp})
	if err != nil {
		t.Fatal(err)
	}
	if got := text(t, src); got != poem || src[0].Size != int64(len(poem)) {
		t.Errorf("read %q, size %d", got, src[0].Size)
	}
	if err := data.CloseSources(src); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(temp); len(left) > 0 {
		t.Errorf("%s is left", left[0].Name())
	}
}

func TestGoSources(t *testing.T) {
	src, err := data.GoSources()
	if err != nil {
		t.Skip(err)
	}
	got := text(t, src)
	if int64(len(got)) != src[0].Size || len(got) < 3<<20 || len(got) > 8<<20 {
		t.Errorf("%d bytes, size says %d", len(got), src[0].Size)
	}
	if !strings.Contains(got, "\npackage fmt\n") || strings.Contains(got, "// Copyright 20") && strings.HasPrefix(got, "// Copyright") {
		t.Error("package fmt is missing, or licences are in")
	}
	if again := text(t, src); again != got {
		t.Error("another text the second time")
	}
}

func TestNoGoSources(t *testing.T) {
	t.Setenv("GOROOT", t.TempDir())
	t.Setenv("PATH", "")
	if _, err := os.Stat("/usr/local/go/src"); err == nil {
		t.Skip("Go is installed where it is always looked for")
	}
	if _, err := data.GoSources(); err == nil || !strings.Contains(err.Error(), "pass a text file") {
		t.Errorf("error %v", err)
	}
}

// FuzzUnpack reads arbitrary stored bytes.
func FuzzUnpack(f *testing.F) {
	for _, format := range formats {
		stored := pack(f, format, []byte(poem))
		f.Add(stored)
		f.Add(stored[:len(stored)-3])
		f.Add(append([]byte("\ufeff"), stored...))
	}
	f.Add([]byte("BZh91AY&SY"))
	f.Fuzz(func(t *testing.T, stored []byte) {
		for _, o := range []data.ReadOptions{{MaxUnpacked: 1 << 22}, {MaxUnpacked: 1 << 22, AllowBinary: true}} {
			got, err := data.ReadAll(stored, o)
			if err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("error of several lines: %v", err)
			}
			if err == nil && len(got) == 0 {
				t.Error("an empty text is no error")
			}
		}
	})
}
