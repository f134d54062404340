package kernel

import "github.com/refrain-lm/refrain/internal/parallel"

// Add computes y[i] += x[i].
func Add(y, x []float32) {
	wantLen("Add", "x", len(x), len(y))
	add(y, x)
}

// Scale computes y[i] *= s.
func Scale(y []float32, s float32) {
	if !useAsm {
		scaleGeneric(y, s)
		return
	}
	for ; len(y) > callLimit; y = y[callLimit:] {
		scaleAsm(callLimit, first(y), s)
	}
	scaleAsm(len(y), first(y), s)
}

// Axpy computes y[i] += a·x[i], fused with assembly.
func Axpy(y []float32, a float32, x []float32) {
	wantLen("Axpy", "x", len(x), len(y))
	if !useAsm {
		axpyGeneric(y, a, x)
		return
	}
	for ; len(y) > callLimit; y, x = y[callLimit:], x[callLimit:] {
		axpyAsm(callLimit, first(y), first(x), a)
	}
	axpyAsm(len(y), first(y), first(x), a)
}

// Mul computes y[i] *= x[i].
func Mul(y, x []float32) {
	wantLen("Mul", "x", len(x), len(y))
	if !useAsm {
		mulGeneric(y, x)
		return
	}
	for ; len(y) > callLimit; y, x = y[callLimit:], x[callLimit:] {
		mulAsm(callLimit, first(y), first(x))
	}
	mulAsm(len(y), first(y), first(x))
}

// FillRows copies row [n] to each of the m rows of C [m,n] with leading
// dimension ldc: the bias, before a product is added.
func FillRows(pool *parallel.Pool, c []float32, ldc, m int, row []float32) {
	wantMatrix("FillRows", "c", len(c), m, len(row), ldc)
	if m*len(row) < 1<<16 {
		pool = nil
	}
	pool.For(m, 1, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			copy(c[i*ldc:], row)
		}
	})
}

// ColumnSums computes dst[j] += Σ_i a[i,j] for a [m,n] with leading dimension
// lda, i ascending.
func ColumnSums(pool *parallel.Pool, dst, a []float32, m, n, lda int) {
	wantLen("ColumnSums", "dst", len(dst), n)
	wantMatrix("ColumnSums", "a", len(a), m, n, lda)
	if m*n < 1<<16 {
		pool = nil
	}
	pool.For(n, 64, func(lo, hi int) {
		for i := range m {
			add(dst[lo:hi], a[i*lda+lo:i*lda+hi])
		}
	})
}

func add(y, x []float32) {
	if !useAsm {
		addGeneric(y, x)
		return
	}
	for ; len(y) > callLimit; y, x = y[callLimit:], x[callLimit:] {
		addAsm(callLimit, first(y), first(x))
	}
	addAsm(len(y), first(y), first(x))
}

func addGeneric(y, x []float32) {
	x = x[:len(y)]
	for i := range y {
		y[i] += x[i]
	}
}

func scaleGeneric(y []float32, s float32) {
	for i := range y {
		y[i] *= s
	}
}

func axpyGeneric(y []float32, a float32, x []float32) {
	x = x[:len(y)]
	for i := range y {
		y[i] += a * x[i]
	}
}

func mulGeneric(y, x []float32) {
	x = x[:len(y)]
	for i := range y {
		y[i] *= x[i]
	}
}
