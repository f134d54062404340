package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/refrain-lm/refrain/internal/parallel"
	"github.com/refrain-lm/refrain/internal/speed"
	"github.com/refrain-lm/refrain/lm"
)

// benchStreams is the number of streams side by side, generationTime how long one
// way of writing is measured.
const (
	benchStreams   = 8
	generationTime = 500 * time.Millisecond
)

// benchGeneration writes a token at a time with weights of every kind: one stream
// on one thread and on all, and several streams on all.
func benchGeneration(pool *parallel.Pool, shape benchShape) (rows []benchRow, err error) {
	for _, storage := range []struct {
		name, weights string
		bytes         int64
	}{{"float32", "", 4}, {lm.BFloat16, lm.BFloat16, 2}, {lm.Int8, lm.Int8, 1}} {
		read := int64(shape.Work.Operations()/6) * storage.bytes
		for _, way := range []struct {
			streams int
			pool    *parallel.Pool
		}{{1, nil}, {1, pool}, {benchStreams, pool}} {
			g, err := speed.NewGeneration(shape.Work, storage.weights, way.streams, way.pool)
			if err != nil {
				return nil, err
			}
			seconds, reading := inTurns(g, speed.NewReading(int(read), way.pool))
			tokens := float64(way.streams)
			row := benchRow{Kind: "generation", Cell: shape.Cell, Shape: shape, Operations: shape.Work.Operations() / 3,
				Weights: storage.name, Threads: way.pool.Size(), Streams: way.streams, Read: read,
				Tokens: tokens / seconds[len(seconds)/2], Best: tokens / seconds[0], Share: reading[len(reading)/2] / seconds[len(seconds)/2]}
			rows = append(rows, row)
		}
	}
	return rows, nil
}

// inTurns measures steps of both in the same minutes, since what memory delivers
// changes from one to the next. The first steps of a turn, which bring back into
// caches what the other's drove out, do not count.
func inTurns(g *speed.Generation, r *speed.Reading) (seconds, reading []float64) {
	const steps, first, turns = 40, 5, 3
	for end := time.Now().Add(generationTime); len(seconds) < turns*(steps-first) || time.Now().Before(end); {
		seconds = append(seconds, g.Steps(steps)[first:]...)
		reading = append(reading, r.Steps(steps)[first:]...)
	}
	slices.Sort(seconds)
	slices.Sort(reading)
	return seconds, reading
}

// generationLines is a line for each kind of weights.
func generationLines(rows []benchRow) string {
	if len(rows) == 0 {
		return ""
	}
	var b strings.Builder
	threads := rows[1].Threads
	column := func(format string, of ...any) {
		if threads > 1 {
			fmt.Fprintf(&b, format, of...)
		}
	}
	fmt.Fprintf(&b, "      %-17s %9s %6s", "a token at a time", "1 thread", "share")
	column(" %11s %6s", fmt.Sprintf("%d threads", threads), "share")
	fmt.Fprintf(&b, " %11s  %5s\n", fmt.Sprintf("%d streams", rows[2].Streams), "steps")
	for group := range slices.Chunk(rows, 3) {
		one, all, many := group[0], group[1], group[2]
		fmt.Fprintf(&b, "      %-17s %9s %4.0f %%", "  "+one.Weights, commas(int64(one.Tokens)), 100*one.Share)
		column(" %11s %4.0f %%", commas(int64(all.Tokens)), 100*all.Share)
		fmt.Fprintf(&b, " %11s  %5.1f\n", commas(int64(many.Tokens)), all.Tokens*float64(many.Streams)/many.Tokens)
	}
	return b.String()
}
