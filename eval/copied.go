package eval

import (
	"slices"
	"strings"

	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/tokenizer"
)

// copiedMost bounds the training tokens that are searched: half a second.
const copiedMost = 16 << 20

// LongestCopy is the longest stretch of the samples that stands in the first
// copiedMost tokens of text, of blanks in a row only one counted. It reads text
// once, through a suffix automaton of the samples (Blumer et al. 1985).
func LongestCopy(tok *tokenizer.Tokenizer, samples []string, text data.Reader) (string, error) {
	blank := blankIDs(tok)
	var letters []int32
	for _, s := range samples {
		letters = append(oneBlank(letters, tok.Encode(nil, []byte(s)), blank), -1)
	}
	for i, id := range letters {
		if id == tok.Unknown() {
			letters[i] = -1 // it stands for many words and equals none
		}
	}
	a := newAutomaton(letters, tok.Size())
	buf, once := make([]int32, 64<<10), []int32{}
	state, length, best, end := int32(0), int32(0), int32(0), int32(0)
	for at, n := int64(0), min(text.Len(), copiedMost); at < n; at += int64(len(buf)) {
		buf = buf[:min(int64(len(buf)), n-at)]
		if err := text.Read(buf, at); err != nil {
			return "", err
		}
		once = oneBlank(once[:0], buf, blank)
		for _, id := range once {
			if state, length = a.read(state, length, id); length > best {
				best, end = length, a.states[state].end
			}
		}
	}
	var found []byte
	for _, id := range letters[end-best : end] {
		found = tok.AppendDecode(found, id)
	}
	return string(found), nil
}

// blankIDs tells which ids are a space or a tab.
func blankIDs(tok *tokenizer.Tokenizer) []bool {
	blank := make([]bool, tok.Size())
	for _, id := range tok.Encode(nil, []byte(" \t")) {
		blank[id] = strings.Trim(string(tok.AppendDecode(nil, id)), " \t") == ""
	}
	return blank
}

// oneBlank appends ids, of blanks in a row only the first, so that mere
// indentation is no copy.
func oneBlank(dst, ids []int32, blank []bool) []int32 {
	for _, id := range ids {
		if n := len(dst); n == 0 || dst[n-1] < 0 || !blank[id] || !blank[dst[n-1]] {
			dst = append(dst, id)
		}
	}
	return dst
}

// automaton accepts the stretches of one sequence of ids.
type automaton struct {
	letter []int32 // of an id: its column in to, -1 for ids that do not occur
	width  int     // columns
	states []automatonState
	to     []int32 // [states, width] the next state, -1: none
}

type automatonState struct {
	length, link, end int32 // longest stretch; its longest other suffix; where it first ends
}

// newAutomaton reads ids below vocabulary; -1 parts sequences.
func newAutomaton(ids []int32, vocabulary int) *automaton {
	a := &automaton{letter: slices.Repeat([]int32{-1}, vocabulary)}
	for _, id := range ids {
		if id >= 0 && a.letter[id] < 0 {
			a.letter[id] = int32(a.width)
			a.width++
		}
	}
	last := a.add(automatonState{link: -1})
	for i, id := range ids {
		if id < 0 {
			last = 0 // stretches do not reach from one sequence into the next
			continue
		}
		last = a.extend(last, a.letter[id], int32(i+1))
	}
	return a
}

func (a *automaton) add(s automatonState) int32 {
	a.states = append(a.states, s)
	a.to = append(a.to, slices.Repeat([]int32{-1}, a.width)...)
	return int32(len(a.states) - 1)
}

func (a *automaton) next(state, c int32) *int32 { return &a.to[int(state)*a.width+int(c)] }

// extend adds the letter c, which ends at end, behind the sequence whose state is last.
func (a *automaton) extend(last, c, end int32) int32 {
	if q := *a.next(last, c); q >= 0 { // of an earlier sequence
		if a.states[q].length == a.states[last].length+1 {
			return q
		}
		return a.split(last, c, q)
	}
	current := a.add(automatonState{length: a.states[last].length + 1, end: end})
	p := last
	for ; p >= 0 && *a.next(p, c) < 0; p = a.states[p].link {
		*a.next(p, c) = current
	}
	if p >= 0 {
		q := *a.next(p, c)
		if a.states[q].length != a.states[p].length+1 {
			q = a.split(p, c, q)
		}
		a.states[current].link = q
	}
	return current
}

// split makes a state of its own for the stretches of q that reach it from p.
func (a *automaton) split(p, c, q int32) int32 {
	clone := a.add(automatonState{length: a.states[p].length + 1, link: a.states[q].link, end: a.states[q].end})
	copy(a.to[int(clone)*a.width:], a.to[int(q)*a.width:int(q+1)*a.width])
	for ; p >= 0 && *a.next(p, c) == q; p = a.states[p].link {
		*a.next(p, c) = clone
	}
	a.states[q].link = clone
	return clone
}

// read follows one more id of the text searched: length ids up to it are a
// stretch of the sequences, and state is theirs.
func (a *automaton) read(state, length, id int32) (int32, int32) {
	c := a.letter[id]
	if c < 0 {
		return 0, 0
	}
	for state > 0 && *a.next(state, c) < 0 {
		state = a.states[state].link
		length = a.states[state].length
	}
	if to := *a.next(state, c); to >= 0 {
		return to, length + 1
	}
	return 0, 0
}
