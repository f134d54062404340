package report

// Texts are laid out before anybody knows the reader's font, so widths are those
// of a wide one (DejaVu Sans; Arial and Segoe are narrower), in ems.

func textWidth(s string, size float64) float64 {
	w := 0.0
	for _, r := range s {
		w += runeWidth(r)
	}
	return w * size
}

func runeWidth(r rune) float64 {
	switch {
	case r == '\u202f':
		return 0.25
	case r == ' ', r == 'i', r == 'j', r == 'l', r == '.', r == ',', r == ':', r == ';', r == '\'', r == '|', r == 'I', r == '/':
		return 0.34
	case r == 't', r == 'f', r == 'r', r == '(', r == ')', r == '-', r == '"':
		return 0.42
	case r == 'm', r == 'M', r == 'w', r == 'W', r == '%', r == '@':
		return 0.97
	case r == '−', r == '<', r == '>', r == '+', r == '=':
		return 0.84
	case r >= '⁰' && r <= '⁹' || r == '⁻' || r == '¹' || r == '²' || r == '³':
		return 0.42
	case r >= '0' && r <= '9':
		return 0.637
	case r >= 'A' && r <= 'Z':
		return 0.72
	case r < 0x2e80:
		return 0.62
	}
	return 1
}

// cut shortens a bold text to a width.
func cut(s string, width float64) string {
	runes := []rune(s)
	for n := len(runes); n > 0; n-- {
		if textWidth(s, labelSize*1.1) <= width {
			break
		}
		s = string(runes[:n-1]) + "…"
	}
	return s
}

// box is an area that a label covers.
type box struct{ x0, y0, x1, y1 float64 }

func (b box) meets(o box) bool {
	return b.x0 < o.x1 && o.x0 < b.x1 && b.y0 < o.y1 && o.y0 < b.y1
}

// nudge moves positions (ascending in want) apart until they are gap from each
// other and within low..high, with the least sum of squared shifts: isotonic
// regression by pooling neighbours.
func nudge(want []float64, gap, low, high float64) []float64 {
	type pool struct {
		sum float64
		n   int
	}
	mean := func(p pool) float64 { return p.sum / float64(p.n) }
	var pools []pool
	for i, w := range want {
		p := pool{w - float64(i)*gap, 1}
		for len(pools) > 0 && mean(pools[len(pools)-1]) > mean(p) {
			last := pools[len(pools)-1]
			p = pool{p.sum + last.sum, p.n + last.n}
			pools = pools[:len(pools)-1]
		}
		pools = append(pools, p)
	}
	var at []float64
	for _, p := range pools {
		v := max(low, min(mean(p), high-float64(len(want)-1)*gap))
		for range p.n {
			at = append(at, v+float64(len(at))*gap)
		}
	}
	return at
}
