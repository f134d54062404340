package tokenizer

import (
	"fmt"
	"strings"
	"testing"
)

// Counting forgets rare words when there are too many, at the same place
// however the text comes, and keeps the frequent ones.
func TestForgetting(t *testing.T) {
	var text strings.Builder
	for i := range 20000 {
		fmt.Fprintf(&text, "common other%d rare%d\n", i%10, i)
	}
	count := func(pieces bool, words, bytes int) *Tokenizer {
		tr, err := NewTrainer(Options{Kind: Word, MinCount: 2})
		if err != nil {
			t.Fatal(err)
		}
		tr.limitWords, tr.limitBytes = words, bytes
		if pieces {
			for line := range strings.Lines(text.String()) {
				tr.Write([]byte(line))
			}
		} else {
			tr.Write([]byte(text.String()))
		}
		if tr.words.len() > words || len(tr.words.bytes) > bytes {
			t.Errorf("%d words in %d bytes are left", tr.words.len(), len(tr.words.bytes))
		}
		tok, err := tr.Tokenizer()
		if err != nil {
			t.Fatal(err)
		}
		return tok
	}
	all := count(false, maxVocab, maxCountedBytes)
	for _, limit := range []struct{ words, bytes int }{{1000, maxCountedBytes}, {maxVocab, 5000}} {
		got := count(false, limit.words, limit.bytes)
		if got.ID() != all.ID() {
			t.Errorf("%+v: %d entries, want the %d frequent ones", limit, got.Size(), all.Size())
		}
		if count(true, limit.words, limit.bytes).ID() != got.ID() {
			t.Errorf("%+v: pieces change the vocabulary", limit)
		}
	}
}

func TestTable(t *testing.T) {
	tab := newTable(0)
	const n = 10000
	for i := range n {
		if got, fresh := tab.add(fmt.Appendf(nil, "w%d", i)); got != i || !fresh {
			t.Fatalf("word %d got number %d, fresh %v", i, got, fresh)
		}
	}
	for i := range n {
		w := fmt.Appendf(nil, "w%d", i)
		if got := tab.lookup(w); got != i || string(tab.at(i)) != string(w) {
			t.Fatalf("word %d is found at %d as %q", i, got, tab.at(i))
		}
	}
	if tab.lookup([]byte("w")) != -1 || tab.lookup(nil) != -1 {
		t.Error("found what is not there")
	}
}
