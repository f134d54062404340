package cli

import "testing"

func TestBrackets(t *testing.T) {
	for _, c := range []struct {
		text        string
		paired, all int64
	}{
		{"", 0, 0},
		{"f(a[1])", 4, 4},
		{"(]", 0, 2},
		{"{(}", 2, 3},
		{")(", 0, 2},
		{"((a)", 2, 3},
	} {
		if paired, all := brackets(c.text); paired != c.paired || all != c.all {
			t.Errorf("brackets(%q) = %d of %d, want %d of %d", c.text, paired, all, c.paired, c.all)
		}
	}
}
