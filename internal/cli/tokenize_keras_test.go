package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTokenizeKeras(t *testing.T) {
	dir := t.TempDir()
	text, saved := filepath.Join(dir, "text.txt"), filepath.Join(dir, "tokenizer.json")
	write(t, text, "The cat sat on the mat.\r\nThe DOG!\n\n")
	if r := refrain(t, nil, "", "tokenize", "--keras", text, "--write", saved, "--oov", "?"); r.status != 0 {
		t.Fatal(r.err)
	}
	for _, c := range []struct{ args, stdin, want string }{
		{text, "", "1 2 3 4 1 5\n1 6\n\n"},
		{text + " --json", "", "[1,2,3,4,1,5]\n[1,6]\n[]\n"},
		{text + " --maxlen 3", "", "4 1 5\n0 1 6\n0 0 0\n"},
		{text + " --pad post --truncate post --maxlen 3", "", "1 2 3\n1 6 0\n0 0 0\n"},
		{text + " --maxlen 2 --value -1", "", "1 5\n1 6\n-1 -1\n"},
		{text + " --pairs --pad pre --num-words 3", "", "0 1\t2\n1 2\t1\n"},
		{text + " --matrix count --num-words 3", "", "0 2 1\n0 1 0\n0 0 0\n"},
		{text + " --lower=false --char-level --num-words 3", "", "1 2 1 2 1 1 2 1 2\n1\n\n"},
		{text + " --info --num-words 2", "", "1\tthe\t3\t2\n2\tcat\t1\t1\n3\tsat\t1\t1\n4\ton\t1\t1\n5\tmat\t1\t1\n6\tdog\t1\t1\n"},
		{"- --from " + saved, "the bird sat\n", "2 1 4\n"},
		{"- --from " + saved + " --texts", "2 1 4\n[2,7]\n", "the ? sat\nthe dog\n"},
		{text + " --per-file", "", "1 2 3 4 1 5 1 6\n"},
	} {
		r := refrain(t, nil, c.stdin, append([]string{"tokenize", "--keras"}, strings.Fields(c.args)...)...)
		if r.status != 0 || r.out != c.want {
			t.Errorf("%s: %q, %s, want %q", c.args, r.out, r.err, c.want)
		}
	}
	raw, err := os.ReadFile(saved)
	if err != nil || !strings.HasPrefix(string(raw), `{"class_name":"Tokenizer","config":{"num_words":null,`) {
		t.Errorf("%.80s, %v: not what tokenizer_from_json of Keras reads", raw, err)
	}
	for _, c := range []struct {
		args, want string
		status     int
	}{
		{"model --oov x", "--oov goes with --keras", 2},
		{"model --value 9", "--value goes with --keras", 2},
		{"--keras --ids " + text, "leave out --ids", 2},
		{"--keras --vocab-size 9 " + text, "did you mean --num-words?", 2},
		{"--keras --max_vocab 9 " + text, "did you mean --num-words?", 2},
		{"--keras --oov_token x " + text, "did you mean --oov?", 2},
		{"--keras --pad left " + text, "pre or post", 2},
		{"--keras --matrix counts " + text, "binary, count, freq, tfidf", 2},
		{"--keras --from " + saved + " --oov x " + text, "leave out --oov", 2},
		{"--keras --texts " + text, "--from FILE", 2},
		{"--keras --from " + saved + " --texts " + text, "line 1: The is no id", 1},
		{"--keras --from " + text + " " + text, "not a tokenizer's JSON", 1},
	} {
		r := refrain(t, nil, "", append([]string{"tokenize"}, strings.Fields(c.args)...)...)
		if r.status != c.status || !strings.Contains(r.err, c.want) {
			t.Errorf("%s: exit %d, %q, want %d and %q", c.args, r.status, r.err, c.status, c.want)
		}
	}
}
