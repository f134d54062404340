package cli_test

import (
	"path/filepath"
	"strings"
	"testing"
)

const couplet = "The moon is high, the night is long,\nThe wind is low, it sings a song.\n"

// TestCompareArticle: a table with a row for each cell and epoch, and three folders
// that other commands take.
func TestCompareArticle(t *testing.T) {
	dir := t.TempDir()
	text, out := filepath.Join(dir, "poem.txt"), filepath.Join(dir, "out")
	write(t, text, strings.Repeat(couplet, 20))
	r := refrain(t, nil, "", "compare", "--article", text, "--out", out, "--epochs", "2", "--nhid", "8", "--emsize", "4", "--batch-size", "4")
	if r.status != 0 {
		t.Fatal(r.err)
	}
	lines := strings.Split(strings.TrimSpace(r.out), "\n")
	if len(lines) != 1+3*2+1 || !strings.HasPrefix(lines[6], "gru ") || lines[7] != out {
		t.Errorf("output:\n%s", r.out)
	}
	again := refrain(t, nil, "", "compare", "--resume", out)
	if again.status != 0 || again.out != r.out {
		t.Errorf("resuming what is done: status %d, %q, output:\n%s", again.status, again.err, again.out)
	}
	fails(t, refrain(t, nil, "", "compare", "--article", "--resume", out, text), 2, "", "leave out "+text)
	fails(t, refrain(t, nil, "", "compare", "--article", text, "--out", out), 1, "", "exists already", "refrain compare --resume "+out)
	for _, cell := range []string{"rnn", "lstm", "gru"} {
		for _, verb := range []string{"inspect", "eval", "score", "generate"} {
			args := []string{verb, filepath.Join(out, cell)}
			if verb == "eval" || verb == "score" {
				args = append(args, text)
			}
			if r := refrain(t, nil, "", args...); r.status != 0 {
				t.Errorf("%s of %s: %s", verb, cell, r.err)
			}
		}
	}
}

// TestCompareArticleOnce: one epoch is said in the singular, and a line without a
// word scores nothing.
func TestCompareArticleOnce(t *testing.T) {
	text, out := filepath.Join(t.TempDir(), "poem.txt"), filepath.Join(t.TempDir(), "out")
	write(t, text, strings.Repeat(couplet+"\n", 20))
	r := refrain(t, nil, "", "compare", "--article", text, "--out", out, "--epochs", "1", "--nhid", "8", "--models", "rnn", "--color", "never")
	if r.status != 0 || !strings.Contains(r.err, "batch 64, 1 epoch\n") {
		t.Errorf("%+v", r)
	}
	if r := refrain(t, nil, "", "compare", "--resume", out, "--quiet"); r.status != 0 || r.err != "" {
		t.Errorf("quiet: %+v", r)
	}
	s := refrain(t, nil, couplet+"\n", "score", filepath.Join(out, "rnn"))
	if lines := strings.Split(s.out, "\n"); len(lines) != 4 || !strings.HasPrefix(lines[2], "~0.000") {
		t.Errorf("%+v", s)
	}
}

func TestCompareArticleUsage(t *testing.T) {
	text := filepath.Join(t.TempDir(), "poem.txt")
	write(t, text, couplet)
	for _, c := range []struct {
		args, want string
		code       int
	}{
		{"--form last", "--form goes with --article", 2},
		{"--article --time 1m", "leave out --time", 2},
		{"--article --form first", "every or last", 2},
		{"--article --split 1", "outside", 2},
		{"--article --split-by lines", "rows or documents", 2},
		{"--article --models ngram", "rnn, lstm, lstm-nog, gru", 2},
		{"--article --vectors " + text, "not a file of word vectors", 1},
		{"--article --quiet --vectors " + text, "not a file of word vectors", 1},
		{"--article --freeze-embedding", "--vectors", 1},
	} {
		r := refrain(t, nil, "", append([]string{"compare", text, "--out", filepath.Join(t.TempDir(), "out")}, strings.Fields(c.args)...)...)
		if r.status != c.code || !strings.Contains(r.err, c.want) || strings.Count(strings.TrimSpace(r.err), "\n") > 0 {
			t.Errorf("%s: exit %d, %q; want %d and one line with %q", c.args, r.status, r.err, c.code, c.want)
		}
	}
	labels := filepath.Join(t.TempDir(), "labels.csv")
	write(t, labels, strings.Repeat("good,I like it\nbad,I do not\n", 3))
	fails(t, refrain(t, nil, "", "compare", "--article", labels), 1, labels+" is a file of labels (label,text)", "cut -d, -f2-")
	if r := refrain(t, nil, "one\ntwo\n", "compare", "--article", "-"); r.status != 1 || !strings.Contains(r.err, "nothing to predict") {
		t.Errorf("one word a line: exit %d, %q", r.status, r.err)
	}
}
