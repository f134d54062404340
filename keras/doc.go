// Package keras is the text preprocessing of Keras: its Tokenizer, pad_sequences,
// and the pairs of a prefix and the word after it that tutorials train on. It
// gives the same ids for the same text, so that data prepared there can be used
// here and the other way round; bench/keras compares the two on whole corpora.
//
//	t := keras.NewTokenizer()
//	t.OOVToken = "<unk>"
//	t.FitOnTexts(poems)
//	rows := keras.PadSequences(t.TextsToSequences(poems), keras.PadOptions[int32]{MaxLen: 20})
//
// A document is a string or a list of tokens; functions for the second have
// Tokens in their names. What is Python's there is Python's here: lower-casing
// knows the final sigma and the dotted capital İ, a split is at every single
// separator, words of equal count keep the order in which they first came, and
// the JSON holds JSON in strings. Bytes that are not UTF-8 are read as U+FFFD.
//
// The order of word_docs and index_docs in Keras' own JSON differs from run to
// run; here it is that of the first occurrence.
package keras
