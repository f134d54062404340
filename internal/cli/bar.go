package cli

import (
	"fmt"
	"strings"
	"time"
)

// bar is what the moving line shows. Parts that are empty are left out.
type bar struct {
	share float64 // done, 0 to 1; below 0: unknown
	what  string  // a loss while training, else what is under way
	speed string
	left  string
}

// narrow is the width below which the speed goes first.
const narrow = 60

// line renders the bar in at most columns: what does not fit goes in this
// order: speed (always under 60 columns), the bar itself, the time left.
func (b bar) line(columns int) string {
	drawn, percent := "", ""
	if b.share >= 0 {
		drawn, percent = drawBar(b.share), fmt.Sprintf("%d %%", int(100*min(1, b.share)))
	}
	head := strings.TrimSpace(drawn + " " + percent)
	for i, parts := range [][]string{
		{head, b.what, b.speed, b.left},
		{head, b.what, b.left},
		{percent, b.what, b.left},
		{percent, b.what},
	} {
		if i == 0 && columns < narrow-1 {
			continue
		}
		if line := joinParts(parts); textColumns(line) <= columns {
			return line
		}
	}
	return cut(b.what, columns)
}

func joinParts(parts []string) string {
	var kept []string
	for _, p := range parts {
		if p != "" {
			kept = append(kept, p)
		}
	}
	return strings.Join(kept, "  ")
}

const barCells = 20

// drawBar is [=====>     ]; a full one has no head.
func drawBar(share float64) string {
	n := int(share * barCells)
	switch {
	case n >= barCells:
		return "[" + strings.Repeat("=", barCells) + "]"
	case n < 1:
		return "[>" + strings.Repeat(" ", barCells-1) + "]"
	}
	return "[" + strings.Repeat("=", n-1) + ">" + strings.Repeat(" ", barCells-n) + "]"
}

// Marks of a terminal's moving line.
const (
	eraseLine   = "\r\x1b[K"
	refreshTime = 200 * time.Millisecond
)
