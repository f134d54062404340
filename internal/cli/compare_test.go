package cli_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// compareTiny compares in a moment.
var compareTiny = []string{"--models", "rnn,gru,ngram", "--tokens", "4000", "--nhid", "48", "--emsize", "8", "--batch-size", "4", "--bptt", "16", "--timings=false"}

// TestCompare: the folder is all that standard output gets; the same plan gives the
// same report, byte for byte; the models can be used.
func TestCompare(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "song.txt", smallText())
	r := refrain(t, nil, "", append([]string{"compare", "song.txt"}, compareTiny...)...)
	if r.status != 0 || r.out != "song-comparison\n" {
		t.Fatalf("%+v", r)
	}
	for _, want := range []string{"equal  ", "learning rate 0.003 valid ", "gru seed 3 valid ", "No comparison: the test text has 3 blocks", "nats/char", "unigram"} {
		if !strings.Contains(r.err, want) {
			t.Errorf("standard error lacks %q:\n%s", want, r.err)
		}
	}
	if strings.ContainsAny(r.err, "\r\x1b") {
		t.Error("a log has carriage returns or escapes")
	}
	fails(t, refrain(t, nil, "", "train", "--resume", "song-comparison"), 2, "song-comparison is a comparison; go on with: refrain compare --resume song-comparison")
	fails(t, refrain(t, nil, "", "compare", "--resume", "song-comparison/rnn-1"), 2, "song-comparison/rnn-1 is a run of one model; go on with: refrain train --resume song-comparison/rnn-1")
	again := refrain(t, nil, "", append([]string{"compare", "song.txt", "--out", "again", "-q", "--threads", "1"}, compareTiny...)...)
	if again.status != 0 || again.out != "again\n" || again.err != "" {
		t.Fatalf("%+v", again)
	}
	for _, name := range []string{"report.html", "report.md", "report.json"} {
		a, err := os.ReadFile(filepath.Join("song-comparison", name))
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join("again", name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a, b) {
			t.Errorf("%s differs between two runs of one plan", name)
		}
	}
	for _, dir := range []string{"gru-2", "ngram-1"} {
		if r := refrain(t, nil, "", "generate", filepath.Join("again", dir), "--max-tokens", "20"); r.status != 0 || r.out == "" {
			t.Errorf("generate %s: %+v", dir, r)
		}
	}
	if r := refrain(t, nil, "", "compare", "--resume", "again", "--json", "-q"); r.status != 0 {
		t.Errorf("resuming what is done: %+v", r)
	} else {
		lines := strings.Split(strings.TrimSpace(r.out), "\n")
		var last struct{ Kind, Comparison, Report string }
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || last.Kind != "done" || last.Comparison != "again" || last.Report != filepath.Join("again", "report.html") {
			t.Errorf("the last line is %s", lines[len(lines)-1])
		}
	}
	page := filepath.Join("again", "report.html") // which cannot be written where a folder is
	remove(t, page)
	if err := os.MkdirAll(filepath.Join(page, "full"), 0o777); err != nil {
		t.Fatal(err)
	}
	fails(t, refrain(t, nil, "", "compare", "--resume", "again", "--timings=false", "-q"), 1, "", "the runs are whole", "refrain compare --resume again --timings=false")
}

func TestCompareRefusals(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "empty.txt", "")
	write(t, "word.txt", "word")
	write(t, "labels.tsv", strings.Repeat("good\tI like it\nbad\tI do not\n", 300))
	write(t, "song.txt", smallText())
	for _, c := range []struct {
		args   string
		status int
		want   string
	}{
		{"empty.txt", 1, "empty.txt is empty"},
		{"word.txt", 1, "too few to train, validate and test on"},
		{"labels.tsv", 1, "cut -f2 labels.tsv"},
		{"--article labels.tsv", 1, "cut -f2 labels.tsv"},
		{"--lab gradients labels.tsv", 1, "cut -f2 labels.tsv"},
		{"gone.txt", 1, "no such file"},
		{"song.txt --models lstm,gruu", 2, "did you mean gru?"},
		{"song.txt --models lstm", 2, "needs two models"},
		{"song.txt --time 5", 2, "--time 5: not a time such as 90s, 10m or 2h"},
		{"song.txt --time 10m --tokens 1000", 2, "one budget only"},
		{"song.txt --dropout 3", 2, "--dropout 3: outside [0, 1)"},
		{"song.txt --equal space", 2, "takes tokens or time"},
		{"--resume gone", 1, "no folder gone to resume"},
		{"--resume gone song.txt", 2, "--resume goes on with the text it began with"},
		{"song.txt --models rnn,lstm --nhid 2 --tokens 1000", 1, "% off; take --nhid larger"},
	} {
		r := refrain(t, nil, "", append([]string{"compare"}, strings.Fields(c.args)...)...)
		lines := strings.Split(strings.TrimSpace(r.err), "\n")
		if last := lines[len(lines)-1]; r.status != c.status || !strings.Contains(last, c.want) || !strings.HasPrefix(last, "error: ") || r.out != "" {
			t.Errorf("compare %s: status %d, %q; want %d and one line with %q", c.args, r.status, r.err, c.status, c.want)
		}
		if exists("song-comparison") {
			t.Fatalf("compare %s left a folder", c.args)
		}
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
