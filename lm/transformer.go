package lm

import (
	"fmt"
	"math"

	"github.com/refrain-lm/refrain/nn"
)

// The transformer is the decoder's half of Vaswani et al. (2017), normalised
// before each part (Xiong et al. 2020). For every layer
//
//	x ← x + attention(norm₁(x))
//	x ← x + W₂·max(0, W₁·norm₂(x) + b₁) + b₂
//
// and a last norm before the output. Attention sees the last context tokens, by
// their age ([nn.Attention]), so that a stream is as long as one likes and its
// state does not grow. Tensors are named as a torch.nn.TransformerEncoder of
// TransformerEncoderLayers with norm_first names them in a module's attribute
// transformer; the package comment says how to run it there.

// transformerDefaults fills what only a transformer has.
func (c Config) transformerDefaults() Config {
	if c.EmSize == 0 {
		c.EmSize = c.Hidden
	}
	if c.Heads == 0 {
		c.Heads = headsFor(c.Hidden)
	}
	if c.Layers == 0 {
		c.Layers = 4
	}
	if c.Context == 0 {
		c.Context = 128
	}
	if c.Feedforward == 0 {
		c.Feedforward = 4 * c.Hidden
	}
	return c
}

// headsFor is the number of heads that come nearest to 32 units each, in
// proportion, of those that divide the width.
func headsFor(width int) int {
	best, bestOff := 1, math.Inf(1)
	for heads := 1; heads <= width; heads++ {
		if off := math.Abs(math.Log(float64(width) / float64(heads*32))); width%heads == 0 && off < bestOff {
			best, bestOff = heads, off
		}
	}
	return best
}

func (c Config) validateTransformer(bad func(string, ...any)) {
	if c.EmSize != c.Hidden {
		bad("emsize %d is not nhid %d: a transformer has one width", c.EmSize, c.Hidden)
	}
	if c.Heads < 1 || c.Heads > maxWidth || c.Hidden%c.Heads != 0 {
		bad("%d heads do not divide nhid %d", c.Heads, c.Hidden)
	}
	if c.Context < 1 || c.Context > maxContext {
		bad("context %d is outside 1 to %d", c.Context, maxContext)
	} else if c.Hidden > maxWidth*16/c.Context {
		bad("context %d times nhid %d is beyond %d", c.Context, c.Hidden, maxWidth*16)
	}
	if c.Feedforward < 1 || c.Feedforward > maxWidth {
		bad("dim_feedforward %d is outside 1 to %d", c.Feedforward, maxWidth)
	}
}

// maxContext is the longest context of a transformer.
const maxContext = 1 << 16

// transformerParams counts all of the layers' parameters and the last norm's.
func (c Config) transformerParams() int64 {
	d, f := int64(c.Hidden), int64(c.Feedforward)
	attention := 4*d*d + 4*d
	feedforward := 2*d*f + f + d
	return int64(c.Layers)*(attention+feedforward+4*d) + 2*d
}

// transformerProducts counts a token's multiply-adds, with a full context.
func (c Config) transformerProducts() int64 {
	d, f := int64(c.Hidden), int64(c.Feedforward)
	return int64(c.Layers) * (4*d*d + 2*d*f + 2*d*int64(c.Context))
}

// addTransformer adds the layers and the last norm.
func (m *Model) addTransformer() {
	d := m.cfg.Hidden
	for l := range m.cfg.Layers {
		name := fmt.Sprintf("transformer.layers.%d.", l)
		m.addResidual(
			nn.NewLayerNorm(name+"norm1", d),
			nn.NewAttention(name+"self_attn", d, m.cfg.Heads, m.cfg.Context))
		m.addResidual(
			nn.NewLayerNorm(name+"norm2", d),
			nn.NewLinear(name+"linear1", d, m.cfg.Feedforward, true),
			nn.NewActivation(nn.ReLU, m.cfg.Feedforward),
			nn.NewLinear(name+"linear2", m.cfg.Feedforward, d, true))
	}
	m.add(nn.NewLayerNorm("transformer.norm", d))
}

// addResidual adds blocks, and dropout of what they give, with a connection
// around them.
func (m *Model) addResidual(blocks ...nn.Block) {
	if drop := m.dropout(m.cfg.DropoutLayer, m.cfg.Hidden); drop != nil {
		blocks = append(blocks, drop)
	}
	m.add(nn.NewResidual(blocks...))
}
