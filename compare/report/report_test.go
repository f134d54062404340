package report_test

import (
	"flag"
	"testing"

	"github.com/refrain-lm/refrain/compare/report"
)

var keep = flag.String("keep", "", "write the test's report to this folder, to look at")

func TestKeep(t *testing.T) {
	if *keep == "" {
		t.Skip("no -keep folder")
	}
	if err := report.Write(*keep, plausible(6), report.Options{Timings: true}); err != nil {
		t.Fatal(err)
	}
}
