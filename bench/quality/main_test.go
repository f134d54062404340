package main

import (
	"strings"
	"testing"
)

func TestWithSection(t *testing.T) {
	text := withSection("# Results\n", "go", "one")
	if want := "# Results\n\n<!-- go -->\none\n<!-- end of go -->\n"; text != want {
		t.Errorf("appended: %q, want %q", text, want)
	}
	text = withSection(text, "poems", "two $1")
	text = withSection(text, "go", "three")
	if want := "# Results\n\n<!-- go -->\nthree\n<!-- end of go -->\n\n<!-- poems -->\ntwo $1\n<!-- end of poems -->\n"; text != want {
		t.Errorf("replaced: %q, want %q", text, want)
	}
}

func TestRunRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"no corpus", nil, "name a corpus"},
		{"unknown corpus", []string{"wikitext"}, `no corpus "wikitext"`},
		{"no seeds", []string{"ptb", "-seeds", "0"}, "1 or more"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := run(c.args); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("run(%q): %v, want an error with %q", c.args, err, c.want)
			}
		})
	}
}

func TestHead(t *testing.T) {
	for _, c := range []struct {
		text string
		n    int
		want string
	}{{"天地玄黃", 2, "天地"}, {"ab", 5, "ab"}, {"ab", 0, ""}} {
		if got := head(c.text, c.n); got != c.want {
			t.Errorf("head(%q, %d) = %q, want %q", c.text, c.n, got, c.want)
		}
	}
}

func TestRepeatable(t *testing.T) {
	for _, c := range []struct {
		args  string
		extra int // of them behind --
		want  string
	}{
		{"ptb", 0, "ptb"},
		{"go -bin there/refrain -dir here -results R.md", 0, "go"},
		{"shakespeare -time 1m -bin x -seeds 2", 0, "shakespeare -time 1m -seeds 2"},
		{"ptb-hour -bin x -- --lr 0.004", 2, "ptb-hour -- --lr 0.004"},
	} {
		args := strings.Fields(c.args)
		if got := repeatable(args, args[len(args)-c.extra:]); got != c.want {
			t.Errorf("%s: %q, want %q", c.args, got, c.want)
		}
	}
}
