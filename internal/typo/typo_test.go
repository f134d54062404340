package typo_test

import (
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

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

func TestValue(t *testing.T) {
	_, whole := strconv.Atoi("1.5")
	_, unsigned := strconv.ParseUint("-1", 10, 64)
	_, large := strconv.ParseInt("99999999999999999999", 10, 64)
	_, number := strconv.ParseFloat("fast", 64)
	_, truth := strconv.ParseBool("yes")
	_, span := time.ParseDuration("5")
	for _, c := range []struct {
		err  error
		want string
	}{
		{whole, "not a whole number"}, {unsigned, "not a whole number from 0 up"}, {large, "out of range"}, {number, "not a number"},
		{truth, "neither true nor false"}, {span, "not a time such as 90s, 10m or 2h"}, {errors.New("of another kind"), "of another kind"},
	} {
		if got := typo.Value(c.err); got != c.want {
			t.Errorf("Value(%v) = %q, want %q", c.err, got, c.want)
		}
	}
}
