package keras

import (
	"fmt"
	"iter"
	"math"
)

// Side is an end of a sequence.
type Side string

// The sides; "" means Pre, as in Keras.
const (
	Pre  Side = "pre"
	Post Side = "post"
)

// PadOptions are the arguments of pad_sequences.
type PadOptions[T any] struct {
	MaxLen     int  // length of all rows; 0: of the longest sequence
	Padding    Side // where shorter sequences are padded
	Truncating Side // where longer ones are cut
	Value      T    // of the padding
}

// PadSequences returns the sequences as rows of one length, [len(sequences),
// MaxLen], in new memory. It panics for a side that is none and for a negative
// length.
func PadSequences[T any](sequences [][]T, o PadOptions[T]) [][]T {
	for _, s := range []Side{o.Padding, o.Truncating} {
		if s != "" && s != Pre && s != Post {
			panic(fmt.Sprintf("keras: PadSequences: side %q is neither pre nor post", s))
		}
	}
	if o.MaxLen == 0 {
		for _, s := range sequences {
			o.MaxLen = max(o.MaxLen, len(s))
		}
	}
	all, out := make([]T, len(sequences)*o.MaxLen), make([][]T, len(sequences))
	for i, s := range sequences {
		row := all[i*o.MaxLen : (i+1)*o.MaxLen : (i+1)*o.MaxLen]
		out[i] = row
		if cut := len(s) - o.MaxLen; cut > 0 {
			if o.Truncating == Post {
				s = s[:o.MaxLen]
			} else {
				s = s[cut:]
			}
		}
		pad := row[:len(row)-len(s)]
		if o.Padding == Post {
			pad = row[len(s):]
			copy(row, s)
		} else {
			copy(row[len(pad):], s)
		}
		for k := range pad {
			pad[k] = o.Value
		}
	}
	return out
}

// Prefixes yields the pairs X = s[:i], y = s[i] for i from 1 on: what a model of
// the next word is trained on. The prefixes share s's memory, so that they cost
// nothing.
func Prefixes[T any](s []T) iter.Seq2[[]T, T] {
	return func(yield func(prefix []T, next T) bool) {
		for i := 1; i < len(s); i++ {
			if !yield(s[:i:i], s[i]) {
				return
			}
		}
	}
}

// SamplingTable is make_sampling_table: for each rank of a word by count, the
// probability with which word2vec's subsampling keeps it, if counts follow Zipf's
// law; factor 1e-5 is Keras' default.
func SamplingTable(size int, factor float64) []float64 {
	const gamma = 0.577
	out := make([]float64, size)
	for i := range out {
		rank := float64(max(1, i))
		f := factor * (rank*(math.Log(rank)+gamma) + 0.5 - 1/(12*rank))
		out[i] = min(1, f/math.Sqrt(f))
	}
	return out
}
