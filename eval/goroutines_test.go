package eval_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/eval"
	"github.com/refrain-lm/refrain/sample"
)

// TestOneModelServesManyGoroutines uses one model for everything at once; each
// answer is what it is with nobody else there. The race detector looks on.
func TestOneModelServesManyGoroutines(t *testing.T) {
	text := prose(20)
	path := filepath.Join(t.TempDir(), "text.txt")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	each(t, text, func(t *testing.T, m *eval.Model) {
		tasks := []func(seed uint64) (string, error){
			func(seed uint64) (string, error) {
				g, err := eval.NewGenerator(m, eval.GenerateOptions{MaxTokens: 50, Sample: sample.Options{Temperature: 0.9, TopP: 0.9, Seed: seed}})
				if err != nil {
					return "", err
				}
				var out strings.Builder
				_, err = g.Generate(context.Background(), "a small", func(p []byte) error { out.Write(p); return nil })
				return out.String(), err
			},
			func(seed uint64) (string, error) {
				s := eval.NewLineScorer(m, false)
				return fmt.Sprint(s.Score(fmt.Appendf(nil, "river %d", seed), false, true)), nil
			},
			func(uint64) (string, error) {
				src, err := data.Sources([]string{path}, nil, data.ReadOptions{})
				if err != nil {
					return "", err
				}
				r, err := eval.Stream(context.Background(), m, src, nil, nil)
				return fmt.Sprint(r), err
			},
			func(seed uint64) (string, error) {
				st := m.LM.NewStepper(nil)
				return fmt.Sprint(st.Feed([]int32{int32(seed), 2, 1})), nil
			},
		}
		var wg sync.WaitGroup
		for i, task := range tasks {
			for seed := range uint64(3) {
				want, err := task(seed)
				if err != nil {
					t.Fatal(err)
				}
				for range 2 {
					wg.Go(func() {
						if got, err := task(seed); got != want || err != nil {
							t.Errorf("task %d beside others: %q, %v; alone %q", i, got, err, want)
						}
					})
				}
			}
		}
		wg.Wait()
	})
}
