package embedding

import (
	"errors"
	"fmt"
	"io"
)

// Matrix holds the vectors of a vocabulary's words, as far as a file has them.
type Matrix struct {
	Width int
	Words int // of the vocabulary
	Found int // of them in the file

	rows    []int32   // of the table
	vectors []float32 // [len(rows),Width]
}

// Select reads r to its end and keeps the vectors of words, words[i] being the word
// of row i of a table, "" of rows that stand for none. Of a word that the file has
// twice the first vector counts; a word of several rows has it in all of them.
func Select(r *Reader, words []string) (*Matrix, error) {
	m := &Matrix{Width: r.Width()}
	rows := make(map[string][]int32, len(words))
	for i, w := range words {
		if w != "" {
			rows[w] = append(rows[w], int32(i))
			m.Words++
		}
	}
	for {
		word, vector, err := r.Next()
		if errors.Is(err, io.EOF) {
			return m, nil
		}
		if err != nil {
			return nil, err
		}
		for _, i := range rows[string(word)] {
			m.rows = append(m.rows, i)
			m.vectors = append(m.vectors, vector...)
			m.Found++
		}
		delete(rows, string(word))
	}
}

// Missing is the number of words that the file does not have.
func (m *Matrix) Missing() int { return m.Words - m.Found }

// Fill copies the vectors to their rows of table [V,Width]; the rows of missing
// words keep what they hold.
func (m *Matrix) Fill(table []float32) {
	for k, i := range m.rows {
		copy(table[int(i)*m.Width:(int(i)+1)*m.Width], m.vectors[k*m.Width:])
	}
}

// Fits is an error that says what to do where vectors of r do not fit an embedding
// of that width.
func (r *Reader) Fits(width int) error {
	if width != r.width {
		return fmt.Errorf("the vectors have %d numbers, the embedding is %d wide: take --emsize %d", r.width, width, r.width)
	}
	return nil
}
