package report_test

import (
	"bytes"
	"context"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/refrain-lm/refrain/compare/lab"
	"github.com/refrain-lm/refrain/compare/report"
	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/tokenizer"
)

// labResult is a small lab's, on a text that a page must not obey.
func labResult(t *testing.T) lab.Result {
	t.Helper()
	text := strings.Repeat("<script>alert(1)</script> & the cat sat on the \u202emat\n", 100)
	c, err := lab.Read([]data.Source{data.Text("<b>cats.txt", []byte(text))}, tokenizer.Options{Kind: tokenizer.Char})
	if err != nil {
		t.Fatal(err)
	}
	res, err := lab.Run(context.Background(), c, lab.Settings{
		Variants:     []string{"rnn", "lstm", "gru", "lstm+clip-value", "rnn+radius=3", "rnn+radius=3+clip", "rnn+relu+radius=20", "gru+layers=3+residual"},
		TaskVariants: []string{"rnn+clip", "lstm+clip+chrono"}, Lags: []int{4, 8},
		Steps: 12, TaskSteps: 20, Hidden: 8, Window: 10, Batch: 4,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	res.Command = "refrain compare cats.txt --lab gradients"
	return res
}

func labFiles(t *testing.T, r lab.Result) map[string][]byte {
	t.Helper()
	files, err := report.LabFiles(r)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for _, f := range files {
		if out[f.Name] != nil {
			t.Errorf("%s is written twice", f.Name)
		}
		out[f.Name] = f.Data
	}
	return out
}

func TestLabPage(t *testing.T) {
	r := labResult(t)
	files := labFiles(t, r)
	html := string(files["report.html"])
	for _, id := range []string{"reach", "cures", "depth", "clipping", "gates", "moves", "tasks", "answers", "again", "data"} {
		if !strings.Contains(html, `<section id="`+id+`">`) {
			t.Errorf("no section %s", id)
		}
	}
	for _, name := range []string{"reach", "cures-rnn", "cures-lstm", "cures-gru", "depth", "clipping", "gates", "moves", "tasks", "answers"} {
		if files["figures/"+name+".png"] == nil || files["figures/"+name+".csv"] == nil {
			t.Errorf("figure %s is not there as PNG and CSV", name)
		}
	}
	if bad := regexp.MustCompile(`NaN|\+?Inf\b|undefined|<script>alert|<b>cats|\x{202e}`).FindString(html); bad != "" {
		t.Errorf("the page has %q", bad)
	}
	if !strings.Contains(html, "diverged") {
		t.Error("the page does not say that a run diverged")
	}
	for _, figure := range strings.Split(html, `<figure id="f-`)[1:] {
		figure, _, _ = strings.Cut(figure, "</figure>")
		id, _, _ := strings.Cut(figure, `"`)
		rows := bytes.Count(files["figures/"+id+".csv"], []byte("\n")) - 1
		marks := regexp.MustCompile(`data-r="(\d+)"`).FindAllStringSubmatch(figure, -1)
		if len(marks) == 0 {
			t.Errorf("figure %s has no marks", id)
		}
		for _, mark := range marks {
			if row, _ := strconv.Atoi(mark[1]); row >= rows {
				t.Errorf("figure %s: a mark of row %d, the table has %d", id, row, rows)
			}
		}
	}
	again := labFiles(t, r)
	for name, data := range files {
		if !bytes.Equal(data, again[name]) {
			t.Errorf("%s differs the second time", name)
		}
	}
}

// TestLabNumbers: every number in prose is the one in report.json.
func TestLabNumbers(t *testing.T) {
	files := labFiles(t, labResult(t))
	var document any
	if err := json.Unmarshal(files["report.json"], &document); err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`<data value="([^"]*)" data-json="([^"]*)">`).FindAllStringSubmatch(string(files["report.html"]), -1)
	if len(found) < 5 {
		t.Fatalf("%d numbers in prose", len(found))
	}
	for _, m := range found {
		at := document
		for _, key := range strings.Split(m[2], ".") {
			switch v := at.(type) {
			case map[string]any:
				at = v[key]
			case []any:
				i, err := strconv.Atoi(key)
				if err != nil || i >= len(v) {
					t.Fatalf("%s is not in report.json", m[2])
				}
				at = v[i]
			}
		}
		if want, err := strconv.ParseFloat(m[1], 64); err != nil || at != want {
			t.Errorf("%s is %v in report.json, %s on the page", m[2], at, m[1])
		}
	}
}

// TestLabWithoutText: tasks alone make a page, a text alone too.
func TestLabWithoutText(t *testing.T) {
	r := labResult(t)
	tasks, text := r, r
	tasks.Text, tasks.Runs = nil, nil
	text.Tasks = nil
	for name, r := range map[string]lab.Result{"tasks": tasks, "text": text} {
		html := string(labFiles(t, r)["report.html"])
		if strings.Contains(html, `<section id="tasks">`) != (name == "tasks") || strings.Contains(html, `<section id="reach">`) != (name == "text") {
			t.Errorf("%s alone: not its sections", name)
		}
		if len(report.LabFindings(r)) == 0 {
			t.Errorf("%s alone: nothing is said", name)
		}
	}
}
