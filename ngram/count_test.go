package ngram_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/ngram"
)

// file is the model as it is written.
func file(t testing.TB, m *ngram.Model) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := m.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestSpill counts with memory for a few n-grams only, so that the rest goes
// through disk, and wants the same bytes.
func TestSpill(t *testing.T) {
	for seed := range uint64(6) {
		r := rand.New(rand.NewPCG(seed, 1))
		ids := randomText(r, 3000, 20)
		o := ngram.Options{Order: 1 + int(seed), Vocab: 20, LineEnd: int32(seed%2)*2 - 1}
		want := file(t, train(t, ids, o))
		for _, memory := range []int64{2000, 40000} {
			o.Memory, o.Dir = memory*int64(o.Order), t.TempDir()
			if !bytes.Equal(file(t, train(t, ids, o)), want) {
				t.Errorf("order %d: %d bytes of memory give another model", o.Order, o.Memory)
			}
			if left, err := os.ReadDir(o.Dir); err != nil || len(left) > 0 {
				t.Errorf("%d files are left, %v", len(left), err)
			}
		}
	}
}

func TestTrainRefuses(t *testing.T) {
	stopped, cancel := context.WithCancel(context.Background())
	cancel()
	for _, c := range []struct {
		name string
		ctx  context.Context
		ids  []int32
		o    ngram.Options
		want string
	}{
		{"no tokens", context.Background(), nil, ngram.Options{Order: 2, Vocab: 5, LineEnd: -1}, "no tokens"},
		{"a token outside", context.Background(), []int32{1, 5}, ngram.Options{Order: 2, Vocab: 5, LineEnd: -1}, "outside vocabulary"},
		{"order 0", context.Background(), []int32{1}, ngram.Options{Vocab: 5, LineEnd: -1}, "order 0"},
		{"order 33", context.Background(), []int32{1}, ngram.Options{Order: 33, Vocab: 5, LineEnd: -1}, "order 33"},
		{"a line end outside", context.Background(), []int32{1}, ngram.Options{Order: 2, Vocab: 5, LineEnd: 5}, "line_end"},
		{"stopped", stopped, []int32{1}, ngram.Options{Order: 2, Vocab: 5, LineEnd: -1}, "canceled"},
		{"too large", context.Background(), []int32{1, 2, 3, 4}, ngram.Options{Order: 3, Vocab: 5, LineEnd: -1, Most: 100}, "take a lower order"},
	} {
		_, err := ngram.Train(c.ctx, data.Slice(c.ids), c.o)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q in one line", c.name, err, c.want)
		}
		if large := (*ngram.TooLargeError)(nil); errors.As(err, &large) != (c.name == "too large") {
			t.Errorf("%s: %T", c.name, err)
		}
	}
}

// TestDiskFails counts where runs cannot be written.
func TestDiskFails(t *testing.T) {
	ids := randomText(rand.New(rand.NewPCG(1, 1)), 500, 9)
	o := ngram.Options{Order: 3, Vocab: 9, LineEnd: -1, Memory: 500, Dir: t.TempDir() + "/gone"}
	if _, err := ngram.Train(context.Background(), data.Slice(ids), o); err == nil || !strings.Contains(err.Error(), "room on disk") {
		t.Errorf("counted without a folder: %v", err)
	}
}
