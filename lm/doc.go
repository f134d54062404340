// Package lm holds neural language models: an embedding, a stack of blocks and
// a softmax head, with one Config that rebuilds them. The blocks are recurrent
// cells, hidden layers over a window of the last tokens (kind ffn, Bengio et
// al. 2003), or layers of causal attention (kind transformer, Vaswani et al. 2017).
//
// A [Model] is a list of blocks from package nn. Training runs it over windows
// of T tokens in B lanes: [Model.Loss] walks the list forwards and leaves on a
// [Tape] what [Model.Backward] needs to walk it in reverse. State values cross
// from one window to the next; gradients do not (truncated BPTT, Williams and
// Peng 1990). For one token at a time a [Stepper] holds the state of one
// stream: it allocates nothing per token, and any number of steppers share one
// model. A [BatchStepper] holds those of several streams, which share each read of
// the weights when they step together.
//
// Arrays are flat float32 slices, time-major: ids are [T,B], activations
// [T,B,width]. Losses are natural logarithms (nats).
//
// A model lives in a folder: config.json and model.safetensors, whose tensors
// carry PyTorch's names (encoder.weight, rnn.weight_ih_l0, ..., decoder.bias),
// so that a module made of nn.Embedding, nn.LSTM (GRU, RNN) and nn.Linear
// loads it with load_state_dict(strict=True). The hidden layers of kind ffn are
// hidden.0.weight, hidden.0.bias and so on, as a ModuleList of nn.Linear.
//
// [Model.Quantize] makes a model of weights in fewer bits, for use alone. Its
// config.json says so in the kind ("recurrent-int8"), its matrices are I8 with
// their rows' scales, or BF16.
//
// A transformer's weights are those of a torch.nn.TransformerEncoder with
// norm_first and a last LayerNorm, in a module's attribute transformer; it wants
// a mask [B·heads,T,T] that is −nn.Slope(head, heads)·age for ages from 0 to
// context−1, and −Inf elsewhere. bench/golden/torch_kinds.py has the lines.
//
// # Errors
//
// [Load] and its like return one line that names the file and what does not fit:
// unknown keys, a version or kind of another program, tensors missing, too many
// or of another shape. A damaged file matches checkpoint.ErrDamaged, a missing one
// os.ErrNotExist. Sizes are checked before memory is taken, so a folder from
// a stranger is safe to open. Ids outside the vocabulary, windows that do not
// divide into their lanes and steppers of another model are mistakes of the
// program and panic.
package lm
