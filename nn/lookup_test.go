package nn_test

import (
	"math"
	"testing"

	"github.com/refrain-lm/refrain/internal/parallel"
	"github.com/refrain-lm/refrain/nn"
)

// TestLookup: a cell that is told which rows of a table it reads gives the bits
// it gives without, with many rows and with few, on any number of threads, and
// the same gradients but for rounding.
func TestLookup(t *testing.T) {
	const vocab, in, hidden, lanes = 5, 7, 19, 3
	pool := parallel.New(2)
	defer pool.Close()
	for _, c := range cells {
		for _, steps := range []int{2, 40} { // fewer and more rows than four tables
			table := nn.NewParam("encoder.weight", vocab, in)
			ids := make([]int32, steps*lanes)
			for i := range ids {
				ids[i] = int32(i * i % vocab)
			}
			run := func(told bool, p *nn.Pool) (y []float32, grads [][]float32) {
				l, embed := c.make(in, hidden), nn.NewEmbedding(table)
				params := append([]*nn.Param{table}, l.Params()...)
				if err := nn.Initialize(params, nn.InitConfig{Name: nn.InitPyTorch}, 3); err != nil {
					t.Fatal(err)
				}
				l.Refresh(nil, true)
				table.ZeroGrad()
				var et nn.EmbeddingTape
				var tape nn.Tape
				m := nn.Mode{Pool: p, Train: true}
				x := embed.Forward(m, &et, ids)
				if told {
					tape.Lookup = embed.Rows(&et)
				}
				y = append(y, l.Forward(m, &tape, steps, lanes, x, l.NewState(lanes))...)
				dy := append([]float32(nil), y...)
				if dx := l.Backward(m, &tape, dy); tape.OfTable() {
					embed.AddTable(m, dx)
				} else {
					embed.Backward(m, &et, dx)
				}
				for _, p := range params {
					p.SettleGrad()
					grads = append(grads, append([]float32(nil), p.Grad...))
				}
				return y, grads
			}
			want, wantGrads := run(false, nil)
			for _, p := range []*nn.Pool{nil, pool} {
				got, grads := run(true, p)
				for i, v := range got {
					if math.Float32bits(v) != math.Float32bits(want[i]) {
						t.Fatalf("%s, %d steps: y[%d] is %v with a lookup, %v without", c.name, steps, i, v, want[i])
					}
				}
				for g := range grads {
					for i, v := range grads[g] {
						if w := wantGrads[g][i]; math.Abs(float64(v-w)) > 1e-5*(1+math.Abs(float64(w))) {
							t.Fatalf("%s, %d steps: gradient %d[%d] is %v with a lookup, %v without", c.name, steps, g, i, v, w)
						}
					}
				}
			}
		}
	}
}
