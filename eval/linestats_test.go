package eval_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/refrain-lm/refrain/eval"
)

// values draws n bits per byte, many of them equal.
func values(n int) []float64 {
	r := rand.New(rand.NewPCG(uint64(n), 1))
	bits := make([]float64, n)
	for i := range bits {
		bits[i] = math.Round(100*(2+r.NormFloat64()*r.Float64())) / 100
	}
	return bits
}

// rarer is the share of values at or above v, by counting.
func rarer(bits []float64, v float64) float64 {
	n := 0
	for _, b := range bits {
		if b >= v {
			n++
		}
	}
	return float64(n) / float64(len(bits))
}

// TestRarer: exact for up to a thousand lines and among the thousand highest,
// else to a thousandth.
func TestRarer(t *testing.T) {
	for _, n := range []int{1, 2, 7, 999, 1000, 1001, 1999, 2000, 54321} {
		t.Run(fmt.Sprint(n, " lines"), func(t *testing.T) {
			bits := values(n)
			s := eval.NewLineStats(append([]float64{math.NaN()}, bits...))
			if s.Lines != int64(n) {
				t.Fatalf("%d lines, want %d: NaN does not count", s.Lines, n)
			}
			last := 1.0
			for v := -5.0; v < 9; v += 0.005 {
				got, want := s.Rarer(v), rarer(bits, v)
				tolerance := 1e-3 + 1/float64(n)
				if n <= 1000 || v > s.Top[0] {
					tolerance = 0
				}
				if math.Abs(got-want) > tolerance {
					t.Errorf("%v of the lines at or above %v, want %v", got, v, want)
				}
				if got > last {
					t.Errorf("%v of the lines at or above %v, more than below", got, v)
				}
				last = got
			}
			if s.Rarer(math.Inf(-1)) != 1 || s.Rarer(math.Inf(1)) != 0 {
				t.Errorf("shares %v of all and %v of none", s.Rarer(math.Inf(-1)), s.Rarer(math.Inf(1)))
			}
		})
	}
	if v := eval.NewLineStats(nil).Rarer(3); !math.IsNaN(v) {
		t.Errorf("share %v of no lines", v)
	}
}

func TestReadLineStats(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, eval.LineStatsFile)
	if _, err := eval.ReadLineStats(dir); err == nil || strings.Contains(err.Error(), "--resume") {
		t.Errorf("no file in a folder of no run: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, eval.PlanFile), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := eval.ReadLineStats(dir); err == nil || !strings.Contains(err.Error(), "--resume") {
		t.Errorf("no file after a run: %v", err)
	}
	for _, n := range []int{0, 1, 10, 1000, 3000} {
		want := eval.NewLineStats(values(n))
		raw, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, raw, 0o644); err != nil {
			t.Fatal(err)
		}
		got, err := eval.ReadLineStats(dir)
		if err != nil {
			t.Fatalf("%d lines: %v", n, err)
		}
		if n > 0 && got.Rarer(2.5) != want.Rarer(2.5) {
			t.Errorf("%d lines: read back %v, was %v", n, got.Rarer(2.5), want.Rarer(2.5))
		}
	}
	for _, bad := range []string{"", "{", "[]", `{"lines":-1}`, `{"lines":2}`, `{"lines":1,"bits_per_byte_top":[1]}`,
		`{"lines":2,"bits_per_byte_quantiles":[1,1,2],"bits_per_byte_top":[2,1]}`, `{} {}`} {
		if err := os.WriteFile(path, []byte(bad), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := eval.ReadLineStats(dir); err == nil || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("%s: error %v, want damaged", bad, err)
		}
	}
}

func FuzzLineStats(f *testing.F) {
	for _, n := range []int{0, 1, 3} {
		raw, err := json.Marshal(eval.NewLineStats(values(n)))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Add([]byte(`{"lines":9223372036854775807,"bits_per_byte_quantiles":[1],"bits_per_byte_top":[1e308,2e308]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := eval.ParseLineStats(raw)
		if err != nil {
			return
		}
		last := 1.0
		for _, v := range []float64{math.Inf(-1), -1, 0, 1, 2.5, 1e300, math.Inf(1)} {
			share := s.Rarer(v)
			if s.Lines == 0 && math.IsNaN(share) {
				continue
			}
			if !(share >= 0 && share <= last) {
				t.Fatalf("%v of the lines at or above %v, %v at or above less", share, v, last)
			}
			last = share
		}
	})
}
