// Package tokenizer turns text into ids and ids back into text. It has three
// kinds, each trained from the text itself and saved as one tokenizer.json:
//
//   - [Byte]: ids 0–255 are the bytes. Nothing is learned, every text
//     round-trips.
//   - [Char]: ids 0–255 are the bytes, so that an ASCII character is its own
//     id; from 256 on follow the other characters of the training text, by
//     code point. A character that is not among them, and every byte that is
//     not valid UTF-8, is spelled in bytes. Every text round-trips.
//   - [Word]: id 0 is the unknown word, id 1 the line end, then the words by
//     falling count (equal counts: by their bytes). [Whitespace] takes the
//     text's own tokens; [Punct] splits punctuation off as Unicode Standard
//     Annex 29 finds words, and remembers spacing where it is unusual.
//
// A trained tokenizer never fails: any bytes at all encode to ids in
// [0, Size), and any ids decode to text. It is read-only and may be used from
// many goroutines.
//
// # Pieces
//
// A long text is encoded in pieces. The ids don't depend on where it was cut,
// as long as pieces end after a "\n"; for kind byte without any condition, for
// kind char (without normalisation) wherever a UTF-8 character ends. A line
// end also ends the reach of Unicode normalisation, lower-casing and word
// boundaries.
//
// # Characters that training never saw
//
// A character model would never see the bytes of its fallback in training,
// and would give them a probability that only its initialisation decides. So
// [Tokenizer.EncodeTraining] puts noise into the training ids: on average
// after one character in 8,192 stands one random character that the
// vocabulary lacks, spelled as the fallback spells it (a quarter unseen ASCII,
// a quarter each two and three bytes long, an eighth four bytes long, an
// eighth a stray byte). Whether a character is followed by noise, and by
// which, is a hash of its byte offset in the training text, so neither the
// pieces nor the number of passes change it. The model thereby learns that an
// unseen character comes about once in 8,192, what its bytes look like, and
// that the text goes on undisturbed afterwards. Text made of seen characters
// pays −ln(1−1/8192) = 0.00012 nats a character for it.
//
// Words have the same need where no word of the training text maps to the
// unknown id (no literal <unk>, no MinCount, no VocabSize): then one word in
// 2,048 is replaced by it. Encode never adds noise, and validation text is
// encoded with Encode.
//
// # Files
//
// tokenizer.json holds options and vocabulary in one canonical form; the
// SHA-256 of those bytes, [Tokenizer.ID], is the identity of the vocabulary.
package tokenizer
