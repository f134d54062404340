// Package embedding reads word vectors and puts them into a model's embedding.
//
// [Open] knows the formats by their first bytes, gzipped or not:
//
//   - GloVe's text: a line a word, the word and its numbers apart by spaces;
//   - word2vec's text and fastText's .vec: the same after a first line with the
//     number of words and the width;
//   - word2vec's binary: that first line, then words, each followed by a space and
//     little-endian float32 numbers.
//
// A [Reader] gives one word after another in bounded memory, so that a file of any
// size serves; [Select] keeps the rows that a vocabulary asks for. Files are checked
// as if a stranger had sent them: a wrong width, numbers that are none, a file that
// is cut are errors that name the line or the word.
package embedding
