package data

import (
	"fmt"
	"strings"
	"unicode"
)

// Bounds of what a file of labels looks like.
const (
	labelsHead   = 1 << 16 // bytes that are looked at
	labelLongest = 40      // bytes of a label
	labelsFewest = 5       // lines of a file that can be told
	labelsAlone  = 20      // kinds of labels at most, in a file of labels alone or with commas
)

// Labels says that a file that begins with head holds examples for classifying, whose
// labels a language model would learn as text, and how to get the text; "" where it
// does not look like that. Such a file is label TAB text, label,text, or labels alone.
func Labels(name string, head []byte) string {
	lines := strings.Split(string(head[:min(len(head), labelsHead)]), "\n")
	if len(lines) > 1 {
		lines = lines[:len(lines)-1]
	}
	for _, form := range []struct {
		what, advice string
		kinds        int // at most
		label        func(line string) (label string, ok bool)
	}{
		{"label TAB text", "take the second column: cut -f2 " + name, len(lines) / 3, func(line string) (string, bool) {
			label, text, ok := strings.Cut(line, "\t")
			return label, ok && strings.TrimSpace(text) != ""
		}},
		{"label,text", "take the column of text alone: cut -d, -f2- " + name, min(labelsAlone, len(lines)/3), func(line string) (string, bool) {
			label, text, ok := strings.Cut(line, ",")
			return label, ok && strings.TrimSpace(text) != "" && oneWord(label)
		}},
		{"labels alone", "give the file of their texts", min(labelsAlone, len(lines)/3), func(line string) (string, bool) {
			return line, oneWord(line)
		}},
	} {
		if labelled(lines, form.kinds, form.label) {
			return fmt.Sprintf("%s is a file of labels (%s), not of text; %s", name, form.what, form.advice)
		}
	}
	return ""
}

// labelled reports whether nine in ten lines have a label, of so many kinds at most.
func labelled(lines []string, kinds int, label func(line string) (string, bool)) bool {
	seen, n := map[string]bool{}, 0
	for _, line := range lines {
		if l, ok := label(strings.TrimSuffix(line, "\r")); ok && l != "" && len(l) <= labelLongest {
			seen[l] = true
			n++
		}
	}
	return n >= labelsFewest && n*10 >= len(lines)*9 && len(seen) <= kinds
}

func oneWord(s string) bool { return !strings.ContainsFunc(s, unicode.IsSpace) }
