package eval

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/nn"
)

// scoreLanes is the number of lines LineBits scores side by side.
const scoreLanes = 64

// lineBlock is the number of ids that LineBits holds at a time.
const lineBlock = 1 << 20

// LineBits returns the bits per byte of each line of r's first most ids (all
// for most < 1), every line scored from a fresh state as LineScorer does. Lines
// of similar length share a batch, which changes no bit of a score. A last line
// without its end, and lines of more than 2^20 tokens, are left out.
func LineBits(ctx context.Context, m *Model, r data.Reader, most int64, pool *nn.Pool) ([]float64, error) {
	var bits []float64
	scorer := m.Predictor.NewScorer(scoreLanes, pool)
	err := lineBlocks(r, most, m.Tokenizer.LineEnd(), lineBlock, func(lines [][]int32) error {
		b, err := blockBits(ctx, m, scorer, lines)
		bits = append(bits, b...)
		return err
	})
	return bits, err
}

// blockBits is LineBits of a few lines.
func blockBits(ctx context.Context, m *Model, scorer Scorer, lines [][]int32) ([]float64, error) {
	order := make([]int, len(lines))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(len(lines[a]), len(lines[b])) })
	bits := make([]float64, len(lines))
	for len(order) > 0 {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		group := order[:min(scoreLanes, len(order))]
		order = order[len(group):]
		scoreGroup(scorer, lines, group, m.Tokenizer.LineEnd(), bits)
	}
	var text []byte
	for i, line := range lines {
		text = text[:0]
		for _, id := range line {
			text = m.Tokenizer.AppendDecode(text, id)
		}
		bits[i] /= math.Ln2 * float64(len(text))
	}
	return bits, nil
}

// lineBlocks reads r, block ids at a time, and calls fn with the whole lines of
// each block, each with its line end.
func lineBlocks(r data.Reader, most int64, end int32, block int64, fn func(lines [][]int32) error) error {
	n := r.Len()
	if most > 0 {
		n = min(n, most)
	}
	buf := make([]int32, min(n, block))
	have, skip := 0, false // skip: buf begins within a line that is left out
	for at := int64(0); at < n; {
		more := int(min(int64(len(buf)-have), n-at))
		if err := r.Read(buf[have:have+more], at); err != nil {
			return fmt.Errorf("eval: %w", err)
		}
		at, have = at+int64(more), have+more
		lines, rest := splitLines(buf[:have], end)
		if skip && len(lines) > 0 {
			lines, skip = lines[1:], false
		}
		if err := fn(lines); err != nil {
			return err
		}
		if have = copy(buf, rest); have == len(buf) {
			have, skip = 0, true
		}
	}
	return nil
}

// splitLines cuts ids after each line end.
func splitLines(ids []int32, end int32) (lines [][]int32, rest []int32) {
	for {
		i := slices.Index(ids, end)
		if i < 0 {
			return lines, ids
		}
		lines = append(lines, ids[:i+1])
		ids = ids[i+1:]
	}
}

// scoreGroup writes the nats of each line of group to nats.
func scoreGroup(s Scorer, lines [][]int32, group []int, end int32, nats []float64) {
	s.Reset()
	longest := len(lines[group[len(group)-1]])
	for t0 := 0; t0 < longest; t0 += streamWindow {
		n := min(streamWindow, longest-t0)
		in, want := make([]int32, n*scoreLanes), make([]int32, n*scoreLanes)
		out := make([]float32, n*scoreLanes)
		for k := range want {
			in[k], want[k] = end, -1
		}
		for lane, i := range group {
			for t := t0; t < min(t0+n, len(lines[i])); t++ {
				k := (t-t0)*scoreLanes + lane
				want[k] = lines[i][t]
				if t > 0 {
					in[k] = lines[i][t-1]
				}
			}
		}
		s.Score(in, want, out)
		for lane, i := range group {
			for t := range n {
				nats[i] -= float64(out[t*scoreLanes+lane])
			}
		}
	}
}
