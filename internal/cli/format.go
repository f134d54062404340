package cli

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// commas writes n with thousands separated, as terminals show it.
func commas(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// duration writes d in the few forms of this program: 0.4s 58s 9m58s 1h04m.
func duration(d time.Duration) string {
	if d < 0 {
		return "0s"
	}
	if d < 9950*time.Millisecond {
		return strings.TrimSuffix(fmt.Sprintf("%.1f", d.Seconds()), ".0") + "s"
	}
	s := int64(d.Round(time.Second).Seconds())
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	}
	m := (s + 30) / 60
	return fmt.Sprintf("%dh%02dm", m/60, m%60)
}

// countdown is duration in whole seconds, for time that is left.
func countdown(d time.Duration) string { return duration(max(0, d.Round(time.Second))) }

// clock is elapsed time as a table's first column shows it: 0:07 9:58 1h04m.
func clock(d time.Duration) string {
	s := int64(max(0, d).Seconds())
	if s < 3600 {
		return fmt.Sprintf("%d:%02d", s/60, s%60)
	}
	return duration(d)
}

// fullDuration writes a flag's duration without trailing zero units: 10m, 1h30m.
func fullDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// size writes bytes in decimal units: 512 B, 4 KB, 3.5 MB, 1.1 GB.
func size(bytes int64) string {
	v, unit := float64(bytes), "B"
	for _, u := range []string{"KB", "MB", "GB", "TB"} {
		if v < 999.5 {
			break
		}
		v, unit = v/1000, u
	}
	return short(v) + " " + unit
}

// millions writes large counts as 17.7 M and smaller ones in full.
func millions(n int64) string {
	switch {
	case n >= 1e9:
		return short(float64(n)/1e9) + " G"
	case n >= 1e6:
		return short(float64(n)/1e6) + " M"
	}
	return commas(n)
}

// short keeps one decimal below 100, unless it is zero.
func short(v float64) string {
	if v >= 99.95 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strings.TrimSuffix(strconv.FormatFloat(v, 'f', 1, 64), ".0")
}

// passes writes how often a text is gone through: "1 pass", "0.12 passes".
func passes(v float64) string {
	text := short(v)
	switch {
	case v < 0.01:
		return "under 0.01 passes"
	case v < 0.995:
		text = strconv.FormatFloat(v, 'g', 2, 64)
	case text == "1":
		return "1 pass"
	}
	return text + " passes"
}

// passColumn is the same for a table's column of four.
func passColumn(v float64) string {
	if v < 0.995 {
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return strconv.FormatFloat(v, 'f', 1, 64)
}

// significant writes a perplexity with four digits and no exponent below 1e9; what
// overflows is beyond the largest power of ten.
func significant(v float64) string {
	switch {
	case math.IsNaN(v):
		return "-"
	case math.IsInf(v, 0):
		return ">1e308"
	case v >= 1e9:
		return strconv.FormatFloat(v, 'e', 3, 64)
	}
	decimals := 3
	for limit := 9.9995; v >= limit && decimals > 0; limit *= 10 {
		decimals--
	}
	return strconv.FormatFloat(v, 'f', decimals, 64)
}

// unit is what a model's losses are shown in.
type unit struct {
	token string // "char", "byte", "word"
}

// words reports whether losses are shown as perplexity.
func (u unit) words() bool { return u.token == "word" }

// label names the shown quantity.
func (u unit) label() string {
	if u.words() {
		return "perplexity"
	}
	return "bits/" + u.token
}

// loss writes nats a token in the shown quantity.
func (u unit) loss(nats float64) string {
	switch {
	case math.IsNaN(nats):
		return "-"
	case u.words():
		return significant(math.Exp(nats))
	}
	return fmt.Sprintf("%.3f", nats/math.Ln2)
}

// plural writes a count and its noun: "1 pass", "2 passes".
func plural(n int64, one, many string) string {
	if n == 1 {
		return commas(n) + " " + one
	}
	return commas(n) + " " + many
}

// number is a float64 that JSON can hold: NaN and infinities are null.
type number float64

// MarshalJSON writes full precision, or null.
func (n number) MarshalJSON() ([]byte, error) {
	v := float64(n)
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return []byte("null"), nil
	}
	return strconv.AppendFloat(nil, v, 'g', -1, 64), nil
}
