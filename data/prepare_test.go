package data_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/refrain-lm/refrain/data"
)

// memory is a source in memory.
func memory(name, text string) data.Source { return data.Text(name, []byte(text)) }

func TestChunks(t *testing.T) {
	const size = 1 << 20
	word := strings.Repeat("x", 99) + " "
	tests := []struct {
		name  string
		texts []string
		want  []int // lengths of the pieces
	}{
		{"short", []string{"abc"}, []int{3}},
		{"two sources", []string{"abc", "de\n"}, []int{3, 3}},
		{"lines", []string{strings.Repeat(strings.Repeat("y", 999)+"\n", 2000)}, []int{1048000, 952000}},
		{"a long line", []string{strings.Repeat(word, 20000)}, []int{1048500, 951500}},
		{"no spaces", []string{strings.Repeat("z", 2*size+5)}, []int{size, size, 5}},
		{"no spaces, three bytes", []string{strings.Repeat("語", size)}, []int{size - 1, size - 1, size - 1, 3}},
		{"no spaces, four bytes, shifted", []string{"a" + strings.Repeat("😀", size/4)}, []int{size - 3, 4}},
		{"stray bytes", []string{strings.Repeat("\x80", size+7)}, []int{size, 7}},
		{"exactly one piece", []string{strings.Repeat("z", size)}, []int{size}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var src []data.Source
			for i, s := range tt.texts {
				src = append(src, memory(fmt.Sprint(i), s))
			}
			var got []int
			var all strings.Builder
			if err := data.Chunks(src, func(chunk []byte) error {
				got = append(got, len(chunk))
				all.Write(chunk)
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("pieces %v, want %v", got, tt.want)
			}
			if all.String() != strings.Join(tt.texts, "") {
				t.Error("the pieces are not the text")
			}
		})
	}
}

// Pieces depend on the text, not on how reading delivers it.
func TestChunksOfSlowReaders(t *testing.T) {
	text := strings.Repeat(strings.Repeat("slow ", 50)+"\n", 5000)
	cuts := func(wrap func(io.Reader) io.Reader) []int {
		s := data.Source{Name: "slow", Size: -1, Open: func() (io.ReadCloser, error) {
			return io.NopCloser(wrap(strings.NewReader(text))), nil
		}}
		var got []int
		if err := data.Chunks([]data.Source{s}, func(chunk []byte) error { got = append(got, len(chunk)); return nil }); err != nil {
			t.Fatal(err)
		}
		return got
	}
	want := cuts(func(r io.Reader) io.Reader { return r })
	for name, wrap := range map[string]func(io.Reader) io.Reader{
		"half": iotest.HalfReader, "data with error": iotest.DataErrReader, "one byte": iotest.OneByteReader,
	} {
		if got := cuts(wrap); !slices.Equal(got, want) {
			t.Errorf("%s: pieces %v, want %v", name, got, want)
		}
	}
}

// bytesEncoding gives every byte as an id; training adds 300 at offsets that
// are multiples of 1,000.
func bytesEncoding() (data.Encoding, error) {
	valid := func(dst []int32, text []byte) []int32 {
		for _, b := range text {
			dst = append(dst, int32(b))
		}
		return dst
	}
	train := func(dst []int32, text []byte, offset uint64) []int32 {
		for i, b := range text {
			if (offset+uint64(i))%1000 == 0 {
				dst = append(dst, 300)
			}
			dst = append(dst, int32(b))
		}
		return dst
	}
	return data.Encoding{Vocabulary: 301, ID: tokenizerID, Train: train, Valid: valid}, nil
}

// prepare runs Prepare and returns the corpus with the texts of both parts and
// what Learn heard.
func prepare(t *testing.T, o data.PrepareOptions) (c *data.Corpus, train, valid, learnt string) {
	t.Helper()
	var heard bytes.Buffer
	o.Learn = func(chunk []byte) { heard.Write(chunk) }
	o.Encoding = bytesEncoding
	o.Path = filepath.Join(t.TempDir(), "data.ids")
	c, err := data.Prepare(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	d, err := data.OpenIDs(o.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := d.Verify(); err != nil {
		t.Error(err)
	}
	if c.Train.Tokens != d.Train().Len() || c.Valid.Tokens != d.Valid().Len() || c.Vocabulary != 301 || c.Tokenizer != tokenizerID || d.TokenizerID() != tokenizerID {
		t.Errorf("corpus %+v, %d and %d ids", c, d.Train().Len(), d.Valid().Len())
	}
	back := func(r data.Reader) string {
		var b []byte
		for _, id := range readAll(t, r) {
			if id < 300 {
				b = append(b, byte(id))
			}
		}
		return string(b)
	}
	noise := 0
	for _, id := range readAll(t, d.Train()) {
		if id == 300 {
			noise++
		}
	}
	if want := int(c.Train.Bytes+999) / 1000; noise != want {
		t.Errorf("offsets gave %d marks, want %d", noise, want)
	}
	return c, back(d.Train()), back(d.Valid()), heard.String()
}

func TestSplit(t *testing.T) {
	line := strings.Repeat("a", 99) + "\n"
	lines := strings.Repeat(line, 100)
	tests := []struct {
		name     string
		texts    []string
		fraction float64
		cut      int
	}{
		{"at the cut point", []string{lines}, 0, 9000},
		{"before the cut point", []string{lines}, 0.105, 8900},
		{"a line end just after", []string{lines}, 0.0999, 9000},
		{"half", []string{lines}, 0.5, 5000},
		{"none", []string{lines}, -1, 10000},
		{"one line", []string{strings.Repeat("b", 1000)}, 0.1, 900},
		{"one line of characters", []string{strings.Repeat("語", 1000)}, 0.1, 2700},
		{"one line of characters, shifted", []string{"aa" + strings.Repeat("語", 1000)}, 0.0994, 2702},
		{"line end too far before", []string{strings.Repeat("c", 800) + "\n" + strings.Repeat("c", 199)}, 0.1, 900},
		{"line end near enough", []string{strings.Repeat("c", 870) + "\n" + strings.Repeat("c", 129)}, 0.1, 871},
		{"over several files", []string{lines, lines, lines}, 0.1, 27000},
		{"file end is a line end", []string{strings.Repeat("d", 895), strings.Repeat("e", 105)}, 0.1, 895},
		{"one byte", []string{"x"}, 0.1, 1},
		{"five bytes", []string{"ab\ncd"}, 0.5, 3},
		{"over pieces", []string{strings.Repeat(line, 30000)}, 0.4, 1800000},
		{"long line over pieces", []string{strings.Repeat("f", 3<<20)}, 0.4, 1887437},
		{"stray bytes", []string{strings.Repeat("\x80", 1000)}, 0.1, 900},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var src []data.Source
			for i, s := range tt.texts {
				src = append(src, memory(fmt.Sprint(i), s))
			}
			all := strings.Join(tt.texts, "")
			c, train, valid, learnt := prepare(t, data.PrepareOptions{Train: src, ValidFraction: tt.fraction})
			if train+valid != all {
				t.Fatal("the parts are not the text")
			}
			if len(train) != tt.cut {
				t.Errorf("cut at %d of %d, want %d", len(train), len(all), tt.cut)
			}
			if learnt != train {
				t.Errorf("learnt from %d bytes, trains on %d", len(learnt), len(train))
			}
			for _, p := range []struct {
				info data.PartInfo
				text string
			}{{c.Train, train}, {c.Valid, valid}} {
				if p.info.Bytes != int64(len(p.text)) || p.info.Characters != int64(utf8.RuneCountInString(p.text)) || p.info.Lines != int64(strings.Count(p.text, "\n")) {
					t.Errorf("counts %+v of %d bytes", p.info, len(p.text))
				}
			}
		})
	}
}

// A compressed text and the same text plain give the same ids.
func TestPrepareFormats(t *testing.T) {
	var b strings.Builder
	for i := range 40000 {
		fmt.Fprintf(&b, "line %d of a text with é\n", i)
	}
	dir := t.TempDir()
	_, wantTrain, wantValid, _ := prepare(t, data.PrepareOptions{Train: []data.Source{memory("m", b.String())}})
	for _, format := range formats {
		src := sources(t, data.ReadOptions{}, "", put(t, dir, "text."+format, pack(t, format, []byte(b.String()))))
		c, train, valid, _ := prepare(t, data.PrepareOptions{Train: src})
		if train != wantTrain || valid != wantValid {
			t.Errorf("%q: parts of %d and %d bytes, want %d and %d", format, len(train), len(valid), len(wantTrain), len(wantValid))
		}
		if err := c.CheckUnchanged(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func TestValidSources(t *testing.T) {
	c, train, valid, learnt := prepare(t, data.PrepareOptions{
		Train: []data.Source{memory("a", "one\ntwo\n")}, Valid: []data.Source{memory("b", "three\n"), memory("c", "four\n")},
		ValidFraction: 0.5,
	})
	if train != "one\ntwo\n" || learnt != train || valid != "three\nfour\n" {
		t.Errorf("parts %q and %q", train, valid)
	}
	if len(c.Sources) != 1 || len(c.ValidSources) != 2 || c.ValidSources[1].Name != "c" || c.ValidSources[0].Bytes != 6 {
		t.Errorf("corpus %+v", c)
	}
}

func TestCountOnly(t *testing.T) {
	c, err := data.Prepare(t.Context(), data.PrepareOptions{Train: []data.Source{memory("a", strings.Repeat(poem, 100))}, Encoding: bytesEncoding})
	if err != nil {
		t.Fatal(err)
	}
	if c.Train.Tokens == 0 || c.Valid.Tokens != c.Valid.Bytes {
		t.Errorf("counts %+v", c)
	}
}

func TestCheckUnchanged(t *testing.T) {
	path := put(t, t.TempDir(), "a.txt", []byte(poem))
	c, err := data.Prepare(t.Context(), data.PrepareOptions{Train: sources(t, data.ReadOptions{}, "", path), Encoding: bytesEncoding})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(c) // as the plan keeps it
	if err != nil {
		t.Fatal(err)
	}
	back := new(data.Corpus)
	if err := json.Unmarshal(raw, back); err != nil {
		t.Fatal(err)
	}
	if err := back.CheckUnchanged(t.Context()); err != nil {
		t.Errorf("the same file: %v", err)
	}
	put(t, filepath.Dir(path), "a.txt", []byte(poem+"x"))
	if err := back.CheckUnchanged(t.Context()); err == nil || !strings.Contains(err.Error(), "a.txt is not what the run began with") {
		t.Errorf("another file: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := back.CheckUnchanged(t.Context()); err != nil {
		t.Errorf("no file: %v", err)
	}
}

// changing is a source with another text each time it is opened.
func changing(size int64, texts ...string) data.Source {
	n := 0
	return data.Source{Name: "log", Size: size, Open: func() (io.ReadCloser, error) {
		n++
		return io.NopCloser(strings.NewReader(texts[min(n, len(texts))-1])), nil
	}}
}

func TestPrepareErrors(t *testing.T) {
	failing := errors.New("no vocabulary")
	ok := memory("a", strings.Repeat(poem, 100))
	gone := data.Source{Name: "gone", Size: 5, Open: func() (io.ReadCloser, error) { return nil, os.ErrNotExist }}
	broken := data.Source{Name: "broken", Size: 5, Open: func() (io.ReadCloser, error) { return io.NopCloser(iotest.ErrReader(errFull)), nil }}
	tests := []struct {
		name string
		o    data.PrepareOptions
		want string
	}{
		{"no sources", data.PrepareOptions{}, "no text to train on"},
		{"fraction", data.PrepareOptions{Train: []data.Source{ok}, ValidFraction: 1}, "less than 1"},
		{"empty", data.PrepareOptions{Train: []data.Source{memory("e", "")}}, "training text is empty"},
		{"vocabulary", data.PrepareOptions{Train: []data.Source{ok}, Encoding: func() (data.Encoding, error) { return data.Encoding{}, failing }}, "no vocabulary"},
		{"gone", data.PrepareOptions{Train: []data.Source{ok, gone}}, "not exist"},
		{"gone for validation", data.PrepareOptions{Train: []data.Source{ok}, Valid: []data.Source{gone}}, "not exist"},
		{"broken", data.PrepareOptions{Train: []data.Source{broken}}, "disk full"},
		{"shorter", data.PrepareOptions{Train: []data.Source{changing(9, "abc")}}, "log had 9 bytes"},
		{"changed", data.PrepareOptions{Train: []data.Source{changing(-1, "abcd\n", "abcd\n", "abce\n")}}, "log changed"},
		{"changed validation", data.PrepareOptions{Train: []data.Source{ok}, Valid: []data.Source{changing(-1, "abcd\n", "abcde\n")}}, "log changed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.o.Encoding == nil {
				tt.o.Encoding = bytesEncoding
			}
			tt.o.Path = filepath.Join(t.TempDir(), "data.ids")
			_, err := data.Prepare(t.Context(), tt.o)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
			if left, _ := os.ReadDir(filepath.Dir(tt.o.Path)); len(left) > 0 {
				t.Errorf("%s is left", left[0].Name())
			}
		})
	}
}

func TestPrepareCancelled(t *testing.T) {
	src := data.Source{Name: "m", Size: -1, Open: memory("m", strings.Repeat(poem, 100000)).Open}
	for _, stage := range []string{"measure", "read", "encode"} {
		dir := t.TempDir()
		ctx, cancel := context.WithCancel(t.Context())
		seen := 0
		_, err := data.Prepare(ctx, data.PrepareOptions{
			Train: []data.Source{src}, Encoding: bytesEncoding, Path: filepath.Join(dir, "data.ids"),
			Progress: func(p data.Progress) {
				if p.Stage == stage {
					seen++
					cancel()
				}
			},
		})
		if !errors.Is(err, context.Canceled) || seen != 1 {
			t.Errorf("%s: %v after %d pieces", stage, err, seen)
		}
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("%s: %s is left", stage, left[0].Name())
		}
		cancel()
	}
}

// endless gives n bytes of lines without holding them.
type endless struct{ n int64 }

func (e *endless) Read(p []byte) (int, error) {
	if e.n == 0 {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), e.n))
	for i := range p[:n] {
		p[i] = "to be or not to be, that is the question\n"[(e.n-int64(i))%41]
	}
	e.n -= int64(n)
	return n, nil
}

// Memory doesn't grow with the text.
func TestPrepareMemory(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	const size = 64 << 20
	src := data.Source{Name: "long", Size: size, Open: func() (io.ReadCloser, error) { return io.NopCloser(&endless{size}), nil }}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	c, err := data.Prepare(t.Context(), data.PrepareOptions{Train: []data.Source{src}, Encoding: bytesEncoding, Learn: func([]byte) {}})
	if err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 48<<20 {
		t.Errorf("%d bytes allocated for a text of %d", got, size)
	}
	if c.Train.Bytes+c.Valid.Bytes != size {
		t.Errorf("parts of %d and %d bytes", c.Train.Bytes, c.Valid.Bytes)
	}
}
