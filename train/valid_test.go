package train

import (
	"math"
	"strings"
	"testing"

	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/eval"
)

// TestValidationReads counts the windows of real validators.
func TestValidationReads(t *testing.T) {
	before := int64(0)
	for n := int64(2); n < 70_000; n += 1 + n/7 {
		v, err := newValidator(make(data.Slice, n), 0)
		if err != nil {
			t.Fatal(err)
		}
		read, counted := int64(0), int64(0)
		for t0 := int64(0); t0 < v.steps(); t0 += validWindow {
			if err := v.fill(t0, int(min(validWindow, v.steps()-t0))); err != nil {
				t.Fatal(err)
			}
			read += int64(len(v.in))
			for _, id := range v.want {
				if id >= 0 {
					counted++
				}
			}
		}
		if got := ValidationReads(n); got != read || counted != n-1 || got < before {
			t.Errorf("%d ids: told %d reads after %d, made %d and counted %d", n, got, before, read, counted)
		}
		before = read
	}
}

// TestPerplexity: what overflows is not written as infinite.
func TestPerplexity(t *testing.T) {
	for nats, want := range map[float64]string{math.Log(4.5): "4.5", 30: "1.069e+13", 800: ">1e308"} {
		if got := perplexity(eval.Result{NLL: nats, Tokens: 1}); !strings.HasPrefix(got, want) {
			t.Errorf("%v nats: perplexity %s, want %s", nats, got, want)
		}
	}
}
