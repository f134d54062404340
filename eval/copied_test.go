package eval_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/eval"
	"github.com/refrain-lm/refrain/tokenizer"
)

func TestLongestCopy(t *testing.T) {
	tok := tokenizer.NewByte()
	for _, c := range []struct {
		name    string
		samples []string
		text    string
		want    string
	}{
		{"in the middle", []string{"xxthe kingyy"}, "once the kind the kings", "the king"},
		{"whole sample", []string{"abc"}, "zabcz", "abc"},
		{"nothing", []string{"abc"}, "xyz", ""},
		{"not across samples", []string{"ab", "cd"}, "abcd", "ab"},
		{"in the second sample", []string{"abcx", "abcabcd"}, "zabcabcdz", "abcabcd"},
		{"blanks count once", []string{"a \t    b"}, "a  b\t\t\tc", "a b"},
		{"ends with the text", []string{"hello there"}, "say hello", "hello"},
		{"no sample", []string{""}, "say hello", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := eval.LongestCopy(tok, c.samples, data.Slice(tok.Encode(nil, []byte(c.text))))
			if err != nil || got != c.want {
				t.Errorf("got %q, %v, want %q", got, err, c.want)
			}
		})
	}
}

// TestLongestCopyFindsAll compares with trying every stretch.
func TestLongestCopyFindsAll(t *testing.T) {
	tok := tokenizer.NewByte()
	rng := rand.New(rand.NewPCG(1, 2))
	letters := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = "abc"[rng.IntN(3)]
		}
		return string(b)
	}
	for range 300 {
		samples, text, want := []string{letters(rng.IntN(20)), letters(rng.IntN(20))}, letters(rng.IntN(60)), 0
		for _, s := range samples {
			for i := range s {
				for j := i + want + 1; j <= len(s) && strings.Contains(text, s[i:j]); j++ {
					want = j - i
				}
			}
		}
		got, err := eval.LongestCopy(tok, samples, data.Slice(tok.Encode(nil, []byte(text))))
		joined := strings.Join(samples, "|")
		if err != nil || len(got) != want || !strings.Contains(text, got) || !strings.Contains(joined, got) {
			t.Fatalf("samples %q, text %q: got %q, %v, want %d letters", samples, text, got, err, want)
		}
	}
}
