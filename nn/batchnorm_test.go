package nn_test

import (
	"strings"
	"testing"

	"github.com/refrain-lm/refrain/nn"
)

// eachBatchCell runs a test for every cell with batch normalisation inside; count
// is the part of its state that counts steps since the reset.
func eachBatchCell(t *testing.T, test func(t *testing.T, c blockCase, count int)) {
	for _, c := range batchCells {
		t.Run(c.name, func(t *testing.T) { test(t, c, len(c.build(3, 4).StateWidths())-1) })
	}
}

// Lanes at different distances from their reset, beyond the last position too.
func TestBatchNormCellsKnowEachLanesPosition(t *testing.T) {
	const steps, lanes, in, h = 6, 4, 6, 19
	eachBatchCell(t, func(t *testing.T, c blockCase, count int) {
		l := c.build(in, h)
		x := random(9, steps*lanes*in, 1)
		state := randomState(l, lanes)
		copy(state[count], []float32{0, 3, 200, nn.NormPositions - 2})
		each := make([][]float32, lanes)
		for lane := range lanes {
			each[lane] = stepLane(l, state, x, steps, lanes, lane)
		}
		var tape nn.Tape
		y := l.Forward(nn.Mode{}, &tape, steps, lanes, x, state)
		for lane := range lanes {
			sameBits(t, "output", pickLane(y, lanes, h, lane), each[lane])
		}
		sameBits(t, "counts", state[count], []float32{6, 9, nn.NormPositions, nn.NormPositions})
		if first, third := pickLane(y, lanes, h, 0), pickLane(y, lanes, h, 2); first[0] == third[0] {
			t.Error("positions 0 and 200 give the same; their statistics differ")
		}
	})
}

func TestBatchNormCellsWantLanesTogether(t *testing.T) {
	eachBatchCell(t, func(t *testing.T, c blockCase, count int) {
		l := c.build(3, 4)
		s := l.NewState(2)
		s[count][1] = 1
		defer func() {
			if recover() == nil {
				t.Error("lanes at two positions were normalised together")
			}
		}()
		l.Forward(nn.Mode{Train: true}, &nn.Tape{}, 1, 2, random(1, 6, 1), s)
	})
}

// A position's first window is taken over, later ones move it by a tenth.
func TestBatchNormCellsFollow(t *testing.T) {
	for name, c := range map[string]struct {
		make       func(in, h int) block
		statistics int
	}{
		"lstm": {func(in, h int) block { return nn.NewBatchNormLSTM("rnn", 0, in, h, nn.TwoBiases) }, 6},
		"gru":  {func(in, h int) block { return nn.NewBatchNormGRU("rnn", 0, in, h) }, 4},
		"rnn":  {func(in, h int) block { return nn.NewBatchNormRNN("rnn", 0, in, h, nn.TwoBiases, true) }, 4},
	} {
		t.Run(name, func(t *testing.T) { follows(t, blockCase{make: c.make}, c.statistics) })
	}
}

func follows(t *testing.T, c blockCase, statistics int) {
	const steps, lanes, in, h = 3, 4, 5, 7
	window := func(l block, seed uint64) {
		var tape nn.Tape
		l.Forward(nn.Mode{Train: true}, &tape, steps, lanes, random(seed, steps*lanes*in, 1), l.NewState(lanes))
		l.Backward(nn.Mode{Train: true}, &tape, random(7, steps*lanes*h, 1))
	}
	first, second, both := c.build(in, h), c.build(in, h), c.build(in, h)
	window(first, 1)
	window(second, 2)
	window(both, 1)
	window(both, 2)
	checked := 0
	for i, p := range both.Params() {
		if strings.HasSuffix(p.Name, "_seen_l0") && p.Value[0] != steps {
			t.Errorf("%v positions seen, want %d", p.Value[0], steps)
		}
		if len(p.Shape) != 2 || !p.Frozen {
			continue
		}
		checked++
		for k := range steps * p.Shape[1] {
			a, b := first.Params()[i].Value[k], second.Params()[i].Value[k]
			if want := 0.9*float64(a) + 0.1*float64(b); !near(p.Value[k], want, 1e-6, 1e-7) {
				t.Fatalf("%s[%d] = %v, want %v", p.Name, k, p.Value[k], want)
			}
		}
	}
	if checked != statistics {
		t.Errorf("%d statistics checked, want %d", checked, statistics)
	}
}
