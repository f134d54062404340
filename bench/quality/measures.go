package main

import (
	"regexp"
	"unicode"
)

// clauses splits Chinese verse at punctuation and line ends and returns the
// number of characters of each clause. What follows the last mark is left
// out: a limit may have cut it.
func clauses(text string) []int {
	var lengths []int
	n := 0
	for _, r := range text {
		switch {
		case r == '\n' || unicode.IsPunct(r):
			if n > 0 {
				lengths = append(lengths, n)
			}
			n = 0
		case !unicode.IsSpace(r):
			n++
		}
	}
	return lengths
}

// regularShare is the share of clauses with 5 or 7 characters, the lines of
// Tang verse; 0 for none.
func regularShare(lengths []int) float64 {
	if len(lengths) == 0 {
		return 0
	}
	regular := 0
	for _, n := range lengths {
		if n == 5 || n == 7 {
			regular++
		}
	}
	return float64(regular) / float64(len(lengths))
}

// balance counts the brackets ()[]{} of text and those that have a partner. A
// closing bracket takes the nearest open one of its kind and leaves what was
// opened after that without a partner; so is what the end leaves open.
// Brackets in comments and strings count like all others.
func balance(text string) (paired, all int) {
	var open []rune
	for _, r := range text {
		switch r {
		case '(', '[', '{':
			all++
			open = append(open, r)
		case ')', ']', '}':
			all++
			for i := len(open) - 1; i >= 0; i-- {
				if open[i] == opener(r) {
					paired += 2
					open = open[:i]
					break
				}
			}
		}
	}
	return paired, all
}

func opener(closing rune) rune {
	switch closing {
	case ')':
		return '('
	case ']':
		return '['
	}
	return '{'
}

// longestCopy returns the longest stretch of text that stands in source too,
// the first one of several. It reads source once, through a suffix automaton
// of text (Blumer et al. 1985), so source may be long.
func longestCopy(text, source string) string {
	a := newAutomaton(text)
	state, length, best, end := 0, 0, 0, 0
	runes := []rune(source)
	for i, r := range runes {
		next, ok := a.next(state, r)
		for !ok && state != 0 {
			state = a.states[state].link
			length = a.states[state].length
			next, ok = a.next(state, r)
		}
		if ok {
			state, length = next, length+1
		}
		if length > best {
			best, end = length, i+1
		}
	}
	return string(runes[end-best : end])
}

// blanks are runs of spaces and tabs.
var blanks = regexp.MustCompile(`[ \t]+`)

// oneBlank makes a single space of every run of blanks, so that a copied
// stretch is not mere indentation.
func oneBlank(text string) string { return blanks.ReplaceAllString(text, " ") }

// automaton accepts the substrings of one text.
type automaton struct{ states []automatonState }

type automatonState struct {
	length, link int
	to           map[rune]int
}

func (a *automaton) next(state int, c rune) (int, bool) {
	to, ok := a.states[state].to[c]
	return to, ok
}

func newAutomaton(text string) *automaton {
	a := &automaton{states: []automatonState{{link: -1, to: map[rune]int{}}}}
	last := 0
	for _, r := range text {
		last = a.extend(last, r)
	}
	return a
}

// extend adds one character after the whole text read so far, whose state is last.
func (a *automaton) extend(last int, c rune) int {
	current := len(a.states)
	a.states = append(a.states, automatonState{length: a.states[last].length + 1, to: map[rune]int{}})
	p := last
	for ; p >= 0; p = a.states[p].link {
		if _, ok := a.states[p].to[c]; ok {
			break
		}
		a.states[p].to[c] = current
	}
	if p < 0 {
		return current
	}
	q := a.states[p].to[c]
	if a.states[p].length+1 == a.states[q].length {
		a.states[current].link = q
		return current
	}
	clone := len(a.states)
	to := make(map[rune]int, len(a.states[q].to))
	for c, state := range a.states[q].to {
		to[c] = state
	}
	a.states = append(a.states, automatonState{length: a.states[p].length + 1, link: a.states[q].link, to: to})
	for ; p >= 0 && a.states[p].to[c] == q; p = a.states[p].link {
		a.states[p].to[c] = clone
	}
	a.states[q].link, a.states[current].link = clone, clone
	return current
}

// mean is the mean of one or more values.
func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}
