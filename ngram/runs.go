package ngram

import (
	"bufio"
	"container/heap"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"slices"
)

// run is a sorted list of distinct records and how often each occurs.
type run struct {
	records []uint32
	counts  []uint32
}

// sortRecords sorts records of width cells, the first cell first, by counting
// cell after cell from the last; cells are below values. spare is as long.
func sortRecords(records, spare []uint32, width, values int) {
	from, to := records, spare
	next := make([]int, values+1)
	for cell := width - 1; cell >= 0; cell-- {
		clear(next)
		for i := cell; i < len(from); i += width {
			next[from[i]+1] += width
		}
		for v := 1; v <= values; v++ {
			next[v] += next[v-1]
		}
		for i := 0; i < len(from); i += width {
			v := from[i+cell]
			copy(to[next[v]:next[v]+width], from[i:i+width])
			next[v] += width
		}
		from, to = to, from
	}
	if width%2 == 1 {
		copy(records, spare)
	}
}

// combine adds up equal records of a sorted list, in place.
func combine(records []uint32, width int) run {
	r := run{records: records[:0]}
	for i := 0; i < len(records); i += width {
		record := records[i : i+width]
		if n := len(r.records); n > 0 && slices.Equal(r.records[n-width:], record) {
			r.counts[len(r.counts)-1]++
			continue
		}
		r.records = append(r.records, record...)
		r.counts = append(r.counts, 1)
	}
	return r
}

// runs are the sorted runs on disk: records each followed by its count, little
// endian.
type runs struct {
	dir   string
	width int
	paths []string
}

// spill writes a run to disk.
func (s *runs) spill(r run) (err error) {
	f, err := os.CreateTemp(s.dir, "counts-*")
	if err != nil {
		return fmt.Errorf("ngram: counting needs room on disk: %w", err)
	}
	s.paths = append(s.paths, f.Name())
	w := bufio.NewWriterSize(f, 1<<18)
	cells := make([]byte, 0, 4*(s.width+1))
	for i, n := range r.counts {
		cells = cells[:0]
		for _, v := range r.records[i*s.width : (i+1)*s.width] {
			cells = binary.LittleEndian.AppendUint32(cells, v)
		}
		if _, err = w.Write(binary.LittleEndian.AppendUint32(cells, n)); err != nil {
			break
		}
	}
	if ferr := w.Flush(); err == nil {
		err = ferr
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("ngram: counting needs room on disk: %w", err)
	}
	return nil
}

// remove deletes the runs; what cannot be deleted is of no further use.
func (s *runs) remove() {
	for _, p := range s.paths {
		_ = os.Remove(p)
	}
}

// merge calls fn with every distinct record of the runs on disk and of last, in
// order. fn must not keep the record.
func (s *runs) merge(ctx context.Context, last run, fn func(record []uint32, count uint32)) error {
	var q queue
	defer func() {
		for _, c := range q {
			_ = c.close() // it was only read
		}
	}()
	for _, p := range s.paths {
		f, err := os.Open(p)
		if err != nil {
			return fmt.Errorf("ngram: %w", err)
		}
		c := &cursor{file: f, r: bufio.NewReaderSize(f, 1<<18), record: make([]uint32, s.width)}
		q = append(q, c)
	}
	q = append(q, &cursor{rest: last, record: make([]uint32, s.width)})
	for i := len(q) - 1; i >= 0; i-- {
		if err := q[i].next(); err != nil {
			return err
		}
	}
	heap.Init(&q)
	record := make([]uint32, s.width)
	for steps := 0; q[0].count > 0; steps++ {
		if steps%readBlock == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		copy(record, q[0].record)
		var count uint32
		for q[0].count > 0 && slices.Equal(q[0].record, record) {
			count += q[0].count
			if err := q[0].next(); err != nil {
				return err
			}
			if len(q) > 1 {
				heap.Fix(&q, 0)
			}
		}
		fn(record, count)
	}
	return nil
}

// cursor stands at a record of a run, on disk or in memory; a count of zero is
// its end.
type cursor struct {
	file   *os.File
	r      *bufio.Reader
	raw    []byte
	rest   run
	record []uint32
	count  uint32
}

func (c *cursor) close() error {
	if c.file == nil {
		return nil
	}
	return c.file.Close()
}

func (c *cursor) next() error {
	width := len(c.record)
	if c.file == nil {
		if c.count = 0; len(c.rest.counts) > 0 {
			copy(c.record, c.rest.records)
			c.count = c.rest.counts[0]
			c.rest = run{c.rest.records[width:], c.rest.counts[1:]}
		}
		return nil
	}
	if c.raw == nil {
		c.raw = make([]byte, 4*(width+1))
	}
	switch _, err := io.ReadFull(c.r, c.raw); err {
	case nil:
	case io.EOF:
		c.count = 0
		return nil
	default:
		return fmt.Errorf("ngram: %s: %w", c.file.Name(), err)
	}
	for i := range c.record {
		c.record[i] = binary.LittleEndian.Uint32(c.raw[4*i:])
	}
	c.count = binary.LittleEndian.Uint32(c.raw[4*width:])
	return nil
}

// queue is a heap of cursors by record; those at their end are last.
type queue []*cursor

func (q queue) Len() int      { return len(q) }
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q queue) Push(any)      { panic("ngram: a queue of runs does not grow") }
func (q queue) Pop() any      { panic("ngram: a queue of runs does not shrink") }

func (q queue) Less(i, j int) bool {
	switch {
	case q[i].count == 0:
		return false
	case q[j].count == 0:
		return true
	}
	return slices.Compare(q[i].record, q[j].record) < 0
}
