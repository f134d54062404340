package eval

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/internal/parallel"
)

// scoreLanes is the number of lines LineBits scores side by side.
const scoreLanes = 64

// LineBits returns the bits per byte of each line of r's first most ids (all
// for most < 1), every line scored from a fresh state as LineScorer does. Lines
// of similar length share a batch, which changes no bit of a score.
func LineBits(ctx context.Context, m *Model, r data.Reader, most int64, pool *parallel.Pool) ([]float64, error) {
	lines, err := splitLines(r, most, m.Tokenizer.LineEnd())
	if err != nil {
		return nil, err
	}
	order := make([]int, len(lines))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(len(lines[a]), len(lines[b])) })
	bits := make([]float64, len(lines))
	scorer := m.Predictor.NewScorer(scoreLanes, pool)
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

// splitLines cuts ids into lines, each with its line end; a last line without
// one is left out.
func splitLines(r data.Reader, most int64, end int32) ([][]int32, error) {
	n := r.Len()
	if most > 0 {
		n = min(n, most)
	}
	ids := make([]int32, n)
	if err := r.Read(ids, 0); err != nil {
		return nil, err
	}
	var lines [][]int32
	for {
		i := slices.Index(ids, end)
		if i < 0 {
			return lines, nil
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
