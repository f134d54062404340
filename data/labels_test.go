package data_test

import (
	"strings"
	"testing"

	"github.com/refrain-lm/refrain/data"
)

func TestLabels(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"tab", strings.Repeat("good\tI like it\nbad\tI do not, no\n", 300), "label TAB text), not of text; take the second column: cut -f2 x"},
		{"of two words", strings.Repeat("very good\tI like it\nbad\tI do not\n", 9), "label TAB text"},
		{"comma", strings.Repeat("1,\"I like it, really\"\n0,I do not\n", 30), "label,text"},
		{"comma, lines end as in Windows", strings.Repeat("1,I like it\r\n0,I do not\r\n", 30), "label,text"},
		{"alone", strings.Repeat("pos\nneg\nneg\n", 10), "labels alone"},
		{"prose", strings.Repeat("Well, I like it.\nNo, I do not\n", 30) + strings.Repeat("It is so and not otherwise\n", 10), ""},
		{"verse with commas", strings.Repeat("the king, who sees\na dog, and sold it\nmy friend, nobody\n", 9), ""},
		{"a word a line", "the\nking\nsees\na\ndog\nand\nsold\nit\nto\nnobody\n", ""},
		{"code", strings.Repeat("\tif x {\n\t\treturn\n\t}\n", 30), ""},
		{"few lines", "a\tb\na\tc\n", ""},
		{"one word", "word", ""},
		{"nothing", "", ""},
	} {
		got := data.Labels("x", []byte(c.text))
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
