package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/refrain-lm/refrain/checkpoint"
	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/keras"
)

// kerasFlags are those of tokenize --keras.
type kerasFlags struct {
	on                 bool
	numWords, maxLen   int
	oov, filters       string
	split, from, save  string
	lower, chars       bool
	pad, truncate      string
	matrix             string
	value              int32
	pairs, texts, file bool
}

// kerasNames lists them; a model folder's tokenizer has no use for them.
var kerasNames = []string{"num-words", "oov", "filters", "split", "lower", "char-level", "from", "write", "maxlen", "pad", "truncate", "value", "pairs", "matrix", "texts", "per-file"}

func (o *kerasFlags) add(f *pflag.FlagSet) flagGroup {
	f.BoolVar(&o.on, "keras", false, "no model: Keras' Tokenizer, fitted on the files, each line a document")
	f.IntVar(&o.numWords, "num-words", 0, "ids below `N` only (0: all)")
	f.StringVar(&o.oov, "oov", "", "`WORD` with id 1 for words that have none")
	f.StringVar(&o.filters, "filters", keras.DefaultFilters, "`CHARACTERS` that are removed")
	f.StringVar(&o.split, "split", " ", "what separates words: `S`")
	f.BoolVar(&o.lower, "lower", true, "lower-case the text")
	f.BoolVar(&o.chars, "char-level", false, "every character is a token")
	f.StringVar(&o.from, "from", "", "the JSON `FILE` of a tokenizer, ours or Keras', instead of fitting")
	f.StringVar(&o.save, "write", "", "write the tokenizer's JSON to `FILE`, for tokenizer_from_json")
	f.IntVar(&o.maxLen, "maxlen", 0, "pad and cut to `N` ids (0 with --pad: as long as the longest)")
	f.StringVar(&o.pad, "pad", "", "pad with zeros, or --value, `WHERE`: pre or post")
	f.StringVar(&o.truncate, "truncate", "pre", "cut longer ones `WHERE`: pre or post")
	f.Int32Var(&o.value, "value", 0, "pad with `N` instead of zeros")
	f.BoolVar(&o.pairs, "pairs", false, "every prefix, a tab, and the id after it")
	f.StringVar(&o.matrix, "matrix", "", "a row of numbers a document, `MODE` binary, count, freq or tfidf")
	f.BoolVar(&o.texts, "texts", false, "with --from: lines of ids back to words")
	f.BoolVar(&o.file, "per-file", false, "every file is a document")
	return flagGroup{title: "Keras", names: append([]string{"keras"}, kerasNames...), brief: true}
}

// check refuses flags that contradict each other.
func (o *kerasFlags) check(cmd *cobra.Command) error {
	given := cmd.Flags().Changed
	if !o.on {
		for _, name := range kerasNames {
			if given(name) {
				return usagef("--%s goes with --keras", name)
			}
		}
		return nil
	}
	if given("ids") {
		return usagef("--keras shows ids anyway; leave out --ids")
	}
	for _, side := range []struct{ flag, value string }{{"pad", o.pad}, {"truncate", o.truncate}} {
		if side.value != "" && side.value != string(keras.Pre) && side.value != string(keras.Post) {
			return usagef("--%s %s: takes pre or post", side.flag, quote(side.value))
		}
	}
	if o.from != "" {
		for _, name := range []string{"num-words", "oov", "filters", "split", "lower", "char-level"} {
			if given(name) {
				return usagef("the tokenizer in %s has its settings; leave out --%s", quotePath(o.from), name)
			}
		}
	}
	modes := []string{string(keras.Binary), string(keras.Count), string(keras.Freq), string(keras.TFIDF)}
	switch {
	case o.matrix != "" && !slices.Contains(modes, o.matrix):
		return usagef("--matrix %s: takes %s", quote(o.matrix), strings.Join(modes, ", "))
	case o.matrix != "" && (o.pairs || o.maxLen > 0 || o.pad != ""):
		return usagef("--matrix is a row a document; leave out --pairs, --maxlen and --pad")
	case o.split == "":
		return usagef("--split is empty; --char-level makes every character a token")
	case o.numWords < 0 || o.maxLen < 0:
		return usagef("--num-words and --maxlen take 0 or more")
	case o.texts && o.from == "":
		return usagef("--texts turns ids into the words of --from FILE")
	}
	return nil
}

// tokenizeKeras is the verb with --keras.
func (a *app) tokenizeKeras(files []string, o kerasFlags, info, asJSON bool) error {
	src, err := data.Sources(files, a.in, data.ReadOptions{})
	if err != nil {
		return err
	}
	docs, err := data.Texts(src, o.file)
	if err = errors.Join(err, data.CloseSources(src)); err != nil {
		return err
	}
	t, err := o.tokenizer(docs)
	if err != nil {
		return err
	}
	if o.save != "" {
		if err := saveKeras(o.save, t); err != nil {
			return err
		}
	}
	w := bufio.NewWriter(a.out.w)
	switch {
	case info:
		err = kerasInfo(w, t, asJSON)
	case o.texts:
		err = kerasTexts(w, t, docs, asJSON)
	case o.matrix != "":
		err = kerasMatrix(w, t, docs, keras.Mode(o.matrix), asJSON)
	default:
		err = o.sequences(w, t, docs, asJSON)
	}
	if err != nil {
		return err
	}
	return w.Flush()
}

// tokenizer fits one on docs, or reads it.
func (o kerasFlags) tokenizer(docs []string) (*keras.Tokenizer, error) {
	if o.from != "" {
		f, err := os.Open(o.from)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		t, err := keras.ReadTokenizer(f)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", o.from, err)
		}
		return t, nil
	}
	t := keras.NewTokenizer()
	t.NumWords, t.OOVToken, t.Filters, t.Split, t.Lower, t.CharLevel = o.numWords, o.oov, o.filters, o.split, o.lower, o.chars
	t.FitOnTexts(docs)
	return t, nil
}

func saveKeras(path string, t *keras.Tokenizer) error {
	return checkpoint.ReplaceFile(checkpoint.OS{}, path, func(w io.Writer) error { return json.NewEncoder(w).Encode(t) })
}

// sequences writes ids, padded where that is asked for, or pairs.
func (o kerasFlags) sequences(w io.Writer, t *keras.Tokenizer, docs []string, asJSON bool) error {
	all := t.TextsToSequences(docs)
	padded := o.pad != "" || o.maxLen > 0
	pad := func(rows [][]int32) [][]int32 {
		if !padded {
			return rows
		}
		return keras.PadSequences(rows, keras.PadOptions[int32]{MaxLen: o.maxLen, Padding: keras.Side(o.pad), Truncating: keras.Side(o.truncate), Value: o.value})
	}
	if !o.pairs {
		for _, s := range pad(all) {
			if err := writeRow(w, s, asJSON); err != nil {
				return err
			}
		}
		return nil
	}
	if padded && o.maxLen == 0 {
		for _, s := range all {
			o.maxLen = max(o.maxLen, len(s)-1)
		}
	}
	for _, s := range all {
		for prefix, next := range keras.Prefixes(s) {
			prefix = pad([][]int32{prefix})[0]
			if err := writePair(w, prefix, next, asJSON); err != nil {
				return err
			}
		}
	}
	return nil
}

func writeRow[T int32 | float64](w io.Writer, row []T, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(row)
	}
	_, err := fmt.Fprintln(w, strings.Trim(fmt.Sprint(row), "[]"))
	return err
}

func writePair(w io.Writer, prefix []int32, next int32, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(map[string]any{"x": prefix, "y": next})
	}
	_, err := fmt.Fprintf(w, "%s\t%d\n", strings.Trim(fmt.Sprint(prefix), "[]"), next)
	return err
}

func kerasMatrix(w io.Writer, t *keras.Tokenizer, docs []string, mode keras.Mode, asJSON bool) error {
	for _, doc := range docs { // a row at a time: a matrix of a corpus need not fit in memory
		rows, err := t.TextsToMatrix([]string{doc}, mode)
		if err != nil {
			return err
		}
		if err := writeRow(w, rows[0], asJSON); err != nil {
			return err
		}
	}
	return nil
}

// kerasTexts turns lines of ids into words.
func kerasTexts(w io.Writer, t *keras.Tokenizer, lines []string, asJSON bool) error {
	for n, line := range lines {
		var ids []int32
		for _, field := range strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" \t,[]", r) }) {
			id, err := strconv.ParseInt(field, 10, 32)
			if err != nil {
				return fmt.Errorf("line %d: %s is no id; --texts wants lines of ids, as tokenize --keras writes them", n+1, quote(field))
			}
			ids = append(ids, int32(id))
		}
		text := t.SequencesToTexts([][]int32{ids})[0]
		var err error
		if asJSON {
			err = json.NewEncoder(w).Encode(text)
		} else {
			_, err = fmt.Fprintln(w, text)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// kerasInfo writes the vocabulary in the order of its ids.
func kerasInfo(w io.Writer, t *keras.Tokenizer, asJSON bool) error {
	counts := map[string]int{}
	for word, n := range t.WordCounts {
		counts[word] = n
	}
	for id := int32(1); int(id) <= len(counts)+1; id++ {
		word, ok := t.IndexWord(id)
		if !ok {
			continue
		}
		var err error
		if asJSON {
			err = json.NewEncoder(w).Encode(map[string]any{"id": id, "word": word, "count": counts[word], "documents": t.WordDocs(word)})
		} else {
			_, err = fmt.Fprintf(w, "%d\t%s\t%d\t%d\n", id, tabless(word), counts[word], t.WordDocs(word))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
