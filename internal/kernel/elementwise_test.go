package kernel_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/refrain-lm/refrain/internal/kernel"
)

// routine is one elementwise routine for the conformance tests below.
type routine struct {
	name string
	args int
	call func(x [][]float32)
	// exact computes the routine for one element in float64; x holds the
	// arguments and receives the results. nil: bits must agree everywhere.
	exact              func(x []float64)
	absolute, relative float64 // bound against exact
	inputs             string  // how arguments are drawn: see draw
}

func sigma(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// routines are all elementwise ones. Letters of inputs: p preactivation in
// ±6, s activation of σ, t activation of tanh, x in ±2, v in [0,2), . output.
var routines = []routine{
	{"Add", 2, func(x [][]float32) { kernel.Add(x[0], x[1]) }, func(x []float64) { x[0] += x[1] }, 0, 6e-8, "xx"},
	{"Mul", 2, func(x [][]float32) { kernel.Mul(x[0], x[1]) }, func(x []float64) { x[0] *= x[1] }, 0, 6e-8, "xx"},
	{"Scale", 1, func(x [][]float32) { kernel.Scale(x[0], 0.3) }, func(x []float64) { x[0] *= float64(float32(0.3)) }, 0, 6e-8, "x"},
	{"Axpy", 2, func(x [][]float32) { kernel.Axpy(x[0], 0.3, x[1]) }, func(x []float64) { x[0] += float64(float32(0.3)) * x[1] }, 1e-7, 1e-7, "xx"},
	{"Sigmoid", 1, func(x [][]float32) { kernel.Sigmoid(x[0]) }, func(x []float64) { x[0] = sigma(x[0]) }, 3e-7, 0, "p"},
	{"Tanh", 1, func(x [][]float32) { kernel.Tanh(x[0]) }, func(x []float64) { x[0] = math.Tanh(x[0]) }, 3e-7, 0, "p"},
	{"RNN tanh", 1, func(x [][]float32) { kernel.RNN(x[0], false) }, func(x []float64) { x[0] = math.Tanh(x[0]) }, 3e-7, 0, "p"},
	{"RNN relu", 1, func(x [][]float32) { kernel.RNN(x[0], true) }, func(x []float64) { x[0] = max(0, x[0]) }, 0, 0, "p"},
	{"RNNGrad tanh", 3, func(x [][]float32) { kernel.RNNGrad(x[0], x[1], x[2], false) },
		func(x []float64) { x[0] = x[2] * (1 - x[1]*x[1]) }, 4e-7, 0, ".tx"},
	{"RNNGrad relu", 3, func(x [][]float32) { kernel.RNNGrad(x[0], x[1], x[2], true) },
		func(x []float64) {
			x[0] = 0
			if x[1] > 0 {
				x[0] = x[2]
			}
		}, 0, 0, ".xx"},
	{"LSTM", 8, func(x [][]float32) { kernel.LSTM(x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7]) },
		func(x []float64) {
			x[0], x[1], x[2], x[3] = sigma(x[0]), sigma(x[1]), math.Tanh(x[2]), sigma(x[3])
			x[5] = x[1]*x[4] + x[0]*x[2]
			x[6] = math.Tanh(x[5])
			x[7] = x[3] * x[6]
		}, 2e-6, 0, "ppppx..."},
	{"LSTMGrad", 8, func(x [][]float32) { kernel.LSTMGrad(x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7]) },
		func(x []float64) {
			i, f, g, o, c, t, dh := x[0], x[1], x[2], x[3], x[4], x[5], x[6]
			dc := x[7] + dh*o*(1-t*t)
			x[3] = dh * t * o * (1 - o)
			x[0], x[1], x[2], x[7] = dc*g*i*(1-i), dc*c*f*(1-f), dc*i*(1-g*g), dc*f
		}, 2e-6, 0, "sstsxtxx"},
	{"LSTMUpdate", 6, func(x [][]float32) { kernel.LSTMUpdate(x[0], x[1], x[2], x[3], x[4], x[5]) },
		func(x []float64) {
			x[0], x[1], x[2], x[3] = sigma(x[0]), sigma(x[1]), math.Tanh(x[2]), sigma(x[3])
			x[5] = x[1]*x[4] + x[0]*x[2]
		}, 2e-6, 0, "ppppx."},
	{"LSTMUpdateGrad", 5, func(x [][]float32) { kernel.LSTMUpdateGrad(x[0], x[1], x[2], x[3], x[4]) },
		func(x []float64) {
			i, f, g, c, dc := x[0], x[1], x[2], x[3], x[4]
			x[0], x[1], x[2], x[4] = dc*g*i*(1-i), dc*c*f*(1-f), dc*i*(1-g*g), dc*f
		}, 2e-6, 0, "sstxx"},
	{"LSTMOutGrad", 4, func(x [][]float32) { kernel.LSTMOutGrad(x[0], x[1], x[2], x[3]) },
		func(x []float64) {
			o, t, dh := x[0], x[1], x[2]
			x[0], x[3] = dh*t*o*(1-o), dh*o*(1-t*t)
		}, 2e-6, 0, "stx."},
	{"ScaleShift", 4, func(x [][]float32) { kernel.ScaleShift(x[0], x[1], x[2], x[3]) },
		func(x []float64) { x[0] = x[2]*x[1] + x[3] }, 1e-6, 0, ".xxx"},
	{"LSTMNoGate", 6, func(x [][]float32) { kernel.LSTMNoGate(x[0], x[1], x[2], x[3], x[4], x[5]) },
		func(x []float64) {
			x[0], x[1], x[2] = sigma(x[0]), sigma(x[1]), math.Tanh(x[2])
			x[4] = x[1]*x[3] + x[0]*x[2]
			x[5] = sigma(x[4])
		}, 2e-6, 0, "pppx.."},
	{"LSTMNoGateGrad", 7, func(x [][]float32) { kernel.LSTMNoGateGrad(x[0], x[1], x[2], x[3], x[4], x[5], x[6]) },
		func(x []float64) {
			i, f, g, c, h := x[0], x[1], x[2], x[3], x[4]
			dc := x[6] + x[5]*h*(1-h)
			x[0], x[1], x[2], x[6] = dc*g*i*(1-i), dc*c*f*(1-f), dc*i*(1-g*g), dc*f
		}, 2e-6, 0, "sstxsxx"},
	{"GRUAfter", 6, func(x [][]float32) { kernel.GRUAfter(x[0], x[1], x[2], x[3], x[4], x[5]) },
		func(x []float64) {
			x[0], x[1] = sigma(x[0]), sigma(x[1])
			x[2] = math.Tanh(x[2] + x[0]*x[3])
			x[5] = (1-x[1])*x[2] + x[1]*x[4]
		}, 2e-6, 0, "pppxx."},
	{"GRUAfterGrad", 7, func(x [][]float32) { kernel.GRUAfterGrad(x[0], x[1], x[2], x[3], x[4], x[5], x[6]) },
		func(x []float64) {
			r, z, n, hn, h, dh := x[0], x[1], x[2], x[3], x[4], x[5]
			dn := dh * (1 - z) * (1 - n*n)
			x[0], x[1], x[2], x[3], x[6] = dn*hn*r*(1-r), dh*(h-n)*z*(1-z), dn, dn*r, z*dh
		}, 2e-6, 0, "sstxxx."},
	{"GRUBeforeGates", 4, func(x [][]float32) { kernel.GRUBeforeGates(x[0], x[1], x[2], x[3]) },
		func(x []float64) { x[0], x[1] = sigma(x[0]), sigma(x[1]); x[3] = x[0] * x[2] }, 1e-6, 0, "ppx."},
	{"GRUBeforeOut", 4, func(x [][]float32) { kernel.GRUBeforeOut(x[0], x[1], x[2], x[3]) },
		func(x []float64) { x[1] = math.Tanh(x[1]); x[3] = (1-x[0])*x[1] + x[0]*x[2] }, 1e-6, 0, "spx."},
	{"GRUBeforeOutGrad", 6, func(x [][]float32) { kernel.GRUBeforeOutGrad(x[0], x[1], x[2], x[3], x[4], x[5]) },
		func(x []float64) {
			z, n, h, dh := x[0], x[1], x[2], x[3]
			x[4], x[0], x[5] = dh*(1-z)*(1-n*n), dh*(h-n)*z*(1-z), z*dh
		}, 2e-6, 0, "stxx.."},
	{"GRUBeforeGatesGrad", 4, func(x [][]float32) { kernel.GRUBeforeGatesGrad(x[0], x[1], x[2], x[3]) },
		func(x []float64) {
			r, h, drh := x[0], x[1], x[2]
			x[3] += r * drh
			x[0] = drh * h * r * (1 - r)
		}, 2e-6, 0, "sxxx"},
	{"SGD", 2, func(x [][]float32) { kernel.SGD(x[0], x[1], 0.1, 0.01, 0.5) },
		func(x []float64) { x[0] -= 0.1 * (0.5*x[1] + 0.01*x[0]) }, 4e-7, 0, "xx"},
	{"Adam", 4, func(x [][]float32) { kernel.Adam(x[0], x[1], x[2], x[3], adamArgs) }, adamExact, 1e-6, 0, "xxxv"},
}

var adamArgs = kernel.AdamArgs{LR: 0.01, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, L2: 0.02, Decay: 0.1, Bias1: 0.271, Bias2: 0.002997, GradScale: 0.5}

// adamExact is PyTorch's form, with the betas as float32 has them.
func adamExact(x []float64) {
	lr, b1, b2 := float64(adamArgs.LR), float64(adamArgs.Beta1), float64(adamArgs.Beta2)
	g := x[1]*0.5 + float64(adamArgs.L2)*x[0]
	p := x[0] * (1 - lr*float64(adamArgs.Decay))
	x[2] = b1*x[2] + (1-b1)*g
	x[3] = b2*x[3] + (1-b2)*g*g
	x[0] = p - lr/float64(adamArgs.Bias1)*x[2]/(math.Sqrt(x[3])/math.Sqrt(float64(adamArgs.Bias2))+1e-8)
}

// arguments draws guarded slices of n elements, each at another alignment.
func (r routine) arguments(seed uint64, n, offset int) []guarded {
	random := newRand(seed)
	args := make([]guarded, r.args)
	for i, kind := range r.inputs {
		g := newGuarded(n, (offset+3*i)%8)
		for j := range g.x {
			u := random.Float64()*2 - 1
			switch kind {
			case 'p':
				u *= 6
			case 's':
				u = sigma(5 * u)
			case 't':
				u = math.Tanh(3 * u)
			case 'x':
				u *= 2
			case 'v':
				u += 1
			}
			g.x[j] = float32(u)
		}
		args[i] = g
	}
	return args
}

func slices(args []guarded) [][]float32 {
	x := make([][]float32, len(args))
	for i := range args {
		x[i] = args[i].x
	}
	return x
}

// TestElementwise holds every routine to its equations in float64, at every
// length, unaligned, and looks for writes outside.
func TestElementwise(t *testing.T) {
	eachBackend(t, func(t *testing.T) {
		for _, r := range routines {
			t.Run(r.name, func(t *testing.T) {
				for offset, n := range lengths {
					args := r.arguments(uint64(n), n, offset)
					want := make([][]float64, r.args)
					for i := range want {
						want[i] = make([]float64, n)
					}
					x := make([]float64, r.args)
					for j := range n {
						for i := range x {
							x[i] = float64(args[i].x[j])
						}
						r.exact(x)
						for i := range x {
							want[i][j] = x[i]
						}
					}
					r.call(slices(args))
					for i := range args {
						what := fmt.Sprintf("n=%d, argument %d", n, i)
						wantNear(t, what, args[i].x, want[i], r.absolute, r.relative)
						args[i].check(t, what)
					}
				}
			})
		}
	})
}

// TestElementwisePosition demands the same bits for an element wherever it
// lies: n elements at once against each of them alone.
func TestElementwisePosition(t *testing.T) {
	eachBackend(t, func(t *testing.T) {
		for _, r := range routines {
			t.Run(r.name, func(t *testing.T) {
				const n = 45
				whole, single := r.arguments(1, n, 0), r.arguments(1, n, 5)
				r.call(slices(whole))
				for j := range n {
					one := make([][]float32, r.args)
					for i := range one {
						one[i] = single[i].x[j : j+1 : j+1]
					}
					r.call(one)
				}
				for i := range whole {
					wantSame(t, fmt.Sprintf("argument %d", i), single[i].x, whole[i].x)
				}
			})
		}
	})
}

// TestElementwiseTwin bounds how far assembly and Go are apart: rounding of a
// few operations that one of them fuses.
func TestElementwiseTwin(t *testing.T) {
	eachBackend(t, func(t *testing.T) {
		for _, r := range routines {
			const n = 1003
			generic, fast := r.arguments(2, n, 0), r.arguments(2, n, 0)
			with("generic", func() { r.call(slices(generic)) })
			r.call(slices(fast))
			for i := range fast {
				want := make([]float64, n)
				for j, v := range generic[i].x {
					want[j] = float64(v)
				}
				wantNear(t, fmt.Sprintf("%s, argument %d", r.name, i), fast[i].x, want, 1e-6, 0)
			}
		}
	})
}

// TestElementwiseLong passes the length at which calls are cut.
func TestElementwiseLong(t *testing.T) {
	eachBackend(t, func(t *testing.T) {
		for _, r := range routines {
			if r.args > 4 {
				continue // those are never cut
			}
			const n, part = 1<<15 + 11, 1000
			whole, parts := r.arguments(3, n, 0), r.arguments(3, n, 0)
			r.call(slices(whole))
			for lo := 0; lo < n; lo += part {
				x := slices(parts)
				for i := range x {
					x[i] = x[i][lo:min(lo+part, n)]
				}
				r.call(x)
			}
			for i := range whole {
				wantSame(t, r.name, whole[i].x, parts[i].x)
			}
		}
	})
}

// TestActivationLimits looks at what a formula with exp gets wrong first.
func TestActivationLimits(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	tests := []struct{ x, sigmoid, tanh float32 }{
		{0, 0.5, 0}, {inf, 1, 1}, {-inf, 0, -1}, {nan, nan, nan}, {100, 1, 1}, {-100, 0, -1}, {88.5, 1, 1}, {-88.5, 0, -1},
		{1e30, 1, 1}, {-1e30, 0, -1}, {math.MaxFloat32, 1, 1}, {-math.MaxFloat32, 0, -1}, {20, 1, 1}, {-9.5, -1, -1},
		{1e-40, 0.5, 1e-40}, {-1e-40, 0.5, -1e-40}, {1e-10, 0.5, 1e-10}, {1e-5, -1, 1e-5},
	}
	eachBackend(t, func(t *testing.T) {
		for _, test := range tests {
			s, h := []float32{test.x}, []float32{test.x}
			kernel.Sigmoid(s)
			kernel.Tanh(h)
			if test.sigmoid >= 0 && s[0] != test.sigmoid || test.x != test.x && s[0] == s[0] {
				t.Errorf("σ(%v) = %v, want %v", test.x, s[0], test.sigmoid)
			}
			if h[0] != test.tanh && test.x == test.x || test.x != test.x && h[0] == h[0] {
				t.Errorf("tanh(%v) = %v, want %v", test.x, h[0], test.tanh)
			}
		}
	})
}

// TestActivationSweep holds σ and tanh to their bound from −100 to 100.
func TestActivationSweep(t *testing.T) {
	eachBackend(t, func(t *testing.T) {
		const n = 400_001
		s, h := make([]float32, n), make([]float32, n)
		for i := range s {
			s[i] = float32(i-n/2) / (n / 200)
			h[i] = s[i]
		}
		x := append([]float32(nil), s...)
		kernel.Sigmoid(s)
		kernel.Tanh(h)
		for i, v := range x {
			if e := math.Abs(float64(s[i]) - sigma(float64(v))); !(e <= 3e-7) {
				t.Fatalf("σ(%v) = %v: error %.2g", v, s[i], e)
			}
			if e := math.Abs(float64(h[i]) - math.Tanh(float64(v))); !(e <= 3e-7) {
				t.Fatalf("tanh(%v) = %v: error %.2g", v, h[i], e)
			}
		}
	})
}

// TestElementwiseNaN lets a NaN in one element through to its results, and to
// no other element.
func TestElementwiseNaN(t *testing.T) {
	nan := float32(math.NaN())
	eachBackend(t, func(t *testing.T) {
		for _, r := range routines {
			for from := range r.args {
				if r.inputs[from] == '.' {
					continue
				}
				args := r.arguments(4, 20, 0)
				clean := r.arguments(4, 20, 0)
				args[from].x[13] = nan
				r.call(slices(args))
				r.call(slices(clean))
				found := false
				for i := range args {
					for j := range 20 {
						if j == 13 {
							found = found || args[i].x[j] != args[i].x[j]
						} else if !sameBits(args[i].x[j], clean[i].x[j]) {
							t.Fatalf("%s: NaN in element 13 of argument %d changed element %d of %d", r.name, from, j, i)
						}
					}
				}
				if !found {
					t.Errorf("%s: NaN in argument %d vanished", r.name, from)
				}
			}
		}
	})
}

func TestElementwisePanics(t *testing.T) {
	for _, r := range routines {
		for short := 1; short < r.args; short++ {
			t.Run(fmt.Sprintf("%s/argument %d", r.name, short), func(t *testing.T) {
				x := slices(r.arguments(5, 9, 0))
				x[short] = x[short][:8]
				defer func() {
					if recover() == nil {
						t.Error("a short slice was accepted")
					}
				}()
				r.call(x)
			})
		}
	}
}
