package nn

import (
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/refrain-lm/refrain/internal/kernel"
)

// Head is the output layer with its loss:
//
//	logits = h·Wᵀ + b
//	loss   = log Σ exp(logits) − logits[want]      (nats)
//
// It goes through a window in chunks of rows, projection, softmax, loss and
// gradients of one chunk after another, so that logits [T·B,V] are never in
// memory as a whole.
type Head struct {
	vocab, width int
	w            *Param // [V,H]
	b            *Param // [V]

	kept *packs // for inference; nil while passes pack for themselves
}

// HeadTape holds one window's losses and gradients. The zero value is ready;
// its buffers are reused.
type HeadTape struct {
	logits []float32 // [chunk,V], then their gradient
	wanted []float32 // [chunk]: the gradient of each target's logit, while it is left out of logits
	loss   []float32 // [N]
	dx     []float32 // [N,H]
	own    Scratch   // where Mode has none
	train  bool      // dx is that of the last Loss
	hits   int       // of the last Loss

	counted []float32 // [n,H]: the rows that have a target, where others have none
	targets []int32   // [n]: their targets
}

// Hits is how many targets of the last Loss had the largest logit of their row:
// accuracy is hits over the targets counted.
func (t *HeadTape) Hits() int { return t.hits }

const (
	// minChunk rows keep the products of a chunk large: every chunk reads and
	// writes the whole gradient of the weight.
	minChunk = 128
	// minHalfChunk is minChunk where products round to bfloat16: they take half the
	// time, that gradient as long as before. It is whole tiles, as many for each of
	// two workers.
	minHalfChunk = 192
	// chunkLogits is how many logits a chunk may have beyond that, so that
	// they stay in a core's own cache until their gradients are used.
	chunkLogits = 1 << 16
)

// chunkRows is the number of rows of a chunk. No result depends on it.
func (h *Head) chunkRows() int {
	least := minChunk
	if h.w.BFloat16 {
		least = minHalfChunk
	}
	return max(least, chunkLogits/h.vocab/64*64)
}

// NewHead returns an output layer with weight w [V,H] and bias b [V]. An
// [Embedding] may share w.
func NewHead(w, b *Param) *Head {
	if len(w.Shape) != 2 || len(b.Value) != w.Shape[0] {
		panic(fmt.Sprintf("nn: NewHead: %s %v and %s %v: want [V,H] and [V]", w.Name, w.Shape, b.Name, b.Shape))
	}
	if w.role == embeddingTable {
		w.tied = true
	} else {
		w.role = headWeight
	}
	b.role, b.fanIn = headBias, w.Shape[1]
	return &Head{vocab: w.Shape[0], width: w.Shape[1], w: w, b: b}
}

// Params returns the weight and the bias.
func (h *Head) Params() []*Param { return []*Param{h.w, h.b} }

// Refresh follows a change of the weights: it packs them for inference. With train
// each Loss packs for itself, and Logits is not possible.
func (h *Head) Refresh(pool *Pool, train bool) { h.kept = h.w.keep(pool, h.kept, train) }

// Loss returns the summed loss of x [N,H] against want [N], ids in [0,V), in
// nats, and how many targets were counted: a target of −1 is not, and its row
// costs nothing. The sum is taken in float64 in the order of the rows.
//
// With m.Train it also adds the gradients of scale·sum to those of the weight
// and the bias, and keeps that of x for InputGrad.
func (h *Head) Loss(m Mode, t *HeadTape, x []float32, want []int32, scale float32) (sum float64, n int) {
	checkLen("Head.Loss", "x", len(x), len(want)*h.width)
	t.loss = grow(t.loss, len(want))
	t.train, t.hits = m.Train, 0
	if m.Train {
		t.dx = grow(t.dx, len(x))
	}
	rows, targets := t.gather(x, want, h.width)
	h.chunks(m, t, rows, targets, scale)
	for _, loss := range t.loss[:len(targets)] {
		sum += float64(loss)
	}
	if len(targets) < len(want) {
		t.spread(want, len(targets), h.width)
	}
	return sum, len(targets)
}

// gather returns the rows of x [N,width] that have a target, and their targets.
func (t *HeadTape) gather(x []float32, want []int32, width int) (rows []float32, targets []int32) {
	if !slices.ContainsFunc(want, func(id int32) bool { return id == -1 }) {
		return x, want
	}
	t.counted, t.targets = t.counted[:0], t.targets[:0]
	for i, id := range want {
		if id != -1 {
			t.counted = append(t.counted, at(x, i, width)...)
			t.targets = append(t.targets, id)
		}
	}
	return t.counted, t.targets
}

// spread moves the first n losses and gradients to the rows that have a target,
// the last ones first; the other rows become zero.
func (t *HeadTape) spread(want []int32, n, width int) {
	for i := len(want) - 1; i >= 0; i-- {
		if want[i] == -1 {
			t.loss[i] = 0
			if t.train {
				clear(at(t.dx, i, width))
			}
			continue
		}
		n--
		t.loss[i] = t.loss[n]
		if t.train {
			copy(at(t.dx, i, width), at(t.dx, n, width))
		}
	}
}

// LogProbs writes the log probability, in nats, of each target to out [N]; 0
// where the target is −1.
func (h *Head) LogProbs(m Mode, t *HeadTape, x []float32, want []int32, out []float32) {
	checkLen("Head.LogProbs", "out", len(out), len(want))
	m.Train = false
	h.Loss(m, t, x, want, 0)
	for i, loss := range t.loss {
		out[i] = -loss
	}
}

// chunks runs all rows, a chunk at a time.
func (h *Head) chunks(m Mode, t *HeadTape, x []float32, want []int32, scale float32) {
	forward, back := h.kept, (*packs)(nil)
	if forward == nil || m.Train {
		back = m.scratch(&t.own).take()
		defer m.scratch(&t.own).give(back)
	}
	if forward == nil {
		forward = back
		h.w.packT(m.Pool, &forward.in, m.Train, 0, h.vocab)
	}
	if m.Train {
		back.cut(kernel.PackedSize(h.vocab, h.width), ones[:1])
		h.w.packBack(m.Pool, &back.recurrent[0], 0, h.vocab)
	}
	rows := min(h.chunkRows(), len(want))
	t.logits, t.wanted = grow(t.logits, rows*h.vocab), grow(t.wanted, rows)
	for lo := 0; lo < len(want); lo += rows {
		hi := min(lo+rows, len(want))
		h.chunk(m, t, forward, back, x[lo*h.width:hi*h.width], lo, want[lo:hi], scale)
	}
}

// chunk runs the rows x, which start at row lo of the window.
func (h *Head) chunk(m Mode, t *HeadTape, forward, back *packs, x []float32, lo int, want []int32, scale float32) {
	rows, v := len(want), h.vocab
	logits := t.logits[:rows*v]
	kernel.Affine(m.Pool, logits, v, h.b.Value, x, h.width, rows, &forward.in)
	loss := t.loss[lo : lo+rows]
	var hits atomic.Int64
	m.Pool.For(rows, 1, func(i, j int) {
		hits.Add(int64(kernel.SoftmaxLoss(logits[i*v:j*v], v, want[i:j], loss[i:j], m.Train, scale)))
	})
	t.hits += int(hits.Load())
	if !m.Train {
		return
	}
	h.inputGrad(m, t.dx[lo*h.width:(lo+rows)*h.width], logits, t.wanted, want, &back.recurrent[0])
	h.w.addProduct(m.Pool, logits, v, x, rows, h.b.grad())
}

// inputGrad computes dx = d·W for the gradients d [rows,V] of the logits, W packed.
// That of the wanted logit is as large as all others of its row together: its part
// comes last, so that the sum of the many small ones is not rounded to its size.
func (h *Head) inputGrad(m Mode, dx, d, wanted []float32, want []int32, packed *kernel.Packed) {
	for i, id := range want {
		g := &d[i*h.vocab+int(id)]
		wanted[i], *g = *g, 0
	}
	kernel.Affine(m.Pool, dx, h.width, nil, d, h.vocab, len(want), packed)
	m.Pool.For(len(want), 16, func(i, j int) {
		for ; i < j; i++ {
			kernel.Axpy(at(dx, i, h.width), wanted[i], at(h.w.Value, int(want[i]), h.width))
			d[i*h.vocab+int(want[i])] = wanted[i]
		}
	})
}

// InputGrad returns the gradient of x [N,H] that the last Loss in training has
// left, valid until the next. It may be overwritten.
func (h *Head) InputGrad(t *HeadTape) []float32 {
	if !t.train {
		panic("nn: Head.InputGrad: the last Loss was not in training (Mode.Train)")
	}
	return t.dx
}

// Logits maps rows x [B,H] to logits [B,V], each worker its share, which is
// whole when all have returned. It allocates nothing.
func (h *Head) Logits(w *Worker, b int, x, logits []float32) {
	checkLen("Head.Logits", "logits", len(logits), b*h.vocab)
	forward := &h.kept.forStep(h.w).in
	p0, p1 := w.share(forward.Panels(), 1)
	kernel.AffinePanels(logits, h.vocab, h.b.Value, x, h.width, b, forward, p0, p1)
}
