package optim

import (
	"github.com/refrain-lm/refrain/internal/kernel"
	"github.com/refrain-lm/refrain/internal/parallel"
)

// pieceLen is how many elements are worked on at a time: 64 KiB a slice, so
// that Adam's four stay in a core's cache.
const pieceLen = 1 << 14

// piece is a part of one slice.
type piece struct{ slice, lo, hi int }

// cutPieces cuts all slices into fixed pieces, whatever the pool.
func cutPieces(params []Slice) []piece {
	var list []piece
	for i, p := range params {
		for lo := 0; lo < len(p.Value); lo += pieceLen {
			list = append(list, piece{i, lo, min(lo+pieceLen, len(p.Value))})
		}
	}
	return list
}

// each calls f for every piece, spread over the pool.
func each(pool *parallel.Pool, list []piece, f func(piece)) {
	pool.For(len(list), 1, func(lo, hi int) {
		for _, p := range list[lo:hi] {
			f(p)
		}
	})
}

// zeros makes one slice of zeros as long as each parameter, named prefix+name.
func zeros(params []Slice, prefix string) []Slice {
	list := make([]Slice, len(params))
	for i, p := range params {
		list[i] = Slice{Name: prefix + p.Name, Value: kernel.Buffer(len(p.Value))}
	}
	return list
}
