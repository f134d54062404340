package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestVerse(t *testing.T) {
	for _, c := range []struct {
		name string
		in   []string
		want string
	}{
		{"couplets", []string{"秦川雄帝宅，函谷壯皇居。", "雲日隱層闕，風煙出綺疎。"}, "秦川雄帝宅，\n函谷壯皇居。\n雲日隱層闕，\n風煙出綺疎。\n\n"},
		{"no mark at the end", []string{"不知何"}, "不知何\n\n"},
		{"empty", []string{"", " "}, ""},
		{"none", nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := verse(c.in); got != c.want {
				t.Errorf("verse(%q) = %q, want %q", c.in, got, c.want)
			}
		})
	}
}

func TestReadPoems(t *testing.T) {
	dir := t.TempDir()
	if _, err := readPoems(dir); err == nil {
		t.Error("a folder without poems is no error")
	}
	write := func(name, content string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write("poet.tang.0.json", `[{"author":"a","paragraphs":["甲乙，丙。"]},{"paragraphs":["丁。"]}]`)
	got, err := readPoems(dir)
	if want := "甲乙，\n丙。\n\n丁。\n\n"; err != nil || got != want {
		t.Errorf("readPoems: %q, %v, want %q", got, err, want)
	}
	write("poet.tang.1.json", `[{"paragraphs":`)
	if _, err := readPoems(dir); err == nil {
		t.Error("a cut file is no error")
	}
}
