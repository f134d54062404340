package lm

import (
	"fmt"
	"runtime"

	"github.com/refrain-lm/refrain/nn"
)

// Model is a neural language model. Of its methods [Model.SetTensors],
// [Model.DropWeights] and [Model.RestoreWeights] change weights, [Model.Refresh]
// what is packed of them, [Model.Backward] gradients and the running statistics of
// batch norms. All others only read, so one model serves any number of goroutines,
// each with its own [Stepper] or [Tape].
type Model struct {
	cfg    Config
	embed  *nn.Embedding
	blocks []nn.Block
	head   *nn.Head
	params []*nn.Param
	drop   *nn.WeightDrop // nil without weight dropout
	kept   bool           // packed for inference
}

// Config returns what the model was built from.
func (m *Model) Config() Config { return m.cfg }

// Params returns the trainable parameters in a fixed order, a tied weight once.
func (m *Model) Params() []*nn.Param { return m.params }

// Embedding is the table [V,E] of the tokens' vectors. To train around it as it is,
// set its Frozen before training; not where a tied head shares it.
func (m *Model) Embedding() *nn.Param { return m.embed.Params()[0] }

// New builds a model with weights drawn from seed as in says.
// Call [Model.Refresh] after weights are changed by hand.
func New(cfg Config, in nn.InitConfig, seed uint64) (*Model, error) {
	if cfg.Weights != "" {
		return nil, fmt.Errorf("lm: weights %q come from Model.Quantize, not from New", cfg.Weights)
	}
	m, err := build(cfg)
	if err != nil {
		return nil, err
	}
	if err := nn.Initialize(m.params, in, seed); err != nil {
		return nil, fmt.Errorf("lm: %w", err)
	}
	m.Refresh(nil, false)
	return m, nil
}

// build lays out the blocks; weights are zero.
func build(cfg Config) (*Model, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.Complete()
	m := &Model{cfg: cfg}
	table := nn.NewParam("encoder.weight", cfg.Vocab, cfg.EmSize)
	m.embed = nn.NewEmbedding(table)
	m.add(m.dropout(cfg.DropoutInput, cfg.EmSize))
	switch cfg.Kind {
	case KindFFN:
		m.addFFN()
	case KindTransformer:
		m.addTransformer()
	default:
		m.addRecurrent()
	}
	m.add(m.dropout(cfg.DropoutOutput, cfg.Hidden))
	if cfg.projected() {
		m.add(nn.NewLinear("proj", cfg.Hidden, cfg.EmSize, false))
	}
	weight := table
	if !cfg.Tied {
		weight = nn.NewParam("decoder.weight", cfg.Vocab, cfg.headWidth())
	}
	m.head = nn.NewHead(weight, nn.NewParam("decoder.bias", cfg.Vocab))
	m.collectParams()
	if s := cfg.storage(); s != nn.Float32 {
		m.compact(s)
	}
	if cfg.DropoutWeight > 0 && cfg.Weights == "" {
		m.drop = nn.NewWeightDrop(cfg.DropoutWeight, m.params)
	}
	return m, nil
}

// addRecurrent adds the stack of cells.
func (m *Model) addRecurrent() {
	in := m.cfg.EmSize
	for l := range m.cfg.Layers {
		m.addLayer(l, in)
		in = m.cfg.Hidden
	}
}

// addLayer adds recurrent layer number l with what belongs to it: dropout of its
// input, its normalisation, and the connection around all of them.
func (m *Model) addLayer(l, in int) {
	var blocks []nn.Block
	if drop := m.dropout(m.cfg.DropoutLayer, in); drop != nil && l > 0 {
		blocks = append(blocks, drop)
	}
	blocks = append(blocks, newCell(m.cfg, l, in))
	if m.cfg.Norm == BatchNorm {
		blocks = append(blocks, nn.NewBatchNorm(fmt.Sprintf("norm_l%d", l), m.cfg.Hidden))
	}
	if m.cfg.Residual && l > 0 {
		blocks = []nn.Block{nn.NewResidual(blocks...)}
	}
	m.blocks = append(m.blocks, blocks...)
}

func (m *Model) add(b nn.Block) {
	if b != nil {
		m.blocks = append(m.blocks, b)
	}
}

// dropout returns nil for p = 0, so that such a block costs nothing.
func (m *Model) dropout(p float64, width int) nn.Block {
	if p == 0 {
		return nil
	}
	return nn.NewDropout(p, m.cfg.Variational, width, len(m.blocks))
}

func newCell(cfg Config, layer, in int) nn.Block {
	bias := nn.Bias(cfg.Bias)
	switch cfg.Norm {
	case LayerNorm:
		return newLayerNormCell(cfg, layer, in, bias)
	case RecurrentBatchNorm:
		return newBatchNormCell(cfg, layer, in, bias)
	}
	switch cfg.Cell {
	case RNN:
		return nn.NewRNN("rnn", layer, in, cfg.Hidden, bias, cfg.Nonlinearity == "relu")
	case LSTMNoG:
		return nn.NewLSTMNoGate("rnn", layer, in, cfg.Hidden, bias)
	case GRU:
		return nn.NewGRU("rnn", layer, in, cfg.Hidden, bias, nn.GRUReset(cfg.GRUReset))
	}
	return nn.NewLSTM("rnn", layer, in, cfg.Hidden, bias)
}

func newLayerNormCell(cfg Config, layer, in int, bias nn.Bias) nn.Block {
	switch cfg.Cell {
	case RNN:
		return nn.NewLayerNormRNN("rnn", layer, in, cfg.Hidden, bias, cfg.Nonlinearity == "relu")
	case GRU:
		return nn.NewLayerNormGRU("rnn", layer, in, cfg.Hidden)
	}
	return nn.NewLayerNormLSTM("rnn", layer, in, cfg.Hidden, bias)
}

func newBatchNormCell(cfg Config, layer, in int, bias nn.Bias) nn.Block {
	switch cfg.Cell {
	case RNN:
		return nn.NewBatchNormRNN("rnn", layer, in, cfg.Hidden, bias, cfg.Nonlinearity == "relu")
	case GRU:
		return nn.NewBatchNormGRU("rnn", layer, in, cfg.Hidden)
	}
	return nn.NewBatchNormLSTM("rnn", layer, in, cfg.Hidden, bias)
}

func (m *Model) collectParams() {
	seen := map[*nn.Param]bool{}
	lists := [][]*nn.Param{m.embed.Params()}
	for _, b := range m.blocks {
		lists = append(lists, b.Params())
	}
	for _, list := range append(lists, m.head.Params()) {
		for _, p := range list {
			if !seen[p] {
				seen[p] = true
				m.params = append(m.params, p)
			}
		}
	}
}

// Refresh packs the weights for the products of inference and keeps them packed. For
// training it frees that memory, and windows pack what they come to, so that a model
// steps (Step, generation) after a Refresh for inference alone. It is due after every
// change of a parameter's Value.
func (m *Model) Refresh(pool *nn.Pool, train bool) {
	if train && m.kept {
		defer runtime.GC() // half as much memory as the weights and gradients to come
	}
	m.kept = !train
	for _, b := range m.blocks {
		b.Refresh(pool, train)
	}
	m.head.Refresh(pool, train)
}

// DropWeights puts recurrent weights with weight dropout in place for one
// training window, until [Model.RestoreWeights]; other methods may not run on
// the model in between but Loss and Backward. Without weight dropout both do
// nothing.
func (m *Model) DropWeights(mode nn.Mode) {
	if m.drop == nil {
		return
	}
	m.drop.Drop(mode)
	for _, b := range m.blocks {
		b.Refresh(mode.Pool, true)
	}
}

// RestoreWeights ends the window that [Model.DropWeights] began: it puts the
// whole weights back and leaves their gradients. [Model.Refresh] is due.
func (m *Model) RestoreWeights(mode nn.Mode) {
	if m.drop != nil {
		m.drop.Restore(mode)
	}
}

// State is what B lanes carry from window to window, a part list for each block.
type State struct {
	B      int
	parts  []nn.State
	widths [][]int // of the parts that go on, scratch apart
}

// NewState returns a zero state of b lanes.
func (m *Model) NewState(b int) *State {
	s := &State{B: b, parts: make([]nn.State, len(m.blocks)), widths: make([][]int, len(m.blocks))}
	for i, blk := range m.blocks {
		s.parts[i], s.widths[i] = blk.NewState(b), blk.StateWidths()
	}
	return s
}

// copyLane copies one lane of another state of the same model.
func (s *State) copyLane(to int, o *State, from int) {
	for i, widths := range s.widths {
		for j, w := range widths {
			copy(s.parts[i][j][to*w:(to+1)*w], o.parts[i][j][from*w:(from+1)*w])
		}
	}
}

// Reset zeroes every lane.
func (s *State) Reset() {
	for _, parts := range s.parts {
		for _, p := range parts {
			clear(p)
		}
	}
}

// ResetLane zeroes one lane of s. A model with [RecurrentBatchNorm] wants its
// lanes reset together in training.
func (m *Model) ResetLane(s *State, lane int) {
	for i, widths := range s.widths {
		for j, w := range widths {
			clear(s.parts[i][j][lane*w : (lane+1)*w])
		}
	}
}

// StatePart is one named array of a state, [B, Width].
type StatePart struct {
	Name   string
	Width  int
	Values []float32
}

// StateParts lists the arrays of s by name, for saving and restoring.
func (m *Model) StateParts(s *State) []StatePart {
	var out []StatePart
	for i, widths := range s.widths {
		for j, w := range widths {
			out = append(out, StatePart{fmt.Sprintf("state.%d.%d", i, j), w, s.parts[i][j]})
		}
	}
	return out
}

// Tape is what one [Model.Loss] leaves for [Model.Backward]. Its buffers are
// reused from window to window; the zero value, with Mode set, is ready.
type Tape struct {
	Mode  nn.Mode // threads, training or not, and the position of dropout masks
	Scale float32 // factor of the loss sum that is differentiated, such as 1/(T·B)
	// Ended, if not nil, is called at the end of each part of a pass, for
	// measuring: "embedding", "layers", "output", "layers back",
	// "embedding back".
	Ended func(part string)
	// Trace, if not nil, has an element for each recurrent layer, from the bottom
	// up, which receives what the layer does in each window: states and gates
	// from Loss and LogProbs, the gradients of the states from Backward.
	Trace []nn.Trace

	embed  nn.EmbeddingTape
	blocks []nn.Tape
	head   nn.HeadTape
}

// Hits is how many targets of the last [Model.Loss] were the most probable token
// of their place; over the targets counted, it is the accuracy.
func (t *Tape) Hits() int { return t.head.Hits() }

// OfTable reports whether the last window's first layer multiplied the rows of the
// embedding's table, once each, in place of the window's own (see nn.Lookup).
func (t *Tape) OfTable() bool { return len(t.blocks) > 0 && t.blocks[0].OfTable() }

func (t *Tape) ended(part string) {
	if t.Ended != nil {
		t.Ended(part)
	}
}

// Loss runs one window: in and want are [T,B] ids, s the state of B lanes,
// which it carries on. It returns the summed negative log-likelihood in nats
// and the number of targets counted (a target of −1 is not).
// With t.Mode.Train it also leaves the gradient of t.Scale·sum for Backward.
func (m *Model) Loss(t *Tape, in, want []int32, s *State) (sum float64, n int) {
	x := m.forward(t, in, s)
	if len(want) != len(in) {
		panic(fmt.Sprintf("lm: %d targets for %d inputs", len(want), len(in)))
	}
	sum, n = m.head.Loss(t.Mode, &t.head, x, want, t.Scale)
	t.ended("output")
	return sum, n
}

// LogProbs runs one window as Loss does and writes each target's log
// probability, in nats, to out [T,B]; 0 where the target is −1.
func (m *Model) LogProbs(t *Tape, in, want []int32, s *State, out []float32) {
	m.head.LogProbs(t.Mode, &t.head, m.forward(t, in, s), want, out)
}

// forward runs the embedding and the blocks; it returns the head's input.
func (m *Model) forward(t *Tape, in []int32, s *State) []float32 {
	if s.B < 1 || len(in)%s.B != 0 {
		panic(fmt.Sprintf("lm: %d ids in %d lanes", len(in), s.B))
	}
	if t.Mode.Scratch == nil {
		t.Mode.Scratch = new(nn.Scratch)
	}
	tt := len(in) / s.B
	if t.blocks == nil {
		t.blocks = make([]nn.Tape, len(m.blocks))
	}
	m.trace(t)
	x := m.embed.Forward(t.Mode, &t.embed, in)
	t.blocks[0].Lookup = m.embed.Rows(&t.embed)
	t.ended("embedding")
	for i, b := range m.blocks {
		x = b.Forward(t.Mode, &t.blocks[i], tt, s.B, x, s.parts[i])
	}
	t.ended("layers")
	return x
}

// trace gives the recurrent layers their places in t.Trace.
func (m *Model) trace(t *Tape) {
	layer := 0
	for i, b := range m.blocks {
		if t.Trace == nil || len(b.StateWidths()) == 0 {
			t.blocks[i].Trace = nil
			continue
		}
		t.blocks[i].Trace = &t.Trace[layer]
		layer++
	}
}

// UseBFloat16 lets the products of training round their operands to bfloat16,
// after a [Model.Refresh] for training. Vectors, such as biases and
// gains, have no products.
func (m *Model) UseBFloat16(on bool) {
	for _, p := range m.params {
		p.BFloat16 = on
	}
}

// BeginGrads says that the next Loss and Backward begin with gradients of zeros.
func (m *Model) BeginGrads() {
	for _, p := range m.params {
		p.BeginGrad()
	}
}

// Backward adds the gradients of the last Loss on t to every Param.Grad.
func (m *Model) Backward(t *Tape) {
	dx := m.head.InputGrad(&t.head)
	for i := len(m.blocks) - 1; i >= 0; i-- {
		dx = m.blocks[i].Backward(t.Mode, &t.blocks[i], dx)
	}
	t.ended("layers back")
	if t.blocks[0].OfTable() {
		m.embed.AddTable(t.Mode, dx)
	} else {
		m.embed.Backward(t.Mode, &t.embed, dx)
	}
	for _, p := range m.params {
		p.SettleGrad()
	}
	t.ended("embedding back")
}
