package data_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/refrain-lm/refrain/data"
)

func count(n int) data.Slice {
	ids := make(data.Slice, n)
	for i := range ids {
		ids[i] = int32(i)
	}
	return ids
}

func TestStream(t *testing.T) {
	tests := []struct {
		n, b, t int
		windows int64
	}{
		{101, 1, 10, 10},
		{100, 1, 10, 9},
		{23, 2, 5, 2},
		{22, 2, 5, 2},
		{21, 2, 5, 1},
		{1000, 7, 13, 10},
		{4, 2, 1, 1},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("n=%d,b=%d,t=%d", tt.n, tt.b, tt.t), func(t *testing.T) {
			s, err := data.NewStream(count(tt.n), tt.b, tt.t)
			if err != nil {
				t.Fatal(err)
			}
			if s.Windows() != tt.windows {
				t.Fatalf("%d windows, want %d", s.Windows(), tt.windows)
			}
			var b data.Batch
			for i := range 2*tt.windows + 1 {
				if err := s.Next(&b); err != nil {
					t.Fatal(err)
				}
				w := i % tt.windows
				if b.Reset != (w == 0) || b.T != tt.t || b.B != tt.b {
					t.Fatalf("window %d: reset %v, %d tokens of %d lanes", i, b.Reset, b.T, b.B)
				}
				for l := range tt.b {
					for k := range tt.t {
						want := int32(l*(tt.n/tt.b) + int(w)*tt.t + k)
						if got := b.Inputs[k*tt.b+l]; got != want {
							t.Fatalf("window %d, lane %d, token %d: %d, want %d", i, l, k, got, want)
						}
						if got := b.Targets[k*tt.b+l]; got != want+1 {
							t.Fatalf("window %d, lane %d, target %d: %d, want %d", i, l, k, got, want+1)
						}
					}
				}
			}
		})
	}
}

// With random offsets every pass starts elsewhere below T, the same for the
// same seed, with as many windows, and lanes stay contiguous.
func TestStreamOffset(t *testing.T) {
	const n, lanes, window = 1000, 3, 20
	starts := func(seed uint64) []int32 {
		s, err := data.NewStream(count(n), lanes, window)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.SetOffset(seed); err != nil {
			t.Fatal(err)
		}
		var b data.Batch
		var first, last []int32
		for range 40 {
			for w := range s.Windows() {
				if err := s.Next(&b); err != nil {
					t.Fatal(err)
				}
				if b.Reset != (w == 0) {
					t.Fatal("reset within a pass")
				}
				if w == 0 {
					first = append(first, b.Inputs[0])
				} else if !slices.Equal(b.Inputs[:lanes], last) {
					t.Fatalf("window begins with %v, the one before ended with %v", b.Inputs[:lanes], last)
				}
				last = slices.Clone(b.Targets[(window-1)*lanes:])
			}
		}
		return first
	}
	a := starts(1)
	if !slices.Equal(a, starts(1)) {
		t.Error("the same seed gives other offsets")
	}
	if slices.Equal(a, starts(2)) {
		t.Error("another seed gives the same offsets")
	}
	if slices.Min(a) < 0 || slices.Max(a) >= window || slices.Max(a) == slices.Min(a) {
		t.Errorf("offsets %v", a)
	}
}

func TestStreamSeek(t *testing.T) {
	next := func(s *data.Stream) data.Batch {
		var b data.Batch
		if err := s.Next(&b); err != nil {
			t.Fatal(err)
		}
		return b
	}
	open := func() *data.Stream {
		s, err := data.NewStream(count(500), 4, 9)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.SetOffset(7); err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := open()
	for i := range 50 {
		c := s.Cursor()
		want := next(s)
		again := open()
		if err := again.Seek(c); err != nil {
			t.Fatal(err)
		}
		got := next(again)
		if !slices.Equal(got.Inputs, want.Inputs) || !slices.Equal(got.Targets, want.Targets) || got.Reset != want.Reset || again.Cursor() != s.Cursor() {
			t.Fatalf("window %d at %+v differs after Seek", i, c)
		}
	}
	for _, c := range []data.Cursor{{Pass: -1}, {Window: -1}, {Window: s.Windows()}} {
		if err := s.Seek(c); err == nil {
			t.Errorf("Seek takes %+v", c)
		}
	}
}

func TestStreamTooSmall(t *testing.T) {
	tests := []struct {
		n, b, t int
		random  bool
		ok      bool
	}{
		{0, 1, 1, false, false},
		{1, 1, 1, false, false},
		{2, 1, 1, false, true},
		{11, 2, 5, false, false},
		{12, 2, 5, false, true},
		{15, 2, 5, true, false},
		{16, 2, 5, true, true},
		{3, 10, 1, false, false},
		{10, 0, 1, false, false},
		{10, 1, 0, false, false},
	}
	for _, tt := range tests {
		s, err := data.NewStream(count(tt.n), tt.b, tt.t)
		if err == nil && tt.random {
			err = s.SetOffset(1)
		}
		if (err == nil) != tt.ok {
			t.Errorf("%+v: %v", tt, err)
		}
		if err != nil && tt.b > 0 && tt.t > 0 && !strings.Contains(err.Error(), fmt.Sprintf("%d tokens are too few", tt.n)) {
			t.Errorf("%+v: %v", tt, err)
		}
	}
}

type broken struct{ data.Slice }

func (broken) Read([]int32, int64) error { return errFull }

func TestStreamError(t *testing.T) {
	s, err := data.NewStream(broken{count(100)}, 2, 5)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Next(new(data.Batch)); !errors.Is(err, errFull) {
		t.Errorf("error %v", err)
	}
}

func TestStreamAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	path := filepath.Join(t.TempDir(), "data.ids")
	writeIDs(t, path, 300, idsOf(100000, 300), nil)
	d, err := data.OpenIDs(path)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	s, err := data.NewStream(d.Train(), 8, 32)
	if err != nil {
		t.Fatal(err)
	}
	var b data.Batch
	if n := testing.AllocsPerRun(100, func() {
		if err := s.Next(&b); err != nil {
			t.Fatal(err)
		}
	}); n >= 1 {
		t.Errorf("Next allocates %v times", n)
	}
}

func BenchmarkNext(b *testing.B) {
	path := filepath.Join(b.TempDir(), "data.ids")
	writeIDs(b, path, 300, idsOf(2_000_000, 300), nil)
	d, err := data.OpenIDs(path)
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	s, err := data.NewStream(d.Train(), 64, 128)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("b=64,t=128", func(b *testing.B) {
		b.ReportAllocs()
		var batch data.Batch
		for b.Loop() {
			if err := s.Next(&batch); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N)*64*128/b.Elapsed().Seconds(), "tokens/s")
	})
}
