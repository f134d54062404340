// Package compare trains several models on one text on equal terms and judges
// the differences.
//
// A comparison is a [Result]: what was read, what was equal, what every model
// scored on every block of the test text with every seed, and what else was
// measured.
//
// Losses are nats a token unless a name says otherwise, sizes bytes, times
// seconds.
package compare
