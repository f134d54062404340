package kernel_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/refrain-lm/refrain/internal/kernel"
	"github.com/refrain-lm/refrain/internal/parallel"
)

// nearestHalf is the bfloat16 nearest to v, ties to even, by way of float64.
func nearestHalf(v float32) float64 {
	fraction, exponent := math.Frexp(float64(v))
	return math.Ldexp(math.RoundToEven(fraction*256)/256, exponent)
}

// TestPairsAreProducts holds products of pairs to float64 arithmetic with the
// rounded operands.
func TestPairsAreProducts(t *testing.T) {
	eachBackend(t, func(t *testing.T) {
		r := newRand(11)
		for _, s := range gemmShapes {
			lda, ldc := s.k+3, s.n+5
			a, b := randomSlice(r, s.m*lda, 1), randomSlice(r, s.k*s.n, 1)
			c := newGuarded((s.m-1)*ldc+s.n, 1).fill(r, 1)
			before := c.clone()
			var packed kernel.Packed
			packed.PackPairs(nil, b, s.k, s.n, s.n)
			kernel.Gemm(c.x, ldc, a, lda, s.m, &packed, 0, packed.Panels())
			name := fmt.Sprintf("%d×%d×%d", s.m, s.n, s.k)
			c.check(t, name)
			wantPairProduct(t, name, c.x, before.x, ldc, s.m, s.n, s.k, a, lda, b)
			for i := range s.m - 1 {
				wantSame(t, name+" between rows", c.x[i*ldc+s.n:(i+1)*ldc], before.x[i*ldc+s.n:(i+1)*ldc])
			}
		}
	})
}

// wantPairProduct holds C to what it was before and the product of the rounded A [m,k]
// and B [k,n], in float64.
func wantPairProduct(t *testing.T, name string, c, before []float32, ldc, m, n, k int, a []float32, lda int, b []float32) {
	t.Helper()
	for i := range m {
		for j := range n {
			exact := float64(before[i*ldc+j])
			size := math.Abs(exact)
			for l := range k {
				product := nearestHalf(a[i*lda+l]) * nearestHalf(b[l*n+j])
				exact += product
				size += math.Abs(product)
			}
			// Products are exact in float32; each sum is rounded once.
			bound := size * float64(k+1) * 0x1p-24
			if got := float64(c[i*ldc+j]); !(math.Abs(got-exact) <= bound) {
				t.Fatalf("%s: C[%d,%d] = %v, want %v ± %.2g", name, i, j, got, exact, bound)
			}
		}
	}
}

// TestPairsBits demands the same bits whatever the number of rows, the panel
// range, the pool and the form of the operands.
func TestPairsBits(t *testing.T) {
	pools := []*parallel.Pool{nil, parallel.New(2), parallel.New(3)}
	defer func() {
		for _, p := range pools {
			p.Close()
		}
	}()
	eachBackend(t, func(t *testing.T) {
		r := newRand(12)
		for _, s := range append(gemmShapes, struct{ m, n, k int }{83, 75, 131}) {
			name := fmt.Sprintf("%d×%d×%d", s.m, s.n, s.k)
			a, b := randomSlice(r, s.m*s.k, 1), randomSlice(r, s.k*s.n, 1)
			bias := randomSlice(r, s.n, 1)
			at, bt := transposed(a, s.m, s.k), transposed(b, s.k, s.n)
			var packed, packedT kernel.Packed
			packed.PackPairs(nil, b, s.k, s.n, s.n)
			packedT.PackPairsT(nil, bt, s.k, s.n, s.k)
			wantSame(t, name+" PackPairsT", packedT.Data, packed.Data)
			start := make([]float32, s.m*s.n)
			kernel.FillRows(nil, start, s.n, s.m, bias)
			want := append([]float32(nil), start...)
			kernel.Gemm(want, s.n, a, s.k, s.m, &packed, 0, packed.Panels())
			run := func(what string, f func(c []float32)) {
				t.Helper()
				c := append([]float32(nil), start...)
				f(c)
				wantSame(t, name+" "+what, c, want)
			}
			run("panel by panel", func(c []float32) {
				for p := range packed.Panels() {
					kernel.Gemm(c, s.n, a, s.k, s.m, &packed, p, p+1)
				}
			})
			run("row by row", func(c []float32) {
				for i := range s.m {
					kernel.Gemm(c[i*s.n:], s.n, a[i*s.k:], s.k, 1, &packed, 0, packed.Panels())
				}
			})
			run("twice", func(c []float32) {
				both := make([]float32, s.m*2*s.n)
				kernel.FillRows(nil, both, 2*s.n, s.m, append(append([]float32(nil), bias...), bias...))
				kernel.GemmEach(both, 2*s.n, s.n, a, s.k, s.m, []kernel.Packed{packed, packedT}, 0, packed.Panels())
				for i := range s.m {
					wantSame(t, name+" side by side", both[2*i*s.n:(2*i+1)*s.n], both[(2*i+1)*s.n:(2*i+2)*s.n])
					copy(c[i*s.n:(i+1)*s.n], both[2*i*s.n:])
				}
			})
			for _, pool := range pools {
				run(fmt.Sprint("Affine ", pool.Size()), func(c []float32) {
					clear(c)
					kernel.Affine(pool, c, s.n, bias, a, s.k, s.m, &packed)
				})
				sums, wantSums := make([]float32, s.m), make([]float32, s.m)
				kernel.ColumnSums(nil, wantSums, at, s.k, s.m, s.m)
				run(fmt.Sprint("GemmTN ", pool.Size()), func(c []float32) {
					to := kernel.Right{C: c, LDC: s.n, B: b, LDB: s.n, N: s.n}
					kernel.GemmTNEach(kernel.TN{Pairs: true, Sums: sums}, pool, s.m, s.k, at, s.m, to)
				})
				wantSame(t, name+" sums", sums, wantSums)
			}
		}
	})
}

// TestPairsSpecial lets infinities and NaN through; subnormal numbers are zeros.
func TestPairsSpecial(t *testing.T) {
	inf, nan, tiny := float32(math.Inf(1)), math.Float32frombits(0x7fffffff), float32(1e-40)
	eachBackend(t, func(t *testing.T) {
		for _, m := range []int{1, 3, 5, 13} {
			a := make([]float32, m*3)
			for i := range m {
				a[3*i], a[3*i+1], a[3*i+2] = 1, tiny, 1
			}
			b := make([]float32, 3*19)
			b[0], b[1], b[18], b[19+2], b[2*19+3] = inf, nan, -inf, math.MaxFloat32, 1.00390625 // a tie: to even is 1
			c := make([]float32, m*19)
			var packed kernel.Packed
			packed.PackPairs(nil, b, 3, 19, 19)
			kernel.Gemm(c, 19, a, 3, m, &packed, 0, 2)
			for i := range m {
				row := c[i*19:]
				if row[0] != inf || row[1] == row[1] || row[18] != -inf || row[3] != 1 {
					t.Errorf("%d rows: row %d is %v", m, i, row[:19])
				}
			}
		}
	})
}

// TestMatrixUnits holds tiles to what they are said to compute: of every 16 words the
// lower and the upper halves have a chain each, from zero, and their sum is added to C.
func TestMatrixUnits(t *testing.T) {
	if !with("amx", func() {
		r := newRand(13)
		for _, s := range append(gemmShapes, struct{ m, n, k int }{83, 75, 1501}) {
			a, b, c := randomSlice(r, s.m*s.k, 1), randomSlice(r, s.k*s.n, 1), randomSlice(r, s.m*s.n, 1)
			want := append([]float32(nil), c...)
			for i := range s.m {
				for j := range s.n {
					for k0 := 0; k0 < s.k; k0 += 32 {
						var sums [2]float32
						for k := k0; k < min(k0+32, s.k); k++ {
							sums[k%2] += float32(nearestHalf(a[i*s.k+k]) * nearestHalf(b[k*s.n+j]))
						}
						want[i*s.n+j] += sums[0] + sums[1]
					}
				}
			}
			var packed kernel.Packed
			packed.PackPairs(nil, b, s.k, s.n, s.n)
			kernel.Gemm(c, s.n, a, s.k, s.m, &packed, 0, packed.Panels())
			wantSame(t, fmt.Sprintf("%d×%d×%d", s.m, s.n, s.k), c, want)
		}
	}) {
		t.Skip("amx: not on this machine or in this build")
	}
}
