package train_test

import (
	"crypto/sha256"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/refrain-lm/refrain/checkpoint"
	"github.com/refrain-lm/refrain/internal/cpu"
)

// TestKernelsTrainAlike trains with assembly and with plain Go, on widths that
// fill no vector. Plain Go rounds products that assembly fuses, so the bits
// differ, by as much as the kernels' tests allow a step: 12 steps of plain
// gradient descent, which does not blow up what is small, keep the weights
// within a few units of float32's last place. All assembly paths give the same bits, and
// each path the same bytes in a process of its own on another number of threads.
func TestKernelsTrainAlike(t *testing.T) {
	paths := cpu.Paths()
	if len(paths) == 1 {
		t.Skip("this machine or build has plain Go only")
	}
	dir := t.TempDir()
	text := write(t, dir, "book.txt", prose(60))
	for _, cell := range []string{"cell=lstm", "cell=gru", "cell=rnn", "cell=lstm-nog"} {
		t.Run(cell, func(t *testing.T) {
			t.Parallel()
			weights := make([][]checkpoint.Tensor, len(paths))
			for i, path := range paths {
				level := string(path)
				var files [2]map[string]string
				for k, threads := range []string{"threads=1", "threads=2"} {
					out := filepath.Join(dir, cell+" "+level+" "+threads)
					c := child{Text: text, Out: out, Settings: []string{"steps=12", "nhid=37", "emsize=11", "nlayers=2", "batch-size=3", "bptt=19",
						"dropout=0.2", "optimizer=sgd", "lr=0.5", "valid-every=6", "save-every=6", "average=0.3", "precision=float32", threads, cell}}
					if err := c.command(t, cpu.OverrideVariable+"="+level).Run(); err != nil {
						t.Fatalf("%s: %v", out, err)
					}
					files[k] = outcome(t, out)
					var err error
					if weights[i], err = checkpoint.ReadSafetensorsFile(filepath.Join(out, "model.safetensors")); err != nil {
						t.Fatal(err)
					}
				}
				for name := range files[0] {
					if name != "plan.json" && files[0][name] != files[1][name] { // the plan tells the threads
						t.Errorf("%s: %s differs between 1 and 2 threads", level, name)
					}
				}
			}
			closeTensors(t, weights[1], weights[0], 2e-6)
			for i := 2; i < len(paths); i++ {
				for k, w := range weights[1] {
					if !slices.Equal(weights[i][k].Data, w.Data) {
						t.Errorf("%s: %s differs from %s", w.Name, paths[i], paths[1])
					}
				}
			}
		})
	}
}

// TestOneHash holds all assembly paths, on whatever processor, to the same
// bytes. A change of the arithmetic changes the hash; nothing else may.
func TestOneHash(t *testing.T) {
	if cpu.Chosen == cpu.Generic {
		t.Skip("plain Go rounds products that assembly fuses")
	}
	dir := t.TempDir()
	out := filepath.Join(dir, "model")
	c := child{Text: write(t, dir, "book.txt", prose(60)), Out: out, Settings: []string{"steps=20", "nhid=37", "emsize=11", "nlayers=2",
		"batch-size=3", "bptt=19", "dropout=0.2", "valid-every=10", "save-every=10", "precision=float32", "cell=gru"}}
	if err := c.run(); err != nil {
		t.Fatal(err)
	}
	const want = "83d520439e3ac560846659a981934d22c5cc517dc8ea13822f285419f3d8d99a"
	weights, err := os.ReadFile(filepath.Join(out, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("%x", sha256.Sum256(weights)); got != want {
		t.Errorf("%s: SHA-256 of the weights %s, want %s", cpu.Chosen, got, want)
	}
}

// closeTensors bounds the largest difference and demands that there is one.
func closeTensors(t *testing.T, got, want []checkpoint.Tensor, bound float64) {
	t.Helper()
	worst := 0.0
	for i, w := range want {
		for k, v := range w.Data {
			worst = max(worst, math.Abs(float64(got[i].Data[k]-v)))
		}
	}
	t.Logf("largest difference %.3g", worst)
	if worst > bound || worst == 0 {
		t.Errorf("largest difference of a weight %.3g, want at most %.3g, and not zero: that would be one path twice", worst, bound)
	}
}
