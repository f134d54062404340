package data

import (
	"bytes"
	"strings"
)

// Texts reads sources whole, as documents: every line without its end, or with
// whole every source, its line ends "\n". It is for what is kept in memory anyway;
// a text of any size goes through [Chunks].
func Texts(src []Source, whole bool) ([]string, error) {
	var docs []string
	for i := range src {
		var text bytes.Buffer
		if err := Chunks(src[i:i+1], func(chunk []byte) error {
			text.Write(chunk)
			return nil
		}); err != nil {
			return nil, err
		}
		if whole {
			docs = append(docs, strings.ReplaceAll(text.String(), "\r\n", "\n"))
			continue
		}
		for line := range strings.Lines(text.String()) {
			docs = append(docs, strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"))
		}
	}
	return docs, nil
}
