package cli

import (
	"bytes"
	"strings"
	"testing"

	"github.com/refrain-lm/refrain/train"
)

// TestCompletedValuesAreTaken holds what completion offers against what the
// flags take.
func TestCompletedValuesAreTaken(t *testing.T) {
	known := map[string]bool{"color": true} // no setting of a run
	for _, f := range train.Flags() {
		known[f.Name] = true
	}
	for name, values := range valuesOf {
		if !known[name] {
			t.Errorf("no flag --%s", name)
		}
		for _, v := range values {
			var s train.Settings
			if name == "color" {
				continue
			}
			if name == "words" {
				s.Tokenizer = "word"
			}
			if err := s.Set(name, v, fromFlag); err != nil {
				t.Errorf("--%s %s: %v", name, v, err)
			}
			if err := s.Validate(); err != nil && strings.HasPrefix(err.Error(), "--"+name+" "+v) {
				t.Error(err)
			}
		}
	}
}

func TestCompletionOffers(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"verbs", []string{""}, "generate\twrite like a model's text\n"},
		{"flags", []string{"train", "--ce"}, "--cell\trnn, lstm, lstm-nog or gru\n"},
		{"values", []string{"train", "--cell", ""}, "rnn\nlstm\nlstm-nog\ngru\n:4\n"},
		{"models are folders", []string{"generate", ""}, ":16\n"},
		{"then files", []string{"eval", "model", ""}, ":0\n"},
		{"shells", []string{"completion", ""}, "bash\nzsh\nfish\npowershell\n:4\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			Main(append([]string{"refrain", "__complete"}, c.args...), strings.NewReader(""), &out, &bytes.Buffer{}, nil)
			if !strings.Contains(out.String(), c.want) {
				t.Errorf("%q offers %q, not %q", c.args, out.String(), c.want)
			}
		})
	}
}
