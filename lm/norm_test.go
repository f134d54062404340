package lm_test

import (
	"strings"
	"testing"

	"github.com/refrain-lm/refrain/lm"
)

// A config.json without normalisation says nothing of it, as before there was any.
func TestConfigWithoutNorm(t *testing.T) {
	var b strings.Builder
	if err := (lm.Config{Vocab: 10, Hidden: 8}).Write(&b); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"norm", "residual"} {
		if strings.Contains(b.String(), key) {
			t.Errorf("config.json speaks of %s:\n%s", key, b.String())
		}
	}
}

func TestNormConfigErrors(t *testing.T) {
	for _, c := range []struct {
		name, want string
		cfg        lm.Config
	}{
		{"unknown", "none of layer, batch, recurrent-batch", lm.Config{Norm: "group"}},
		{"no output gate", "gru_reset after", lm.Config{Norm: "layer", Cell: lm.LSTMNoG}},
		{"reset before", "gru_reset after", lm.Config{Norm: "layer", Cell: lm.GRU, GRUReset: "before"}},
		{"recurrent batch without output gate", "norm recurrent-batch goes with rnn, lstm and gru", lm.Config{Norm: "recurrent-batch", Cell: lm.LSTMNoG}},
		{"recurrent batch, reset before", "gru_reset after", lm.Config{Norm: "recurrent-batch", Cell: lm.GRU, GRUReset: "before"}},
		{"one layer", "nlayers 2 or more", lm.Config{Residual: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.cfg.Vocab, c.cfg.Hidden = 10, 8
			if err := c.cfg.Validate(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}
