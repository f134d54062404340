package kernel_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/refrain-lm/refrain/internal/kernel"
)

// FuzzProducts holds every implementation to the chain that defines a product,
// to the bit, on shapes, strides and values that the fuzzer chooses.
func FuzzProducts(f *testing.F) {
	f.Add(uint8(1), uint8(1), uint8(1), uint8(0), uint64(1))
	f.Add(uint8(6), uint8(33), uint8(70), uint8(3), uint64(2))
	f.Add(uint8(13), uint8(64), uint8(17), uint8(1), uint64(3))
	f.Fuzz(func(t *testing.T, rows, columns, depth, more uint8, seed uint64) {
		m, n, k := int(rows)%40+1, int(columns)%90+1, int(depth)
		lda, ldc := k+int(more)%5, n+int(more)%7
		r := newRand(seed)
		a, b := randomSlice(r, m*lda, 4), randomSlice(r, k*n, math.Ldexp(1, int(seed%64)-32))
		start := newGuarded((m-1)*ldc+n, int(more)%8).fill(r, 1)
		for _, backend := range backends {
			with(backend, func() {
				var packed kernel.Packed
				packed.Pack(nil, b, k, n, n)
				c := start.clone()
				kernel.Gemm(c.x, ldc, a, lda, m, &packed, 0, packed.Panels())
				c.check(t, backend)
				for i := range m {
					for j := range n {
						at := i*ldc + j
						if want := chain(start.x[at], a[i*lda:], b[min(j, len(b)):], 1, n, k); !sameBits(c.x[at], want) {
							t.Fatalf("%s: %d×%d×%d: C[%d,%d] = %v, want %v", backend, m, n, k, i, j, c.x[at], want)
						}
					}
				}
			})
		}
	})
}

// FuzzPairs holds products of bfloat16 to float64 arithmetic with the rounded operands,
// and its two forms to the same bits.
func FuzzPairs(f *testing.F) {
	f.Add(uint8(1), uint8(1), uint8(1), uint8(0), uint64(1))
	f.Add(uint8(12), uint8(33), uint8(70), uint8(3), uint64(2))
	f.Add(uint8(65), uint8(49), uint8(97), uint8(1), uint64(3))
	f.Fuzz(func(t *testing.T, rows, columns, depth, more uint8, seed uint64) {
		m, n, k := int(rows)%100+1, int(columns)%90+1, int(depth)+1
		lda, ldc := k+int(more)%5, n+int(more)%7
		r := newRand(seed)
		a, b := randomSlice(r, m*lda, 4), randomSlice(r, k*n, 1)
		before := newGuarded((m-1)*ldc+n, int(more)%8).fill(r, 1)
		for _, backend := range backends {
			with(backend, func() {
				name := fmt.Sprintf("%s: %d×%d×%d", backend, m, n, k)
				var packed kernel.Packed
				packed.PackPairs(nil, b, k, n, n)
				c := before.clone()
				kernel.Gemm(c.x, ldc, a, lda, m, &packed, 0, packed.Panels())
				c.check(t, name)
				wantPairProduct(t, name, c.x, before.x, ldc, m, n, k, a, lda, b)
				turned := before.clone()
				to := kernel.Right{C: turned.x, LDC: ldc, B: b, LDB: n, N: n}
				kernel.GemmTNEach(kernel.TN{Pairs: true}, nil, m, k, transposed(a, m, lda), m, to)
				turned.check(t, name)
				wantSame(t, name+" transposed", turned.x, c.x)
			})
		}
	})
}

// FuzzElementwise holds assembly to plain Go and all assembly to the same bits.
func FuzzElementwise(f *testing.F) {
	f.Add(uint8(0), uint8(1), uint8(0), uint64(1))
	f.Add(uint8(9), uint8(65), uint8(5), uint64(2))
	f.Fuzz(func(t *testing.T, which, length, offset uint8, seed uint64) {
		r := routines[int(which)%len(routines)]
		n := int(length)
		plain := r.arguments(seed, n, int(offset)%8)
		with("generic", func() { r.call(slices(plain)) })
		var first []guarded
		for _, backend := range backends[1:] {
			args := r.arguments(seed, n, int(offset)%8)
			if !with(backend, func() { r.call(slices(args)) }) {
				continue
			}
			for i := range args {
				what := fmt.Sprintf("%s, %s, n=%d, argument %d", r.name, backend, n, i)
				args[i].check(t, what)
				want := make([]float64, n)
				for j, v := range plain[i].x {
					want[j] = float64(v)
				}
				wantNear(t, what, args[i].x, want, 1e-6, 0)
				if first != nil {
					wantSame(t, what, args[i].x, first[i].x)
				}
			}
			if first == nil {
				first = args
			}
		}
	})
}
