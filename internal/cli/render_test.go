package cli

import (
	"bytes"
	"math"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/refrain-lm/refrain/train"
)

func TestFormats(t *testing.T) {
	for _, test := range []struct{ name, got, want string }{
		{"commas", commas(1115394), "1,115,394"},
		{"commas below a thousand", commas(999), "999"},
		{"commas below zero", commas(-1234), "-1,234"},
		{"tenths", duration(400 * time.Millisecond), "0.4s"},
		{"seconds", duration(58 * time.Second), "58s"},
		{"seconds rounded up to a minute", duration(59600 * time.Millisecond), "1m00s"},
		{"minutes", duration(9*time.Minute + 58*time.Second), "9m58s"},
		{"hours", duration(64 * time.Minute), "1h04m"},
		{"countdown below zero", countdown(-time.Second), "0s"},
		{"clock", clock(3*time.Minute + 2*time.Second), "3:02"},
		{"flag of ten minutes", fullDuration(10 * time.Minute), "10m"},
		{"flag of an hour", fullDuration(time.Hour), "1h"},
		{"flag of 90 seconds", fullDuration(90 * time.Second), "1m30s"},
		{"flag of 30 seconds", fullDuration(30 * time.Second), "30s"},
		{"bytes", size(512), "512 B"},
		{"kilobytes", size(4000), "4 KB"},
		{"megabytes", size(3_507_716), "3.5 MB"},
		{"many megabytes", size(140e6), "140 MB"},
		{"gigabytes", size(1_100_000_000), "1.1 GB"},
		{"millions", millions(17_694_720), "17.7 M"},
		{"perplexity near one", significant(4.2589), "4.259"},
		{"perplexity of tens", significant(20.224), "20.22"},
		{"perplexity of hundreds", significant(121.43), "121.4"},
		{"perplexity of thousands", significant(10000.4), "10000"},
		{"perplexity that rounds up", significant(9.99996), "10.00"},
		{"perplexity of 30 nats", significant(math.Exp(30)), "1.069e+13"},
		{"perplexity of 800 nats", significant(math.Exp(800)), ">1e308"},
		{"no perplexity", significant(math.NaN()), "-"},
		{"bits", unit{"char"}.loss(math.Ln2 * 2.19), "2.190"},
		{"words", unit{"word"}.loss(math.Log(90.5)), "90.50"},
		{"no loss", unit{"char"}.loss(math.NaN()), "-"},
	} {
		if test.got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, test.got, test.want)
		}
	}
}

func TestVisible(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"plain", "plain"}, {"\x1b[31m", `\x1b[31m`}, {"a\tb\nc\r", `a\tb\nc\r`}, {"\xff\xe4\xbd", `\xff\xe4\xbd`},
		{"春眠", "春眠"}, {"\u202eevil", `\xe2\x80\xaeevil`}, {"\u0085", `\xc2\x85`}, {"\x00", `\x00`}, {"👩‍🚀", "👩‍🚀"},
	} {
		if got := visible(test.in); got != test.want {
			t.Errorf("visible(%q) = %q, want %q", test.in, got, test.want)
		}
	}
	if got := string(appendVisible(nil, []byte("a\n\tb\x07"), true)); got != "a\n\tb\\x07" {
		t.Errorf("lines kept: %q", got)
	}
}

func TestWidths(t *testing.T) {
	for _, test := range []struct {
		text string
		want int
	}{{"abc", 3}, {"春眠", 4}, {"e\u0301", 1}, {"ü", 1}, {"ＡＢ", 4}, {"", 0}} {
		if got := textColumns(test.text); got != test.want {
			t.Errorf("textColumns(%q) = %d, want %d", test.text, got, test.want)
		}
	}
	if got := cut("春眠不覺曉", 5); got != "春眠" {
		t.Errorf("cut to 5 columns: %q", got)
	}
	for _, l := range strings.Split(wrap("one two three four five six", "    ", 12), "\n") {
		if len(l) > 12 {
			t.Errorf("wrapped line %q", l)
		}
	}
}

func TestQuote(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"book-model", "book-model"}, {"The king", `"The king"`}, {"", `""`}, {"it's", `"it's"`},
		{"$(id)", `'$(id)'`}, {`a"b'c`, `'a"b'\''c'`}, {"a;b", `"a;b"`}, {"春", `"春"`},
	} {
		if got := quote(test.in); got != test.want && runtime.GOOS != "windows" {
			t.Errorf("quote(%q) = %s, want %s", test.in, got, test.want)
		}
	}
	if got := quotePath("-x"); got != "./-x" && runtime.GOOS != "windows" {
		t.Errorf("quotePath(-x) = %s", got)
	}
}

func TestShellReadsQuotesBack(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no sh here")
	}
	for _, word := range []string{"plain", "two words", "$HOME `id` $(id)", `back\slash`, `"'`, "!x", "line\nend", "*?[a]", "~", "#a", "a&b|c>d", "\t"} {
		out, err := exec.Command(sh, "-c", "printf %s "+quote(word)).Output()
		if err != nil || string(out) != word {
			t.Errorf("sh reads %s as %q, %v; want %q", quote(word), out, err, word)
		}
	}
}

func TestPeerNamesExist(t *testing.T) {
	a := newApp([]string{"refrain"}, strings.NewReader(""), &bytes.Buffer{}, &bytes.Buffer{}, nil)
	root := a.root()
	for peer, ours := range peerNames {
		if !isFlagOfAny(root, ours) {
			t.Errorf("%s points to --%s, which no verb has", peer, ours)
		}
		if isFlagOfAny(root, peer) && peer != "words" && peer != "sentence" && peer != "maxlen" { // mean something else with another verb
			t.Errorf("%s is a flag of ours", peer)
		}
	}
}

func TestBarFits(t *testing.T) {
	b := bar{share: 0.5, what: "2.190 bits/char", speed: "30,412 tokens/s", left: "4m58s left"}
	for _, test := range []struct {
		columns int
		want    string
	}{
		{79, "[=========>          ]  50 %  2.190 bits/char  30,412 tokens/s  4m58s left"},
		{58, "[=========>          ]  50 %  2.190 bits/char  4m58s left"},
		{49, "50 %  2.190 bits/char  4m58s left"},
		{39, "50 %  2.190 bits/char  4m58s left"},
		{24, "50 %  2.190 bits/char"},
		{10, "2.190 bits"},
	} {
		got := b.line(test.columns)
		if want := strings.Replace(test.want, "]  50", "] 50", 1); got != want {
			t.Errorf("%d columns: got  %q\nwant %q", test.columns, got, want)
		}
		if textColumns(got) > test.columns {
			t.Errorf("%d columns: %q is wider", test.columns, got)
		}
	}
	for _, share := range []float64{0, 0.01, 0.999, 1, 2} {
		if drawn := drawBar(share); len(drawn) != barCells+2 {
			t.Errorf("drawBar(%v) = %q", share, drawn)
		}
	}
}

// window is a terminal of a test, of changing width.
type window struct {
	bytes.Buffer
	columns int
}

func (w *window) Size() (int, int) { return w.columns, 24 }

func viewOn(w *window, env map[string]string, token string) (*trainView, *time.Time) {
	clock := time.Date(2026, 3, 1, 14, 27, 3, 0, time.UTC)
	out := openStream(w, env)
	v := &trainView{out: out, now: func() time.Time { return clock }, unit: unit{token}, loss: math.NaN(), saved: -1}
	v.live = &live{out: out, draw: v.bar}
	return v, &clock
}

func stepEvent(kind string, valid float64, text string) train.Event {
	return train.Event{Kind: kind, Step: 1076, Steps: 2160, Pass: 8.8, Loss: 2.204 * math.Ln2, Valid: valid * math.Ln2, Text: text,
		TokensPerSecond: 30412, Elapsed: 5 * time.Minute, Left: 4*time.Minute + 58*time.Second, LR: 0.002}
}

func TestRowsFit(t *testing.T) {
	for _, columns := range []int{80, 50, 40} {
		w := &window{columns: columns}
		v, _ := viewOn(w, map[string]string{"NO_COLOR": "1"}, "char")
		rows := v.take(stepEvent(train.EventStep, math.NaN(), ""))
		rows = append(rows, v.take(stepEvent(train.EventValid, 2.301, "the state of\tthe heart, 春眠不覺曉 and the king of the \x1b[31m land"))...)
		if len(rows) != 2 {
			t.Fatalf("%d columns: rows %q", columns, rows)
		}
		for _, r := range rows {
			if textColumns(r) >= columns || strings.ContainsRune(r, 0x1b) {
				t.Errorf("%d columns: row %q of %d", columns, r, textColumns(r))
			}
		}
		if want := "5:00   8.8  2.204  2.301  the state"; !strings.HasPrefix(rows[1], want) {
			t.Errorf("%d columns: row %q, want %q", columns, rows[1], want)
		}
	}
}

func TestPlainLines(t *testing.T) {
	for _, test := range []struct {
		name, token, want string
		env               map[string]string
		w                 *window
	}{
		{"dumb terminal", "char", "14:27:03 step=1076 left=4m58s train=2.204 valid=2.301 bits/char 30412 tokens/s", map[string]string{"TERM": "dumb"}, &window{columns: 80}},
		{"CI", "byte", "14:27:03 step=1076 left=4m58s train=2.204 valid=2.301 bits/byte 30412 tokens/s", map[string]string{"CI": "true"}, &window{columns: 80}},
		{"words", "word", "14:27:03 step=1076 left=4m58s train=4.608 valid=4.928 perplexity 30412 tokens/s", map[string]string{"CI": "1"}, &window{columns: 80}},
	} {
		v, _ := viewOn(test.w, test.env, test.token)
		rows := v.take(stepEvent(train.EventValid, 2.301, "sample"))
		if len(rows) != 1 || rows[0] != test.want {
			t.Errorf("%s: %q\nwant %q", test.name, rows, test.want)
		}
	}
}

func TestPlainLinesEveryHalfMinute(t *testing.T) {
	v, now := viewOn(&window{columns: 80}, map[string]string{"CI": "1"}, "char")
	lines := 0
	for range 100 {
		lines += len(v.take(stepEvent(train.EventStep, math.NaN(), "")))
		*now = now.Add(time.Second)
	}
	if lines != 4 { // at once, after 30, 60 and 90 seconds
		t.Errorf("%d lines in 100 seconds", lines)
	}
}

func TestLiveLine(t *testing.T) {
	w := &window{columns: 80}
	l := &live{out: openStream(w, nil), draw: func() bar {
		return bar{share: 0.5, what: "2.190 bits/char", speed: "30,412 tokens/s", left: "4m58s left"}
	}, stop: make(chan struct{})}
	l.repaint("")
	l.repaint("") // nothing has changed
	if n := strings.Count(w.String(), "\r"); n != 1 {
		t.Errorf("painted %d times: %q", n, w.String())
	}
	w.Reset()
	l.repaint("row\n")
	if got := w.String(); !strings.HasPrefix(got, "\r\x1b[Krow\n[=") || strings.HasSuffix(got, "\n") {
		t.Errorf("row and bar: %q", got)
	}
	w.Reset()
	w.columns = 50 // the terminal has broken the line in two
	l.repaint("")
	if got := w.String(); !strings.HasPrefix(got, "\r\x1b[1A\x1b[J50 %") {
		t.Errorf("after the window shrank: %q", got)
	}
}

func TestStreamsAreJudgedAlone(t *testing.T) {
	for _, test := range []struct {
		name             string
		terminal         bool
		env              map[string]string
		flag             string
		wantLive, colour bool
	}{
		{"terminal", true, nil, "auto", true, true},
		{"file", false, nil, "auto", false, false},
		{"NO_COLOR", true, map[string]string{"NO_COLOR": "1"}, "auto", true, false},
		{"NO_COLOR over FORCE_COLOR", true, map[string]string{"NO_COLOR": "1", "FORCE_COLOR": "1"}, "auto", true, false},
		{"FORCE_COLOR into a file", false, map[string]string{"FORCE_COLOR": "1"}, "auto", false, true},
		{"CLICOLOR_FORCE into a file", false, map[string]string{"CLICOLOR_FORCE": "1"}, "auto", false, true},
		{"CLICOLOR_FORCE=0", false, map[string]string{"CLICOLOR_FORCE": "0"}, "auto", false, false},
		{"dumb", true, map[string]string{"TERM": "dumb"}, "auto", false, false},
		{"dumb but forced", true, map[string]string{"TERM": "dumb", "FORCE_COLOR": "1"}, "auto", false, true},
		{"CI", true, map[string]string{"CI": "true"}, "auto", false, true},
		{"flag over NO_COLOR", false, map[string]string{"NO_COLOR": "1"}, "always", false, true},
		{"flag against a terminal", true, nil, "never", true, false},
	} {
		var s *stream
		if test.terminal {
			s = openStream(&window{columns: 80}, test.env)
		} else {
			s = openStream(&bytes.Buffer{}, test.env)
		}
		if s.terminal != test.wantLive {
			t.Errorf("%s: live %v", test.name, s.terminal)
		}
		if got := wantsColour(test.flag, test.env, test.terminal); got != test.colour {
			t.Errorf("%s: colour %v", test.name, got)
		}
	}
}

func TestDigits(t *testing.T) {
	for _, test := range []struct {
		bits float64
		want string
		look style
	}{{0.49, ".", ""}, {0.5, "1", ""}, {2.4, "2", ""}, {2.5, "3", underline}, {5.4, "5", underline}, {6, "6", alarm}, {8.49, "8", alarm}, {8.5, "9", reverse}, {40, "9", reverse}, {math.Inf(1), "9", reverse}} {
		if got := digit(test.bits); got != test.want || look(test.bits) != test.look {
			t.Errorf("%v bits: %q %q", test.bits, got, look(test.bits))
		}
	}
}

func TestPlotStaysInside(t *testing.T) {
	var points []point
	for i := range 20 {
		points = append(points, point{float64(100 * i), 3 - math.Sqrt(float64(i))/3})
	}
	rows := plot(points, 8, 60, unit{"char"}.loss)
	if len(rows) != 8 || !strings.Contains(rows[0], "4.328 |*") || !strings.HasSuffix(rows[7], "*") {
		t.Errorf("%q", strings.Join(rows, "\n"))
	}
	for _, r := range rows {
		if len(r) > 69 {
			t.Errorf("row %q", r)
		}
	}
	if got := plot(points[:1], 8, 60, unit{"char"}.loss); len(got) != 1 {
		t.Errorf("one point: %q", got)
	}
}

func FuzzParseConfig(f *testing.F) {
	for _, seed := range []string{"lr: 0.1\n", "stop: [a, b]\n", "- a\n", "a: {b: c}\n", "a: &x 1\nb: *x\n", "\x00", "lr: ~\n", "? [a]\n: b\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		settings, err := parseConfig(raw)
		if err == nil {
			for _, s := range settings {
				if s.name == "" {
					t.Errorf("a setting without name in %q", raw)
				}
			}
		} else if strings.Contains(err.Error(), "\n") {
			t.Errorf("error of several lines: %q", err)
		}
	})
}
