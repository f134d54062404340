package report_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/refrain-lm/refrain/compare"
	"github.com/refrain-lm/refrain/compare/report"
)

// TestSearchWithoutAChoice: where every learning rate diverged none is named.
func TestSearchWithoutAChoice(t *testing.T) {
	r := plausible(3)
	search := *r.Models[0].Search
	search.Chosen, search.AtEdge, search.Trials = 0, false, slices.Clone(search.Trials)
	for i := range search.Trials {
		search.Trials[i].Diverged, search.Trials[i].Loss = true, compare.Number(math.NaN())
	}
	r.Models[0].Search = &search
	files, err := report.Files(r, report.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f.Name != "report.md" {
			continue
		}
		text, name := string(f.Data), r.Models[0].Name
		if !strings.Contains(text, name+" none, since all diverged") || strings.Contains(text, name+" 0 ") || strings.Contains(text, name+" 0,") {
			t.Errorf("the report names a learning rate of %s, of which all diverged:\n%.3000s", name, text)
		}
		return
	}
	t.Error("no report.md")
}
