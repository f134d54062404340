package tokenizer

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"unicode/utf8"

	"github.com/refrain-lm/refrain/keras"
)

// The file's own version and the most bytes it may have.
const (
	fileFormat  = "refrain tokenizer"
	fileVersion = 1
	maxFile     = 1 << 29
)

// file is tokenizer.json. Characters are one string, ascending; tokens are in
// the order of their ids.
type file struct {
	Format     string  `json:"format"`
	Version    int     `json:"version"`
	Kind       Kind    `json:"kind"`
	Words      string  `json:"words,omitempty"`
	MinCount   int     `json:"min_count,omitempty"`
	VocabSize  int     `json:"vocab_size,omitempty"`
	Lower      bool    `json:"lower,omitempty"`
	Normalize  string  `json:"normalize,omitempty"`
	Noise      uint64  `json:"noise,omitempty"` // one in how many
	Characters string  `json:"characters,omitempty"`
	Tokens     []token `json:"tokens,omitempty"`
	// Keras is what to_json of Keras' own Tokenizer writes.
	Keras *keras.Tokenizer `json:"keras,omitempty"`
}

// A token is a JSON string, or {"hex": "…"} where its bytes are not UTF-8.
type token []byte

type hexToken struct {
	Hex string `json:"hex"`
}

func (t token) MarshalJSON() ([]byte, error) {
	if utf8.Valid(t) {
		return marshal(string(t))
	}
	return marshal(hexToken{hex.EncodeToString(t)})
}

func (t *token) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		*t = token(s)
		return nil
	}
	var h hexToken
	if err := strictUnmarshal(b, &h); err != nil {
		return err
	}
	raw, err := hex.DecodeString(h.Hex)
	*t = raw
	return err
}

// marshal is json.Marshal that leaves <, > and & readable.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// strictUnmarshal refuses unknown keys and anything after the value.
func strictUnmarshal(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("more text after the object")
	}
	return nil
}

// finish gives a tokenizer what follows from its vocabulary.
func finish(t *Tokenizer) *Tokenizer {
	t.cleaner = newCleaner(t.opts)
	if t.keras != nil {
		t.size = t.keras.Size()
	}
	h := sha256.New()
	if err := t.Save(h); err != nil {
		panic(err) // a hash takes everything
	}
	t.id = hex.EncodeToString(h.Sum(nil))
	return t
}

// Save writes tokenizer.json: always the same bytes for the same tokenizer.
func (t *Tokenizer) Save(w io.Writer) error {
	f := file{
		Format: fileFormat, Version: fileVersion,
		Kind: t.opts.Kind, Words: t.opts.Words, MinCount: t.opts.MinCount, VocabSize: t.opts.VocabSize,
		Lower: t.opts.Lower, Normalize: t.opts.Normalize, Keras: t.keras,
	}
	switch {
	case t.chars != nil:
		f.Characters, f.Noise = string(t.chars.all), t.chars.noise
	case t.words != nil:
		f.Noise = t.words.noise
		for i := range t.words.words.len() {
			f.Tokens = append(f.Tokens, t.words.words.at(i))
		}
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(f); err != nil {
		return fmt.Errorf("tokenizer: save: %w", err)
	}
	return nil
}

// Load reads tokenizer.json. Whatever it doesn't know or can't be true is an
// error.
func Load(r io.Reader) (*Tokenizer, error) {
	raw, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("tokenizer: read: %w", err)
	}
	if len(raw) > maxFile {
		return nil, fmt.Errorf("tokenizer: file of more than %d bytes", maxFile)
	}
	var f file
	if err := strictUnmarshal(raw, &f); err != nil {
		return nil, fmt.Errorf("tokenizer: not a tokenizer.json: %w", err)
	}
	t, err := f.tokenizer()
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	return finish(t), nil
}

// tokenizer checks f and builds what it describes.
func (f *file) tokenizer() (*Tokenizer, error) {
	if f.Format != fileFormat {
		return nil, fmt.Errorf("format %q, want %q", f.Format, fileFormat)
	}
	if f.Version != fileVersion {
		return nil, fmt.Errorf("file version %d, this program reads %d: use a newer one", f.Version, fileVersion)
	}
	o := Options{
		Kind: f.Kind, Words: f.Words, MinCount: f.MinCount, VocabSize: f.VocabSize,
		Lower: f.Lower, Normalize: f.Normalize,
	}
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if o != o.withDefaults() {
		return nil, fmt.Errorf("kind %q: kind, words or minimum count is missing", f.Kind)
	}
	if f.Noise > math.MaxUint32 {
		return nil, fmt.Errorf("noise of one in %d", f.Noise)
	}
	t := &Tokenizer{opts: o}
	var err error
	switch o.Kind {
	case Byte:
		if f.Characters != "" || f.Tokens != nil || f.Noise != 0 {
			err = errors.New("kind byte has no vocabulary")
		}
	case Char:
		t.chars, err = f.charset()
	case Word:
		t.words, err = f.wordset()
	case Keras:
		t.keras, err = f.kerasTokenizer()
	}
	return t, err
}

func (f *file) charset() (*charset, error) {
	if f.Characters == "" || f.Tokens != nil {
		return nil, errors.New("kind char needs characters and no tokens")
	}
	all := []rune(f.Characters)
	for i, r := range all[1:] {
		if r <= all[i] {
			return nil, fmt.Errorf("characters are not ascending at %q", r)
		}
	}
	return newCharset(all, f.Noise), nil
}

func (f *file) wordset() (*wordset, error) {
	if f.Characters != "" {
		return nil, errors.New("kind word has no characters")
	}
	if len(f.Tokens) <= firstWord || len(f.Tokens) > maxVocab {
		return nil, fmt.Errorf("%d tokens, want %d…%d", len(f.Tokens), firstWord+1, maxVocab)
	}
	if string(f.Tokens[unknownWord]) != unknownText || string(f.Tokens[lineEndWord]) != "\n" {
		return nil, fmt.Errorf("the first tokens are %q, %q, want %q, %q", f.Tokens[0], f.Tokens[1], unknownText, "\n")
	}
	words := newTable(len(f.Tokens))
	for i, w := range f.Tokens {
		if len(w) == 0 || len(w) > maxWord+len(joined) {
			return nil, fmt.Errorf("token %d has %d bytes, want 1…%d", i, len(w), maxWord)
		}
		if _, fresh := words.add(w); !fresh {
			return nil, fmt.Errorf("token %d, %q, occurs twice", i, w)
		}
	}
	return &wordset{words: words, punct: f.Words == Punct, noise: f.Noise}, nil
}
