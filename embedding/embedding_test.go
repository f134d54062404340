package embedding_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/refrain-lm/refrain/embedding"
)

const glove = "the 0.5 -1 2e-3\n白日 1 2 3\n. . 4 5 6\n"

// word2vec writes the binary format, each vector ended by end.
func word2vec(end string) string {
	var b strings.Builder
	b.WriteString("3 3\n")
	for _, v := range []struct {
		word    string
		numbers []float32
	}{{"the", []float32{0.5, -1, 2e-3}}, {"白日", []float32{1, 2, 3}}, {".", []float32{4, 5, 6}}} {
		b.WriteString(v.word + " ")
		binary.Write(&b, binary.LittleEndian, v.numbers)
		b.WriteString(end)
	}
	return b.String()
}

func zipped(s string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	io.WriteString(z, s)
	z.Close()
	return b.String()
}

// all reads every vector of a file as "word [numbers]".
func all(file string) (out []string, err error) {
	r, err := embedding.NewReader(strings.NewReader(file))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	for {
		word, v, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		out = append(out, fmt.Sprint(string(word), v))
	}
}

func TestFormats(t *testing.T) {
	want := []string{"the[0.5 -1 0.002]", "白日[1 2 3]", ".[4 5 6]"}
	spaced := []string{want[0], want[1], ". .[4 5 6]"}
	for _, c := range []struct {
		name, file string
		want       []string
	}{
		{"GloVe", glove, spaced},
		{"GloVe, no last line end, carriage returns", strings.ReplaceAll(strings.TrimSuffix(glove, "\n"), "\n", "\r\n"), spaced},
		{"word2vec text, fastText", "3 3\n" + glove, spaced},
		{"fastText's last space", "3 3\n" + strings.ReplaceAll(glove, "\n", " \n"), spaced},
		{"word2vec binary", word2vec(""), want},
		{"word2vec binary with line ends", word2vec("\n"), want},
		{"one number", "a 1\nb 2\n", []string{"a[1]", "b[2]"}},
	} {
		for _, zip := range []bool{false, true} {
			file := c.file
			if zip {
				file = zipped(file)
			}
			if got, err := all(file); err != nil || !slices.Equal(got, c.want) {
				t.Errorf("%s, gzip %v: %q, %v, want %q", c.name, zip, got, err, c.want)
			}
		}
	}
}

func TestBadFiles(t *testing.T) {
	binary := word2vec("")
	for _, c := range []struct{ name, file, want string }{
		{"empty", "", "empty"},
		{"a text", "Call me Ishmael. Some years ago\n", "not a file of word vectors"},
		{"one column", "the\nof\n", "not a file of word vectors"},
		{"fewer numbers", "a 1 2 3\nb 1 2\n", "line 2"},
		{"more numbers", "a 1 2\nb 1 2 3\n", "line 2: more than 2 numbers"},
		{"a word for a number", "a 1 2\nb 1 x\n", `line 2: "x" is not a number`},
		{"not a number", "a 1 2\nb 1 NaN\n", "NaN"},
		{"infinite", "a 1 2\nb 1 1e999\n", "line 2"},
		{"fewer lines than the header says", "3 2\na 1 2\n", "cut: 1 vectors, its first line says 3"},
		{"binary cut in a vector", binary[:len(binary)-1], "cut within its vector"},
		{"binary cut in a word", binary[:4+3+1+12+2], "cut within a word"},
		{"binary of another width", "3 4\n" + binary[4:], "cut"},
		{"binary with a space in a word", strings.Replace(word2vec("\n"), "白日", "new york", 1), "has a space in it"},
		{"a wide header", "3 99999999\na 1\n", "99999999"},
		{"damaged gzip", zipped(glove)[:30], "EOF"},
		{"an endless line", "a 1\n" + strings.Repeat("x", 1<<21), "a line of more than"},
	} {
		_, err := all(c.file)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v, want one line with %q", c.name, err, c.want)
		}
	}
}

func TestSelect(t *testing.T) {
	words := []string{"", "日", "白日", "the", "the", "gone"}
	table := make([]float32, len(words)*3)
	for i := range table {
		table[i] = 9
	}
	r, err := embedding.NewReader(strings.NewReader(glove + "the 7 7 7\n"))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Fits(4); err == nil || !strings.Contains(err.Error(), "3 numbers, the embedding is 4 wide") {
		t.Errorf("wrong width: %v", err)
	}
	m, err := embedding.Select(r, words)
	if err != nil {
		t.Fatal(err)
	}
	if m.Words != 5 || m.Found != 3 || m.Missing() != 2 || m.Width != 3 {
		t.Errorf("%d words, %d found, %d missing, %d wide; want 5, 3, 2, 3", m.Words, m.Found, m.Missing(), m.Width)
	}
	m.Fill(table)
	want := []float32{9, 9, 9, 9, 9, 9, 1, 2, 3, 0.5, -1, 2e-3, 0.5, -1, 2e-3, 9, 9, 9}
	if !slices.Equal(table, want) {
		t.Errorf("table %v, want %v", table, want)
	}
}

// TestRealFiles reads the slices of published vectors.
func TestRealFiles(t *testing.T) {
	dir := os.Getenv("REFRAIN_DATA")
	if dir == "" {
		dir = "../../shared/data"
	}
	for name, want := range map[string]struct{ words, width int }{
		"glove.6B.50d.top9163.txt":           {9163, 50},
		"fasttext-wiki-news-300d.top999.vec": {999, 300},
		"glove.840B.300d-char.txt":           {94, 300},
	} {
		r, err := embedding.Open(filepath.Join(dir, "word-vectors", name))
		if errors.Is(err, os.ErrNotExist) {
			t.Skip("no word vectors: set REFRAIN_DATA")
		}
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for {
			if _, _, err = r.Next(); err != nil {
				break
			}
			n++
		}
		if !errors.Is(err, io.EOF) || n != want.words || r.Width() != want.width {
			t.Errorf("%s: %d words of %d numbers, %v; want %d of %d", name, n, r.Width(), err, want.words, want.width)
		}
		r.Close()
	}
}

func FuzzReader(f *testing.F) {
	for _, s := range []string{glove, "3 3\n" + glove, word2vec(""), word2vec("\n"), zipped(glove), "1 1\na \x00\x00\x80?"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		r, err := embedding.NewReader(bytes.NewReader(file))
		if err != nil {
			return
		}
		for range 1000 {
			word, v, err := r.Next()
			if err != nil {
				return
			}
			if len(v) != r.Width() {
				t.Fatalf("%q has %d numbers, want %d", word, len(v), r.Width())
			}
			for _, x := range v {
				if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
					t.Fatalf("%q has %v", word, x)
				}
			}
		}
	})
}
