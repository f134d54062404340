package eval

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sort"
)

// LineStatsFile holds a model's LineStats in its folder.
const LineStatsFile = "lines.json"

const statQuantiles = 1000

// LineStats is the distribution of bits per byte over the lines of a model's
// validation text: what a line of the kind it knows costs.
type LineStats struct {
	Lines     int64     `json:"lines"`
	Quantiles []float64 `json:"bits_per_byte_quantiles"` // at 0, 1/n, …, 1, ascending
	Top       []float64 `json:"bits_per_byte_top"`       // the highest values, ascending
}

// NewLineStats summarises bits per byte of lines; NaN values are left out.
func NewLineStats(bits []float64) LineStats {
	bits = slices.DeleteFunc(slices.Clone(bits), math.IsNaN)
	slices.Sort(bits)
	s := LineStats{Lines: int64(len(bits))}
	if len(bits) == 0 {
		return s
	}
	n := min(statQuantiles, len(bits))
	for i := range n + 1 {
		s.Quantiles = append(s.Quantiles, bits[i*(len(bits)-1)/n])
	}
	s.Top = bits[max(0, len(bits)-statQuantiles):]
	return s
}

// Rarer is the share of validation lines at or above bits: exact among the
// thousand highest, else to a thousandth (and one line).
func (s LineStats) Rarer(bits float64) float64 {
	if s.Lines == 0 {
		return math.NaN()
	}
	if i := sort.SearchFloat64s(s.Top, bits); i > 0 || int64(len(s.Top)) == s.Lines {
		return float64(len(s.Top)-i) / float64(s.Lines)
	}
	i := sort.SearchFloat64s(s.Quantiles, bits)
	return max(1-float64(i)/float64(len(s.Quantiles)-1), float64(len(s.Top))/float64(s.Lines))
}

// ReadLineStats reads a folder's lines.json.
func ReadLineStats(dir string) (LineStats, error) {
	path := filepath.Join(dir, LineStatsFile)
	raw, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		if _, err := os.Stat(filepath.Join(dir, PlanFile)); err != nil { // of an ARPA file, or saved by a program
			return LineStats{}, fmt.Errorf("%s has no %s, which a run of train leaves: how rare a line is cannot be told", dir, LineStatsFile)
		}
		return LineStats{}, fmt.Errorf("%s has no %s: its run did not finish; go on with: refrain train --resume %s", dir, LineStatsFile, dir)
	}
	if err != nil {
		return LineStats{}, fmt.Errorf("eval: %w", err)
	}
	s, err := parseLineStats(raw)
	if err != nil {
		return s, fmt.Errorf("%s is damaged: %w", path, err)
	}
	return s, nil
}

// parseLineStats accepts only what NewLineStats can have made.
func parseLineStats(raw []byte) (LineStats, error) {
	var s LineStats
	if err := json.Unmarshal(raw, &s); err != nil {
		return s, err
	}
	most := int(min(s.Lines, statQuantiles))
	switch {
	case s.Lines < 0, len(s.Top) != most, most > 0 && len(s.Quantiles) != most+1, most == 0 && len(s.Quantiles) > 0:
		return s, fmt.Errorf("%d quantiles and %d highest values of %d lines", len(s.Quantiles), len(s.Top), s.Lines)
	case !slices.IsSorted(s.Quantiles) || !slices.IsSorted(s.Top):
		return s, errors.New("its values are out of order")
	}
	return s, nil
}
