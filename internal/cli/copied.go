package cli

import (
	"fmt"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/eval"
)

// idsFile is where a run keeps its text.
const idsFile = eval.IDsFile

// originality says how much of the samples is the training text's own: the
// longest stretch that stands there too, of blanks in a row only one counted,
// and for code how many brackets have a partner.
func (r *trainRun) originality(dir string, samples []string) (line string, copied int) {
	ids, err := data.OpenIDs(filepath.Join(dir, idsFile))
	if err != nil {
		return "", 0 // a remark, not worth an error
	}
	defer ids.Close()
	tok := r.job.Tokenizer()
	found, err := eval.LongestCopy(tok, samples, ids.Train())
	if err != nil || found == "" {
		return "", 0
	}
	copied = utf8.RuneCountInString(found)
	line = fmt.Sprintf("longest stretch copied from the text: %s, %s", plural(int64(copied), "character", "characters"), quoted(found))
	if r.demo {
		paired, all := brackets(strings.Join(samples, "\n"))
		line = fmt.Sprintf("%s of %s brackets balance; %s", commas(paired), commas(all), line)
	}
	return line, copied
}

// quoted shows text of any length and content within quotes.
func quoted(text string) string {
	const most = 60
	shown := visible(text)
	if short := cut(shown, most); len(short) < len(shown) {
		shown = short + "..."
	}
	return `"` + shown + `"`
}

// brackets counts those of text that have a partner: a closing one takes the
// nearest open one of its kind, and what was opened after that has none.
func brackets(text string) (paired, all int64) {
	var open []rune
	for _, r := range text {
		at := strings.IndexRune("([{)]}", r)
		switch {
		case at < 0:
			continue
		case at < 3:
			open = append(open, r)
		default:
			want := rune("([{"[at-3])
			if i := lastOf(open, want); i >= 0 {
				paired += 2
				open = open[:i]
			}
		}
		all++
	}
	return paired, all
}

func lastOf(list []rune, r rune) int {
	for i := len(list) - 1; i >= 0; i-- {
		if list[i] == r {
			return i
		}
	}
	return -1
}
