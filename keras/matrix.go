package keras

import (
	"errors"
	"fmt"
	"math"
)

// Mode says what the columns of a matrix of documents hold.
type Mode string

// The modes of texts_to_matrix.
const (
	Binary Mode = "binary" // 1 where the document has the word
	Count  Mode = "count"  // how often it has it
	Freq   Mode = "freq"   // that over the length of the document
	TFIDF  Mode = "tfidf"  // (1+ln c)·ln(1 + documents/(1+documents with the word))
)

// TextsToMatrix returns a row for each document, with a column for each id below
// NumWords (where that is 0, for every word and the unused id 0).
func (t *Tokenizer) TextsToMatrix(texts []string, mode Mode) ([][]float64, error) {
	return t.SequencesToMatrix(t.TextsToSequences(texts), mode)
}

// SequencesToMatrix is TextsToMatrix of documents that are ids already. Ids
// without a column are left out, but count in the length of the document.
func (t *Tokenizer) SequencesToMatrix(sequences [][]int32, mode Mode) ([][]float64, error) {
	columns := t.NumWords
	if columns == 0 {
		if len(t.index) == 0 {
			return nil, errors.New("keras: a matrix needs columns: fit the tokenizer on some text, or set NumWords")
		}
		columns = len(t.index) + 1
	}
	switch mode {
	case Binary, Count, Freq:
	case TFIDF:
		if t.DocumentCount == 0 {
			return nil, errors.New("keras: mode tfidf counts documents: fit the tokenizer on some text first")
		}
	default:
		return nil, fmt.Errorf("keras: mode %q is none of binary, count, freq, tfidf", mode)
	}
	out := make([][]float64, len(sequences))
	for i, s := range sequences {
		out[i] = make([]float64, columns)
		for _, id := range s {
			if id < 0 {
				return nil, fmt.Errorf("keras: id %d is negative", id)
			}
			if int(id) < columns {
				out[i][id]++
			}
		}
		t.weigh(out[i], len(s), mode)
	}
	return out, nil
}

// weigh turns the counts of a document of n tokens into what mode wants.
func (t *Tokenizer) weigh(row []float64, n int, mode Mode) {
	for id, c := range row {
		if c == 0 {
			continue
		}
		switch mode {
		case Binary:
			row[id] = 1
		case Freq:
			row[id] = c / float64(n)
		case TFIDF:
			row[id] = (1 + math.Log(c)) * math.Log(1+float64(t.DocumentCount)/float64(1+t.indexDocs[int32(id)]))
		}
	}
}
