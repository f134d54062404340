package report

import "testing"

func TestNumbers(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{fixed(-0.0312, 3), "−0.031"},
		{fixed(0.0004, 3), "<\u202f0.001"},
		{fixed(-0.0004, 3), ">\u202f−0.001"},
		{fixed(0, 3), "0"},
		{fixed(2.0004, 3), "2.000"},
		{fixed(0.034, places(0.012)), "0.034"},
		{fixed(0.34, places(0.12)), "0.34"},
		{fixed(1.951, places(0.0998)), "1.95"}, // 0.0998 is 0.10
		{fixed(34.2, places(12)), "34"},
		{significant(0.040912, 3), "0.0409"},
		{significant(89501.2, 3), "89,501"},
		{significant(1.0686e13, 4), "10,686,000,000,000"},
		{significant(1.1420e26, 4), "1.1·10²⁶"},
		{count(-1234567), "−1,234,567"},
		{short(2500), "2.5\u202fk"},
		{short(4e6), "4\u202fM"},
		{rate(0.0003), "0.0003"},
		{shortRate(0.0003), "3e-4"},
		{power(-8), "10⁻⁸"},
		{exponent(0.00000123), "1.2·10⁻⁶"},
		{exponent(0.0000099999), "1.0·10⁻⁵"},
		{seconds(11.2), "11\u202fs"},
		{seconds(600), "10\u202fmin"},
		{visible("a\x00\x1b\u202eb\n"), "a␀␛‹202e›b\n"},
		{inlineCode("a`b"), "`` a`b ``"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

func TestNudge(t *testing.T) {
	for name, c := range map[string]struct {
		want      []float64
		low, high float64
		at        []float64
	}{
		"apart":     {[]float64{10, 50}, 0, 100, []float64{10, 50}},
		"together":  {[]float64{50, 50}, 0, 100, []float64{40, 60}},
		"at an end": {[]float64{95, 99}, 0, 100, []float64{80, 100}},
		"pushed on": {[]float64{30, 35, 52}, 0, 100, []float64{19, 39, 59}},
	} {
		got := nudge(c.want, 20, c.low, c.high)
		for i := range got {
			if diff := got[i] - c.at[i]; diff > 1e-9 || diff < -1e-9 {
				t.Errorf("%s: %v, want %v", name, got, c.at)
				break
			}
		}
	}
}
