package data

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sort"
)

// Form says what a model is to predict of a document.
type Form string

// The forms.
const (
	// EveryPosition predicts each token after the first from those before it: a
	// row is a document, inputs s[:n−1], targets s[1:].
	EveryPosition Form = "every"
	// LastPosition predicts one token a row: a document of n tokens gives the
	// n−1 rows with inputs s[:i] and the one target s[i], in that order. They
	// are made when a batch needs them, so memory is linear in the text.
	LastPosition Form = "last"
)

// DocumentOptions says how documents become batches.
type DocumentOptions struct {
	Form    Form   // "" means EveryPosition
	Rows    int    // of a batch: B; needed
	MaxLen  int    // longest input; of longer ones the last MaxLen tokens are read; 0: no bound
	Shuffle bool   // rows come in another order in each pass, a function of Seed and the pass alone
	Seed    uint64 // of Shuffle
}

// Documents is a feed of texts that have nothing to do with each other, such as
// sentences, poems or files. A batch is B rows side by side, as long as the
// longest of them: [T,B] with T the same for all its rows. Shorter rows are
// padded behind with input 0 and target −1, which is not counted, so that padding
// changes neither losses nor gradients; that equals Keras' padding in front where
// that is masked. The last batch of a pass may be partial: its missing rows are
// all padding. Every batch begins with zero states.
type Documents struct {
	o     DocumentOptions
	docs  [][]int32 // of two tokens or more
	ends  []int     // ends[d]: rows of the documents up to d
	from  int       // rows [from,to) are this feed's
	to    int
	at    Cursor
	order []int32 // of the rows from from on, in the pass of number pass
	pass  int64
}

// NewDocuments makes a feed of documents, which it keeps. Documents of fewer than
// two tokens predict nothing and are left out; no other at all is an error.
func NewDocuments(docs [][]int32, o DocumentOptions) (*Documents, error) {
	if o.Form == "" {
		o.Form = EveryPosition
	}
	switch {
	case o.Form != EveryPosition && o.Form != LastPosition:
		return nil, fmt.Errorf("data: form %q is none of every, last", o.Form)
	case o.Rows < 1:
		return nil, fmt.Errorf("data: batches of %d documents", o.Rows)
	case o.MaxLen < 0:
		return nil, fmt.Errorf("data: documents of at most %d tokens", o.MaxLen)
	}
	d := &Documents{o: o, pass: -1}
	for _, doc := range docs {
		if len(doc) < 2 {
			continue
		}
		rows := 1
		if o.Form == LastPosition {
			rows = len(doc) - 1
		}
		d.to += rows
		d.docs, d.ends = append(d.docs, doc), append(d.ends, d.to)
	}
	if d.to == 0 {
		return nil, errors.New("data: no document has two tokens, so there is nothing to predict: give more text")
	}
	if d.to > math.MaxInt32 {
		return nil, fmt.Errorf("data: %d rows, at most %d: give less text", d.to, math.MaxInt32)
	}
	return d, nil
}

// Split divides the rows into the first ones and the last fraction of them, as
// Keras' validation_split does, before any shuffling. With LastPosition the cut
// may fall inside a document, whose first prefixes then train a model that is
// validated on the longer ones; SplitDocuments never does that. The validation
// part is not shuffled.
func (d *Documents) Split(fraction float64) (train, valid *Documents, err error) {
	return d.cut(d.from+int(math.Floor(float64(d.Rows())*(1-fraction))), fraction)
}

// SplitDocuments divides the documents into the first ones and the last fraction
// of them.
func (d *Documents) SplitDocuments(fraction float64) (train, valid *Documents, err error) {
	first, last := d.document(d.from), d.document(d.to-1)
	n := int(math.Floor(float64(last-first+1) * (1 - fraction)))
	return d.cut(max(d.from, d.start(first+n)), fraction)
}

func (d *Documents) cut(at int, fraction float64) (train, valid *Documents, err error) {
	if !(fraction > 0 && fraction < 1) {
		return nil, nil, fmt.Errorf("data: a validation share of %v is not between 0 and 1", fraction)
	}
	if at <= d.from || at >= d.to {
		return nil, nil, fmt.Errorf("data: a validation share of %v of %d documents leaves one part empty: give more text", fraction, len(d.docs))
	}
	a, b := *d, *d
	a.to, b.from = at, at
	b.o.Shuffle = false
	for _, part := range []*Documents{&a, &b} {
		part.at, part.order, part.pass = Cursor{}, nil, -1
	}
	return &a, &b, nil
}

// Rows is the number of rows of a pass.
func (d *Documents) Rows() int { return d.to - d.from }

// Targets is the number of predictions of a pass.
func (d *Documents) Targets() int64 {
	if d.o.Form == LastPosition {
		return int64(d.Rows())
	}
	var n int64
	for row := d.from; row < d.to; row++ {
		in, _ := d.row(row)
		n += int64(len(in))
	}
	return n
}

// Windows returns the number of batches in a pass.
func (d *Documents) Windows() int64 { return int64((d.Rows() + d.o.Rows - 1) / d.o.Rows) }

// Lanes is B, the number of rows of every batch.
func (d *Documents) Lanes() int { return d.o.Rows }

// Cursor returns the place of the next batch.
func (d *Documents) Cursor() Cursor { return d.at }

// Seek goes to a place that Cursor returned, of a feed of the same documents and
// options.
func (d *Documents) Seek(c Cursor) error {
	if c.Pass < 0 || c.Window < 0 || c.Window >= d.Windows() {
		return fmt.Errorf("data: batch %d of pass %d, a pass has %d", c.Window, c.Pass, d.Windows())
	}
	d.at = c
	return nil
}

// Next fills b with the next batch, reusing its slices.
func (d *Documents) Next(b *Batch) error {
	first := int(d.at.Window) * d.o.Rows
	rows := min(d.o.Rows, d.Rows()-first)
	longest := 0
	for r := range rows {
		in, _ := d.row(d.place(first + r))
		longest = max(longest, len(in))
	}
	b.size(longest, d.o.Rows)
	b.Reset = true
	for r := range d.o.Rows {
		var in, want []int32
		if r < rows {
			in, want = d.row(d.place(first + r))
		}
		fillRow(b, r, in, want)
	}
	d.at.Window++
	if d.at.Window == d.Windows() {
		d.at = Cursor{Pass: d.at.Pass + 1}
	}
	return nil
}

// fillRow writes one row of b: its inputs, and the targets of the last of them.
func fillRow(b *Batch, r int, in, want []int32) {
	skip := len(in) - len(want)
	for t := range b.T {
		k := t*b.B + r
		b.Inputs[k], b.Targets[k] = 0, -1
		if t < len(in) {
			b.Inputs[k] = in[t]
		}
		if t >= skip && t < len(in) {
			b.Targets[k] = want[t-skip]
		}
	}
}

// row returns the inputs of row number i of all, and the targets of the last of
// them.
func (d *Documents) row(i int) (in, want []int32) {
	doc := d.document(i)
	s := d.docs[doc]
	in, want = s[:len(s)-1], s[1:]
	if d.o.Form == LastPosition {
		n := i - d.start(doc) + 1
		in, want = s[:n], s[n:n+1]
	}
	if cut := len(in) - d.o.MaxLen; d.o.MaxLen > 0 && cut > 0 {
		in = in[cut:]
		want = want[max(0, len(want)-d.o.MaxLen):]
	}
	return in, want
}

// document is the document that row i is of.
func (d *Documents) document(i int) int { return sort.SearchInts(d.ends, i+1) }

// start is the first row of a document.
func (d *Documents) start(doc int) int {
	if doc == 0 {
		return 0
	}
	return d.ends[doc-1]
}

// place is the row that comes in place i of the pass.
func (d *Documents) place(i int) int {
	if !d.o.Shuffle {
		return d.from + i
	}
	if d.pass != d.at.Pass {
		d.shuffle()
	}
	return d.from + int(d.order[i])
}

// shuffle draws the order of the pass (Fisher and Yates).
func (d *Documents) shuffle() {
	if d.order == nil {
		d.order = make([]int32, d.Rows())
	}
	for i := range d.order {
		d.order[i] = int32(i)
	}
	rng := rand.New(rand.NewPCG(d.o.Seed, uint64(d.at.Pass)))
	for i := len(d.order) - 1; i > 0; i-- {
		j := int(rng.Uint64() % uint64(i+1))
		d.order[i], d.order[j] = d.order[j], d.order[i]
	}
	d.pass = d.at.Pass
}
