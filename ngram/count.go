package ngram

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/refrain-lm/refrain/data"
)

// DefaultMemory is what a zero Options.Memory means, in bytes.
const DefaultMemory = 256 << 20

// readBlock is the number of ids read at once.
const readBlock = 1 << 16

// Options say how to count.
type Options struct {
	Order    int         // tokens of the longest n-gram, 1 to MaxOrder
	Vocab    int         // ids are below it
	LineEnd  int32       // the id beyond which no context reaches; −1: none
	Memory   int64       // bytes of n-grams held while counting; 0: DefaultMemory
	Most     int64       // bytes that estimating may take; 0: any
	Dir      string      // a folder for what Memory does not hold; it is left empty
	Progress func(int64) // told the tokens counted so far; nil: nobody
}

// TooLargeError says that a model does not fit in the memory it was allowed.
type TooLargeError struct {
	Order      int
	Grams      int64
	Need, Most int64 // bytes
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("ngram: the text has %d n-grams of up to %d tokens; estimating takes %d MB of memory, this machine has %d MB: take a lower order",
		e.Grams, e.Order, e.Need/1e6, e.Most/1e6)
}

// Train counts the ids of r and estimates a model of them. The result depends
// on the ids, Order, Vocab and LineEnd alone. It returns the context's error
// where that ends first.
func Train(ctx context.Context, r data.Reader, o Options) (*Model, error) {
	if o.Memory == 0 {
		o.Memory = DefaultMemory
	}
	cfg := Config{Version: Version, Kind: Kind, Order: o.Order, Vocab: o.Vocab, LineEnd: o.LineEnd}
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	c, err := newCounter(o, r.Len())
	if err != nil {
		return nil, err
	}
	defer c.runs.remove()
	if err := c.read(ctx, r); err != nil {
		return nil, err
	}
	e, err := c.estimator(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return e.estimate(), nil
}

// counter gathers the n-grams of a text as records of Order cells: the ids plus
// one, zeros where the line or the text ends early. It sorts a block of them
// whenever its memory is full.
type counter struct {
	o     Options
	block []uint32 // records of the block under way
	spare []uint32 // as large; sorting needs it
	runs  runs
}

func newCounter(o Options, tokens int64) (*counter, error) {
	if tokens >= math.MaxUint32 {
		return nil, fmt.Errorf("ngram: a text of %d tokens; it can have %d at most", tokens, uint32(math.MaxUint32))
	}
	// Two blocks, and a count for each record.
	most := o.Memory / 4 / int64(2*o.Order+1)
	records := int(max(1, min(most, tokens+1)))
	return &counter{
		o: o, block: make([]uint32, 0, records*o.Order), spare: make([]uint32, records*o.Order),
		runs: runs{dir: o.Dir, width: o.Order},
	}, nil
}

// read counts the n-gram that begins at each token. A stream of lines begins
// after a line end.
func (c *counter) read(ctx context.Context, r data.Reader) error {
	ids := make([]int32, 0, readBlock+c.o.Order)
	if c.o.LineEnd >= 0 && c.o.Order > 1 {
		ids = append(ids, c.o.LineEnd)
	}
	n := r.Len()
	if n == 0 {
		return errors.New("ngram: the text has no tokens: there is nothing to count")
	}
	for at := int64(0); at < n; {
		if err := ctx.Err(); err != nil {
			return err
		}
		have := len(ids)
		ids = ids[:have+int(min(readBlock, n-at))]
		if err := r.Read(ids[have:], at); err != nil {
			return fmt.Errorf("ngram: %w", err)
		}
		at += int64(len(ids) - have)
		whole := max(0, len(ids)-c.o.Order+1)
		if at == n {
			whole = len(ids)
		}
		for i := range whole {
			if err := c.add(ids[i:min(i+c.o.Order, len(ids))]); err != nil {
				return err
			}
		}
		ids = append(ids[:0], ids[whole:]...)
		if c.o.Progress != nil {
			c.o.Progress(at)
		}
	}
	return nil
}

// add appends the record of the tokens from one place on.
func (c *counter) add(ids []int32) error {
	if len(c.block) == cap(c.block) {
		if err := c.runs.spill(c.sorted()); err != nil {
			return err
		}
		c.block = c.block[:0]
	}
	at := len(c.block)
	c.block = c.block[:at+c.o.Order]
	record := c.block[at:]
	clear(record)
	for i, id := range ids {
		if id < 0 || int(id) >= c.o.Vocab {
			return fmt.Errorf("ngram: token %d outside vocabulary of %d", id, c.o.Vocab)
		}
		record[i] = uint32(id) + 1
		if id == c.o.LineEnd && i > 0 {
			break
		}
	}
	return nil
}

// sorted sorts the block and adds up equal records.
func (c *counter) sorted() run {
	sortRecords(c.block, c.spare[:len(c.block)], c.o.Order, c.o.Vocab+1)
	return combine(c.block, c.o.Order)
}

// estimator lets the sorted records pass twice: to count the n-grams of each
// length, and to take them into memory.
func (c *counter) estimator(ctx context.Context, cfg Config) (*estimator, error) {
	last := c.sorted()
	c.spare = nil
	sizes := sizer{n: make([]int64, cfg.Order)}
	sizes.n[0] = int64(cfg.Vocab)
	if err := c.runs.merge(ctx, last, sizes.add); err != nil {
		return nil, err
	}
	if need := estimatorBytes(sizes.n); c.o.Most > 0 && need > c.o.Most {
		return nil, &TooLargeError{Order: cfg.Order, Grams: sum(sizes.n), Need: need, Most: c.o.Most}
	}
	for k, n := range sizes.n {
		if n >= math.MaxUint32 {
			return nil, fmt.Errorf("ngram: %d n-grams of %d tokens; a model can have %d at most", n, k+1, uint32(math.MaxUint32))
		}
	}
	e := newEstimator(cfg, sizes.n)
	if err := c.runs.merge(ctx, last, e.add); err != nil {
		return nil, err
	}
	e.close()
	c.block = nil // estimating needs the room
	return e, nil
}

// sizer counts distinct n-grams of sorted records by length; those of one token
// are as many as the vocabulary.
type sizer struct {
	n    []int64
	last []uint32
}

func (s *sizer) add(record []uint32, _ uint32) {
	for k := max(1, common(s.last, record)); k < len(record) && record[k] != 0; k++ {
		s.n[k]++
	}
	s.last = append(s.last[:0], record...)
}

// common is the number of cells in which two records begin alike.
func common(a, b []uint32) int {
	n := 0
	for n < len(a) && a[n] == b[n] {
		n++
	}
	return n
}

func sum(list []int64) int64 {
	var n int64
	for _, v := range list {
		n += v
	}
	return n
}
