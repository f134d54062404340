package compare

import (
	"bytes"
	"path/filepath"
	"strings"

	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/tokenizer"
)

// countRanges are the training counts that words are sorted by.
func countRanges() []Count {
	return []Count{{From: 0, To: 0}, {From: 1, To: 9}, {From: 10, To: 99}, {From: 100, To: 999}, {From: 1000, To: -1}}
}

// rangeOf is the place of a count among countRanges.
func rangeOf(count int64) int {
	for i, r := range countRanges() {
		if count >= r.From && (count <= r.To || r.To < 0) {
			return i
		}
	}
	panic("compare: a count below 0")
}

// wordRanges sorts the test text's words by how often they stand in the training
// part: of each prediction the range its word falls into. A token of kind word is a
// word; else words end with a blank, which belongs to the word before it.
func wordRanges(dir string, t testPart, tokens []int64) (of []int, ranges []Count, err error) {
	of, ranges = make([]int, t.predictions()), countRanges()
	add := func(from, to int, count int64) { // ids [from, to) are one word
		from = max(from, 1) // the first token is not predicted
		if from >= to {
			return
		}
		r := rangeOf(count)
		ranges[r].Words++
		ranges[r].Tokens += int64(to - from)
		for i := from; i < to; i++ {
			of[i-1] = r
		}
	}
	if t.tok.Kind() == tokenizer.Word {
		for i, id := range t.ids {
			add(i, i+1, tokens[id])
		}
		return of, ranges, nil
	}
	words := t.words()
	counts := map[string]int64{}
	for _, w := range words {
		counts[w.text] = 0
	}
	if err := countWords(dir, t.tok, counts); err != nil {
		return nil, nil, err
	}
	for _, w := range words {
		add(w.from, w.to, counts[w.text])
	}
	return of, ranges, nil
}

// testWord is a word of the test text, ids [from, to) with the blanks behind it.
type testWord struct {
	text     string
	from, to int
}

// words are the test text's stretches without blanks; blanks that no word goes
// before are a word without text.
func (t testPart) words() []testWord {
	var words []testWord
	var text, piece []byte
	from, blank := 0, false
	end := func(to int) {
		if to > from {
			words = append(words, testWord{string(text), from, to})
		}
		text, from = text[:0], to
	}
	for i, id := range t.ids {
		piece = t.tok.AppendDecode(piece[:0], id)
		isBlank := len(bytes.TrimSpace(piece)) == 0
		if blank && !isBlank {
			end(i)
		}
		if !isBlank {
			text = append(text, piece...)
		}
		blank = isBlank
	}
	end(len(t.ids))
	return words
}

// countWords counts those words of the training text that counts asks for.
func countWords(dir string, tok *tokenizer.Tokenizer, counts map[string]int64) error {
	src, err := data.Sources([]string{filepath.Join(dir, textDir, trainText)}, nil, data.ReadOptions{AllowBinary: tok.Kind() == tokenizer.Byte})
	if err != nil {
		return err
	}
	lower := tok.Options().Lower
	return data.Chunks(src, func(chunk []byte) error {
		for word := range bytes.FieldsSeq(chunk) {
			key := string(word)
			if lower {
				key = strings.ToLower(key)
			}
			if n, asked := counts[key]; asked {
				counts[key] = n + 1
			}
		}
		return nil
	})
}

// natsByRange sums losses over the ranges.
func natsByRange(losses []float32, of []int) []float64 {
	sums := make([]float64, len(countRanges()))
	for i, loss := range losses {
		sums[of[i]] += float64(loss)
	}
	return sums
}
