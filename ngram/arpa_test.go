package ngram_test

import (
	"bytes"
	"compress/gzip"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/refrain-lm/refrain/ngram"
)

// texts are words for small's ids.
func texts(id int32) string {
	return []string{"<unk>", "\n", "a", "späte", "<c>", "\\d", "1-grams:", "河"}[id]
}

func TestARPARoundTrip(t *testing.T) {
	m := small(t)
	var first, second bytes.Buffer
	if err := m.WriteARPA(&first, texts); err != nil {
		t.Fatal(err)
	}
	got, words, err := ngram.ReadARPA(bytes.NewReader(first.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	for id, w := range words {
		if w != texts(int32(id)) {
			t.Errorf("word %d is %q, was %q", id, w, texts(int32(id)))
		}
	}
	alike(t, m, got, 1e-6)
	if err := got.WriteARPA(&second, texts); err != nil {
		t.Fatal(err)
	}
	a, b := strings.Fields(first.String()), strings.Fields(second.String())
	for i := range a {
		x, xerr := strconv.ParseFloat(a[i], 64)
		y, yerr := strconv.ParseFloat(b[i], 64)
		if xerr == nil && yerr == nil && math.Abs(x-y) > 1e-6 || (xerr != nil || yerr != nil) && a[i] != b[i] {
			t.Fatalf("field %d: %s, then %s", i, a[i], b[i])
		}
	}
}

// TestARPAOrder reads n-grams in any order, and without <unk>.
func TestARPAOrder(t *testing.T) {
	const head, tail = "a comment\n\\data\\\nngram 1=4\nngram 2=3\n\n\\1-grams:\n", "\n\\end\\\n"
	sorted := head + "-99\t<s>\t-0.3\n-0.5\t</s>\n-0.4\tx\t-0.2\n-0.7\ty\n\n\\2-grams:\n-0.1\t<s> x\n-0.2\tx y\n-0.3\tx </s>\n" + tail
	mixed := head + "-0.4 x -0.2\n-99 <s> -0.3\n-0.7\ty\t0\r\n-0.5\t</s>\n\n\\2-grams:\n-0.3\tx </s>\n\n-0.1\t<s>  x\n-0.2\tx y\n" + tail
	a, words, err := ngram.ReadARPA(strings.NewReader(sorted))
	if err != nil {
		t.Fatal(err)
	}
	b, _, err := ngram.ReadARPA(strings.NewReader(mixed))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(file(t, a), file(t, b)) {
		t.Error("the same n-grams in another order make another model")
	}
	if want := []string{"<unk>", "\n", "x", "y"}; strings.Join(words, " ") != strings.Join(want, " ") {
		t.Errorf("words %q, want %q", words, want)
	}
	s := a.NewStepper()
	for _, c := range []struct {
		before, word int32
		log10        float64
	}{{1, 2, -0.1}, {2, 3, -0.2}, {2, 1, -0.3}, {1, 3, -0.3 - 0.7}, {2, 2, -0.2 - 0.4}, {3, 2, -0.4}, {2, 0, -0.2 - 100}} {
		if got := float64(s.Step(c.before)[c.word]) / math.Ln10; math.Abs(got-c.log10) > 1e-5 {
			t.Errorf("log10 p(%d|%d) = %v, want %v", c.word, c.before, got, c.log10)
		}
	}
}

func TestARPARefuses(t *testing.T) {
	const whole = "\\data\\\nngram 1=4\nngram 2=2\n\n\\1-grams:\n-1\t<unk>\n-99\t<s>\t-0.3\n-0.5\t</s>\n-0.4\tx\t-0.2\n\n\\2-grams:\n-0.1\t<s> x\n-0.3\tx </s>\n\n\\end\\\n"
	if _, _, err := ngram.ReadARPA(strings.NewReader(whole)); err != nil {
		t.Fatal(err)
	}
	with := func(old, new string) string {
		if !strings.Contains(whole, old) {
			t.Fatalf("no %q", old)
		}
		return strings.Replace(whole, old, new, 1)
	}
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", "no ARPA file"},
		{"a novel", strings.Repeat("It was a dark and stormy night.\n", 3000), "no ARPA file"},
		{"one long line", "\\data\\\nngram 1=" + strings.Repeat("9", 2<<20), "longer than 1 MB"},
		{"cut in the head", whole[:20], "cut short"},
		{"cut in a section", whole[:strings.Index(whole, "-0.4")], "1-grams, 3 of 4 read"},
		{"cut before the end", with("\\end\\\n", ""), "cut short"},
		{"a gap", with("-0.3\tx </s>\n", ""), "1 2-grams, 2 were promised"},
		{"one more", with("-0.3\tx </s>\n", "-0.3\tx </s>\n-0.3\tx x\n"), "more 2-grams than the 2 promised"},
		{"counts out of order", with("ngram 2=", "ngram 3="), "want ngram 2=count"},
		{"a count that is none", with("ngram 2=2", "ngram 2=many"), "want ngram 2=count"},
		{"a negative count", with("ngram 2=2", "ngram 2=-2"), "want ngram 2=count"},
		{"a promise of all memory", with("ngram 1=4", "ngram 1=4000000000000000000"), "were promised"},
		{"no heading", with("\\2-grams:", "\\3-grams:"), "2-grams: belongs"},
		{"p above 1", with("-0.4\tx", "0.4\tx"), "above 0"},
		{"p not a number", with("-0.4\tx", "nan\tx"), "no logarithm"},
		{"p no number", with("-0.4\tx", "x\tx"), "no logarithm"},
		{"backoff infinite", with("-0.2\n", "inf\n"), "no logarithm"},
		{"too few fields", with("<s> x", "x"), "2 words"},
		{"too many fields", with("<s> x", "<s> x x x"), "2 words"},
		{"an unknown word", with("<s> x", "<s> y"), "not among the 1-grams"},
		{"a word twice", with("-1\t<unk>", "-1\tx"), "comes twice"},
		{"an n-gram twice", with("x </s>", "<s> x"), "comes twice"},
		{"<s> inside", with("x </s>", "x <s>"), "within an n-gram"},
		{"</s> inside", with("x </s>", "</s> x"), "within an n-gram"},
		{"no </s>", strings.ReplaceAll(strings.Replace(whole, "x </s>", "x x", 1), "</s>", "z"), "no </s>"},
		{"no context", strings.Replace(with("ngram 2=2\n", "ngram 2=2\nngram 3=1\n"), "\\end\\", "\\3-grams:\n-1\tx x x\n\n\\end\\", 1), "no 2-gram"},
		{"too long", "\\data\\\n" + func() (s string) {
			for n := range 40 {
				s += "ngram " + strconv.Itoa(n+1) + "=1\n"
			}
			return s
		}(), "more than 32 words"},
	} {
		_, _, err := ngram.ReadARPA(strings.NewReader(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		} else if strings.Contains(err.Error(), "\n") || len(err.Error()) > 200 {
			t.Errorf("%s: %q is no short line", c.name, err)
		}
	}
}

func TestWriteARPARefuses(t *testing.T) {
	m := train(t, []int32{1, 2, 3, 1}, ngram.Options{Order: 2, Vocab: 4, LineEnd: -1})
	if err := m.WriteARPA(&bytes.Buffer{}, texts); err == nil || !strings.Contains(err.Error(), "across lines") {
		t.Errorf("a stream without sentences: %v", err)
	}
	mark := func(id int32) string { return strings.Replace(texts(id), "<c>", "</s>", 1) }
	if err := small(t).WriteARPA(&bytes.Buffer{}, mark); err == nil || !strings.Contains(err.Error(), "</s>") {
		t.Errorf("a word that is a mark: %v", err)
	}
}

// TestKenLMFile reads KenLM's own file and holds its counts and every score.
func TestKenLMFile(t *testing.T) {
	dir := filepath.Join(corpora(t), "fixtures", "kenlm")
	f, err := os.Open(filepath.Join(dir, "order4.arpa.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	m, words, err := ngram.ReadARPA(z)
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]int32{}
	for id, w := range words {
		ids[w] = int32(id)
	}
	text, err := os.ReadFile(filepath.Join(dir, "heldout.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var held []int32
	for line := range strings.Lines(string(text)) {
		for _, w := range strings.Fields(line) {
			held = append(held, ids[w]) // 0 where there is none: the unknown word
		}
		held = append(held, 1)
	}
	want := kenlmScores(t, filepath.Join(dir, "scores.tsv"))
	for i, got := range nats(m, 1, held) {
		if math.Abs(got/math.Ln10-want[i]) > 1e-5 {
			t.Errorf("line %d: log10 p %.6f, KenLM %.6f", i+1, got/math.Ln10, want[i])
		}
	}
}

// FuzzReadARPA wants an error or a model that predicts.
func FuzzReadARPA(f *testing.F) {
	var b bytes.Buffer
	if err := small(f).WriteARPA(&b, texts); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte("\\data\\\nngram 1=2\nngram 2=1\n\\1-grams:\n-1 <s> -1\n-1 </s>\n\\2-grams:\n-1 <s> </s>\n\\end\\\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, words, err := ngram.ReadARPA(bytes.NewReader(raw))
		if err != nil {
			return
		}
		if len(words) != m.Vocab() {
			t.Fatalf("%d words, vocabulary of %d", len(words), m.Vocab())
		}
		s := m.NewStepper()
		for id := range int32(m.Vocab()) {
			s.Step(id)
			s.Step(1)
		}
	})
}
