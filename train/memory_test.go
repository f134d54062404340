package train_test

import (
	"runtime"
	"testing"

	"github.com/refrain-lm/refrain/lm"
	"github.com/refrain-lm/refrain/nn"
	"github.com/refrain-lm/refrain/train"
)

// TestActivations: the plan's estimate of what a window and its packed weights keep
// is what a step of training does keep, or somewhat above it.
func TestActivations(t *testing.T) {
	const tt, b, vocab, fixed = 16, 32, 200, 300e3 // fixed: of the 12 MB that Memory has for what does not grow with a window
	for _, c := range []lm.Config{
		{Cell: lm.RNN}, {Cell: lm.LSTM}, {Cell: lm.LSTMNoG}, {Cell: lm.GRU}, {Cell: lm.GRU, GRUReset: "before"},
		{Cell: lm.LSTM, Layers: 2, Residual: true, DropoutInput: 0.5, DropoutLayer: 0.5, DropoutOutput: 0.5},
		{Cell: lm.RNN, Norm: lm.LayerNorm}, {Cell: lm.LSTM, Norm: lm.LayerNorm}, {Cell: lm.GRU, Norm: lm.LayerNorm},
		{Cell: lm.RNN, Norm: lm.BatchNorm}, {Cell: lm.LSTM, Norm: lm.BatchNorm}, {Cell: lm.GRU, Norm: lm.BatchNorm},
		{Cell: lm.LSTM, Norm: lm.RecurrentBatchNorm}, {Cell: lm.GRU, Layers: 2, Norm: lm.LayerNorm},
		{Cell: lm.LSTM, Layers: 2, Norm: lm.BatchNorm},
		{Kind: lm.KindFFN, Order: 5}, {Kind: lm.KindTransformer, Layers: 2, Context: 64},
	} {
		c.Vocab, c.EmSize, c.Hidden = vocab, 96, 96
		c = c.Complete()
		m, err := lm.New(c, nn.InitConfig{}, 1)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range m.Params() {
			p.ZeroGrad()
		}
		m.Refresh(nil, true)
		ids, state := make([]int32, tt*b), m.NewState(b)
		before := heap()
		tape := &lm.Tape{Mode: nn.Mode{Train: true}}
		m.Loss(tape, ids, ids, state)
		m.Backward(tape)
		kept := heap() - before
		runtime.KeepAlive(tape)
		runtime.KeepAlive(m)
		estimate := (train.Activations(c)*tt*b+train.Packed(c))*4 + 128*vocab*4 + fixed
		if share := float64(estimate) / float64(kept); share < 0.9 || share > 1.7 {
			t.Errorf("%s %s, %d layers, normalisation %q: %d bytes estimated, %d kept: %.2f", c.Kind, c.Cell, c.Layers, c.Norm, estimate, kept, share)
		}
	}
}

// heap is what is allocated after collections, in bytes; the second one frees what
// is kept for the next use.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}
