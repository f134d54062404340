package tokenizer

import (
	"bytes"
	"hash/maphash"
)

// A table numbers distinct byte strings in the order of their arrival. It
// keeps their bytes end to end in one slice, about 30 bytes a word all told:
// the vocabulary of a 2 GB text fits in memory where a map of strings would
// not. The hash seed differs between processes; nothing depends on it but the
// slots, which are never enumerated.
type table struct {
	seed  maphash.Seed
	slots []slot
	ends  []uint32 // ends[i] is where string i ends in bytes
	bytes []byte
}

// A slot is empty where index is 0, else it holds string index-1.
type slot struct{ hash, index uint32 }

func newTable(n int) *table {
	size := 1 << 8
	for size < 2*n {
		size *= 2
	}
	return &table{seed: maphash.MakeSeed(), slots: make([]slot, size)}
}

// len returns the number of strings.
func (t *table) len() int { return len(t.ends) }

// at returns string i, which must not be changed.
func (t *table) at(i int) []byte {
	var from uint32
	if i > 0 {
		from = t.ends[i-1]
	}
	return t.bytes[from:t.ends[i]:t.ends[i]]
}

// find returns the number of b, or −1 and the slot where it belongs.
func (t *table) find(b []byte) (i int, hash, at uint32) {
	h := uint32(maphash.Bytes(t.seed, b))
	mask := uint32(len(t.slots) - 1)
	for p := h & mask; ; p = (p + 1) & mask {
		s := t.slots[p]
		if s.index == 0 {
			return -1, h, p
		}
		if s.hash == h && bytes.Equal(t.at(int(s.index-1)), b) {
			return int(s.index - 1), h, p
		}
	}
}

// lookup returns the number of b, −1 if it is not there.
func (t *table) lookup(b []byte) int {
	i, _, _ := t.find(b)
	return i
}

// add returns the number of b, which it gets now if it is new.
func (t *table) add(b []byte) (i int, fresh bool) {
	i, h, p := t.find(b)
	if i >= 0 {
		return i, false
	}
	t.bytes = append(t.bytes, b...)
	t.ends = append(t.ends, uint32(len(t.bytes)))
	t.slots[p] = slot{h, uint32(len(t.ends))}
	if len(t.ends) > len(t.slots)/4*3 {
		t.grow()
	}
	return len(t.ends) - 1, true
}

func (t *table) grow() {
	old := t.slots
	t.slots = make([]slot, 2*len(old))
	mask := uint32(len(t.slots) - 1)
	for _, s := range old {
		if s.index == 0 {
			continue
		}
		p := s.hash & mask
		for t.slots[p].index != 0 {
			p = (p + 1) & mask
		}
		t.slots[p] = s
	}
}
