package lm_test

import (
	"strings"
	"testing"

	"github.com/refrain-lm/refrain/lm"
)

func TestTransformerDefaults(t *testing.T) {
	for _, c := range []struct{ width, heads int }{{32, 1}, {48, 2}, {64, 2}, {91, 7}, {89, 1}, {96, 3}, {100, 4}, {128, 4}, {512, 16}} {
		got := lm.Config{Kind: lm.KindTransformer, Vocab: 9, Hidden: c.width}.Complete()
		if got.Heads != c.heads || got.EmSize != c.width || got.Layers != 4 || got.Context != 128 || got.Feedforward != 4*c.width {
			t.Errorf("width %d: %+v, want %d heads and the documented defaults", c.width, got, c.heads)
		}
		if err := got.Validate(); err != nil {
			t.Errorf("width %d: %v", c.width, err)
		}
	}
}

func TestKindConfigErrors(t *testing.T) {
	for _, c := range []struct {
		name, want string
		cfg        lm.Config
	}{
		{"heads", "3 heads do not divide nhid 8", lm.Config{Kind: lm.KindTransformer, Heads: 3}},
		{"two widths", "a transformer has one width", lm.Config{Kind: lm.KindTransformer, EmSize: 4}},
		{"context", "context -1 is outside", lm.Config{Kind: lm.KindTransformer, Context: -1}},
		{"too much to remember", "beyond", lm.Config{Kind: lm.KindTransformer, Context: 1 << 16, Hidden: 1 << 16}},
		{"cell", "cell belongs to kind recurrent, not transformer", lm.Config{Kind: lm.KindTransformer, Cell: lm.GRU}},
		{"order of one", "order 1 is outside 2", lm.Config{Kind: lm.KindFFN, Order: 1}},
		{"wide window", "order 1024 times emsize", lm.Config{Kind: lm.KindFFN, Order: 1024, EmSize: 1 << 20}},
		{"heads of cells", "heads belongs to kind transformer, not recurrent", lm.Config{Heads: 2}},
		{"unknown", "none of recurrent, ffn, transformer", lm.Config{Kind: "mamba"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.cfg.Vocab = 10
			if c.cfg.Hidden == 0 {
				c.cfg.Hidden = 8
			}
			if err := c.cfg.Validate(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

// A config.json of one kind says nothing of the others.
func TestConfigOfAKind(t *testing.T) {
	for kind, keys := range map[string][]string{
		lm.KindRecurrent:   {"order", "heads", "context", "dim_feedforward"},
		lm.KindFFN:         {"cell", "bias", "heads", "context", "dim_feedforward"},
		lm.KindTransformer: {"cell", "bias", "order"},
	} {
		var b strings.Builder
		if err := (lm.Config{Kind: kind, Vocab: 10, Hidden: 8}).Write(&b); err != nil {
			t.Fatal(err)
		}
		for _, key := range keys {
			if strings.Contains(b.String(), `"`+key+`"`) {
				t.Errorf("config.json of kind %s speaks of %s:\n%s", kind, key, b.String())
			}
		}
	}
}
