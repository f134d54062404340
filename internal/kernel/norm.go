package kernel

import "math"

// Normalize brings x to mean 0 and variance 1:
//
//	x ← (x−μ)·r,   r = 1/√(σ²+ε)
//
// with μ and σ² the mean and the variance of x itself, summed in float64 in an
// order that the length fixes. It returns r.
func Normalize(x []float32, eps float64) (r float32) {
	mean := sum64(x) / float64(len(x))
	var s [4]float64
	for i, v := range x {
		d := float64(v) - mean
		s[i&3] += float64(d * d)
	}
	r = float32(1 / math.Sqrt((s[0]+s[1]+s[2]+s[3])/float64(len(x))+eps))
	for i, v := range x {
		x[i] = float32(float64(v)-mean) * r
	}
	return r
}

// NormalizeGrad is the way back of [Normalize], whose results were xhat and r.
// It turns d, the gradient of x̂, into that of x:
//
//	d ← r·(d − mean(d) − x̂·mean(d⊙x̂))
func NormalizeGrad(d, xhat []float32, r float32) {
	wantLen("NormalizeGrad", "xhat", len(xhat), len(d))
	var s [4]float64
	for i, v := range d {
		s[i&3] += float64(float64(v) * float64(xhat[i]))
	}
	along := float32((s[0] + s[1] + s[2] + s[3]) / float64(len(d)))
	mean := float32(sum64(d) / float64(len(d)))
	for i, v := range d {
		d[i] = r * (v - mean - xhat[i]*along)
	}
}

func sum64(x []float32) float64 {
	var s [4]float64
	for i, v := range x {
		s[i&3] += float64(v)
	}
	return s[0] + s[1] + s[2] + s[3]
}

// ScaleShift computes y = gain⊙x + shift. y may be x; shift may be nil.
func ScaleShift(y, x, gain, shift []float32) {
	wantLen("ScaleShift", "x", len(x), len(y))
	wantLen("ScaleShift", "gain", len(gain), len(y))
	if shift == nil {
		for i, g := range gain {
			y[i] = float32(g * x[i])
		}
		return
	}
	wantLen("ScaleShift", "shift", len(shift), len(y))
	for i, g := range gain {
		y[i] = float32(g*x[i]) + shift[i]
	}
}

// ColumnDots computes dst[j] += Σ_i a[i,j]·b[i,j], i ascending, of two m × n
// matrices with leading dimensions lda and ldb.
func ColumnDots(dst, a []float32, lda int, b []float32, ldb, m int) {
	wantMatrix("ColumnDots", "a", len(a), m, len(dst), lda)
	wantMatrix("ColumnDots", "b", len(b), m, len(dst), ldb)
	for i := range m {
		ra, rb := a[i*lda:][:len(dst)], b[i*ldb:][:len(dst)]
		for j := range dst {
			dst[j] += float32(ra[j] * rb[j])
		}
	}
}

// LSTMUpdate is the first half of [LSTM], for cells that normalise c between
// the halves. It takes preactivations and leaves activations:
//
//	i, f, g, o = σ(i), σ(f), tanh(g), σ(o);  c = f⊙cPrev + i⊙g
//
// c may be cPrev.
func LSTMUpdate(i, f, g, o, cPrev, c []float32) {
	units := len(i)
	wantLen("LSTMUpdate", "f", len(f), units)
	wantLen("LSTMUpdate", "g", len(g), units)
	wantLen("LSTMUpdate", "o", len(o), units)
	wantLen("LSTMUpdate", "cPrev", len(cPrev), units)
	wantLen("LSTMUpdate", "c", len(c), units)
	Sigmoid(i)
	Sigmoid(f)
	Tanh(g)
	Sigmoid(o)
	for k := range c {
		c[k] = float32(f[k]*cPrev[k]) + float32(i[k]*g[k])
	}
}

// LSTMUpdateGrad is the way back of [LSTMUpdate]: it turns the activations i, f
// and g into the gradients of their preactivations, given dc, the gradient of
// c, and turns dc into that of cPrev.
func LSTMUpdateGrad(i, f, g, cPrev, dc []float32) {
	units := len(i)
	wantLen("LSTMUpdateGrad", "f", len(f), units)
	wantLen("LSTMUpdateGrad", "g", len(g), units)
	wantLen("LSTMUpdateGrad", "cPrev", len(cPrev), units)
	wantLen("LSTMUpdateGrad", "dc", len(dc), units)
	for k, d := range dc {
		iv, fv, gv := i[k], f[k], g[k]
		i[k] = d * gv * iv * (1 - iv)
		f[k] = d * cPrev[k] * fv * (1 - fv)
		g[k] = d * iv * (1 - gv*gv)
		dc[k] = d * fv
	}
}

// LSTMOutGrad is the way back of h = o⊙tanhC: it turns the activation o into
// the gradient of its preactivation, and writes to dn that of what tanh took.
func LSTMOutGrad(o, tanhC, dh, dn []float32) {
	units := len(o)
	wantLen("LSTMOutGrad", "tanhC", len(tanhC), units)
	wantLen("LSTMOutGrad", "dh", len(dh), units)
	wantLen("LSTMOutGrad", "dn", len(dn), units)
	for k, d := range dh {
		ov, t := o[k], tanhC[k]
		o[k] = d * t * ov * (1 - ov)
		dn[k] = d * ov * (1 - t*t)
	}
}

// NormalizeColumns is [Normalize] of each column of x [m,n], n = len(mean), into
// y, both with leading dimension ld; y may be x. It writes each column's mean,
// its variance and r. Sums are in float64, rows ascending.
func NormalizeColumns(y, x []float32, ld, m int, eps float64, mean, variance, r []float32) {
	n := len(mean)
	wantMatrix("NormalizeColumns", "x", len(x), m, n, ld)
	wantMatrix("NormalizeColumns", "y", len(y), m, n, ld)
	var buf [columnBlock]float64
	for j := 0; j < n; j += columnBlock {
		w := min(columnBlock, n-j)
		sums := buf[:w]
		clear(sums)
		for i := range m {
			for k, v := range x[i*ld+j:][:w] {
				sums[k] += float64(v)
			}
		}
		for k, s := range sums {
			mean[j+k] = float32(s / float64(m))
			sums[k] = 0
		}
		for i := range m {
			for k, v := range x[i*ld+j:][:w] {
				d := float64(v) - float64(mean[j+k])
				sums[k] += float64(d * d)
			}
		}
		for k, s := range sums {
			variance[j+k] = float32(s / float64(m))
			r[j+k] = float32(1 / math.Sqrt(s/float64(m)+eps))
		}
		for i := range m {
			row := y[i*ld+j:][:w]
			for k, v := range x[i*ld+j:][:w] {
				row[k] = (v - mean[j+k]) * r[j+k]
			}
		}
	}
}

// columnBlock is how many columns are summed at once.
const columnBlock = 32

// NormalizeColumnsGrad is [NormalizeGrad] of each column of d [m,n], n = len(r);
// d and xhat have leading dimension ld.
func NormalizeColumnsGrad(d, xhat []float32, ld, m int, r []float32) {
	n := len(r)
	wantMatrix("NormalizeColumnsGrad", "d", len(d), m, n, ld)
	wantMatrix("NormalizeColumnsGrad", "xhat", len(xhat), m, n, ld)
	var sums, alongs [columnBlock]float64
	for j := 0; j < n; j += columnBlock {
		w := min(columnBlock, n-j)
		clear(sums[:])
		clear(alongs[:])
		for i := range m {
			hat := xhat[i*ld+j:][:w]
			for k, v := range d[i*ld+j:][:w] {
				sums[k] += float64(v)
				alongs[k] += float64(float64(v) * float64(hat[k]))
			}
		}
		for i := range m {
			hat, row := xhat[i*ld+j:][:w], d[i*ld+j:][:w]
			for k, v := range row {
				row[k] = r[j+k] * (v - float32(sums[k]/float64(m)) - hat[k]*float32(alongs[k]/float64(m)))
			}
		}
	}
}
