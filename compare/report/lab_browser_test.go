package report_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/refrain-lm/refrain/compare/lab"
	"github.com/refrain-lm/refrain/compare/report"
	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/tokenizer"
)

// defaultLab is what the lab looks at unless told otherwise, all variants and lags,
// by networks that are small and hardly trained.
func defaultLab(t *testing.T) lab.Result {
	t.Helper()
	text := strings.Repeat("The cat sat on the mat, and the dog on the log.\n", 400)
	c, err := lab.Read([]data.Source{data.Text("cats.txt", []byte(text))}, tokenizer.Options{Kind: tokenizer.Char})
	if err != nil {
		t.Fatal(err)
	}
	res, err := lab.Run(context.Background(), c, lab.Settings{Steps: 24, TaskSteps: 5, Hidden: 48, Batch: 4}, nil)
	if err != nil {
		t.Fatal(err)
	}
	res.Command = "refrain compare cats.txt --lab gradients"
	return res
}

// TestLabPageInBrowser goes through the checklist with the page of the lab's
// default set, which must not be larger than any other.
func TestLabPageInBrowser(t *testing.T) {
	b := open(t)
	dir := t.TempDir()
	if err := report.WriteLab(dir, defaultLab(t)); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(dir, "report.html")); err != nil || info.Size() > 400_000 {
		t.Errorf("the page has %d bytes, want 400,000 at most (%v)", info.Size(), err)
	}
	var d report.LabDocument
	b.width(1280)
	b.visit(dir, &d)
	want := []string{"H1 Gradients of recurrent networks, laid open"}
	for i, q := range []string{"How far does the gradient reach back?", "What does each cure change?", "Do gradients reach the lower layers?",
		"Do gradients explode, and what did clipping do?", "Are gates stuck?", "How does the output move along a text?",
		"Which long lags are learnt?", "What does a network answer while it adds?", "How do I get these numbers again?", "Data"} {
		want = append(want, fmt.Sprintf("H2 %d. %s", i+1, q))
	}
	b.checklist(d, want, 5, "lab-")
	t.Run("keys", func(t *testing.T) { b.in(t).keys() })
}
