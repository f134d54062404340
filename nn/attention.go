package nn

import (
	"fmt"
	"math"

	"github.com/refrain-lm/refrain/internal/kernel"
	"github.com/refrain-lm/refrain/internal/parallel"
)

// Attention is causal self-attention with several heads (Vaswani et al. 2017)
// over the last tokens, Context of them with the present one:
//
//	q, k, v = x·W_inᵀ + b_in                        (each cut into heads of width D)
//	p = softmaxⱼ(q·kⱼ/√D − slope·(age of j)),   0 ≤ age < Context
//	y = (Σⱼ pⱼ·vⱼ, heads side by side)·W_outᵀ + b_out
//
// Positions count only as ages, by a slope for each head (ALiBi, Press et al.
// 2022), so that no token knows where in its stream it stands and a stream may
// be endless.
//
// Its state are keys and values of the last Context tokens, as they were
// computed, and how many there are; a zero state means that nothing was seen.
// They cross from window to window of training as values, and gradients don't
// (Transformer-XL, Dai et al. 2019): the first token of a window attends to as
// many as the last.
type Attention struct {
	width, heads, context int
	in, out               *Linear
	ramps                 [][]float32 // for each head −slope·age, ages descending to below zero
}

// queryBlock is how many queries are multiplied with keys at once. Those at its
// ends see different keys, so a longer block computes more that nobody needs.
const queryBlock = 32

// rampPast is how far ramps go on beyond what is needed on either side: a block of
// queries and a panel of keys.
const rampPast = queryBlock + kernel.PanelWidth

// NewAttention returns attention of the given width and number of heads, which
// must divide the width, over the last context tokens. Its parameters are named
// as in torch.nn.MultiheadAttention: name.in_proj_weight [3·Width,Width] (queries,
// keys, values), name.in_proj_bias, name.out_proj.weight and name.out_proj.bias.
// Weights are zero.
func NewAttention(name string, width, heads, context int) *Attention {
	if heads < 1 || width%heads != 0 || context < 1 {
		panic(fmt.Sprintf("nn: NewAttention: width %d, %d heads, context %d: want heads that divide the width and a context of at least 1", width, heads, context))
	}
	l := &Attention{width: width, heads: heads, context: context,
		in: NewLinear(name+".in_proj", width, 3*width, true), out: NewLinear(name+".out_proj", width, width, true)}
	l.in.w.Name, l.in.b.Name = name+".in_proj_weight", name+".in_proj_bias"
	for head := range heads {
		slope := Slope(head, heads)
		ramp := make([]float32, rampPast+context+rampPast)
		for i := range ramp {
			ramp[i] = -slope * float32(rampPast+context-1-i)
		}
		l.ramps = append(l.ramps, ramp)
	}
	return l
}

// Slope is what a token of age one loses in a head's softmax: 2⁻⁸ʰ⁄ᴴ for the
// heads h = 1, …, H (Press et al. 2022).
func Slope(head, heads int) float32 {
	return float32(math.Pow(2, -8*float64(head+1)/float64(heads)))
}

// Params returns in_proj_weight, in_proj_bias, out_proj.weight and
// out_proj.bias.
func (l *Attention) Params() []*Param { return append(l.in.Params(), l.out.Params()...) }

// InSize is the width of x.
func (l *Attention) InSize() int { return l.width }

// OutSize is the width of y.
func (l *Attention) OutSize() int { return l.width }

// headWidth is D.
func (l *Attention) headWidth() int { return l.width / l.heads }

// StateWidths are those of the keys [heads,D,Context], the values
// [heads,Context,D] and the number of tokens seen. Token n stands in place
// n mod Context.
func (l *Attention) StateWidths() []int {
	return []int{l.context * l.width, l.context * l.width, 1}
}

// NewState returns a zero state of b lanes, with scratch for Step.
func (l *Attention) NewState(b int) State {
	return newState(b, l.StateWidths(), 3*l.width, l.width, l.heads*l.context)
}

// Refresh packs the weights after they have changed.
func (l *Attention) Refresh(pool *Pool, train bool) {
	l.in.Refresh(pool, train)
	l.out.Refresh(pool, train)
}

// counted is the number to keep of n tokens seen: n itself while there are
// fewer than Context, then one that only says where the next one goes.
func (l *Attention) counted(n int) float32 {
	if n >= l.context {
		n = l.context + n%l.context
	}
	return float32(n)
}

// attentionTape is what a window of Attention remembers, for each lane and
// head. Columns of keys are E = Context−1+T tokens: those before the window,
// the last one at Context−2, then those of the window.
type attentionTape struct {
	q       []float32 // [B,heads,T,D]: queries, divided by √D
	k       []float32 // [B,heads,D,E]
	v       []float32 // [B,heads,E,D]
	p       []float32 // [B,heads,T,span]: probabilities, a block of queries from its first panel on
	y       []float32 // [T,B,Width]: what the heads give
	dqkv    []float32 // [T,B,3·Width]
	past    []int     // [B]: tokens seen before the window, Context−1 at most
	scratch []attentionScratch
}

// attentionScratch is one worker's.
type attentionScratch struct {
	byKey, byWidth kernel.Packed // keys or values [D,E] and [E,D]
	rows           []float32     // [T,D]
	ds             []float32     // [queryBlock,span]
	dq, dk, dv     []float32     // [T,D]
}

// ext is E of a window of tt tokens.
func (l *Attention) ext(tt int) int { return l.context - 1 + tt }

// span is enough columns for the keys of a block of queries, from a panel's
// beginning on.
func (l *Attention) span() int {
	return (queryBlock + l.context - 1 + 2*kernel.PanelWidth) / kernel.PanelWidth * kernel.PanelWidth
}

// block is a block of queries [t0,t1) and the keys [k0,k1) that they attend to;
// column 0 of its rows is key col0, panels are [p0,p1).
type block struct{ t0, t1, k0, k1, p0, p1, col0 int }

// block returns the block of queries from t0 on, with past tokens before the
// window.
func (l *Attention) block(t0, tt, past int) block {
	b := block{t0: t0, t1: min(t0+queryBlock, tt)}
	b.k0, b.k1 = max(t0, l.context-1-past), b.t1-1+l.context
	b.p0, b.p1 = b.k0/kernel.PanelWidth, (b.k1+kernel.PanelWidth-1)/kernel.PanelWidth
	b.col0 = b.p0 * kernel.PanelWidth
	return b
}

// attended is the columns that query t of the block attends to.
func (b block) attended(l *Attention, t int) (lo, hi int) {
	return max(b.k0, t) - b.col0, t + l.context - b.col0
}

// Forward maps x [T,B,Width] to y [T,B,Width] and carries s on.
func (l *Attention) Forward(m Mode, t *Tape, tt, b int, x []float32, s State) []float32 {
	t.begin("Attention.Forward", tt, b, l.width, x)
	if t.inner == nil {
		t.inner = make([]Tape, 2)
	}
	t.inner[0].NoInputGrad = t.NoInputGrad
	qkv := l.in.Forward(m, &t.inner[0], tt, b, x, nil)
	a := &t.attention
	a.q, a.y = grow(a.q, len(x)), grow(a.y, len(x))
	a.k, a.v = grow(a.k, b*l.width*l.ext(tt)), grow(a.v, b*l.width*l.ext(tt))
	if m.Train {
		a.p = grow(a.p, b*l.heads*tt*l.span())
	}
	a.past = a.past[:0]
	for lane := range b {
		a.past = append(a.past, min(int(s[2][lane]), l.context-1))
	}
	a.forHeads(m.Pool, b*l.heads, func(unit int, w *attentionScratch) { l.forwardHead(m, t, unit, qkv, s, w) })
	for lane := range b {
		s[2][lane] = l.counted(int(s[2][lane]) + tt)
	}
	return l.out.Forward(m, &t.inner[1], tt, b, a.y, nil)
}

// forHeads gives each worker its share of the heads of all lanes.
func (a *attentionTape) forHeads(pool *Pool, units int, f func(unit int, w *attentionScratch)) {
	for len(a.scratch) < pool.Size() {
		a.scratch = append(a.scratch, attentionScratch{})
	}
	pool.Run(func(worker int) {
		lo, hi := parallel.Split(units, 1, pool.Size(), worker)
		for unit := lo; unit < hi; unit++ {
			f(unit, &a.scratch[worker])
		}
	})
}

// forwardHead runs one head of one lane through the window and moves its keys
// and values in s on.
func (l *Attention) forwardHead(m Mode, t *Tape, unit int, qkv []float32, s State, w *attentionScratch) {
	a, tt, d, e := &t.attention, t.steps, l.headWidth(), l.ext(t.steps)
	q, k, v := at(a.q, unit, tt*d), at(a.k, unit, d*e), at(a.v, unit, e*d)
	lane, head := unit/l.heads, unit%l.heads
	l.gather(t, unit, qkv, s, q, k, v)
	w.byKey.Pack(nil, k, d, e, e)
	w.byWidth.Pack(nil, v, e, d, d)
	w.rows, w.ds = grow(w.rows, tt*d), grow(w.ds, queryBlock*l.span())
	for t0 := 0; t0 < tt; t0 += queryBlock {
		b, p := l.block(t0, tt, a.past[lane]), w.ds
		if m.Train { // nobody asks for them later otherwise
			p = l.probabilities(t, unit, b)
		}
		l.scores(p, q, &w.byKey, b, l.ramps[head])
		b.timesKeys(w.rows, p[b.k0-b.col0:], l.span(), &w.byWidth)
	}
	for i := range tt {
		copy(a.y[(i*t.lanes+lane)*l.width+head*d:], at(w.rows, i, d))
	}
}

// probabilities is the rows [t1−t0,span] of a block.
func (l *Attention) probabilities(t *Tape, unit int, b block) []float32 {
	p := at(t.attention.p, unit, t.steps*l.span())
	return p[b.t0*l.span() : b.t1*l.span()]
}

// gather collects queries, keys and values of one head of one lane, old ones
// from s, into which the last ones go.
func (l *Attention) gather(t *Tape, unit int, qkv []float32, s State, q, k, v []float32) {
	c, d, e := l.context, l.headWidth(), l.ext(t.steps)
	lane, head := unit/l.heads, unit%l.heads
	keys, values, seen := at(s[0], unit, d*c), at(s[1], unit, c*d), int(s[2][lane])
	past := t.attention.past[lane]
	old := (seen - past) % c
	n := min(past, c-old) // from place old on, the others from place 0
	for i := range d {
		ring, row := at(keys, i, c), k[i*e+c-1-past:]
		copy(row[:n], ring[old:])
		copy(row[n:past], ring)
	}
	copy(v[(c-1-past)*d:], values[old*d:(old+n)*d])
	copy(v[(c-1-past+n)*d:], values[:(past-n)*d])
	scale := float32(1 / math.Sqrt(float64(d)))
	for step := range t.steps {
		row := qkv[(step*t.lanes+lane)*3*l.width+head*d:]
		copy(at(q, step, d), row)
		copy(at(v, c-1+step, d), row[2*l.width:])
		for i, kv := range row[l.width : l.width+d] {
			k[i*e+c-1+step] = kv
		}
	}
	kernel.Scale(q, scale)
	for step := max(0, t.steps-c); step < t.steps; step++ {
		place := (seen + step) % c
		copy(at(values, place, d), at(v, c-1+step, d))
		for i := range d {
			keys[i*c+place] = k[i*e+c-1+step]
		}
	}
}

// scores computes the probabilities of a block of queries.
func (l *Attention) scores(p, q []float32, keys *kernel.Packed, b block, ramp []float32) {
	d, span := l.headWidth(), l.span()
	part := keys.Columns(b.p0, b.p1)
	for t := b.t0; t < b.t1; t++ { // the chains begin with the ages
		copy(at(p, t-b.t0, span)[:part.N], ramp[rampPast-t+b.col0:])
	}
	kernel.Gemm(p, span, q[b.t0*d:], d, b.t1-b.t0, &part, 0, part.Panels())
	for t := b.t0; t < b.t1; t++ {
		row := at(p, t-b.t0, span)[:part.N]
		lo, hi := b.attended(l, t)
		clear(row[:lo])
		kernel.Softmax(row[lo:hi])
		clear(row[hi:])
	}
}

// timesKeys computes rows [t0,t1) of y [T,D] from those of a, whose columns are
// the keys [k0,k1) and whose rows are ld apart, times what stands by key in m [E,D].
func (b block) timesKeys(y, a []float32, ld int, m *kernel.Packed) {
	for p := range m.Panels() {
		part := m.Rows(p, b.k0, b.k1)
		kernel.AffinePanels(y[b.t0*m.N+p*kernel.PanelWidth:], m.N, nil, a, ld, b.t1-b.t0, &part, 0, 1)
	}
}

// Backward takes dy, the gradient of y [T,B,Width], and returns that of x.
func (l *Attention) Backward(m Mode, t *Tape, dy []float32) []float32 {
	a := &t.attention
	dheads := l.out.Backward(m, &t.inner[1], dy)
	a.dqkv = grow(a.dqkv, t.rows()*3*l.width)
	a.forHeads(m.Pool, t.lanes*l.heads, func(unit int, w *attentionScratch) { l.backwardHead(t, unit, dheads, w) })
	return l.in.Backward(m, &t.inner[0], a.dqkv)
}

// backwardHead goes back through one head of one lane.
func (l *Attention) backwardHead(t *Tape, unit int, dheads []float32, w *attentionScratch) {
	a, tt, d, e := &t.attention, t.steps, l.headWidth(), l.ext(t.steps)
	q, k, v := at(a.q, unit, tt*d), at(a.k, unit, d*e), at(a.v, unit, e*d)
	lane, head := unit/l.heads, unit%l.heads
	w.byKey.PackT(nil, v, d, e, d)
	w.byWidth.PackT(nil, k, e, d, e)
	w.rows, w.dq, w.ds = grow(w.rows, tt*d), grow(w.dq, tt*d), grow(w.ds, queryBlock*l.span())
	w.dk, w.dv = zeros(w.dk, tt*d), zeros(w.dv, tt*d)
	for i := range tt {
		copy(at(w.rows, i, d), dheads[(i*t.lanes+lane)*l.width+head*d:])
	}
	for t0 := 0; t0 < tt; t0 += queryBlock {
		b := l.block(t0, tt, a.past[lane])
		p := l.probabilities(t, unit, b)
		l.scoresGrad(w.ds, p, w.rows, &w.byKey, b)
		b.timesKeys(w.dq, w.ds[b.k0-b.col0:], l.span(), &w.byWidth)
		l.toKeys(w.dv, p, w.rows, b)
		l.toKeys(w.dk, w.ds, q, b)
	}
	kernel.Scale(w.dq, float32(1/math.Sqrt(float64(d))))
	for i := range tt {
		row := a.dqkv[(i*t.lanes+lane)*3*l.width+head*d:]
		copy(row, at(w.dq, i, d))
		copy(row[l.width:], at(w.dk, i, d))
		copy(row[2*l.width:], at(w.dv, i, d))
	}
}

// scoresGrad computes ds, the gradients of a block's scores, from dy, that of
// what the head gives [T,D].
func (l *Attention) scoresGrad(ds, p, dy []float32, values *kernel.Packed, b block) {
	d, span := l.headWidth(), l.span()
	part := values.Columns(b.p0, b.p1)
	kernel.AffinePanels(ds, span, nil, dy[b.t0*d:], d, b.t1-b.t0, &part, 0, part.Panels())
	for t := b.t0; t < b.t1; t++ {
		row := at(ds, t-b.t0, span)[:part.N]
		lo, hi := b.attended(l, t)
		clear(row[:lo])
		kernel.SoftmaxGrad(row[lo:hi], at(p, t-b.t0, span)[lo:hi])
		clear(row[hi:])
	}
}

// toKeys adds to the rows of dk [T,D] what a block's rows of a [t1−t0,span] and of
// x [T,D] give to the keys of the window itself.
func (l *Attention) toKeys(dk, a, x []float32, b block) {
	d, first := l.headWidth(), max(b.k0, l.context-1)
	kernel.GemmTN(nil, dk[(first-l.context+1)*d:], d, b.k1-first, d, b.t1-b.t0, a[first-b.col0:], l.span(), x[b.t0*d:], d)
}

// Step feeds one token of each of b lanes: x [B,Width] to y [B,Width]. It
// allocates nothing.
func (l *Attention) Step(w *Worker, b int, s State, x, y []float32) {
	qkv, heads := s[3][:b*3*l.width], s[4][:b*l.width]
	l.in.Step(w, b, nil, x, qkv)
	lo, hi := w.share(b*l.heads, 1)
	for unit := lo; unit < hi; unit++ {
		l.stepHead(unit, s, heads)
	}
	w.wait()
	lo, hi = w.share(b, 1)
	for lane := lo; lane < hi; lane++ {
		s[2][lane] = l.counted(int(s[2][lane]) + 1)
	}
	l.out.Step(w, b, nil, heads, y)
}

// stepHead puts a token's key and value of one head of one lane in their place
// and attends, oldest first.
func (l *Attention) stepHead(unit int, s State, heads []float32) {
	c, d := l.context, l.headWidth()
	lane, head := unit/l.heads, unit%l.heads
	keys, values, seen := at(s[0], unit, d*c), at(s[1], unit, c*d), int(s[2][lane])
	row := at(s[3], lane, 3*l.width)[head*d:]
	q, place := row[:d], seen%c
	kernel.Scale(q, float32(1/math.Sqrt(float64(d))))
	copy(at(values, place, d), row[2*l.width:])
	for i, kv := range row[l.width : l.width+d] {
		keys[i*c+place] = kv
	}
	n := min(seen+1, c)
	old := (seen + 1 - n) % c
	p, whole := at(s[5], unit, c)[:n], min(n, c-old) // from place old on, the others from place 0
	copy(p, l.ramps[head][rampPast+c-n:])
	for i, qi := range q {
		ring := at(keys, i, c)
		kernel.Axpy(p[:whole], qi, ring[old:old+whole])
		kernel.Axpy(p[whole:], qi, ring[:n-whole])
	}
	kernel.Softmax(p)
	y := at(heads, lane, l.width)[head*d : (head+1)*d]
	clear(y)
	for j, pj := range p {
		kernel.Axpy(y, pj, at(values, (old+j)%c, d))
	}
}
