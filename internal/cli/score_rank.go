package cli

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/refrain-lm/refrain/eval"
)

// rankCap bounds the lines of one list that are held to be ordered.
const rankCap = 64 << 20

// ranked is one candidate of a list.
type ranked struct {
	text  []byte
	score eval.LineScore
	line  int64
}

// collect takes a line into the list at hand; a blank line ends the list.
func (s *scoring) collect(line []byte, more bool) error {
	text := bytes.TrimRight(line, "\r\n")
	if len(text) == 0 && !more {
		return s.flushRanks()
	}
	if s.held += len(text); s.held > rankCap || more {
		return fmt.Errorf("line %d: a list to rank holds 64 MB at most, a line 1 MB; end lists with blank lines", s.number)
	}
	s.ranks = append(s.ranks, ranked{bytes.Clone(text), s.scorer.Score(line, false, false), s.number})
	return nil
}

// flushRanks prints the list, likeliest first; equals keep their order.
func (s *scoring) flushRanks() error {
	if len(s.ranks) == 0 {
		return nil
	}
	slices.SortStableFunc(s.ranks, func(a, b ranked) int {
		switch {
		case a.score.LogProb > b.score.LogProb:
			return -1
		case a.score.LogProb < b.score.LogProb:
			return 1
		}
		return 0
	})
	s.list++
	if s.list > 1 && !s.o.json {
		fmt.Fprintln(s.out)
	}
	for i, r := range s.ranks {
		switch {
		case s.o.json:
			o := s.object(r.score)
			o.Line, o.List, o.Rank, o.Text = r.line, s.list, i+1, string(r.text)
			if err := s.writeJSON(o); err != nil {
				return err
			}
		case s.app.out.terminal:
			head := fmt.Sprintf("%-2d %7.2f nats  ", i+1, r.score.LogProb)
			fmt.Fprintln(s.out, head+cut(visible(string(r.text)), s.app.out.columns()-len(head)))
		default:
			fmt.Fprintf(s.out, "%d\t%.4f\t%s\n", i+1, r.score.LogProb, r.text)
		}
	}
	s.ranks, s.held = s.ranks[:0], 0
	return s.out.Flush()
}
