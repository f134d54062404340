// Package nn holds the layers of a recurrent language model: what is computed.
// How fast is the business of internal/kernel.
//
// There is no tensor type and no autograd. Sequences are float32 slices in
// row-major order, time first: [T,B,width], so one time step is one contiguous
// block. A layer is a file that can be read from top to bottom: its equations,
// its type, Forward over a window, Backward over the same window, and Step for
// a single token of some lanes.
//
// # Blocks
//
// [RNN], [LSTM], [LSTMNoGate], [GRU], their forms with normalisation
// ([LayerNormRNN], [LayerNormLSTM], [LayerNormGRU], [BatchNormRNN],
// [BatchNormLSTM], [BatchNormGRU]), [BatchNorm], [Residual], [Dropout], [Linear],
// [Activation], [Window], [LayerNorm] and [Attention] are blocks, so that a model is
// a list of them between an [Embedding] and a [Head]. All have the methods of
// [Block]. Forward maps x [T,B,In] to y [T,B,Out] and carries the state s on. Backward
// walks the window of the last Forward on t in reverse: it takes dy, the
// gradient of y, adds to Param.Grad and returns dx, the gradient of x.
// Gradients end at the start of the window; states do not.
//
// Refresh is due after every change of a Param.Value. It packs the weights for the
// products and keeps them so; with train it keeps nothing, and each pass packs what
// it multiplies with, in a [Scratch] that blocks share. Only Step needs kept ones.
//
// # Who owns a buffer
//
// What Forward and Backward return belongs to the tape and is valid until the
// next call with that tape. Forward borrows x until Backward has returned;
// Backward may overwrite dy. A tape grows with its window and is then reused:
// nothing is allocated in the steady state except one closure for each pass
// that is spread over a pool.
//
// A block is read-only to Forward and Step, so any number of goroutines may
// use one block, each with its own Tape and State. A step is shared among
// threads by a [Worker] for each: all call Step, and y is whole when it returns.
//
// A [Trace] on a tape keeps a window's gates, states and the gradients of its
// states, which is what package probe looks at.
//
// # Bits
//
// Every element of a product is one chain of fused multiply-adds with the
// bias at its start, the input's products next and the recurrent products
// last (a normalised cell keeps the two apart), whatever the window, the batch
// or the number of workers. So T steps at once give the bits of T calls of Step,
// a window may be cut anywhere, and a lane does not see its neighbours. Batch
// normalisation breaks this in training, which is its nature, and keeps it in
// evaluation.
//
// # Names
//
// Row vectors; σ is the logistic function; h₋₁ is the state of the step
// before; gates are ordered and weights named as PyTorch orders and names
// them: weight_ih [G·H,In], weight_hh [G·H,H], bias_ih and bias_hh [G·H].
//
// # Errors and sources
//
// Only [InitConfig.Validate] and [Initialize] return errors. Slices of the wrong
// length panic, with the length got and the one wanted. Each type names the paper
// of its equations.
//
// # Memory
//
// A weight takes 8 bytes in training: value and gradient; Adam's moments take 8 more.
// Kept packed for inference it takes 4 more, which training frees. Packed for a pass
// are the weights of one layer at a time, in memory for 4 bytes of each element of
// the largest W_ih and W_hh, or of the head's weight twice. A window of T steps and B
// lanes takes 4·T·B·(G·H + 3·H + In) bytes for an LSTM layer of G = 4 gates, H units
// and In inputs, less for other cells; the head 4·T·B·H and one chunk of logits, at
// least 128 rows of V; the embedding and the packed operand of a weight's gradient
// 4·T·B each of their widths. So an LSTM 3x1150 (400) over 10,000 words, in windows
// of 70x20, needs with SGD 318 MB for values and gradients of its 39.8 million
// weights, 92 for packed ones, 32 for the table, 171 for the window: 613 MB; a
// process that trains it has 681 at its peak.
package nn
