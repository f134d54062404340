package kernel

import (
	"fmt"
	"math"
)

// Storage is how a matrix of weights is kept.
type Storage uint8

const (
	Float32  Storage = iota
	BFloat16         // the upper half of a float32; products are those of float32 with the rounded weights
	Int8             // −127 to 127 and a scale for each row; so are the rows that it multiplies
	Pairs            // pairs of bfloat16, for training; the rows that it multiplies are rounded too
)

// Compact is a matrix of weights [Rows,Columns] in fewer bits than float32:
// BFloat16 in Half, or Int8 as Byte·Scale.
type Compact struct {
	Storage       Storage
	Rows, Columns int
	Half          []uint16  // [Rows,Columns]
	Byte          []int8    // [Rows,Columns], none −128
	Scale         []float32 // [Rows]
}

// MaxInt8Columns is the longest row of Int8: its products with another still
// fit into 32 bits.
const MaxInt8Columns = 1 << 17

// NewCompact returns zeros.
func NewCompact(storage Storage, rows, columns int) *Compact {
	c := &Compact{Storage: storage, Rows: rows, Columns: columns}
	switch storage {
	case BFloat16:
		c.Half = make([]uint16, rows*columns)
	case Int8:
		c.Byte, c.Scale = make([]int8, rows*columns), make([]float32, rows)
	default:
		panic(fmt.Sprintf("kernel: NewCompact: storage %d", storage))
	}
	return c
}

// Round takes the values nearest to src [Rows,Columns]. A row of Int8 with a NaN
// or an infinity gets a scale of NaN.
func (c *Compact) Round(src []float32) {
	wantLen("Compact.Round", "src", len(src), c.Rows*c.Columns)
	if c.Storage == BFloat16 {
		for i, v := range src {
			c.Half[i] = roundHalf(v)
		}
		return
	}
	for i := range c.Rows {
		c.Scale[i], _ = quantize(at(c.Byte, i, c.Columns), at(src, i, c.Columns))
	}
}

// Row widens row i to dst [Columns].
func (c *Compact) Row(i int, dst []float32) {
	wantLen("Compact.Row", "dst", len(dst), c.Columns)
	if c.Storage == BFloat16 {
		widenHalf(dst, at(c.Half, i, c.Columns))
		return
	}
	for k, q := range at(c.Byte, i, c.Columns) {
		dst[k] = float32(q) * c.Scale[i]
	}
}

// roundHalf is the nearest bfloat16, ties to even; a NaN stays one.
func roundHalf(v float32) uint16 {
	bits := math.Float32bits(v)
	if v != v {
		return uint16(bits>>16) | 0x40
	}
	return uint16((bits + 0x7fff + bits>>16&1) >> 16)
}

// widenHalf writes bfloat16 as float32, which is exact.
func widenHalf(dst []float32, src []uint16) {
	done := 0
	if useX86 && len(src) >= 16 {
		inBlocks(len(src)/16, func(block, n int) {
			widenHalfAsm(n, &src[16*block], &dst[16*block])
		})
		done = len(src) / 16 * 16
	}
	for i, h := range src[done:] {
		dst[done+i] = math.Float32frombits(uint32(h) << 16)
	}
}

// leastSize is the least largest magnitude of a row that is not taken for zeros:
// below, 127 divided by it would overflow.
const leastSize = 0x1p-100

// quantize rounds a row to q·scale, with q of −127 to 127, the nearest (ties to
// even), and returns the sum of q. A row with a NaN or an infinity becomes zeros
// with a scale of NaN. The error is at most half a scale, 1/254 of the largest
// magnitude.
func quantize(q []int8, x []float32) (scale float32, sum int32) {
	const infinity = 0x7f800000
	bits := maxBits(x)
	size := math.Float32frombits(bits)
	switch {
	case bits >= infinity:
		clear(q)
		return float32(math.NaN()), 0
	case size < leastSize:
		clear(q)
		return 0, 0
	}
	return size / 127, roundBytes(q, x, 127/size)
}

// maxBits is the largest of the magnitudes' bits, so that infinity is above all
// numbers and NaN above infinity.
func maxBits(x []float32) (most uint32) {
	done := 0
	if blocks := len(x) / 32; useX86 && blocks > 0 {
		inBlocks(blocks, func(block, n int) { most = max(most, maxBitsAsm(n, &x[32*block])) })
		done = 32 * blocks
	}
	for _, v := range x[done:] {
		most = max(most, math.Float32bits(v)&^(1<<31))
	}
	return most
}

// roundBytes writes x·factor, rounded twice, which must be from −127 to 127, and
// returns the sum.
func roundBytes(q []int8, x []float32, factor float32) (sum int32) {
	done := 0
	if blocks := len(x) / 32; useX86 && blocks > 0 {
		inBlocks(blocks, func(block, n int) { sum += roundBytesAsm(n, &x[32*block], factor, &q[32*block]) })
		done = 32 * blocks
	}
	for i, v := range x[done:] {
		r := int32(math.RoundToEven(float64(float32(v * factor))))
		q[done+i] = int8(r)
		sum += r
	}
	return sum
}

// inBlocks cuts blocks of at most 32 elements into calls as callLimit demands.
func inBlocks(blocks int, f func(block, n int)) {
	const most = callLimit / 32
	for at := 0; at < blocks; at += most {
		f(at, min(most, blocks-at))
	}
}
