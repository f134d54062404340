package kernel_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"testing"

	"github.com/refrain-lm/refrain/internal/kernel"
	"github.com/refrain-lm/refrain/internal/parallel"
)

var storages = []struct {
	name    string
	storage kernel.Storage
}{{"bfloat16", kernel.BFloat16}, {"int8", kernel.Int8}}

// sameOrNaN is the equality of products, in which a NaN may have any payload.
func sameOrNaN(a, b float32) bool { return sameBits(a, b) || a != a && b != b }

// rounded is src in fewer bits.
func rounded(storage kernel.Storage, src []float32, rows, columns int) *kernel.Compact {
	c := kernel.NewCompact(storage, rows, columns)
	c.Round(src)
	return c
}

// widened is all of c as float32.
func widened(c *kernel.Compact) []float32 {
	out := make([]float32, c.Rows*c.Columns)
	for i := range c.Rows {
		c.Row(i, out[i*c.Columns:(i+1)*c.Columns])
	}
	return out
}

// TestCompactRounds: every implementation rounds to the same values, the nearest.
func TestCompactRounds(t *testing.T) {
	const rows = 3
	for _, n := range []int{0, 1, 2, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 650} {
		for _, scale := range []float64{1, 1e-30, 1e-42, 1e30, 3e38} {
			src := newGuarded(rows*n, 1).fill(newRand(uint64(n)), scale)
			if n > 0 {
				src.x[0] = float32(math.Copysign(0, -1))
			}
			var first []float32
			eachBackend(t, func(t *testing.T) {
				name := fmt.Sprintf("%d of %g", n, scale)
				half := widened(rounded(kernel.BFloat16, src.x, rows, n))
				bytes := rounded(kernel.Int8, src.x, rows, n)
				for i, v := range src.x {
					// A bfloat16 has 8 bits of precision; below 2⁻¹²⁶ a step is 2⁻¹³³.
					if d := math.Abs(float64(half[i]) - float64(v)); !(d <= math.Max(math.Abs(float64(v))*0x1p-8, 0x1p-134)) {
						t.Fatalf("%s: bfloat16 of %g is %g", name, v, half[i])
					}
				}
				got := widened(bytes)
				for i := range rows {
					row, most := src.x[i*n:(i+1)*n], 0.0
					for _, v := range row {
						most = math.Max(most, math.Abs(float64(v)))
					}
					bound := most / 254 * (1 + 0x1p-20) // half a scale, and roundings of scale and factor
					if most < 0x1p-100 {
						bound = most // such rows count as zeros
					}
					for k, v := range row {
						if d := math.Abs(float64(v) - float64(got[i*n+k])); !(d <= bound) {
							t.Fatalf("%s: int8 of %g is %g, the row's largest %g", name, v, got[i*n+k], most)
						}
						if bytes.Byte[i*n+k] == -128 {
							t.Fatalf("%s: a byte of -128", name)
						}
					}
				}
				if first == nil {
					first = append(half, got...)
				}
				wantSame(t, name+" as with plain Go", append(half, got...), first)
			})
			src.check(t, "source")
		}
	}
}

func TestCompactSpecialValues(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	eachBackend(t, func(t *testing.T) {
		for _, bad := range []float32{inf, -inf, nan} {
			for _, at := range []int{0, 31, 40, 64} {
				src := randomSlice(newRand(3), 2*65, 1)
				src[at] = bad
				got := widened(rounded(kernel.Int8, src, 2, 65))
				for i, v := range got {
					if (v != v) != (i < 65) {
						t.Errorf("%v at %d: element %d is %v; want NaN in its row, numbers in the other", bad, at, i, v)
					}
				}
				if v := widened(rounded(kernel.BFloat16, src, 2, 65))[at]; !sameOrNaN(v, bad) {
					t.Errorf("bfloat16 of %v is %v", bad, v)
				}
			}
		}
	})
}

// compactShapes are around the cutoffs: rows of a tile, groups of panels, quads.
var compactShapes = []struct{ m, n, k int }{
	{1, 1, 1}, {1, 16, 3}, {1, 64, 4}, {1, 65, 5}, {1, 128, 33}, {1, 145, 31}, {1, 250, 64}, {2, 31, 7}, {2, 64, 9}, {2, 33, 40}, {3, 33, 4}, {3, 70, 12},
	{4, 15, 5}, {4, 64, 66}, {5, 16, 4}, {7, 48, 20}, {8, 200, 33}, {9, 18, 1025}, {3, 10, 0}, {0, 10, 3}, {20, 50, 65}, {32, 40, 7}, {33, 40, 7},
}

// TestCompactProducts: BFloat16 has the bits of float32 with the rounded weights;
// Int8 has its bound, and the same bits with every implementation. Neither depends
// on the rows beside it, the panels or the threads.
func TestCompactProducts(t *testing.T) {
	pool := parallel.New(3)
	defer pool.Close()
	for _, s := range compactShapes {
		for _, st := range storages {
			r := newRand(uint64(s.m*s.n + s.k))
			lda, ldc := s.k+3, s.n+5
			a, w, bias := randomSlice(r, s.m*lda, 3), randomSlice(r, s.n*s.k, 0.3), randomSlice(r, s.n, 1)
			name := fmt.Sprintf("%s %d×%d×%d", st.name, s.m, s.n, s.k)
			var first []float32
			eachBackend(t, func(t *testing.T) {
				compact := rounded(st.storage, w, s.n, s.k)
				var packed kernel.Packed
				packed.PackCompact(pool, compact, 0, s.n)
				c := newGuarded(max(0, s.m-1)*ldc+s.n, 1)
				kernel.AffinePanels(c.x, ldc, bias, a, lda, s.m, &packed, 0, packed.Panels())
				c.check(t, name)
				checkCompact(t, name, c.x, ldc, bias, a, lda, s.m, compact, w)
				for i := range s.m - 1 {
					for _, v := range c.x[i*ldc+s.n : (i+1)*ldc] {
						if v != canary {
							t.Fatalf("%s: written between rows", name)
						}
					}
				}
				if st.storage == kernel.Int8 {
					if first == nil {
						first = c.x
					}
					wantSame(t, name+" as with plain Go", c.x, first)
				}
				other := newGuarded(len(c.x), 2)
				kernel.Affine(pool, other.x, ldc, bias, a, lda, s.m, &packed)
				wantSame(t, name+" on a pool", other.x, c.x)
				for i := range s.m {
					for p := range packed.Panels() {
						lo, hi := i*ldc+p*kernel.PanelWidth, i*ldc+min((p+1)*kernel.PanelWidth, s.n)
						copy(other.x[lo:hi], bias[p*kernel.PanelWidth:])
						kernel.Gemm(other.x[i*ldc:], ldc, a[i*lda:], lda, 1, &packed, p, p+1)
					}
				}
				wantSame(t, name+" by rows and panels", other.x, c.x)
				other.check(t, name)
			})
		}
	}
}

// checkCompact compares bias + a·wᵀ with its bound.
func checkCompact(t *testing.T, name string, c []float32, ldc int, bias, a []float32, lda, m int, compact *kernel.Compact, w []float32) {
	t.Helper()
	n, k := compact.Rows, compact.Columns
	if compact.Storage == kernel.BFloat16 {
		var packed kernel.Packed
		packed.PackT(nil, widened(compact), k, n, k)
		want := append([]float32(nil), c...)
		kernel.AffinePanels(want, ldc, bias, a, lda, m, &packed, 0, packed.Panels())
		wantSame(t, name+" as float32", c, want)
		return
	}
	for i := range m {
		row := a[i*lda : i*lda+k]
		for j := range n {
			exact, size, bound := float64(bias[j]), math.Abs(float64(bias[j])), 0.0
			sa, sw := largest(row)/127, largest(w[j*k:(j+1)*k])/127
			for l, v := range row {
				x, y := float64(v), float64(w[j*k+l])
				exact += x * y
				size += math.Abs(x * y)
				bound += (math.Abs(x)*sw+math.Abs(y)*sa)/2 + sa*sw/4 // each factor is within half a scale
			}
			bound = bound*1.0001 + size*0x1p-21
			if got := float64(c[i*ldc+j]); !(math.Abs(got-exact) <= bound) {
				t.Fatalf("%s: C[%d,%d] = %v, want %v ± %.2g", name, i, j, got, exact, bound)
			}
		}
	}
}

func largest(x []float32) (most float64) {
	for _, v := range x {
		most = math.Max(most, math.Abs(float64(v)))
	}
	return most
}

// TestInt8DoesNotSaturate: the largest bytes of either sign side by side, where
// VPMADDUBSW with raised bytes would stop at 2¹⁵.
func TestInt8DoesNotSaturate(t *testing.T) {
	const k = 1024
	eachBackend(t, func(t *testing.T) {
		for _, signs := range [][2]float32{{1, 1}, {1, -1}, {-1, 1}, {-1, -1}} {
			a, w := make([]float32, 4*k), make([]float32, 16*k)
			for i := range a {
				a[i] = 127 * signs[0]
			}
			for i := range w {
				w[i] = 127 * signs[1]
			}
			var packed kernel.Packed
			packed.PackCompact(nil, rounded(kernel.Int8, w, 16, k), 0, 16)
			c := make([]float32, 4*16)
			kernel.Gemm(c, 16, a, k, 4, &packed, 0, 1)
			want := signs[0] * signs[1] * 127 * 127 * k
			for i, v := range c {
				if v != want {
					t.Fatalf("element %d is %v, want %v", i, v, want)
				}
			}
		}
	})
}

// TestInt8Infinities: a row with something that is no number is none, the others
// are what they were.
func TestInt8Infinities(t *testing.T) {
	eachBackend(t, func(t *testing.T) {
		r := newRand(8)
		a, w := randomSlice(r, 3*40, 1), randomSlice(r, 20*40, 1)
		a[40+7] = float32(math.Inf(-1))
		var packed kernel.Packed
		packed.PackCompact(nil, rounded(kernel.Int8, w, 20, 40), 0, 20)
		c := make([]float32, 3*20)
		kernel.Gemm(c, 20, a, 40, 3, &packed, 0, 2)
		for i, v := range c {
			if (v != v) != (i/20 == 1) {
				t.Fatalf("element %d is %v", i, v)
			}
		}
	})
}

// FuzzInt8 holds the implementations to the same bits, whatever the numbers.
func FuzzInt8(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 0, 0, 128, 127, 5, 6, 7, 8, 0, 0, 192, 255}, uint8(2), uint8(3))
	f.Add([]byte{}, uint8(5), uint8(70))
	f.Fuzz(func(t *testing.T, raw []byte, m, n uint8) {
		rows, columns := int(m%10), int(n%150)
		k := len(raw) / 4 / max(1, rows+columns)
		x := make([]float32, k*(rows+columns))
		for i := range x {
			x[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		}
		a, w := x[:rows*k], x[rows*k:]
		var want []float32
		for _, name := range backends {
			with(name, func() {
				var packed kernel.Packed
				packed.PackCompact(nil, rounded(kernel.Int8, w, columns, k), 0, columns)
				c := make([]float32, rows*columns)
				kernel.Gemm(c, columns, a, k, rows, &packed, 0, packed.Panels())
				for i, v := range want {
					if !sameOrNaN(c[i], v) {
						t.Fatalf("%s: element %d is %v, plain Go %v", name, i, c[i], v)
					}
				}
				want = c
			})
		}
	})
}
