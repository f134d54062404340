package nn_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/refrain-lm/refrain/internal/parallel"
	"github.com/refrain-lm/refrain/nn"
)

// golden is one window of a language model as PyTorch or Keras computed it in
// float64; bench/golden has the scripts and says what the fields mean.
type golden struct {
	MadeBy string `json:"made_by"`
	Seed   int64

	Cell, Reset, Bias     string
	Norm                  string
	ReLU, Residual        bool
	Vocab, EmSize, Hidden int
	Layers, Lanes, Steps  int
	Tied                  bool

	IDs, Targets []int32
	Weights      map[string]array
	State        map[string]array
	Output       array
	Final        map[string]array
	Loss         float64
	Grads        map[string]array
	Running      map[string]array // statistics of normalisations after the window
}

type array struct {
	Shape []int
	Data  []float64
}

func readGolden(t *testing.T, path string) golden {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(raw, &g); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return g
}

// goldenModel is the list of layers that a fixture describes.
type goldenModel struct {
	embed  *nn.Embedding
	blocks []block // layers, then the projection if there is one
	top    int     // the block that ends the last layer
	head   *nn.Head
	params map[string]*nn.Param
}

func (g golden) build(t *testing.T) goldenModel {
	t.Helper()
	table := nn.NewParam("encoder.weight", g.Vocab, g.EmSize)
	m := goldenModel{embed: nn.NewEmbedding(table)}
	in := g.EmSize
	for l := range g.Layers {
		m.blocks = append(m.blocks, g.layer(t, l, in)...)
		in = g.Hidden
	}
	m.top = len(m.blocks) - 1
	if g.Tied && g.EmSize != g.Hidden {
		m.blocks = append(m.blocks, nn.NewLinear("proj", in, g.EmSize, false))
		in = g.EmSize
	}
	w := table
	if !g.Tied {
		w = nn.NewParam("decoder.weight", g.Vocab, in)
	}
	m.head = nn.NewHead(w, nn.NewParam("decoder.bias", g.Vocab))
	m.params = map[string]*nn.Param{table.Name: table}
	for _, b := range m.blocks {
		for _, p := range b.Params() {
			m.params[p.Name] = p
		}
	}
	for _, p := range m.head.Params() {
		m.params[p.Name] = p
	}
	g.load(t, m)
	return m
}

// layer is one recurrent layer with its normalisation and residual connection.
func (g golden) layer(t *testing.T, layer, in int) []block {
	t.Helper()
	blocks := []block{g.cell(t, layer, in)}
	if g.Norm == "batch" {
		blocks = append(blocks, nn.NewBatchNorm(fmt.Sprintf("norm_l%d", layer), g.Hidden))
	}
	if g.Residual && layer > 0 {
		return []block{nn.NewResidual(blocks...)}
	}
	return blocks
}

func (g golden) cell(t *testing.T, layer, in int) block {
	t.Helper()
	bias := nn.Bias(g.Bias)
	switch g.Norm + g.Cell {
	case "layerrnn":
		return nn.NewLayerNormRNN("rnn", layer, in, g.Hidden, bias, g.ReLU)
	case "layerlstm":
		return nn.NewLayerNormLSTM("rnn", layer, in, g.Hidden, bias)
	case "recurrent-batchlstm":
		return nn.NewBatchNormLSTM("rnn", layer, in, g.Hidden, bias)
	case "recurrent-batchgru":
		return nn.NewBatchNormGRU("rnn", layer, in, g.Hidden)
	case "recurrent-batchrnn":
		return nn.NewBatchNormRNN("rnn", layer, in, g.Hidden, bias, g.ReLU)
	case "layergru":
		return nn.NewLayerNormGRU("rnn", layer, in, g.Hidden)
	}
	switch g.Cell {
	case "rnn":
		return nn.NewRNN("rnn", layer, in, g.Hidden, bias, g.ReLU)
	case "lstm":
		return nn.NewLSTM("rnn", layer, in, g.Hidden, bias)
	case "gru":
		return nn.NewGRU("rnn", layer, in, g.Hidden, bias, nn.GRUReset(g.Reset))
	}
	t.Fatalf("unknown cell %q", g.Cell)
	return nil
}

// load copies the weights in; every trainable parameter must be there, with
// its shape, and nothing else.
func (g golden) load(t *testing.T, m goldenModel) {
	t.Helper()
	for name, p := range m.params {
		w, ok := g.Weights[name]
		if !ok && p.Frozen {
			continue
		}
		if fmt.Sprint(w.Shape) != fmt.Sprint(p.Shape) {
			t.Fatalf("%s has shape %v in the fixture, %v here", name, w.Shape, p.Shape)
		}
		copy(p.Value, narrow(w.Data))
	}
	for name := range g.Weights {
		if m.params[name] == nil {
			t.Fatalf("the fixture's %s has no parameter here", name)
		}
	}
	for _, b := range m.blocks {
		b.Refresh(nil, true)
	}
	m.head.Refresh(nil, true)
}

func narrow(x []float64) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = float32(v)
	}
	return y
}

// states makes the state of every block from the fixture's.
func (g golden) states(m goldenModel) []nn.State {
	states := make([]nn.State, len(m.blocks))
	for i, b := range m.blocks {
		states[i] = b.NewState(g.Lanes)
	}
	for name, part := range m.stateParts(states) {
		copy(part, narrow(g.State[name].Data))
	}
	return states
}

// stateParts names the parts of states by layer.
func (m goldenModel) stateParts(states []nn.State) map[string][]float32 {
	parts, layer := map[string][]float32{}, 0
	for i, b := range m.blocks {
		for part, width := range b.StateWidths() {
			name := "hc"[min(part, 1):]
			if width == 1 { // a count of steps
				name = "n"
			}
			parts[fmt.Sprintf("%c_l%d", name[0], layer)] = states[i][part]
		}
		layer += min(1, len(b.StateWidths()))
	}
	return parts
}

// run goes through the window and back, and compares everything.
func (g golden) run(t *testing.T, m goldenModel, pool *parallel.Pool) {
	t.Helper()
	mode := nn.Mode{Pool: pool, Train: true}
	tapes, states := make([]nn.Tape, len(m.blocks)), g.states(m)
	var et nn.EmbeddingTape
	var ht nn.HeadTape
	x := m.embed.Forward(mode, &et, g.IDs)
	for i, b := range m.blocks {
		x = b.Forward(mode, &tapes[i], g.Steps, g.Lanes, x, states[i])
		if i == m.top {
			compare(t, "output", x, g.Output.Data)
		}
	}
	for name, part := range m.stateParts(states) {
		compare(t, "final "+name, part, g.Final[name].Data)
	}
	counted := 0
	for _, id := range g.Targets {
		if id >= 0 {
			counted++
		}
	}
	sum, n := m.head.Loss(mode, &ht, x, g.Targets, 1/float32(counted))
	if n != counted {
		t.Errorf("%d targets counted, want %d", n, counted)
	}
	compare(t, "loss", []float32{float32(sum / float64(n))}, []float64{g.Loss})

	dx := m.head.InputGrad(&ht)
	for i := len(m.blocks) - 1; i >= 0; i-- {
		dx = m.blocks[i].Backward(mode, &tapes[i], dx)
	}
	m.embed.Backward(mode, &et, dx)
	compared := 0
	for name, p := range m.params {
		if p.Frozen {
			if want, ok := g.Running[name]; ok { // by position: of the window's
				compare(t, name, p.Value[:len(want.Data)], want.Data)
				compared++
			}
			continue
		}
		compare(t, "gradient of "+name, p.Grad, g.Grads[name].Data)
	}
	if compared != len(g.Running) {
		t.Errorf("%d running statistics compared, want %d", compared, len(g.Running))
	}
}

func TestGolden(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.json")
	if err != nil || len(paths) != 20 {
		t.Fatalf("%d fixtures, want 20 (%v)", len(paths), err)
	}
	pool := parallel.New(2)
	defer pool.Close()
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			g := readGolden(t, path)
			g.run(t, g.build(t), nil)
			g.run(t, g.build(t), pool)
		})
	}
}
