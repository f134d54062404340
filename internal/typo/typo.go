package typo

import (
	"errors"
	"slices"
	"strconv"
	"strings"
)

// Nearest is the word of list within a third of its letters of typing errors
// from word, or one that word begins; "" if there is none. Of several as near it
// is the first in alphabetical order; case does not count.
func Nearest(word string, list []string) string {
	word, list = strings.ToLower(word), slices.Sorted(slices.Values(list))
	best, bestAt := "", max(1, (1+len(word))/3)
	for _, w := range list {
		if d := editDistance(word, strings.ToLower(w)); d < bestAt || d == bestAt && best == "" {
			best, bestAt = w, d
		}
	}
	if best == "" && len(word) >= 3 {
		for _, w := range list {
			if strings.HasPrefix(strings.ToLower(w), word) {
				return w
			}
		}
	}
	return best
}

// editDistance counts insertions, deletions, substitutions and swaps of
// neighbours (optimal string alignment).
func editDistance(a, b string) int {
	before, row := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next := make([]int, len(b)+1)
		next[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			next[j] = min(row[j]+1, next[j-1]+1, row[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}

// Value says in a user's words why strconv or time could not read a value; other
// errors as they are.
func Value(err error) string {
	var num *strconv.NumError
	switch {
	case errors.Is(err, strconv.ErrRange):
		return "out of range"
	case errors.As(err, &num) && num.Func == "ParseFloat":
		return "not a number"
	case errors.As(err, &num) && num.Func == "ParseBool":
		return "neither true nor false"
	case errors.As(err, &num) && num.Func == "ParseUint":
		return "not a whole number from 0 up"
	case errors.As(err, &num):
		return "not a whole number"
	case strings.HasPrefix(err.Error(), "time: "):
		return "not a time such as 90s, 10m or 2h"
	}
	return err.Error()
}
