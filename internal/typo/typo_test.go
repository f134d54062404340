package typo_test

import (
	"slices"
	"testing"

	"github.com/refrain-lm/refrain/internal/typo"
)

func TestNearest(t *testing.T) {
	flags := []string{"dropout", "lr", "tied", "bptt", "batch-size", "max-tokens"}
	cells := []string{"rnn", "lstm", "lstm-nog", "gru"}
	for _, c := range []struct {
		word string
		list []string
		want string
	}{
		{"drpout", flags, "dropout"}, {"dropuot", flags, "dropout"}, {"batchsize", flags, "batch-size"},
		{"max", flags, "max-tokens"}, {"zzz", flags, ""}, {"btpt", flags, "bptt"},
		{"lstn", cells, "lstm"}, {"ltsm", cells, "lstm"}, {"LSTM", cells, "lstm"}, {"gry", cells, "gru"}, {"lstm_nog", cells, "lstm-nog"},
		{"transformer", cells, ""}, {"nfkc", []string{"NFC", "NFKC"}, "NFKC"}, {"", cells, ""},
	} {
		list := slices.Clone(c.list)
		if got := typo.Nearest(c.word, list); got != c.want {
			t.Errorf("Nearest(%q) = %q, want %q", c.word, got, c.want)
		}
		if !slices.Equal(list, c.list) {
			t.Errorf("the list was changed to %q", list)
		}
	}
}
