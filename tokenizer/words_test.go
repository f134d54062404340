package tokenizer_test

import (
	"strings"
	"testing"

	"github.com/refrain-lm/refrain/tokenizer"
)

func TestNewWords(t *testing.T) {
	tok, err := tokenizer.NewWords([]string{"<unk>", "\n", "river", "späte", "河"})
	if err != nil {
		t.Fatal(err)
	}
	ids := tok.Encode(nil, []byte("späte river\n河 gone\n"))
	for i, want := range []int32{3, 2, 1, 4, 0, 1} {
		if ids[i] != want {
			t.Errorf("ids %v", ids)
			break
		}
	}
	for _, c := range []struct {
		words []string
		want  string
	}{
		{nil, "0 tokens"},
		{[]string{"<unk>", "\n"}, "2 tokens"},
		{[]string{"a", "b", "c"}, "the first tokens"},
		{[]string{"<unk>", "\n", "a", "a"}, "twice"},
		{[]string{"<unk>", "\n", "a b"}, "white space"},
		{[]string{"<unk>", "\n", ""}, "0 bytes"},
		{[]string{"<unk>", "\n", strings.Repeat("a", 5000)}, "5000 bytes"},
	} {
		if _, err := tokenizer.NewWords(c.words); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.40q: %v, want %q", c.words, err, c.want)
		}
	}
}
