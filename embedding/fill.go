package embedding

import (
	"errors"
	"fmt"
	"io"
)

// Coverage says how many words of a vocabulary have a vector in a file.
type Coverage struct {
	Words int `json:"words"` // of the vocabulary
	Found int `json:"found"` // of them in the file
}

// Missing is the number of words without a vector.
func (c Coverage) Missing() int { return c.Words - c.Found }

// Fill copies vectors of r to the rows of table [V,width], words[i] being the word
// of row i, "" of rows that stand for none. Rows of words that the file does not
// have keep what they hold. Of a word that the file has twice the first vector
// counts, of a word that has several rows all get it.
func Fill(r *Reader, table []float32, width int, words []string) (Coverage, error) {
	if r.Width() != width {
		return Coverage{}, fmt.Errorf("embedding: the vectors have %d numbers, the embedding is %d wide; take --emsize %d", r.Width(), width, r.Width())
	}
	if len(table) != len(words)*width {
		panic(fmt.Sprintf("embedding: Fill: table of %d values, want %d rows of %d", len(table), len(words), width))
	}
	rows := make(map[string][]int, len(words))
	var c Coverage
	for i, w := range words {
		if w != "" {
			rows[w] = append(rows[w], i)
			c.Words++
		}
	}
	for {
		word, vector, err := r.Next()
		if errors.Is(err, io.EOF) {
			return c, nil
		}
		if err != nil {
			return c, err
		}
		for _, i := range rows[string(word)] {
			copy(table[i*width:(i+1)*width], vector)
			c.Found++
		}
		delete(rows, string(word))
	}
}
