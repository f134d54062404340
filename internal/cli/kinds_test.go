package cli_test

import (
	"os"
	"strings"
	"testing"
)

// TestKinds trains every kind of network that is not recurrent and goes on with
// it; eval, score, generate and inspect take its folder.
func TestKinds(t *testing.T) {
	for _, c := range []struct{ kind, flags, name, inspect string }{
		{"ffn", "--nhid 32 --order 6", "FFN 1x32, order 6", "reads the last 5 tokens"},
		{"transformer", "--nhid 32 --nlayers 2 --heads 2 --context 24", "Transformer 2x32, context 24", "2 heads, sees the last 24 tokens, feed-forward 128"},
	} {
		t.Run(c.kind, func(t *testing.T) {
			t.Chdir(t.TempDir())
			write(t, "song.txt", smallText())
			line := "train song.txt --model " + c.kind + " " + c.flags + " --steps 30 --batch-size 8 --bptt 40 --seed 3 --out whole"
			whole := refrain(t, nil, "", strings.Fields(line)...)
			if whole.status != 0 || whole.out != "whole\n" || !strings.Contains(whole.err, c.name) {
				t.Fatalf("train: %+v", whole)
			}
			says(t, "inspect", refrain(t, nil, "", "inspect", "whole"), c.name, c.inspect)
			says(t, "eval", refrain(t, nil, "", "eval", "whole", "song.txt"), "bits/byte")
			says(t, "score", refrain(t, nil, "line 1 of the song\n", "score", "whole"), "line 1 of the song")
			first := refrain(t, nil, "", "generate", "whole", "--max-tokens", "40", "--seed", "5")
			says(t, "generate", first, "")
			if again := refrain(t, nil, "", "generate", "whole", "--max-tokens", "40", "--seed", "5"); again.out != first.out || first.out == "" {
				t.Errorf("generated %q, then %q", first.out, again.out)
			}
			more := refrain(t, nil, "", "train", "--resume", "whole", "--steps", "5")
			says(t, "resume", more, "whole")
			fails(t, refrain(t, nil, "", "train", "--resume", "whole", "--nhid", "64"), 1, "whole has nhid 32, not 64")
			if card, err := os.ReadFile("whole/README.md"); err != nil || !strings.Contains(string(card), c.name) {
				t.Errorf("the card does not name %s (%v): %s", c.name, err, card)
			}
		})
	}
}

// says fails unless a command succeeded and said all of want.
func says(t *testing.T, what string, r result, want ...string) {
	t.Helper()
	if r.status != 0 {
		t.Fatalf("%s: %+v", what, r)
	}
	for _, w := range want {
		if !strings.Contains(r.out+r.err, w) {
			t.Errorf("%s does not say %q: %+v", what, w, r)
		}
	}
}
