package optim_test

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/refrain-lm/refrain/optim"
)

// golden is testdata/golden.json; golden.py there wrote it.
type golden struct {
	Lengths []int       `json:"lengths"`
	Start   []float32   `json:"start"`
	Grads   [][]float32 `json:"grads"`
	Cases   []struct {
		Name    string       `json:"name"`
		Config  optim.Config `json:"config"`
		LR      float32      `json:"lr"`
		Clip    float64      `json:"clip"`
		Norms   []float64    `json:"norms"`
		Values  [][]float32  `json:"values"`
		Average []float32    `json:"average"`
	} `json:"cases"`
	Schedules []struct {
		Name     string         `json:"name"`
		Schedule optim.Schedule `json:"schedule"`
		Rates    []float64      `json:"rates"`
	} `json:"schedules"`
}

func readGolden(t *testing.T) golden {
	t.Helper()
	b, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(b, &g); err != nil {
		t.Fatal(err)
	}
	if len(g.Cases) < 12 || len(g.Schedules) < 4 {
		t.Fatalf("%d cases and %d schedules, want at least 12 and 4", len(g.Cases), len(g.Schedules))
	}
	return g
}

// slicesOf cuts values and gradients into parameters of the given lengths.
func slicesOf(lengths []int, values []float32) (ps []optim.Slice, value, grad []float32) {
	value, grad = slices.Clone(values), make([]float32, len(values))
	at := 0
	for i, n := range lengths {
		ps = append(ps, optim.Slice{Name: string(rune('a' + i)), Value: value[at : at+n], Grad: grad[at : at+n]})
		at += n
	}
	return ps, value, grad
}

// compareTo allows the rounding of a few float32 operations a step: values are
// about 1, so 2e-6 is some 30 last bits after ten steps.
func compareTo(t *testing.T, what string, step int, got, want []float32) {
	t.Helper()
	for i := range want {
		if d := math.Abs(float64(got[i] - want[i])); !(d <= 2e-6*(1+math.Abs(float64(want[i])))) {
			t.Fatalf("%s after step %d: element %d is %v, want %v", what, step, i, got[i], want[i])
		}
	}
}

func TestGoldenSteps(t *testing.T) {
	g := readGolden(t)
	for _, c := range g.Cases {
		t.Run(c.Name, func(t *testing.T) {
			ps, value, grad := slicesOf(g.Lengths, g.Start)
			opt, err := optim.New(c.Config, ps)
			if err != nil {
				t.Fatal(err)
			}
			for k := range g.Grads {
				copy(grad, g.Grads[k])
				norm := optim.GlobalNorm(nil, ps)
				if c.Norms != nil && math.Abs(norm-c.Norms[k]) > 1e-6*norm {
					t.Errorf("step %d: norm %v, want %v", k+1, norm, c.Norms[k])
				}
				opt.Step(nil, c.LR, optim.ClipScale(norm, c.Clip))
				compareTo(t, "parameters", k+1, value, c.Values[k])
			}
			if opt.Steps() != len(g.Grads) {
				t.Errorf("%d steps, want %d", opt.Steps(), len(g.Grads))
			}
			if c.Average != nil {
				opt.(*optim.ASGD).Average().Swap(nil)
				compareTo(t, "average", len(g.Grads), value, c.Average)
			}
		})
	}
}

func TestGoldenRates(t *testing.T) {
	for _, c := range readGolden(t).Schedules {
		t.Run(c.Name, func(t *testing.T) {
			for k, want := range c.Rates {
				got := c.Schedule.Rate(k, len(c.Rates))
				// PyTorch's cosine is a recurrence that rounds at each step.
				if math.Abs(got-want) > 1e-9*c.Schedule.LR {
					t.Errorf("step %d: rate %v, want %v", k, got, want)
				}
			}
		})
	}
}
