package keras

import (
	"cmp"
	"slices"
	"strings"
)

// DefaultFilters are the characters that Keras removes unless told otherwise: all
// ASCII punctuation but the apostrophe, tabs and line ends.
const DefaultFilters = "!\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n"

// Tokenizer is Keras' Tokenizer: a vocabulary counted from documents, and the
// ids of words by falling count. Id 0 is nobody's, for padding. Make one with
// [NewTokenizer] and change its fields before fitting; afterwards any number of
// goroutines may use it.
type Tokenizer struct {
	NumWords      int    // num_words: ids from it on are left out (or are the OOVToken); 0: none
	Filters       string // characters that are replaced by Split
	Lower         bool   // lower-case, as Python does
	Split         string // what separates words; not empty
	CharLevel     bool   // every character is a token; Filters and Split do nothing
	OOVToken      string // stands for words not in the vocabulary, with id 1; "": they are left out
	DocumentCount int    // documents seen by fitting

	words     []string         // distinct words in the order of their first occurrence
	counts    map[string]int   // word_counts
	docs      map[string]int   // word_docs
	index     map[string]int32 // word_index
	word      map[int32]string // index_word
	indexDocs map[int32]int    // index_docs
}

// NewTokenizer returns a tokenizer with Keras' defaults.
func NewTokenizer() *Tokenizer {
	return &Tokenizer{
		Filters: DefaultFilters, Lower: true, Split: " ",
		counts: map[string]int{}, docs: map[string]int{},
		index: map[string]int32{}, word: map[int32]string{}, indexDocs: map[int32]int{},
	}
}

// FitOnTexts counts the words of documents and numbers all words anew.
func (t *Tokenizer) FitOnTexts(texts []string) {
	for _, text := range texts {
		t.count(t.Words(text))
	}
	t.number()
}

// FitOnTokens is FitOnTexts for documents that are lists of tokens; Filters and
// Split do nothing to them.
func (t *Tokenizer) FitOnTokens(docs [][]string) {
	for _, doc := range docs {
		t.count(t.lowered(doc))
	}
	t.number()
}

// FitOnSequences counts in how many documents each id occurs, for the mode
// tfidf of documents that are ids already.
func (t *Tokenizer) FitOnSequences(sequences [][]int32) {
	t.DocumentCount += len(sequences)
	for _, s := range sequences {
		seen := map[int32]bool{}
		for _, id := range s {
			if !seen[id] {
				seen[id] = true
				t.indexDocs[id]++
			}
		}
	}
}

func (t *Tokenizer) count(words []string) {
	t.DocumentCount++
	seen := make(map[string]bool, len(words))
	for _, w := range words {
		if t.counts[w] == 0 {
			w = strings.Clone(w) // the document need not stay in memory
			t.words = append(t.words, w)
		}
		t.counts[w]++
		if !seen[w] {
			seen[w] = true
			t.docs[w]++
		}
	}
}

// number gives ids by falling count, equal counts in the order of their first
// occurrence. A word that is the OOVToken too has the later of its two ids.
func (t *Tokenizer) number() {
	order := slices.Clone(t.words)
	slices.SortStableFunc(order, func(a, b string) int { return cmp.Compare(t.counts[b], t.counts[a]) })
	if t.OOVToken != "" {
		order = slices.Insert(order, 0, t.OOVToken)
	}
	t.index, t.word = make(map[string]int32, len(order)), make(map[int32]string, len(order))
	for i, w := range order {
		t.index[w] = int32(i + 1)
	}
	for w, id := range t.index {
		t.word[id] = w
	}
	for w, n := range t.docs {
		t.indexDocs[t.index[w]] = n
	}
}

// WordCounts calls yield with every word and how often it came, in the order of
// the first occurrence.
func (t *Tokenizer) WordCounts(yield func(word string, n int) bool) {
	for _, w := range t.words {
		if !yield(w, t.counts[w]) {
			return
		}
	}
}

// WordDocs returns in how many documents a word occurs.
func (t *Tokenizer) WordDocs(word string) int { return t.docs[word] }

// IndexDocs returns in how many documents an id occurs.
func (t *Tokenizer) IndexDocs(id int32) int { return t.indexDocs[id] }

// WordIndex returns the id of a word; false for one that is not in the
// vocabulary. It knows all words, whatever NumWords is.
func (t *Tokenizer) WordIndex(word string) (id int32, ok bool) {
	id, ok = t.index[word]
	return id, ok
}

// IndexWord returns the word of an id.
func (t *Tokenizer) IndexWord(id int32) (word string, ok bool) {
	word, ok = t.word[id]
	return word, ok
}

// Size is one more than the largest id that a sequence may hold: the input_dim
// of an Embedding.
func (t *Tokenizer) Size() int {
	var largest int32
	for id := range t.word {
		largest = max(largest, id)
	}
	if t.NumWords > 0 {
		return min(t.NumWords, int(largest)+1)
	}
	return int(largest) + 1
}

// TextsToSequences returns the ids of documents.
func (t *Tokenizer) TextsToSequences(texts []string) [][]int32 {
	out := make([][]int32, len(texts))
	for i, text := range texts {
		out[i] = t.ids(t.Words(text))
	}
	return out
}

// TokensToSequences returns the ids of documents that are lists of tokens.
func (t *Tokenizer) TokensToSequences(docs [][]string) [][]int32 {
	out := make([][]int32, len(docs))
	for i, doc := range docs {
		out[i] = t.ids(t.lowered(doc))
	}
	return out
}

func (t *Tokenizer) ids(words []string) []int32 {
	out := make([]int32, 0, len(words))
	oov, hasOOV := t.oov()
	for _, w := range words {
		if id, ok := t.index[w]; ok && !t.over(id) {
			out = append(out, id)
		} else if hasOOV {
			out = append(out, oov)
		}
	}
	return out
}

// SequencesToTexts joins the words of ids with spaces.
func (t *Tokenizer) SequencesToTexts(sequences [][]int32) []string {
	out := make([]string, len(sequences))
	oov, hasOOV := t.oov()
	for i, s := range sequences {
		var words []string
		for _, id := range s {
			if w, ok := t.word[id]; ok && !t.over(id) {
				words = append(words, w)
			} else if hasOOV {
				words = append(words, t.word[oov])
			}
		}
		out[i] = strings.Join(words, " ")
	}
	return out
}

// over reports whether an id is beyond NumWords.
func (t *Tokenizer) over(id int32) bool { return t.NumWords > 0 && int(id) >= t.NumWords }

// oov returns the id of the OOVToken, if there is one.
func (t *Tokenizer) oov() (id int32, ok bool) {
	if t.OOVToken == "" {
		return 0, false
	}
	id, ok = t.index[t.OOVToken]
	return id, ok
}
