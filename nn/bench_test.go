package nn_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/refrain-lm/refrain/internal/parallel"
	"github.com/refrain-lm/refrain/nn"
)

// benchCells are the four cells as PyTorch and Keras users know them.
var benchCells = []blockCase{cells[0], cells[3], cells[5], cells[7], cells[8]}

// BenchmarkCell runs one layer through windows of the shapes that the speed
// targets name, on all processors.
func BenchmarkCell(b *testing.B) {
	shapes := []struct{ h, lanes, steps int }{{128, 64, 35}, {650, 20, 35}, {512, 64, 128}}
	pool := parallel.New(0)
	defer pool.Close()
	for _, c := range benchCells {
		for _, s := range shapes {
			l := c.build(s.h, s.h)
			state := l.NewState(s.lanes)
			tokens := s.steps * s.lanes
			x, dy, y := random(1, tokens*s.h, 1), random(2, tokens*s.h, 1e-3), make([]float32, tokens*s.h)
			m := nn.Mode{Pool: pool, Train: true}
			var tape nn.Tape
			flops := float64(2 * tokens * (len(l.Params()[0].Value) + len(l.Params()[1].Value)))
			name := fmt.Sprintf("%s/H=%d,B=%d,T=%d", c.name, s.h, s.lanes, s.steps)
			b.Run(name+"/forward", func(b *testing.B) {
				b.ReportAllocs()
				best := time.Duration(math.MaxInt64)
				for range b.N {
					begin := time.Now()
					l.Forward(m, &tape, s.steps, s.lanes, x, state)
					best = min(best, time.Since(begin))
				}
				report(b, tokens, flops)
				b.ReportMetric(flops/float64(best.Nanoseconds()), "best-GFLOP/s")
			})
			b.Run(name+"/backward", func(b *testing.B) {
				b.ReportAllocs()
				best := time.Duration(math.MaxInt64)
				for range b.N {
					b.StopTimer()
					l.Forward(m, &tape, s.steps, s.lanes, x, state)
					copy(y, dy)
					b.StartTimer()
					begin := time.Now()
					l.Backward(m, &tape, y)
					best = min(best, time.Since(begin))
				}
				report(b, tokens, 2*flops)
				b.ReportMetric(2*flops/float64(best.Nanoseconds()), "best-GFLOP/s")
			})
			b.Run(name+"/refresh", func(b *testing.B) {
				for range b.N {
					l.Refresh(pool, true)
				}
			})
		}
	}
}

// BenchmarkAttention runs windows of attention with a full context.
func BenchmarkAttention(b *testing.B) {
	pool := parallel.New(0)
	defer pool.Close()
	for _, s := range []struct{ width, heads, context, lanes, steps int }{{128, 4, 128, 16, 64}, {256, 8, 128, 16, 64}, {256, 8, 512, 16, 64}} {
		l := blockCase{make: func(in, out int) block { return nn.NewAttention("self_attn", in, s.heads, s.context) }}.build(s.width, s.width)
		state, tokens := l.NewState(s.lanes), s.steps*s.lanes
		for lane := range s.lanes {
			state[2][lane] = float32(s.context)
		}
		x, dy := random(1, tokens*s.width, 1), random(2, tokens*s.width, 1e-3)
		m := nn.Mode{Pool: pool, Train: true}
		var tape nn.Tape
		flops := float64(2 * tokens * (4*s.width*s.width + 2*s.width*s.context))
		name := fmt.Sprintf("width=%d,heads=%d,context=%d,B=%d,T=%d", s.width, s.heads, s.context, s.lanes, s.steps)
		b.Run(name+"/forward", func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				l.Forward(m, &tape, s.steps, s.lanes, x, state)
			}
			report(b, tokens, flops)
		})
		b.Run(name+"/backward", func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				l.Backward(m, &tape, dy)
			}
			report(b, tokens, 2*flops)
		})
		l.Refresh(pool, false)
		one, y := l.NewState(1), make([]float32, s.width)
		one[2][0] = float32(s.context)
		b.Run(name+"/step", func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				l.Step(nil, 1, one, x[:s.width], y)
			}
			report(b, 1, flops/float64(tokens))
		})
	}
}

func report(b *testing.B, tokens int, flops float64) {
	seconds := b.Elapsed().Seconds() / float64(b.N)
	b.ReportMetric(float64(tokens)/seconds, "tokens/s")
	b.ReportMetric(flops/seconds*1e-9, "GFLOP/s")
}

// BenchmarkHead runs projection, softmax, loss and all gradients.
func BenchmarkHead(b *testing.B) {
	pool := parallel.New(0)
	defer pool.Close()
	for _, s := range []struct{ vocab, h, rows int }{{10000, 128, 2240}, {10000, 650, 700}, {96, 512, 8192}} {
		h, w, _ := newHead(s.vocab, s.h)
		x, want := random(1, s.rows*s.h, 1), targets(s.rows, s.vocab)
		var tape nn.HeadTape
		flops := float64(2 * s.rows * len(w.Value))
		for _, train := range []bool{false, true} {
			what, f := "loss", flops
			if train {
				what, f = "train", 3*flops
			}
			b.Run(fmt.Sprintf("V=%d,H=%d,N=%d/%s", s.vocab, s.h, s.rows, what), func(b *testing.B) {
				b.ReportAllocs()
				for range b.N {
					h.Loss(nn.Mode{Pool: pool, Train: train}, &tape, x, want, 1e-3)
				}
				report(b, s.rows, f)
			})
		}
	}
}

// BenchmarkStep is one token of one lane.
func BenchmarkStep(b *testing.B) {
	for _, c := range benchCells {
		for _, h := range []int{128, 512, 650} {
			l := c.build(h, h)
			l.Refresh(nil, false)
			s, x, y := l.NewState(1), random(1, h, 1), make([]float32, h)
			b.Run(fmt.Sprintf("%s/H=%d", c.name, h), func(b *testing.B) {
				b.ReportAllocs()
				for range b.N {
					l.Step(nil, 1, s, x, y)
				}
				report(b, 1, float64(2*(len(l.Params()[0].Value)+len(l.Params()[1].Value))))
			})
		}
	}
}
