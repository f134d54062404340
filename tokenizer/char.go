package tokenizer

import (
	"unicode/utf8"
)

// A charset maps characters to ids from 256 on, through pages of 256 code
// points, and remembers which ASCII characters training saw.
type charset struct {
	pages [(utf8.MaxRune + 1) >> 8]uint16 // page of r>>8; page 0 is empty
	cells []int32                         // ids, 256 a page; 0: none
	seen  [utf8.RuneSelf]bool
	all   []rune // what training saw, ASCII too, ascending
	runes []rune // runes[id-256], ascending
	noise uint64 // one character in noise is followed by noise; 0: none
	blank []byte // ASCII that training did not see
}

// newCharset makes a charset of ascending characters.
func newCharset(all []rune, noise uint64) *charset {
	c := &charset{cells: make([]int32, 256), all: all, noise: noise}
	for _, r := range all {
		if r < utf8.RuneSelf {
			c.seen[r] = true
			continue
		}
		page := &c.pages[r>>8]
		if *page == 0 {
			*page = uint16(len(c.cells) >> 8)
			c.cells = append(c.cells, make([]int32, 256)...)
		}
		c.cells[int(*page)<<8|int(r&255)] = int32(256 + len(c.runes))
		c.runes = append(c.runes, r)
	}
	for b, seen := range c.seen {
		if !seen {
			c.blank = append(c.blank, byte(b))
		}
	}
	return c
}

// id returns the id of a non-ASCII character, 0 if it has none.
func (c *charset) id(r rune) int32 {
	return c.cells[int(c.pages[r>>8])<<8|int(r&255)]
}

// encode appends the ids of text.
func (c *charset) encode(dst []int32, text []byte) []int32 {
	for i := 0; i < len(text); {
		if b := text[i]; b < utf8.RuneSelf {
			dst = append(dst, int32(b))
			i++
			continue
		}
		n := 0
		dst, n = c.encodeRune(dst, text[i:])
		i += n
	}
	return dst
}

// encodeRune appends the ids of the non-ASCII character or stray byte that
// text begins with, and returns its length.
func (c *charset) encodeRune(dst []int32, text []byte) ([]int32, int) {
	r, n := utf8.DecodeRune(text)
	if r != utf8.RuneError || n > 1 {
		if id := c.id(r); id != 0 {
			return append(dst, id), n
		}
	}
	for _, b := range text[:n] {
		dst = append(dst, int32(b))
	}
	return dst, n
}

// encodeTraining is encode with noise; offset is where text stands in the
// training text.
func (c *charset) encodeTraining(dst []int32, text []byte, offset uint64) []int32 {
	if c.noise == 0 {
		return c.encode(dst, text)
	}
	limit := ^uint64(0) / c.noise
	for i := 0; i < len(text); {
		h := mix(offset + uint64(i))
		if b := text[i]; b < utf8.RuneSelf {
			dst = append(dst, int32(b))
			i++
		} else {
			n := 0
			dst, n = c.encodeRune(dst, text[i:])
			i += n
		}
		if h < limit {
			dst = c.appendNoise(dst, h)
		}
	}
	return dst
}

// appendNoise appends a character that is not in the charset, in bytes; h
// decides which.
func (c *charset) appendNoise(dst []int32, h uint64) []int32 {
	for range 16 { // most tries succeed; a charset of all Unicode has none
		h = mix(h)
		var r rune
		switch pick := uint32(h>>32) >> 3; uint32(h>>32) & 7 {
		case 0, 1:
			if len(c.blank) == 0 {
				continue
			}
			return append(dst, int32(c.blank[pick%uint32(len(c.blank))]))
		case 2, 3:
			r = rune(0x80 + pick%(0x800-0x80))
		case 4, 5:
			r = rune(0x800 + pick%(0x10000-0x800))
		case 6:
			r = rune(0x10000 + pick%0x10000) // where emoji and historic scripts are
		default:
			return append(dst, int32(0x80+pick%0x80))
		}
		if !utf8.ValidRune(r) || c.id(r) != 0 {
			continue
		}
		var buf [utf8.UTFMax]byte
		for _, b := range buf[:utf8.EncodeRune(buf[:], r)] {
			dst = append(dst, int32(b))
		}
		return dst
	}
	return append(dst, int32(0x80+h>>32&0x7f))
}

// mix is the finalizer of splitmix64 (Steele, Lea, Flood 2014): a bijection of
// 64 bits in which every input bit sways every output bit.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Fallback reports whether id is a byte that only spells characters outside the
// vocabulary of a char tokenizer: one of several, or an ASCII character that the
// training text has nowhere.
func (t *Tokenizer) Fallback(id int32) bool {
	return t.Kind() == Char && id >= 0 && id < 0x100 && (id >= utf8.RuneSelf || !t.chars.seen[id])
}
