package kernel_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/refrain-lm/refrain/internal/kernel"
	"github.com/refrain-lm/refrain/internal/parallel"
)

// gemmShapes are around the cutoffs: rows per tile and panel group, panels,
// blocks over k and rows; flat tiles.
var gemmShapes = []struct{ m, n, k int }{
	{1, 1, 1}, {1, 16, 3}, {1, 64, 5}, {1, 65, 8}, {1, 100, 321}, {1, 160, 40}, {2, 31, 7}, {2, 64, 9}, {3, 33, 4}, {3, 70, 12},
	{4, 15, 5}, {5, 16, 4}, {6, 17, 1}, {7, 48, 20}, {8, 16, 33}, {11, 5, 11}, {12, 32, 64}, {13, 20, 3}, {20, 50, 65},
	{64, 96, 128}, {71, 40, 330}, {73, 17, 641}, {150, 33, 50}, {9, 18, 1025}, {14, 16, 2100},
	{2, 49, 200}, {3, 32, 61}, {4, 31, 95}, {5, 32, 96}, {6, 33, 97}, {7, 64, 193}, {8, 49, 300}, {9, 80, 99}, {10, 48, 97},
}

// TestGemmChain holds every element to its definition: one chain of fused
// multiply-adds with assembly (which float64 arithmetic reproduces but for a
// rare double rounding), plain ones without.
func TestGemmChain(t *testing.T) {
	eachBackend(t, func(t *testing.T) {
		r := newRand(1)
		for _, s := range gemmShapes {
			lda, ldc := s.k+3, s.n+5
			a, b := randomSlice(r, s.m*lda, 1), randomSlice(r, s.k*s.n, 1)
			c := newGuarded((s.m-1)*ldc+s.n, 1).fill(r, 1)
			before := c.clone()
			var packed kernel.Packed
			packed.Pack(nil, b, s.k, s.n, s.n)
			kernel.Gemm(c.x, ldc, a, lda, s.m, &packed, 0, packed.Panels())
			name := fmt.Sprintf("%d×%d×%d", s.m, s.n, s.k)
			c.check(t, name)
			for i := range s.m {
				for j := range s.n {
					exact, size := float64(before.x[i*ldc+j]), math.Abs(float64(before.x[i*ldc+j]))
					for k := range s.k {
						product := float64(a[i*lda+k]) * float64(b[k*s.n+j])
						exact += product
						size += math.Abs(product)
					}
					// Each of the k+1 roundings is at most 2⁻²⁴ of a partial sum.
					bound := size * float64(s.k+1) * 0x1p-24
					if got := float64(c.x[i*ldc+j]); !(math.Abs(got-exact) <= bound) {
						t.Fatalf("%s: C[%d,%d] = %v, want %v ± %.2g", name, i, j, got, exact, bound)
					}
				}
				if i < s.m-1 {
					wantSame(t, name+" between rows", c.x[i*ldc+s.n:(i+1)*ldc], before.x[i*ldc+s.n:(i+1)*ldc])
				}
			}
		}
	})
}

// chain is the contract of one element, fused with assembly.
func chain(c float32, a, b []float32, stepA, stepB, k int) float32 {
	for l := range k {
		if kernel.Name() == "generic" {
			c += a[l*stepA] * b[l*stepB]
		} else {
			c = fusedMultiplyAdd(a[l*stepA], b[l*stepB], c)
		}
	}
	return c
}

// fusedMultiplyAdd is a·b+c rounded once: the sum is rounded to odd in float64,
// after which rounding to float32 is harmless (Boldo and Melquiond, "Emulation
// of FMA and correctly rounded sums", 2008).
func fusedMultiplyAdd(a, b, c float32) float32 {
	product, addend := float64(a)*float64(b), float64(c)
	sum := product + addend
	part := sum - product
	rest := (product - (sum - part)) + (addend - part)
	if bits := math.Float64bits(sum); rest != 0 && bits&1 == 0 {
		if (rest > 0) == (sum > 0) {
			bits++
		} else {
			bits--
		}
		sum = math.Float64frombits(bits)
	}
	return float32(sum)
}

// TestGemmBits demands the very bits of the contract, whatever the number of
// rows, the panel range, the pool and the form of the operands.
func TestGemmBits(t *testing.T) {
	pools := []*parallel.Pool{nil, parallel.New(2), parallel.New(3)}
	defer func() {
		for _, p := range pools {
			p.Close()
		}
	}()
	eachBackend(t, func(t *testing.T) {
		r := newRand(2)
		for _, s := range gemmShapes {
			name := fmt.Sprintf("%d×%d×%d", s.m, s.n, s.k)
			a, b := randomSlice(r, s.m*s.k, 1), randomSlice(r, s.k*s.n, 1)
			start := randomSlice(r, s.m*s.n, 1)
			want := make([]float32, s.m*s.n)
			for i := range s.m {
				for j := range s.n {
					want[i*s.n+j] = chain(start[i*s.n+j], a[i*s.k:], b[j:], 1, s.n, s.k)
				}
			}
			at, bt := transposed(a, s.m, s.k), transposed(b, s.k, s.n)
			var packed, packedT kernel.Packed
			packed.Pack(nil, b, s.k, s.n, s.n)
			packedT.PackT(nil, bt, s.k, s.n, s.k)
			wantSame(t, name+" PackT", packedT.Data, packed.Data)
			run := func(what string, f func(c []float32)) {
				t.Helper()
				c := append([]float32(nil), start...)
				f(c)
				wantSame(t, name+" "+what, c, want)
			}
			run("whole", func(c []float32) { kernel.Gemm(c, s.n, a, s.k, s.m, &packed, 0, packed.Panels()) })
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
			sums := randomSlice(r, s.m, 1)
			wantSums := append([]float32(nil), sums...)
			kernel.ColumnSums(nil, wantSums, at, s.k, s.m, s.m)
			zeros := make([]float32, s.m*s.n)
			kernel.GemmTN(nil, zeros, s.n, s.m, s.n, s.k, at, s.m, b, s.n)
			for _, pool := range pools {
				c, got := append([]float32(nil), start...), append([]float32(nil), sums...)
				fresh := kernel.Right{C: c, LDC: s.n, B: b, LDB: s.n, N: s.n, Fresh: true}
				kernel.GemmTNEach(kernel.TN{Sums: got}, pool, s.m, s.k, at, s.m, fresh)
				wantSame(t, fmt.Sprint(name, " GemmTNEach, fresh ", pool.Size()), c, zeros)
				wantSame(t, fmt.Sprint(name, " GemmTNEach, sums ", pool.Size()), got, wantSums)
				run(fmt.Sprint("GemmPool ", pool.Size()), func(c []float32) {
					kernel.GemmPool(pool, c, s.n, a, s.k, s.m, &packed)
				})
				run(fmt.Sprint("GemmTN ", pool.Size()), func(c []float32) {
					kernel.GemmTN(pool, c, s.n, s.m, s.n, s.k, at, s.m, b, s.n)
				})
			}
		}
	})
}

// TestGemmTNEach has the bits of one product after another, and leaves what lies
// beside every C alone.
func TestGemmTNEach(t *testing.T) {
	pools := []*parallel.Pool{nil, parallel.New(2), parallel.New(3)}
	defer pools[1].Close()
	defer pools[2].Close()
	eachBackend(t, func(t *testing.T) {
		r := newRand(5)
		for _, s := range []struct{ m, k, n1, n2 int }{{1, 3, 1, 1}, {29, 70, 17, 33}, {83, 130, 16, 75}, {85, 1100, 40, 7}, {13, 5, 0, 20}, {7, 0, 3, 4}} {
			ld1, ld2 := s.n1+3, s.n2+5
			a := randomSlice(r, s.k*s.m, 1)
			b1, b2 := randomSlice(r, s.k*ld1, 1), randomSlice(r, s.k*ld2, 1)
			c1, c2 := randomSlice(r, s.m*ld1, 1), randomSlice(r, s.m*ld2, 1)
			for _, pairs := range []bool{false, true} {
				for _, pool := range pools {
					name := fmt.Sprint(s, " pairs ", pairs, " workers ", pool.Size())
					first := kernel.Right{LDC: ld1, B: b1, LDB: ld1, N: s.n1, Fresh: true}
					second := kernel.Right{LDC: ld2, B: b2, LDB: ld2, N: s.n2}
					one := []kernel.Right{first, second}
					sums, wantSums := make([]float32, s.m), make([]float32, s.m)
					for i, c := range [][]float32{c1, c2} {
						one[i].C = append([]float32(nil), c...)
						kernel.GemmTNEach(kernel.TN{Pairs: pairs}, nil, s.m, s.k, a, s.m, one[i])
					}
					kernel.ColumnSums(nil, wantSums, a, s.k, s.m, s.m)
					first.C, second.C = append([]float32(nil), c1...), append([]float32(nil), c2...)
					kernel.GemmTNEach(kernel.TN{Pairs: pairs, Sums: sums}, pool, s.m, s.k, a, s.m, first, second)
					wantSame(t, name+" first", first.C, one[0].C)
					wantSame(t, name+" second", second.C, one[1].C)
					wantSame(t, name+" sums", sums, wantSums)
				}
			}
		}
	})
}

// TestGemmLarge is large enough to be shared among workers.
func TestGemmLarge(t *testing.T) {
	pool := parallel.New(3)
	defer pool.Close()
	eachBackend(t, func(t *testing.T) {
		r := newRand(3)
		const m, n, k = 83, 75, 130
		a, b := randomSlice(r, m*k, 1), randomSlice(r, k*n, 1)
		var packed kernel.Packed
		packed.Pack(pool, b, k, n, n)
		one, all, tn := make([]float32, m*n), make([]float32, m*n), make([]float32, m*n)
		kernel.Gemm(one, n, a, k, m, &packed, 0, packed.Panels())
		kernel.GemmPool(pool, all, n, a, k, m, &packed)
		kernel.GemmTN(pool, tn, n, m, n, k, transposed(a, m, k), m, b, n)
		wantSame(t, "GemmPool", all, one)
		wantSame(t, "GemmTN", tn, one)
	})
}

// TestGemmSpecial lets infinities, NaN and subnormal numbers through.
func TestGemmSpecial(t *testing.T) {
	inf, nan, tiny := float32(math.Inf(1)), float32(math.NaN()), float32(1e-40)
	eachBackend(t, func(t *testing.T) {
		for _, m := range []int{1, 3, 5, 6} {
			a := make([]float32, m*2)
			for i := range m {
				a[2*i], a[2*i+1] = 1, tiny
			}
			b := make([]float32, 2*19)
			b[0], b[1], b[18], b[19+2] = inf, nan, nan, 1
			c := make([]float32, m*19)
			var packed kernel.Packed
			packed.Pack(nil, b, 2, 19, 19)
			kernel.Gemm(c, 19, a, 2, m, &packed, 0, packed.Panels())
			for i := range m {
				row := c[i*19 : (i+1)*19]
				if !math.IsInf(float64(row[0]), 1) || row[1] == row[1] || row[18] == row[18] || row[2] != tiny || row[3] != 0 {
					t.Fatalf("m=%d: row %d is %v", m, i, row)
				}
			}
		}
	})
}

func transposed(x []float32, rows, cols int) []float32 {
	y := make([]float32, len(x))
	for i := range rows {
		for j := range cols {
			y[j*rows+i] = x[i*cols+j]
		}
	}
	return y
}

// TestPackReuse packs a smaller matrix over a larger one: the padding must be
// zero again.
func TestPackReuse(t *testing.T) {
	eachBackend(t, func(t *testing.T) {
		r := newRand(4)
		var packed kernel.Packed
		packed.Pack(nil, randomSlice(r, 20*40, 1), 20, 40, 40)
		data := &packed.Data[0]
		for _, transpose := range []bool{false, true} {
			src := randomSlice(r, 9*21, 1)
			at := func(k, n int) float32 { return src[k*21+n] }
			if transpose {
				packed.PackT(nil, src, 9, 21, 9)
				at = func(k, n int) float32 { return src[n*9+k] }
			} else {
				packed.Pack(nil, src, 9, 21, 21)
			}
			if &packed.Data[0] != data {
				t.Error("packing a smaller matrix allocated again")
			}
			for p := range packed.Panels() {
				for k := range packed.K {
					for j := range kernel.PanelWidth {
						want := float32(0)
						if n := p*kernel.PanelWidth + j; n < 21 {
							want = at(k, n)
						}
						if got := packed.Data[(p*packed.K+k)*kernel.PanelWidth+j]; got != want {
							t.Fatalf("transpose %v: panel %d, k %d, column %d is %v, want %v", transpose, p, k, j, got, want)
						}
					}
				}
			}
		}
	})
}

// TestGemmAllocations: the products of one generated token allocate nothing.
func TestGemmAllocations(t *testing.T) {
	r := newRand(5)
	const n, k = 100, 40
	var packed kernel.Packed
	packed.Pack(nil, randomSlice(r, k*n, 1), k, n, n)
	for _, m := range []int{1, 2, 20} {
		a, c := randomSlice(r, m*k, 1), make([]float32, m*n)
		if got := testing.AllocsPerRun(10, func() {
			kernel.Gemm(c, n, a, k, m, &packed, 0, packed.Panels())
			kernel.GemmPool(nil, c, n, a, k, m, &packed)
		}); got != 0 {
			t.Errorf("m=%d: %v allocations, want 0", m, got)
		}
	}
}

func TestGemmPanics(t *testing.T) {
	var packed kernel.Packed
	packed.Pack(nil, make([]float32, 12), 3, 4, 4)
	tests := []struct {
		name string
		f    func()
	}{
		{"short a", func() { kernel.Gemm(make([]float32, 8), 4, make([]float32, 5), 3, 2, &packed, 0, 1) }},
		{"short c", func() { kernel.Gemm(make([]float32, 7), 4, make([]float32, 6), 3, 2, &packed, 0, 1) }},
		{"panels", func() { kernel.Gemm(make([]float32, 8), 4, make([]float32, 6), 3, 2, &packed, 0, 2) }},
		{"leading dimension", func() { kernel.GemmPool(nil, make([]float32, 8), 3, make([]float32, 6), 3, 2, &packed) }},
		{"transposed", func() {
			kernel.GemmTN(nil, make([]float32, 4), 2, 2, 2, 3, make([]float32, 6), 2, make([]float32, 5), 2)
		}},
		{"pack", func() { packed.Pack(nil, make([]float32, 5), 2, 3, 3) }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			test.f()
		})
	}
}
