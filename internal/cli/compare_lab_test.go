package cli_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/refrain-lm/refrain/compare/report"
)

func TestLab(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "song.txt", strings.Repeat(smallText(), 3))
	small := []string{"compare", "song.txt", "--lab", "gradients", "--variants", "rnn,lstm+clip", "--tasks", "recall", "--lags", "3,5",
		"--steps", "4", "--task-steps", "8", "--nhid", "8", "--bptt", "8", "--batch-size", "4"}
	r := refrain(t, nil, "", small...)
	if r.status != 0 || r.out != "song-gradients\n" {
		t.Fatalf("status %d, stdout %q\n%s", r.status, r.out, r.err)
	}
	wrong := refrain(t, nil, "", "compare", "--lab", "gradients", "--variants", "lstm+foo")
	if wrong.status != 2 || strings.Count(wrong.err, "no cure") != 1 {
		t.Errorf("status %d, standard error %q; want one complaint", wrong.status, wrong.err)
	}
	for _, want := range []string{"plan   2 variants on the text, 4 steps each", "6/6  ", "Before training, less than 1 % of the gradient arrives", "Page: song-gradients/report.html"} {
		if !strings.Contains(strings.ReplaceAll(r.err, "\u202f", " "), want) {
			t.Errorf("standard error lacks %q:\n%s", want, r.err)
		}
	}
	var doc report.LabDocument
	raw, err := os.ReadFile("song-gradients/report.json")
	if err == nil {
		err = json.Unmarshal(raw, &doc)
	}
	if err != nil {
		t.Fatal(err)
	}
	if len(doc.Result.Runs) != 2 || len(doc.Result.Tasks) != 4 {
		t.Errorf("%d and %d runs", len(doc.Result.Runs), len(doc.Result.Tasks))
	}

	// The command in the result repeats it, byte for byte, on any number of threads.
	again := append(strings.Fields(doc.Result.Command)[1:], "--threads", "1", "--out", "again")
	if r := refrain(t, nil, "", again...); r.status != 0 {
		t.Fatalf("%v: %s", again, r.err)
	}
	for _, name := range []string{"report.html", "report.json", "report.md"} {
		one, two := "", ""
		for dir, text := range map[string]*string{"song-gradients/": &one, "again/": &two} {
			raw, err := os.ReadFile(dir + name)
			if err != nil {
				t.Fatal(err)
			}
			*text = string(raw)
		}
		if one != two {
			t.Errorf("%s differs the second time", name)
		}
	}

	r = refrain(t, nil, "", "compare", "--lab", "gradients", "--cells", "gru", "--tasks", "adding", "--lags", "4", "--task-steps", "4", "--nhid", "4", "--json", "-q")
	lines := strings.Split(strings.TrimSpace(r.out), "\n")
	if last := lines[len(lines)-1]; r.status != 0 || !json.Valid([]byte(last)) || !strings.Contains(last, `"lab":"go-gradients"`) {
		t.Errorf("tasks alone, --json: status %d, %q, %s", r.status, r.out, r.err)
	}
}

func TestLabUsage(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "song.txt", smallText())
	write(t, "empty.txt", "")
	if err := os.Mkdir("taken", 0o777); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args   string
		status int
		says   []string
	}{
		{"--cells rnn", 2, []string{"--cells goes with --lab gradients"}},
		{"--lab gates", 2, []string{"--lab gates: takes gradients"}},
		{"--lab gradients --models rnn,lstm", 2, []string{"--models is for a comparison, not for --lab gradients"}},
		{"--lab gradients --cells rnm", 2, []string{"rnm", "did you mean rnn?"}},
		{"--lab gradients --variants rnn+layers=0", 2, []string{"rnn+layers=0: layers=0: want a number such as 4"}},
		{"--lab gradients --cells rnn --variants rnn", 2, []string{"--cells and --variants"}},
		{"--lab gradients --tasks ading", 2, []string{`no task "ading"`, "did you mean adding?"}},
		{"--lab gradients --lags 1", 2, []string{"a lag of 1"}},
		{"--lab gradients --time 1m --steps 10", 2, []string{"--time and --steps"}},
		{"--lab gradients --out taken", 1, []string{"taken exists already"}},
		{"--lab gradients --bptt 5000", 1, []string{"song.txt has ", "windows of 5000", "give more text, a smaller --bptt"}},
	} {
		r := refrain(t, nil, "", append([]string{"compare", "song.txt"}, strings.Fields(c.args)...)...)
		fails(t, r, c.status, "", c.says...)
	}
	fails(t, refrain(t, nil, "", "compare", "empty.txt", "--lab", "gradients"), 1, "", "empty")
	fails(t, refrain(t, nil, "", "compare", "nothing.txt", "--lab", "gradients"), 1, "", "nothing.txt")
}
