package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// readPoems makes text of the JSON files of a folder, as the chinese-poetry
// collection has them: a poem a paragraph, a clause with its mark a line.
func readPoems(dir string) (string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "poet.tang.*.json"))
	if err != nil {
		return "", err
	}
	if len(files) == 0 {
		return "", fmt.Errorf("%s: no poet.tang.*.json there", dir)
	}
	var text strings.Builder
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			return "", err
		}
		var poems []struct {
			Paragraphs []string `json:"paragraphs"`
		}
		if err := json.Unmarshal(raw, &poems); err != nil {
			return "", fmt.Errorf("%s: %w", name, err)
		}
		for _, p := range poems {
			text.WriteString(verse(p.Paragraphs))
		}
	}
	return text.String(), nil
}

// clauseEnd ends a line after every mark that ends a clause.
var clauseEnd = strings.NewReplacer("，", "，\n", "。", "。\n", "！", "！\n", "？", "？\n", "；", "；\n")

// verse is one poem's text and the empty line after it; nothing for a poem
// without lines.
func verse(paragraphs []string) string {
	var b strings.Builder
	for _, p := range paragraphs {
		if p = strings.TrimSpace(p); p != "" {
			b.WriteString(strings.TrimSuffix(clauseEnd.Replace(p), "\n") + "\n")
		}
	}
	if b.Len() > 0 {
		b.WriteString("\n")
	}
	return b.String()
}
