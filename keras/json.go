package keras

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
)

// maxFile is the most bytes a tokenizer's JSON may have.
const maxFile = 1 << 29

// file is what Keras' to_json writes: a class name and a config whose five tables
// are JSON within strings.
type file struct {
	ClassName string `json:"class_name"`
	Config    config `json:"config"`
}

type config struct {
	NumWords      *int    `json:"num_words"`
	Filters       string  `json:"filters"`
	Lower         bool    `json:"lower"`
	Split         string  `json:"split"`
	CharLevel     bool    `json:"char_level"`
	OOVToken      *string `json:"oov_token"`
	DocumentCount int     `json:"document_count"`
	WordCounts    string  `json:"word_counts"`
	WordDocs      string  `json:"word_docs"`
	IndexDocs     string  `json:"index_docs"`
	IndexWord     string  `json:"index_word"`
	WordIndex     string  `json:"word_index"`
}

// MarshalJSON writes what tokenizer_from_json of Keras reads.
func (t *Tokenizer) MarshalJSON() ([]byte, error) {
	c := config{Filters: t.Filters, Lower: t.Lower, Split: t.Split, CharLevel: t.CharLevel, DocumentCount: t.DocumentCount}
	if t.NumWords > 0 {
		c.NumWords = &t.NumWords
	}
	if t.OOVToken != "" {
		c.OOVToken = &t.OOVToken
	}
	ids := slices.Sorted(maps.Keys(t.word))
	var counts, docs, index, word, indexDocs object
	for _, w := range t.words {
		counts.add(w, t.counts[w])
		docs.add(w, t.docs[w])
	}
	for _, id := range ids {
		index.add(t.word[id], id)
		word.add(strconv.Itoa(int(id)), t.word[id])
	}
	for _, id := range slices.Sorted(maps.Keys(t.indexDocs)) {
		indexDocs.add(strconv.Itoa(int(id)), t.indexDocs[id])
	}
	c.WordCounts, c.WordDocs, c.IndexDocs, c.IndexWord, c.WordIndex =
		counts.String(), docs.String(), indexDocs.String(), word.String(), index.String()
	return marshal(file{ClassName: "Tokenizer", Config: c})
}

// object builds a JSON object whose keys keep their order.
type object struct{ b bytes.Buffer }

func (o *object) add(key string, value any) {
	if o.b.Len() > 0 {
		o.b.WriteString(", ")
	}
	k, err := marshal(key)
	v, err2 := marshal(value)
	if err := errors.Join(err, err2); err != nil {
		panic(err) // strings and integers always have a form
	}
	o.b.Write(k)
	o.b.WriteString(": ")
	o.b.Write(v)
}

func (o *object) String() string { return "{" + o.b.String() + "}" }

// marshal is json.Marshal that leaves <, > and & as they are.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// ReadTokenizer reads the JSON of a tokenizer, by Keras or by this package.
func ReadTokenizer(r io.Reader) (*Tokenizer, error) {
	raw, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("keras: %w", err)
	}
	if len(raw) > maxFile {
		return nil, fmt.Errorf("keras: tokenizer of more than %d bytes", maxFile)
	}
	t := new(Tokenizer)
	if err := t.UnmarshalJSON(raw); err != nil {
		return nil, err
	}
	return t, nil
}

// UnmarshalJSON reads what to_json of Keras writes.
func (t *Tokenizer) UnmarshalJSON(raw []byte) error {
	var f file
	if err := json.Unmarshal(raw, &f); err != nil {
		return fmt.Errorf("keras: not a tokenizer's JSON: %w", err)
	}
	c := f.Config
	if c.WordIndex == "" || c.WordCounts == "" {
		return errors.New("keras: not a tokenizer's JSON: no word_index or word_counts; write it with Keras' tokenizer.to_json()")
	}
	read := NewTokenizer()
	read.Filters, read.Lower, read.Split, read.CharLevel, read.DocumentCount = c.Filters, c.Lower, c.Split, c.CharLevel, c.DocumentCount
	if c.NumWords != nil {
		read.NumWords = *c.NumWords
	}
	if c.OOVToken != nil {
		read.OOVToken = *c.OOVToken
	}
	if read.Split == "" || read.NumWords < 0 || read.DocumentCount < 0 {
		return errors.New("keras: tokenizer with an empty split or a negative count")
	}
	if err := read.tables(c); err != nil {
		return fmt.Errorf("keras: tokenizer: %w", err)
	}
	*t = *read
	return nil
}

// tables reads the five tables of a config.
func (t *Tokenizer) tables(c config) error {
	return errors.Join(
		each("word_counts", c.WordCounts, func(key string, n int) error {
			if t.counts[key] == 0 {
				t.words = append(t.words, key)
			}
			t.counts[key] = n
			return positive(n)
		}),
		each("word_docs", c.WordDocs, func(key string, n int) error {
			t.docs[key] = n
			return positive(n)
		}),
		each("word_index", c.WordIndex, func(key string, n int) error {
			t.index[key] = int32(n)
			return asID(n)
		}),
		each("index_word", c.IndexWord, func(key string, w string) error {
			n, err := strconv.Atoi(key)
			t.word[int32(n)] = w
			return errors.Join(err, asID(n))
		}),
		each("index_docs", c.IndexDocs, func(key string, docs int) error {
			n, err := strconv.Atoi(key)
			t.indexDocs[int32(n)] = docs
			if n != 0 { // padding, which FitOnSequences counts too
				err = errors.Join(err, asID(n))
			}
			return errors.Join(err, positive(docs))
		}),
	)
}

func positive(n int) error {
	if n < 1 {
		return fmt.Errorf("a count of %d", n)
	}
	return nil
}

// asID checks an id: Keras numbers words from 1 on, and ids may leave gaps, but
// no table should need more than 2³¹ rows.
func asID(n int) error {
	if n < 1 || n > 1<<30 {
		return fmt.Errorf("an id of %d", n)
	}
	return nil
}

// each calls f for every key of the JSON object in text, in its order.
func each[V any](name, text string, f func(key string, v V) error) error {
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	open, err := d.Token()
	if err != nil || open != json.Delim('{') {
		return fmt.Errorf("%s is no JSON object", name)
	}
	for d.More() {
		key, err := d.Token()
		var v V
		if err == nil {
			err = d.Decode(&v)
		}
		if err == nil {
			err = f(key.(string), v)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	_, err = d.Token()
	return err
}
