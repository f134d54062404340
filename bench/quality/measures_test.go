package main

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestClauses(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []int
		share      float64
	}{
		{"none", "", nil, 0},
		{"couplet", "秦川雄帝宅，函谷壯皇居。", []int{5, 5}, 1},
		{"a clause a line", "黃帝鑄鼎於荆山，\n鍊丹砂。\n\n登鸞車，\n侍軒轅。\n", []int{7, 3, 3, 3}, 0.25},
		{"cut end", "雲日隱層闕，風煙", []int{5}, 1},
		{"other marks", "君不見！何如？", []int{3, 2}, 0},
		{"ASCII", "abcde, fg hijkl.\n", []int{5, 7}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := clauses(c.text)
			if !slices.Equal(got, c.want) {
				t.Errorf("clauses(%q) = %v, want %v", c.text, got, c.want)
			}
			if share := regularShare(got); share != c.share {
				t.Errorf("regular share %v, want %v", share, c.share)
			}
		})
	}
}

func TestBalance(t *testing.T) {
	for _, c := range []struct {
		text        string
		paired, all int
	}{
		{"", 0, 0},
		{"f(a[i], {b})", 6, 6},
		{")(", 0, 2},
		{"((", 0, 2},
		{"(]", 0, 2},
		{"([)", 2, 3},           // the square one stays alone
		{"{ f(x; g[y] }", 4, 5}, // so does a round one that is never closed
		{"())", 2, 3},
	} {
		if paired, all := balance(c.text); paired != c.paired || all != c.all {
			t.Errorf("balance(%q) = %d of %d, want %d of %d", c.text, paired, all, c.paired, c.all)
		}
	}
}

func TestOneBlank(t *testing.T) {
	if got, want := oneBlank("\tif  x {\n\t\t \ty\n"), " if x {\n y\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLongestCopy(t *testing.T) {
	for _, c := range []struct{ name, text, source, want string }{
		{"nothing in common", "abc", "xyz", ""},
		{"empty text", "", "xyz", ""},
		{"empty source", "abc", "", ""},
		{"all", "abc", "xxabcxx", "abc"},
		{"middle", "return errors.New(x)", "if err != nil { return err }", "return err"},
		{"repeats", "aaaaab", "baaaac", "aaaa"},
		{"whole characters", "é!", "è!", "!"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := longestCopy(c.text, c.source); got != c.want {
				t.Errorf("longestCopy(%q, %q) = %q, want %q", c.text, c.source, got, c.want)
			}
		})
	}
}

// TestLongestCopyAgainstSearch compares with looking for every substring.
func TestLongestCopyAgainstSearch(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	draw := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = "ab(\n"[random.IntN(4)]
		}
		return string(b)
	}
	for range 200 {
		text, source := draw(random.IntN(40)), draw(random.IntN(60))
		want := 0
		for i := range text {
			for j := i + 1; j <= len(text); j++ {
				if strings.Contains(source, text[i:j]) {
					want = max(want, j-i)
				}
			}
		}
		got := longestCopy(text, source)
		if len(got) != want || !strings.Contains(text, got) || !strings.Contains(source, got) {
			t.Fatalf("longestCopy(%q, %q) = %q, want %d bytes", text, source, got, want)
		}
	}
}
