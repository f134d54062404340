package data_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/refrain-lm/refrain/data"
)

var sentences = [][]int32{{1, 2, 3, 4}, {5}, {6, 7}, {}, {8, 9, 10}}

func documents(t testing.TB, docs [][]int32, o data.DocumentOptions) *data.Documents {
	t.Helper()
	d, err := data.NewDocuments(docs, o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// pass reads one pass and writes every row as "inputs > targets", padding as "."
func pass(t testing.TB, d *data.Documents) (rows []string) {
	t.Helper()
	var b data.Batch
	for range d.Windows() {
		if err := d.Next(&b); err != nil {
			t.Fatal(err)
		}
		if !b.Reset || b.B != d.Lanes() || len(b.Inputs) != b.T*b.B || len(b.Targets) != b.T*b.B {
			t.Fatalf("batch of %d steps, %d rows, %d inputs, %d targets, reset %v", b.T, b.B, len(b.Inputs), len(b.Targets), b.Reset)
		}
		for r := range b.B {
			var in, want []string
			for k := r; k < len(b.Inputs); k += b.B {
				in = append(in, fmt.Sprint(b.Inputs[k]))
				want = append(want, strings.Replace(fmt.Sprint(b.Targets[k]), "-1", ".", 1))
			}
			rows = append(rows, strings.Join(in, " ")+" > "+strings.Join(want, " "))
		}
	}
	return rows
}

func TestDocuments(t *testing.T) {
	tests := []struct {
		name string
		o    data.DocumentOptions
		want []string
	}{
		{"every", data.DocumentOptions{Rows: 2}, []string{
			"1 2 3 > 2 3 4", "6 0 0 > 7 . .",
			"8 9 > 9 10", "0 0 > . .",
		}},
		{"every, two at most", data.DocumentOptions{Rows: 3, MaxLen: 2}, []string{"2 3 > 3 4", "6 0 > 7 .", "8 9 > 9 10"}},
		{"last", data.DocumentOptions{Form: data.LastPosition, Rows: 3}, []string{
			"1 0 0 > 2 . .", "1 2 0 > . 3 .", "1 2 3 > . . 4",
			"6 0 > 7 .", "8 0 > 9 .", "8 9 > . 10",
		}},
		{"last, two at most", data.DocumentOptions{Form: data.LastPosition, Rows: 6, MaxLen: 2}, []string{
			"1 0 > 2 .", "1 2 > . 3", "2 3 > . 4", "6 0 > 7 .", "8 0 > 9 .", "8 9 > . 10",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := documents(t, sentences, tt.o)
			for range 2 { // every pass alike
				if got := pass(t, d); !slices.Equal(got, tt.want) {
					t.Errorf("rows %q\nwant %q", got, tt.want)
				}
			}
			if want := int64(6); d.Targets() != want && tt.o.MaxLen == 0 {
				t.Errorf("%d targets, want %d", d.Targets(), want)
			}
		})
	}
}

// TestDocumentsSplit: Keras' split of rows may cut a document, ours by document
// does not.
func TestDocumentsSplit(t *testing.T) {
	last := data.DocumentOptions{Form: data.LastPosition, Rows: 1}
	for _, c := range []struct {
		name         string
		by           func(*data.Documents, float64) (a, b *data.Documents, err error)
		fraction     float64
		train, valid []string
	}{
		{"rows", (*data.Documents).Split, 0.2, // ⌊6·0.8⌋ = 4
			[]string{"1 > 2", "1 2 > . 3", "1 2 3 > . . 4", "6 > 7"}, []string{"8 > 9", "8 9 > . 10"}},
		{"rows, within a document", (*data.Documents).Split, 0.1,
			[]string{"1 > 2", "1 2 > . 3", "1 2 3 > . . 4", "6 > 7", "8 > 9"}, []string{"8 9 > . 10"}},
		{"documents", (*data.Documents).SplitDocuments, 0.1,
			[]string{"1 > 2", "1 2 > . 3", "1 2 3 > . . 4", "6 > 7"}, []string{"8 > 9", "8 9 > . 10"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			train, valid, err := c.by(documents(t, sentences, last), c.fraction)
			if err != nil {
				t.Fatal(err)
			}
			if got := pass(t, train); !slices.Equal(got, c.train) {
				t.Errorf("training rows %q, want %q", got, c.train)
			}
			if got := pass(t, valid); !slices.Equal(got, c.valid) {
				t.Errorf("validation rows %q, want %q", got, c.valid)
			}
		})
	}
}

// TestDocumentsShuffle: every pass has all rows, in an order of its own that Seek
// comes back to; the validation part keeps its order.
func TestDocumentsShuffle(t *testing.T) {
	docs := make([][]int32, 40)
	for i := range docs {
		docs[i] = []int32{int32(i), int32(i + 1), int32(i + 2)}
	}
	o := data.DocumentOptions{Form: data.LastPosition, Rows: 7, Shuffle: true, Seed: 5}
	d, valid, err := documents(t, docs, o).Split(0.25)
	if err != nil {
		t.Fatal(err)
	}
	first, second := pass(t, d), pass(t, d)
	if slices.Equal(first, second) {
		t.Error("two passes have the same order")
	}
	for _, rows := range [][]string{first, second} {
		seen := map[string]bool{}
		for _, row := range rows {
			seen[row] = true
		}
		if len(seen) != 60+1 { // 60 rows, and the missing ones of the last batch
			t.Errorf("%d different rows, want 61", len(seen))
		}
	}
	if err := d.Seek(data.Cursor{Pass: 1}); err != nil {
		t.Fatal(err)
	}
	if got := pass(t, d); !slices.Equal(got, second) {
		t.Errorf("pass 1 again: %q, want %q", got, second)
	}
	if got := pass(t, valid); !strings.HasPrefix(got[0], "30 ") {
		t.Errorf("the validation part begins with %q", got[0])
	}
}

func TestDocumentsErrors(t *testing.T) {
	for _, c := range []struct {
		docs [][]int32
		o    data.DocumentOptions
		want string
	}{
		{nil, data.DocumentOptions{Rows: 1}, "nothing to predict"},
		{[][]int32{{1}, {2}}, data.DocumentOptions{Rows: 1}, "nothing to predict"},
		{sentences, data.DocumentOptions{}, "batches of 0"},
		{sentences, data.DocumentOptions{Rows: 1, Form: "first"}, "first"},
		{sentences, data.DocumentOptions{Rows: 1, MaxLen: -1}, "-1"},
	} {
		if _, err := data.NewDocuments(c.docs, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: error %v, want one with %q", c.o, err, c.want)
		}
	}
	d := documents(t, sentences, data.DocumentOptions{Rows: 2})
	for _, fraction := range []float64{0, 1, 0.99, -1} {
		if _, _, err := d.Split(fraction); err == nil {
			t.Errorf("a split at %v is no error", fraction)
		}
	}
	if err := d.Seek(data.Cursor{Window: 2}); err == nil {
		t.Error("the third of two batches is no error")
	}
}

// TestDocumentsMemory: the prefixes of a document are not kept: 20,000 tokens have
// 200 million tokens of prefixes.
func TestDocumentsMemory(t *testing.T) {
	d := documents(t, [][]int32{make([]int32, 20000)}, data.DocumentOptions{Form: data.LastPosition, Rows: 2, MaxLen: 50, Shuffle: true})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if n := len(pass(t, d)); n != 20000 {
		t.Fatalf("%d rows", n)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 10<<20 {
		t.Errorf("a pass keeps %d bytes", grown)
	}
}

func TestTexts(t *testing.T) {
	read := func(whole bool) []string {
		docs, err := data.Texts([]data.Source{data.Text("a", []byte("one\r\ntwo\n\nthree")), data.Text("b", []byte("four\n"))}, whole)
		if err != nil {
			t.Fatal(err)
		}
		return docs
	}
	if got, want := read(false), []string{"one", "two", "", "three", "four"}; !slices.Equal(got, want) {
		t.Errorf("lines %q, want %q", got, want)
	}
	if got, want := read(true), []string{"one\ntwo\n\nthree", "four\n"}; !slices.Equal(got, want) {
		t.Errorf("sources %q, want %q", got, want)
	}
}
