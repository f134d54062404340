package report

import (
	"math"
	"strconv"
	"strings"
)

const (
	minus = "−"
	thin  = "\u202f" // narrow no-break space, between a number and its unit
)

// fixed writes v with so many decimals. What would round to zero but is not zero
// is written as below the smallest that shows.
func fixed(v float64, decimals int) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "–"
	}
	s := strconv.FormatFloat(math.Abs(v), 'f', decimals, 64)
	if v != 0 && strings.Trim(s, "0.") == "" {
		least := strconv.FormatFloat(math.Pow10(-decimals), 'f', decimals, 64)
		if v < 0 {
			return ">" + thin + minus + least
		}
		return "<" + thin + least
	}
	if v == 0 {
		return "0"
	}
	if v < 0 {
		s = minus + s
	}
	return s
}

// places is how many decimals show two digits of a half width: at most 3.
func places(half float64) int {
	if half <= 0 || math.IsNaN(half) || math.IsInf(half, 0) {
		return 3
	}
	return min(3, max(0, 1-int(math.Floor(math.Log10(round(half, 2))+1e-9))))
}

// significant writes v with so many digits.
func significant(v float64, digits int) string {
	if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return fixed(v, 0)
	}
	magnitude := int(math.Floor(math.Log10(math.Abs(v))))
	if magnitude > 15 { // whose digits float64 does not hold
		return exponent(v)
	}
	if magnitude >= digits {
		return count(int64(math.Round(v)))
	}
	return fixed(v, digits-1-magnitude)
}

// count writes a whole number with commas.
func count(n int64) string {
	s := strconv.FormatInt(max(n, -n), 10)
	for at := len(s) - 3; at > 0; at -= 3 {
		s = s[:at] + "," + s[at:]
	}
	if n < 0 {
		s = minus + s
	}
	return s
}

// short writes a large number in thousands or millions.
func short(v float64) string {
	for _, unit := range []struct {
		of   float64
		name string
	}{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if math.Abs(v) >= unit.of {
			return trim(strconv.FormatFloat(v/unit.of, 'f', 1, 64)) + thin + unit.name
		}
	}
	return trim(strconv.FormatFloat(v, 'f', 1, 64))
}

// rate writes a learning rate as people do: 0.003.
func rate(v float64) string { return trim(strconv.FormatFloat(round(v, 2), 'f', 6, 64)) }

// round keeps so many significant digits.
func round(v float64, digits int) float64 {
	r, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', digits, 64), 64)
	if err != nil {
		return v
	}
	return r
}

func trim(s string) string {
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// power writes 10 to the n.
func power(n int) string {
	digits := strings.NewReplacer("-", "⁻", "0", "⁰", "1", "¹", "2", "²", "3", "³", "4", "⁴", "5", "⁵", "6", "⁶", "7", "⁷", "8", "⁸", "9", "⁹")
	switch n {
	case 0:
		return "1"
	case 1:
		return "10"
	}
	return "10" + digits.Replace(strconv.Itoa(n))
}

// seconds writes a duration.
func seconds(s float64) string {
	switch {
	case s < 10:
		return significant(s, 2) + thin + "s"
	case s < 120:
		return fixed(s, 0) + thin + "s"
	case s < 7200:
		return fixed(s/60, 0) + thin + "min"
	}
	return fixed(s/3600, 1) + thin + "h"
}

// exponent writes a small number as 1.2·10⁻⁶.
func exponent(v float64) string {
	if v == 0 || math.IsNaN(v) {
		return fixed(v, 0)
	}
	e := int(math.Floor(math.Log10(math.Abs(v))))
	mantissa := strconv.FormatFloat(v/math.Pow10(e), 'f', 1, 64)
	if mantissa == "10.0" {
		mantissa, e = "1.0", e+1
	}
	return mantissa + "·" + power(e)
}

// shortRate writes a learning rate as programs do: 3e-3.
func shortRate(v float64) string {
	s := strconv.FormatFloat(round(v, 2), 'e', -1, 64)
	mantissa, e, _ := strings.Cut(s, "e-")
	return mantissa + "e-" + strings.TrimPrefix(e, "0")
}
