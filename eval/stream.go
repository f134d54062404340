package eval

import (
	"context"
	"errors"
	"fmt"

	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/nn"
)

// streamWindow is the number of tokens a product of Stream covers; it changes no bit.
const streamWindow = 512

// oneThread is how many bytes of weights a step of one stream reads at least that
// is worth sharing: with fewer, threads would wait for each other most of the
// time, and for long where other programs run.
const oneThread = 4 << 20

// StreamPool starts a pool for one stream of m: of so many threads, or for 0 of
// all cores where the model is large enough, else of one.
func (m *Model) StreamPool(threads int) *nn.Pool {
	if threads == 0 && m.Config.ReadPerToken() < oneThread {
		threads = 1
	}
	return nn.NewPool(threads)
}

// Stream measures m on the texts of src, read as one stream in the given
// order. progress, if not nil, is told the predictions made so far.
func Stream(ctx context.Context, m *Model, src []data.Source, pool *nn.Pool, progress func(int64)) (Result, error) {
	w := &streamer{m: m, scorer: m.Predictor.NewScorer(1, pool), progress: progress, ctx: ctx}
	w.res.Unit = m.Tokenizer.Unit()
	err := data.Chunks(src, func(chunk []byte) error {
		w.res.Bytes += int64(len(chunk))
		w.res.Lossy = w.res.Lossy || m.Tokenizer.Loses(chunk)
		w.ids = m.Tokenizer.Encode(w.ids, chunk)
		return w.run(false)
	})
	if err != nil {
		return w.res, err
	}
	return w.finish()
}

// StreamIDs is Stream on ids that were encoded before; bytes is what they cover
// and lossy whether the tokenizer lost something.
func StreamIDs(ctx context.Context, m *Model, r data.Reader, most, bytes int64, lossy bool, pool *nn.Pool, progress func(int64)) (Result, error) {
	w := &streamer{m: m, scorer: m.Predictor.NewScorer(1, pool), progress: progress, ctx: ctx}
	w.res = Result{Unit: m.Tokenizer.Unit(), Bytes: bytes, Lossy: lossy}
	n := r.Len()
	if most > 0 {
		n = min(n, most)
	}
	buf := make([]int32, streamWindow)
	for at := int64(0); at < n; at += streamWindow {
		part := buf[:min(streamWindow, n-at)]
		if err := r.Read(part, at); err != nil {
			return w.res, fmt.Errorf("eval: %w", err)
		}
		w.ids = append(w.ids, part...)
		if err := w.run(false); err != nil {
			return w.res, err
		}
	}
	return w.finish()
}

// streamer scores ids window by window.
type streamer struct {
	ctx      context.Context
	m        *Model
	scorer   Scorer
	ids      []int32 // the last token scored, then what is to come
	out      [streamWindow]float32
	res      Result
	progress func(int64)
}

// run scores whole windows, and with all also the rest.
func (w *streamer) run(all bool) error {
	at := 0
	for len(w.ids)-at > streamWindow || all && len(w.ids)-at > 1 {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		n := min(streamWindow, len(w.ids)-at-1)
		out := w.out[:n]
		w.scorer.Score(w.ids[at:at+n], w.ids[at+1:at+n+1], out)
		if r, ok := w.scorer.(ranker); ok {
			w.res.Hits, w.res.Ranked = w.res.Hits+int64(r.Hits()), true
		}
		for _, lp := range out {
			w.res.NLL -= float64(lp)
		}
		w.res.Tokens += int64(n)
		at += n
		if w.progress != nil {
			w.progress(w.res.Tokens)
		}
	}
	w.ids = append(w.ids[:0], w.ids[at:]...)
	return nil
}

func (w *streamer) finish() (Result, error) {
	if err := w.run(true); err != nil {
		return w.res, err
	}
	if w.res.Tokens == 0 {
		return w.res, errors.New("the text has fewer than two tokens: there is nothing to predict")
	}
	return w.res, nil
}
