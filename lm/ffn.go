package lm

import (
	"fmt"

	"github.com/refrain-lm/refrain/nn"
)

// The feed-forward network predicts a token from the vectors of the order−1
// before it (Bengio et al. 2003), without the optional connections from the
// vectors to the output:
//
//	y = softmax(W·tanh(H·[x₋₍ₙ₋₂₎, …, x₋₁, x] + d) + b)
//
// More layers put more of W·tanh between. Tensors: hidden.0.weight [H,(n−1)·E]
// with the oldest vector first, hidden.0.bias, then hidden.1.weight [H,H], as
// a torch.nn.ModuleList of Linear names them.

// ffnDefaults fills what only a feed-forward network has.
func (c Config) ffnDefaults() Config {
	if c.Order == 0 {
		c.Order = 5
	}
	return c
}

func (c Config) validateFFN(bad func(string, ...any)) {
	if c.Order < 2 || c.Order > maxOrder {
		bad("order %d is outside 2 to %d", c.Order, maxOrder)
	} else if c.EmSize > maxWidth/(c.Order-1) {
		bad("order %d times emsize %d is beyond %d", c.Order, c.EmSize, maxWidth)
	}
}

// maxOrder is the longest n-gram of a feed-forward network.
const maxOrder = 1024

// ffnWeights counts the weights of the hidden layers, biases apart.
func (c Config) ffnWeights() int64 {
	in, h := int64(c.Order-1)*int64(c.EmSize), int64(c.Hidden)
	return in*h + int64(c.Layers-1)*h*h
}

// addFFN adds the window over the last vectors and the hidden layers.
func (m *Model) addFFN() {
	c := m.cfg
	m.add(nn.NewWindow(c.EmSize, c.Order-1))
	in := (c.Order - 1) * c.EmSize
	for l := range c.Layers {
		if l > 0 {
			m.add(m.dropout(c.DropoutLayer, in))
		}
		m.add(nn.NewLinear(fmt.Sprintf("hidden.%d", l), in, c.Hidden, true))
		m.add(nn.NewActivation(nn.Tanh, c.Hidden))
		in = c.Hidden
	}
}
