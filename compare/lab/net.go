package lab

import (
	"math"

	"github.com/refrain-lm/refrain/lm"
	"github.com/refrain-lm/refrain/nn"
	"github.com/refrain-lm/refrain/optim"
	"github.com/refrain-lm/refrain/probe"
)

// net is a network for a task: it reads numbers, and answers with one of the
// task's classes or a number.
type net struct {
	task   Task
	blocks []nn.Block
	head   *nn.Head   // of classes
	line   *nn.Linear // of a number
	params []*nn.Param

	tapes    []nn.Tape
	headTape nn.HeadTape
	lineTape nn.Tape
	trace    []nn.Trace // one for each recurrent layer, while it is looked at
	y        []float32  // [T,B,1]: the numbers of the last loss
}

// newNet builds the network of a variant.
func newNet(task Task, v Variant, hidden int, seed uint64) (*net, error) {
	v.Config.EmSize, v.Config.Hidden = task.in(), hidden
	blocks, err := lm.Layers(v.Config, v.init(hidden, task.Lag), seed)
	if err != nil {
		return nil, v.explain(err)
	}
	n := &net{task: task, blocks: blocks, tapes: make([]nn.Tape, len(blocks))}
	n.tapes[0].NoInputGrad = true
	var last []*nn.Param
	if k := task.classes(); k > 0 {
		n.head = nn.NewHead(nn.NewParam("decoder.weight", k, hidden), nn.NewParam("decoder.bias", k))
		last = n.head.Params()
	} else {
		n.line = nn.NewLinear("decoder", hidden, 1, true)
		last = n.line.Params()
	}
	if err := nn.Initialize(last, nn.InitConfig{}, seed); err != nil {
		return nil, err
	}
	for _, b := range blocks {
		n.params = append(n.params, b.Params()...)
	}
	n.params = append(n.params, last...)
	for _, p := range n.params {
		p.ZeroGrad()
	}
	n.refresh()
	return n, nil
}

// refresh packs the weights after they have changed.
func (n *net) refresh() {
	for _, b := range n.blocks {
		b.Refresh(nil, true)
	}
	if n.head != nil {
		n.head.Refresh(nil, true)
		return
	}
	n.line.Refresh(nil, true)
}

// slices are the trained parameters, as an optimizer takes them.
func (n *net) slices() []optim.Slice {
	var out []optim.Slice
	for _, p := range n.params {
		if !p.Frozen {
			out = append(out, optim.Slice{Name: p.Name, Value: p.Value, Grad: p.Grad})
		}
	}
	return out
}

// loss runs a batch from a zero state and returns the mean loss of its answers.
// With train it leaves the gradients, in those of the parameters.
func (n *net) loss(b batch, train bool) float64 {
	mode := nn.Mode{Train: train}
	x, layer := b.x, 0
	for i, block := range n.blocks {
		n.tapes[i].Trace = nil
		if n.trace != nil && len(block.StateWidths()) > 0 {
			n.tapes[i].Trace = &n.trace[layer]
			layer++
		}
		x = block.Forward(mode, &n.tapes[i], b.steps, b.lanes, x, block.NewState(b.lanes))
	}
	loss, dy := n.answer(mode, b, x)
	for i := len(n.blocks) - 1; train && i >= 0; i-- {
		dy = n.blocks[i].Backward(mode, &n.tapes[i], dy)
	}
	return loss
}

// answer is the head's part of loss; it returns the gradient of its input.
func (n *net) answer(mode nn.Mode, b batch, x []float32) (loss float64, dx []float32) {
	if n.head != nil {
		asked := 0
		for _, id := range b.want {
			if id >= 0 {
				asked++
			}
		}
		sum, _ := n.head.Loss(mode, &n.headTape, x, b.want, 1/float32(asked))
		if mode.Train {
			dx = n.head.InputGrad(&n.headTape)
		}
		return sum / float64(asked), dx
	}
	n.y = n.line.Forward(mode, &n.lineTape, b.steps, b.lanes, x, nil)
	dy := make([]float32, len(n.y))
	for lane, want := range b.sum {
		at := len(n.y) - b.lanes + lane
		d := n.y[at] - want
		loss += float64(d) * float64(d) / float64(b.lanes)
		dy[at] = 2 * d / float32(b.lanes)
	}
	if mode.Train {
		dx = n.line.Backward(mode, &n.lineTape, dy)
	}
	return loss, dx
}

// look measures the reach of the last answer's gradient and the gates on a batch,
// and leaves weights and statistics as they are.
func (n *net) look(b batch) ([]probe.Reach, []probe.Gate) {
	if b.want != nil { // the last answer alone
		for i := range b.want[:len(b.want)-b.lanes] {
			b.want[i] = -1
		}
	}
	states := 0
	for _, block := range n.blocks {
		states += min(1, len(block.StateWidths()))
	}
	var statistics [][]float32
	for _, p := range n.params {
		statistics = append(statistics, append([]float32(nil), p.Value...))
	}
	n.trace = make([]nn.Trace, states)
	norms, gates := make([]probe.Norms, states), make([]probe.GateCounts, states)
	n.loss(b, true)
	for layer, t := range n.trace {
		norms[layer].Add(t)
	}
	for i, p := range n.params {
		copy(p.Value, statistics[i])
	}
	n.refresh()
	n.loss(b, false)
	for layer, t := range n.trace {
		gates[layer].Add(t)
	}
	n.trace = nil
	return probe.ReachOf(norms), probe.GatesOf(gates)
}

// update makes a step on a batch and returns its loss, and the gradient's norm
// before clipping.
func (n *net) update(b batch, opt optim.Optimizer, params []optim.Slice, v Variant, rate float64) (loss, norm float64) {
	for _, p := range params {
		clear(p.Grad)
	}
	loss = n.loss(b, true)
	norm = optim.GlobalNorm(nil, params)
	if math.IsNaN(norm) || math.IsInf(norm, 0) {
		return loss, norm
	}
	optim.ClipValue(params, float32(v.ClipValue))
	scale := float32(1)
	if v.Clip > 0 {
		scale = optim.ClipScale(optim.GlobalNorm(nil, params), v.Clip)
	}
	opt.Step(nil, float32(rate), scale)
	n.refresh()
	return loss, norm
}
