package keras_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/refrain-lm/refrain/keras"
)

// golden is testdata/keras.json, which testdata/golden.py wrote.
type golden struct {
	Texts map[string][]string
	Other []string
	Cases []struct {
		Name   string // of its Texts
		Args   args
		Tokens bool // the texts are lists of words

		Sequences [][]int32
		Back      []string
		Matrix    map[keras.Mode][][]float64
		JSON      string
	}
}

// counts are the tables of a tokenizer's JSON.
type counts struct {
	wordDocs      map[string]int
	wordIndex     map[string]int32
	indexDocs     map[int32]int
	documentCount int
}

func readCounts(t *testing.T, raw string) (c counts) {
	t.Helper()
	var f struct {
		Config struct {
			DocumentCount int    `json:"document_count"`
			WordDocs      string `json:"word_docs"`
			WordIndex     string `json:"word_index"`
			IndexDocs     string `json:"index_docs"`
		}
	}
	decode(t, []byte(raw), &f)
	c.documentCount = f.Config.DocumentCount
	decode(t, []byte(f.Config.WordDocs), &c.wordDocs)
	decode(t, []byte(f.Config.WordIndex), &c.wordIndex)
	decode(t, []byte(f.Config.IndexDocs), &c.indexDocs)
	if len(c.wordIndex) == 0 {
		t.Fatal("no words")
	}
	return c
}

type args struct {
	NumWords  int     `json:"num_words"`
	OOVToken  string  `json:"oov_token"`
	CharLevel bool    `json:"char_level"`
	Lower     *bool   `json:"lower"`
	Filters   *string `json:"filters"`
	Split     *string `json:"split"`
}

func (a args) tokenizer() *keras.Tokenizer {
	t := keras.NewTokenizer()
	t.NumWords, t.OOVToken, t.CharLevel = a.NumWords, a.OOVToken, a.CharLevel
	if a.Lower != nil {
		t.Lower = *a.Lower
	}
	if a.Filters != nil {
		t.Filters = *a.Filters
	}
	if a.Split != nil {
		t.Split = *a.Split
	}
	return t
}

func readGolden(t *testing.T) golden {
	t.Helper()
	raw, err := os.ReadFile("testdata/keras.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	decode(t, raw, &g)
	if len(g.Cases) != 56 {
		t.Fatalf("%d cases, want 56", len(g.Cases))
	}
	return g
}

func decode(t *testing.T, raw []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(raw, v); err != nil {
		t.Fatal(err)
	}
}

// list decodes documents of one form.
func list[T any](t *testing.T, raw []json.RawMessage) []T {
	t.Helper()
	out := make([]T, len(raw))
	for i := range raw {
		decode(t, raw[i], &out[i])
	}
	return out
}

func TestTokenizerAsKeras(t *testing.T) {
	g := readGolden(t)
	for i, c := range g.Cases {
		t.Run(fmt.Sprintf("%d %s %s", i, c.Name, c.JSON[:80]), func(t *testing.T) {
			tok := c.Args.tokenizer()
			var sequences [][]int32
			texts, want := g.Texts[c.Name], readCounts(t, c.JSON)
			if all := slices.Concat(texts, g.Other); c.Tokens {
				tok.FitOnTokens(split(texts))
				sequences = tok.TokensToSequences(split(all))
			} else {
				tok.FitOnTexts(texts)
				sequences = tok.TextsToSequences(all)
			}
			if !slices.EqualFunc(sequences, c.Sequences, slices.Equal[[]int32]) {
				t.Errorf("sequences %v, want %v", sequences, c.Sequences)
			}
			if got := tok.SequencesToTexts(append(sequences, []int32{1, 2, 99})); !slices.Equal(got, c.Back) {
				t.Errorf("texts %q, want %q", got, c.Back)
			}
			if tok.DocumentCount != want.documentCount {
				t.Errorf("%d documents, want %d", tok.DocumentCount, want.documentCount)
			}
			for w, wantID := range want.wordIndex {
				if id, ok := tok.WordIndex(w); !ok || id != wantID || tok.WordDocs(w) != want.wordDocs[w] {
					t.Errorf("%q has id %d and is in %d documents, want %d and %d", w, id, tok.WordDocs(w), wantID, want.wordDocs[w])
				}
			}
			for id, want := range want.indexDocs {
				if got := tok.IndexDocs(id); got != want {
					t.Errorf("id %d is in %d documents, want %d", id, got, want)
				}
			}
			for mode, want := range c.Matrix {
				got, err := tok.SequencesToMatrix(sequences[len(texts):][:2], mode)
				if err != nil {
					t.Fatal(err)
				}
				sameMatrix(t, string(mode), got, want)
			}
			sameJSON(t, tok, c.JSON)
		})
	}
}

// split cuts texts into words as golden.py does.
func split(texts []string) [][]string {
	out := make([][]string, len(texts))
	for i, text := range texts {
		out[i] = strings.Fields(text)
	}
	return out
}

// sameMatrix allows for logarithms of the last bit.
func sameMatrix(t *testing.T, what string, got, want [][]float64) {
	t.Helper()
	near := func(a, b float64) bool { return math.Abs(a-b) <= 1e-15*math.Abs(b) }
	if !slices.EqualFunc(got, want, func(a, b []float64) bool { return slices.EqualFunc(a, b, near) }) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// sameJSON compares tok's JSON with Keras', and what each reads from the other, the
// order of word_counts among it.
func sameJSON(t *testing.T, tok *keras.Tokenizer, want string) {
	t.Helper()
	ours, err := json.Marshal(tok)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := opened(t, ours), opened(t, []byte(want)); a != b {
		t.Errorf("JSON %s\nwant %s", a, b)
	}
	theirs, err := keras.ReadTokenizer(strings.NewReader(want))
	if err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(theirs)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again, ours) {
		t.Errorf("Keras' JSON read and written: %s\nwant %s", again, ours)
	}
}

// opened is a tokenizer's JSON with the strings that hold JSON opened up and all
// keys sorted.
func opened(t *testing.T, raw []byte) string {
	t.Helper()
	var f struct {
		Config map[string]any `json:"config"`
	}
	decode(t, raw, &f)
	for _, key := range []string{"word_counts", "word_docs", "index_docs", "index_word", "word_index"} {
		var table map[string]any
		decode(t, []byte(f.Config[key].(string)), &table)
		f.Config[key] = table
	}
	sorted, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(sorted)
}

// TestKerasPreprocessingsOwnCases are the expected values of that project's tests.
func TestKerasPreprocessingsOwnCases(t *testing.T) {
	dir := os.Getenv("REFRAIN_DATA")
	if dir == "" {
		dir = "../../shared/data"
	}
	raw, err := os.ReadFile(filepath.Join(dir, "fixtures/keras-preprocessing/cases.json"))
	if err != nil {
		t.Skipf("no fixtures of keras-preprocessing: set REFRAIN_DATA: %v", err)
	}
	var f struct {
		Pad []struct {
			In                  []json.RawMessage
			MaxLen              int
			Padding, Truncating keras.Side
			Value               int
			Out                 json.RawMessage
		} `json:"pad_sequences"`
		Words []struct {
			In, Split string
			Out       []string
		} `json:"text_to_word_sequence"`
		Counts []struct {
			Texts     []string
			CharLevel bool `json:"char_level"`
			Lower     bool
			Counts    map[string]int
		} `json:"tokenizer_word_counts"`
		RoundTrip []struct {
			Fit, In, Out []string
			NumWords     int    `json:"num_words"`
			OOVToken     string `json:"oov_token"`
		} `json:"tokenizer_round_trip"`
		Table struct {
			Size int
			Out  []float64
			RTol float64
		} `json:"skipgram_sampling_table"`
	}
	decode(t, raw, &f)
	for _, c := range f.Pad {
		var got any
		if bytes.HasPrefix(bytes.TrimLeft(c.In[0], "[ "), []byte("1")) && !bytes.HasPrefix(c.In[0], []byte("[[")) {
			got = keras.PadSequences(list[[]int](t, c.In), keras.PadOptions[int]{MaxLen: c.MaxLen, Padding: c.Padding, Truncating: c.Truncating, Value: c.Value})
		} else {
			got = keras.PadSequences(list[[][2]int](t, c.In), keras.PadOptions[[2]int]{MaxLen: c.MaxLen, Padding: c.Padding, Truncating: c.Truncating, Value: [2]int{c.Value, c.Value}})
		}
		var want any
		decode(t, c.Out, &want)
		if a, b := fmt.Sprint(got), fmt.Sprint(want); a != b {
			t.Errorf("padded %s to %d, %s, %s: %s, want %s", c.In, c.MaxLen, c.Padding, c.Truncating, a, b)
		}
	}
	for _, c := range f.Words {
		tok := keras.NewTokenizer()
		tok.Split = c.Split
		if got := tok.Words(c.In); !slices.Equal(got, c.Out) {
			t.Errorf("words of %q: %q, want %q", c.In, got, c.Out)
		}
	}
	for _, c := range f.Counts {
		tok := keras.NewTokenizer()
		tok.CharLevel, tok.Lower = c.CharLevel, c.Lower
		tok.FitOnTexts(c.Texts)
		if got := maps.Collect(tok.WordCounts); !maps.Equal(got, c.Counts) {
			t.Errorf("counts %v, want %v", got, c.Counts)
		}
	}
	for _, c := range f.RoundTrip {
		tok := keras.NewTokenizer()
		tok.NumWords, tok.OOVToken = c.NumWords, c.OOVToken
		tok.FitOnTexts(c.Fit)
		if got := tok.SequencesToTexts(tok.TextsToSequences(c.In)); !slices.Equal(got, c.Out) {
			t.Errorf("round trip %q, want %q", got, c.Out)
		}
	}
	for i, p := range keras.SamplingTable(f.Table.Size, 1e-5) {
		if want := f.Table.Out[i]; math.Abs(p-want) > 1e-5*want {
			t.Errorf("sampling table[%d] = %v, want %v", i, p, want)
		}
	}
}

func TestPrefixes(t *testing.T) {
	var got []string
	for x, y := range keras.Prefixes([]int{7, 8, 9}) {
		got = append(got, fmt.Sprint(x, y))
	}
	if want := []string{"[7] 8", "[7 8] 9"}; !slices.Equal(got, want) {
		t.Errorf("pairs %q, want %q", got, want)
	}
}

func TestFitOnSequences(t *testing.T) {
	tok := keras.NewTokenizer()
	tok.NumWords = 4
	tok.FitOnSequences([][]int32{{1, 1, 2}, {1}})
	got, err := tok.SequencesToMatrix([][]int32{{1, 1, 9}}, keras.TFIDF)
	if err != nil {
		t.Fatal(err)
	}
	sameMatrix(t, "tfidf", got, [][]float64{{0, (1 + math.Log(2)) * math.Log(1+2.0/3), 0, 0}})
}

// TestPaddedSequences: Keras counts the padding of sequences too, as id 0, and
// writes it.
func TestPaddedSequences(t *testing.T) {
	tok := keras.NewTokenizer()
	tok.FitOnTexts([]string{"a b"})
	tok.FitOnSequences([][]int32{{0, 0, 1}})
	raw, err := json.Marshal(tok)
	if err != nil {
		t.Fatal(err)
	}
	read, err := keras.ReadTokenizer(bytes.NewReader(raw))
	if err != nil || read.IndexDocs(0) != 1 {
		t.Errorf("read from %s: %+v, %v; want id 0 in one document", raw, read, err)
	}
}

func TestErrors(t *testing.T) {
	empty := keras.NewTokenizer()
	if _, err := empty.TextsToMatrix([]string{"a"}, keras.Binary); err == nil {
		t.Error("a matrix without columns is no error")
	}
	empty.NumWords = 3
	if _, err := empty.TextsToMatrix([]string{"a"}, keras.TFIDF); err == nil {
		t.Error("tfidf without documents is no error")
	}
	if _, err := empty.TextsToMatrix([]string{"a"}, "counts"); err == nil || !strings.Contains(err.Error(), "counts") {
		t.Errorf("a mode that is none: %v", err)
	}
	if _, err := empty.SequencesToMatrix([][]int32{{-1}}, keras.Count); err == nil {
		t.Error("a negative id is no error")
	}
	for _, raw := range []string{"", "{}", "[]", `{"config":{"word_counts":"{}","word_index":"{\"a\":0}","split":" "}}`,
		`{"config":{"word_counts":"{\"a\":-1}","word_index":"{}","split":" "}}`, `{"config":{"word_counts":"{}","word_index":"{}","split":""}}`,
		`{"config":{"word_counts":"{}","word_index":"[1]","split":" "}}`} {
		if _, err := keras.ReadTokenizer(strings.NewReader(raw)); err == nil {
			t.Errorf("%s is no error", raw)
		} else if strings.Contains(err.Error(), "\n") && raw != "" {
			t.Logf("%s: %v", raw, err)
		}
	}
}

func FuzzReadTokenizer(f *testing.F) {
	tok := keras.NewTokenizer()
	tok.OOVToken = "<unk>"
	tok.FitOnTexts([]string{"a b a", "ΑΣ 白"})
	raw, err := json.Marshal(tok)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(raw), "a Σ b")
	f.Add(`{"config":{"word_counts":"{}","word_index":"{\"a\":1}","split":" "}}`, "a")
	f.Fuzz(func(t *testing.T, raw, text string) {
		tok, err := keras.ReadTokenizer(strings.NewReader(raw))
		if err != nil {
			return
		}
		tok.SequencesToTexts(tok.TextsToSequences([]string{text}))
		once, err := json.Marshal(tok)
		if err != nil {
			t.Fatal(err)
		}
		again, err := keras.ReadTokenizer(bytes.NewReader(once))
		if err != nil {
			t.Fatalf("cannot read what it wrote: %v", err)
		}
		if twice, _ := json.Marshal(again); !bytes.Equal(once, twice) {
			t.Errorf("written %s, read and written %s", once, twice)
		}
	})
}
