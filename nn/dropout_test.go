package nn_test

import (
	"math"
	"testing"

	"github.com/refrain-lm/refrain/nn"
)

func TestDropoutMask(t *testing.T) {
	const steps, lanes, width, p = 20, 4, 100, 0.3
	ones := make([]float32, steps*lanes*width)
	for i := range ones {
		ones[i] = 1
	}
	for _, variational := range []bool{false, true} {
		l := nn.NewDropout(p, variational, width, 2)
		mask := func(m nn.Mode, l *nn.Dropout) []float32 {
			var tape nn.Tape
			return clone(l.Forward(m, &tape, steps, lanes, ones, nil))
		}
		m := nn.Mode{Train: true, Seed: 4, Step: 9}
		y := mask(m, l)
		var dropped int
		for _, v := range y {
			switch v {
			case 0:
				dropped++
			case float32(1) / (1 - float32(p)):
			default:
				t.Fatalf("factor %v", v)
			}
		}
		independent := float64(len(y))
		if variational {
			independent /= steps
		}
		rate, deviation := float64(dropped)/float64(len(y)), math.Sqrt(p*(1-p)/independent)
		if math.Abs(rate-p) > 4*deviation {
			t.Errorf("variational %v: dropped %v, want %v ± %v", variational, rate, p, 4*deviation)
		}
		if first, second := y[:lanes*width], y[lanes*width:2*lanes*width]; equal(first, second) != variational {
			t.Errorf("variational %v: masks of two steps equal: %v", variational, !variational)
		}
		if equal(y[:width], y[width:2*width]) {
			t.Errorf("variational %v: masks of two lanes are equal", variational)
		}
		sameBits(t, "same seed and step", mask(m, l), y)
		for name, other := range map[string][]float32{
			"seed":  mask(nn.Mode{Train: true, Seed: 5, Step: 9}, l),
			"step":  mask(nn.Mode{Train: true, Seed: 4, Step: 10}, l),
			"index": mask(m, nn.NewDropout(p, variational, width, 3)),
		} {
			if equal(other, y) {
				t.Errorf("variational %v: another %s gives the same mask", variational, name)
			}
		}
		sameBits(t, "outside training", mask(nn.Mode{Seed: 4}, l), ones)
	}
}

func TestWeightDrop(t *testing.T) {
	const in, h, p = 5, 40, 0.3
	l := nn.NewLSTM("rnn", 0, in, h, nn.TwoBiases)
	for i, q := range l.Params() {
		copy(q.Value, random(uint64(i), len(q.Value), 1))
	}
	before := map[string][]float32{}
	for _, q := range l.Params() {
		before[q.Name] = clone(q.Value)
	}
	whh := l.Params()[1]
	d := nn.NewWeightDrop(p, l.Params())
	drop := func(m nn.Mode) []float32 {
		d.Drop(m)
		dropped := clone(whh.Value)
		copy(whh.Grad, before[whh.Name])
		d.Restore(m)
		sameBits(t, "gradient, masked like the weight", whh.Grad, dropped)
		for _, q := range l.Params() {
			sameBits(t, q.Name+" after Restore", q.Value, before[q.Name])
		}
		return dropped
	}
	whh.ZeroGrad()
	m := nn.Mode{Train: true, Seed: 4, Step: 9}
	dropped := drop(m)
	zeros := 0
	for i, v := range dropped {
		switch v {
		case 0:
			zeros++
		case before[whh.Name][i] * (1 / (1 - float32(p))):
		default:
			t.Fatalf("weight %v became %v", before[whh.Name][i], v)
		}
	}
	rate, deviation := float64(zeros)/float64(len(dropped)), math.Sqrt(p*(1-p)/float64(len(dropped)))
	if math.Abs(rate-p) > 4*deviation {
		t.Errorf("dropped %v of the weights, want %v ± %v", rate, p, 4*deviation)
	}
	sameBits(t, "same seed and step", drop(m), dropped)
	for name, other := range map[string]nn.Mode{"seed": {Train: true, Seed: 5, Step: 9}, "step": {Train: true, Seed: 4, Step: 10}} {
		if equal(drop(other), dropped) {
			t.Errorf("another %s gives the same mask", name)
		}
	}
}

func equal(a, b []float32) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
