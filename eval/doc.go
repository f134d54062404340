// Package eval measures and runs finished models of any kind.
//
// [Open] is the one place that opens a model folder by its kind; what it
// returns holds a [Predictor], which every kind of model fulfils, and the
// tokenizer. [New] wraps a model that is in memory, [Model.Save] writes it as a
// folder. The measures:
//
//   - [Stream]: one stream from a zero state; the first token is given and not
//     counted, so N tokens make N−1 predictions.
//   - [PerLine]: every line starts fresh after a line end; all its tokens and
//     its own line end count (as KenLM counts a sentence).
//   - [LineScorer]: the same for one line at a time in constant memory, with
//     the surprisal of every token.
//   - [Generator]: samples a continuation, token by token.
//
// [Mix] makes one model of two that share a tokenizer; [FitMix] finds its weight.
//
// Losses are nats; perplexity is exp(nats a token). Bits per byte are nats over
// ln 2 and the raw bytes covered; there are none where the tokenizer lost
// something (an unknown word, lower-casing), since then the bytes were not
// predicted.
//
// # Errors
//
// [Open] tells a folder that is not there, one whose run was stopped too early,
// one that is damaged and one of a newer kind apart, in one line that says what
// to do. Measuring returns the reading's errors and the context's; a text with
// fewer than two tokens is one. Wherever an [nn.Pool] is taken, nil means the
// caller's goroutine alone, with the same bits.
package eval
