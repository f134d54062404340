package nn_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/refrain-lm/refrain/internal/parallel"
	"github.com/refrain-lm/refrain/nn"
)

// newHead returns a head with random weights.
func newHead(vocab, width int) (*nn.Head, *nn.Param, *nn.Param) {
	w, b := nn.NewParam("decoder.weight", vocab, width), nn.NewParam("decoder.bias", vocab)
	copy(w.Value, roundTo(random(1, len(w.Value), 0.8)))
	copy(b.Value, roundTo(random(2, len(b.Value), 0.8)))
	h := nn.NewHead(w, b)
	h.Refresh(nil, true)
	return h, w, b
}

// targets returns n ids below vocab, every seventh −1: not counted.
func targets(n, vocab int) []int32 {
	want := make([]int32, n)
	for i := range want {
		want[i] = int32(i * 31 % vocab)
		if i%7 == 3 {
			want[i] = -1
		}
	}
	return want
}

func TestHeadGradientsByDifferences(t *testing.T) {
	const rows, vocab, width, scale = 9, 11, 7, 0.25
	h, w, b := newHead(vocab, width)
	x := roundTo(random(3, rows*width, 1))
	want := targets(rows, vocab)
	var tape nn.HeadTape
	h.Loss(nn.Mode{Train: true}, &tape, x, want, scale)
	loss := func() float64 {
		h.Refresh(nil, false)
		var tape nn.HeadTape
		sum, _ := h.Loss(nn.Mode{}, &tape, x, want, 0)
		return sum * scale
	}
	checkGradient(t, "x", gradientStep, x, clone(h.InputGrad(&tape)), loss)
	checkGradient(t, w.Name, gradientStep, w.Value, clone(w.Grad), loss)
	checkGradient(t, b.Name, gradientStep, b.Value, clone(b.Grad), loss)
}

// Several chunks, a last one that is short, against float64.
func TestHeadLossAgainstEquations(t *testing.T) {
	const rows, vocab, width = 150, 9000, 5
	h, w, b := newHead(vocab, width)
	x, want := random(3, rows*width, 1), targets(rows, vocab)
	b.Value[want[2]] = 12 // one hit at least
	h.Refresh(nil, false)
	var tape nn.HeadTape
	sum, n := h.Loss(nn.Mode{}, &tape, x, want, 0)
	hits := tape.Hits()
	out := make([]float32, rows)
	h.LogProbs(nn.Mode{}, &tape, x, want, out)

	var wantSum float64
	var wantN, wantHits int
	for i, id := range want {
		logits := make([]float64, vocab)
		var total float64
		for v := range logits {
			logits[v] = float64(b.Value[v]) + dot(w.Value[v*width:(v+1)*width], x[i*width:(i+1)*width])
			total += math.Exp(logits[v])
		}
		var loss float64
		if id >= 0 {
			loss = math.Log(total) - logits[id]
			wantSum += loss
			wantN++
			if logits[id] == slices.Max(logits) {
				wantHits++
			}
		}
		if !near(out[i], -loss, 1e-6, 1e-6) {
			t.Errorf("row %d: log probability %v, want %v", i, out[i], -loss)
		}
	}
	if hits != wantHits || hits == 0 {
		t.Errorf("%d hits, want %d", hits, wantHits)
	}
	if n != wantN || math.Abs(sum-wantSum) > 1e-6*wantSum {
		t.Errorf("loss %v of %d targets, want %v of %d", sum, n, wantSum, wantN)
	}
}

// The gradient of the input is a sum over the vocabulary with one large part, the
// target's. Added last it rounds nothing but the result; among the others, these
// would be rounded to its size, thousands of times: 2.5e-6 of the gradient instead of 3e-7.
func TestHeadInputGradIsExact(t *testing.T) {
	const rows, vocab, width = 20, 9000, 5
	h, w, b := newHead(vocab, width)
	x, want := random(3, rows*width, 1), targets(rows, vocab)
	var tape nn.HeadTape
	h.Loss(nn.Mode{Train: true}, &tape, x, want, 1)
	exact := make([]float32, rows*width)
	for i, id := range want {
		if id < 0 {
			continue
		}
		var mean [width]float64
		var total float64
		for v := range vocab {
			row := w.Value[v*width : (v+1)*width]
			p := math.Exp(float64(b.Value[v]) + dot(row, x[i*width:(i+1)*width]))
			total += p
			for j := range mean {
				mean[j] += p * float64(row[j])
			}
		}
		for j := range mean {
			exact[i*width+j] = float32(mean[j]/total - float64(w.Value[int(id)*width+j]))
		}
	}
	if off := distance(h.InputGrad(&tape), exact); off > 5e-7 {
		t.Errorf("the gradient is off by %.1e of its size", off)
	}
}

func TestHeadPoolSizeChangesNoBit(t *testing.T) {
	for _, vocab := range []int{5, 96, 9000} {
		const rows, width = 150, 19
		x, want := random(3, rows*width, 1), targets(rows, vocab)
		run := func(pool *parallel.Pool) (float64, []float32, []float32, []float32) {
			h, w, b := newHead(vocab, width)
			var tape nn.HeadTape
			sum, _ := h.Loss(nn.Mode{Pool: pool, Train: true}, &tape, x, want, 0.5)
			return sum, h.InputGrad(&tape), w.Grad, b.Grad
		}
		sum, dx, dw, db := run(nil)
		for _, threads := range []int{2, 3} {
			pool := parallel.New(threads)
			defer pool.Close()
			sum2, dx2, dw2, db2 := run(pool)
			if sum2 != sum {
				t.Errorf("V=%d: loss %v with %d threads, %v with one", vocab, sum2, threads, sum)
			}
			sameBits(t, "dx", dx2, dx)
			sameBits(t, "dW", dw2, dw)
			sameBits(t, "db", db2, db)
		}
	}
}

// A row's loss and one row's logits have the same bits in any company.
func TestHeadRowsAreIndependent(t *testing.T) {
	const rows, vocab, width = 20, 50, 19
	h, _, _ := newHead(vocab, width)
	x, want := random(3, rows*width, 1), targets(rows, vocab)
	var tape nn.HeadTape
	all, one := make([]float32, rows), make([]float32, 1)
	h.LogProbs(nn.Mode{}, &tape, x, want, all)
	for i := range rows {
		h.LogProbs(nn.Mode{}, &tape, x[i*width:(i+1)*width], want[i:i+1], one)
		sameBits(t, fmt.Sprintf("row %d", i), one, all[i:i+1])
	}
}

func TestLogitsAllocateNothing(t *testing.T) {
	h, _, _ := newHead(50, 19)
	x, logits := random(1, 19, 1), make([]float32, 50)
	h.Refresh(nil, false)
	if n := testing.AllocsPerRun(20, func() { h.Logits(nil, 1, x, logits) }); n != 0 {
		t.Errorf("Logits allocates %v times", n)
	}
	for v := range logits {
		_, w, b := newHead(50, 19)
		if want := float64(b.Value[v]) + dot(w.Value[v*19:(v+1)*19], x); !near(logits[v], want, 1e-6, 1e-6) {
			t.Errorf("logit %d = %v, want %v", v, logits[v], want)
		}
	}
}

func TestEmbedding(t *testing.T) {
	const vocab, width = 6, 20
	ids := []int32{3, 0, 3, 5, 3}
	pool := parallel.New(2)
	defer pool.Close()
	for _, p := range []*parallel.Pool{nil, pool} {
		w := nn.NewParam("encoder.weight", vocab, width)
		copy(w.Value, random(1, len(w.Value), 1))
		e := nn.NewEmbedding(w)
		var tape nn.EmbeddingTape
		x := e.Forward(nn.Mode{Pool: p}, &tape, ids)
		dx := random(2, len(x), 1)
		e.Backward(nn.Mode{Pool: p}, &tape, dx)
		want := make([]float32, len(w.Value))
		for k, id := range ids {
			sameBits(t, "row", x[k*width:(k+1)*width], w.Value[int(id)*width:][:width])
			row := make([]float32, width)
			e.Lookup(id, row)
			sameBits(t, "Lookup", row, w.Value[int(id)*width:][:width])
			for j := range width {
				want[int(id)*width+j] += dx[k*width+j]
			}
		}
		sameBits(t, "gradient", w.Grad, want)
	}
}

// A tied table gets both gradients in one array.
func TestTiedGradientsAddUp(t *testing.T) {
	const vocab, width = 6, 4
	h, w, _ := newHead(vocab, width)
	e := nn.NewEmbedding(w)
	ids, want := []int32{1, 4, 1}, []int32{4, 1, 0}
	var et nn.EmbeddingTape
	var ht nn.HeadTape
	m := nn.Mode{Train: true}
	h.Loss(m, &ht, e.Forward(m, &et, ids), want, 1)
	e.Backward(m, &et, h.InputGrad(&ht))
	grad := clone(w.Grad)
	checkGradient(t, w.Name, gradientStep, w.Value, grad, func() float64 {
		h.Refresh(nil, false)
		sum, _ := h.Loss(nn.Mode{}, &ht, e.Forward(nn.Mode{}, &et, ids), want, 0)
		return sum
	})
}

func TestMisuse(t *testing.T) {
	h, _, _ := newHead(5, 4)
	l := nn.NewLSTM("rnn", 0, 3, 4, nn.TwoBiases)
	l.Refresh(nil, true)
	e := nn.NewEmbedding(nn.NewParam("encoder.weight", 5, 4))
	tests := []struct {
		name string
		f    func()
	}{
		{"id too large", func() { e.Lookup(5, make([]float32, 4)) }},
		{"id negative", func() { e.Forward(nn.Mode{}, &nn.EmbeddingTape{}, []int32{-1}) }},
		{"input too short", func() { l.Forward(nn.Mode{}, &nn.Tape{}, 2, 1, make([]float32, 5), l.NewState(1)) }},
		{"state of other lanes", func() { l.Forward(nn.Mode{}, &nn.Tape{}, 1, 2, make([]float32, 6), l.NewState(1)) }},
		{"no steps", func() { l.Forward(nn.Mode{}, &nn.Tape{}, 0, 1, nil, l.NewState(1)) }},
		{"gradient too short", func() {
			var tape nn.Tape
			l.Forward(nn.Mode{}, &tape, 1, 1, make([]float32, 3), l.NewState(1))
			l.Backward(nn.Mode{}, &tape, make([]float32, 3))
		}},
		{"step of a cell refreshed for training", func() {
			l.Step(nil, 1, l.NewState(1), make([]float32, 3), make([]float32, 4))
		}},
		{"logits of a head refreshed for training", func() {
			h.Refresh(nil, true)
			h.Logits(nil, 1, make([]float32, 4), make([]float32, 5))
		}},
		{"InputGrad without training", func() {
			var tape nn.HeadTape
			h.Loss(nn.Mode{}, &tape, make([]float32, 4), []int32{0}, 1)
			h.InputGrad(&tape)
		}},
		{"dropout of all", func() { nn.NewDropout(1, false, 4, 0) }},
		{"one bias, reset after", func() { nn.NewGRU("rnn", 0, 3, 4, nn.OneBias, nn.ResetAfter) }},
		{"unknown bias", func() { nn.NewLSTM("rnn", 0, 3, 4, "three") }},
		{"unknown reset", func() { nn.NewGRU("rnn", 0, 3, 4, nn.TwoBiases, "") }},
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
