package train_test

import (
	"path/filepath"
	"testing"

	"github.com/refrain-lm/refrain/internal/cpu"
	"github.com/refrain-lm/refrain/nn"
	"github.com/refrain-lm/refrain/train"
)

// TestPrecision: the plan records what auto chose, and bfloat16 is refused where
// its products are not fast.
func TestPrecision(t *testing.T) {
	dir := t.TempDir()
	text := write(t, dir, "book.txt", prose(40))
	run := func(name string, env string, precision string) error {
		c := child{Text: text, Out: filepath.Join(dir, name), Settings: []string{"steps=3", "nhid=9", "batch-size=2", "bptt=7", "precision=" + precision}}
		return c.command(t, env).Run()
	}
	chosen := func(name string) string {
		p, err := train.ReadPlan(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return p.Settings.Precision
	}
	here := map[bool]string{true: "bfloat16", false: "float32"}[nn.BFloat16IsFast()]
	if err := run("auto", cpu.OverrideVariable+"=", "auto"); err != nil || chosen("auto") != here {
		t.Errorf("auto: %v, the plan says %s, want %s", err, chosen("auto"), here)
	}
	if err := run("plain", cpu.OverrideVariable+"=generic", "auto"); err != nil || chosen("plain") != "float32" {
		t.Errorf("auto on plain Go: %v, the plan says %s, want float32", err, chosen("plain"))
	}
	if err := run("refused", cpu.OverrideVariable+"=generic", "bfloat16"); err == nil {
		t.Error("bfloat16 on plain Go was not refused")
	}
}
