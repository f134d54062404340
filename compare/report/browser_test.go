package report_test

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/refrain-lm/refrain/compare"
	"github.com/refrain-lm/refrain/compare/report"
)

//go:embed testdata/checks.js
var checks string

// browser is a headless Chromium on one page, and what it reported.
type browser struct {
	t     *testing.T
	ctx   context.Context
	heard *heard
}

// heard collects requests, and the lines of the console.
type heard struct {
	mu       sync.Mutex
	url      string // of the page, which may be asked for
	loads    int
	unwanted []string
}

// open starts Chromium; without one the test is skipped.
func open(t *testing.T) *browser {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Skip("no Chromium or Chrome on the path; the page is not looked at (on Debian: apt-get install chromium)")
	}
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(path), chromedp.NoSandbox)
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	b := &browser{t, ctx, &heard{}}
	if err := chromedp.Listen(ctx, b.heard.hear); err != nil {
		t.Fatal(err)
	}
	call(b, network.Enable, network.EnableParams{})
	call(b, log.Enable, cdp.Empty{})
	call(b, runtime.Enable, cdp.Empty{})
	return b
}

func (h *heard) hear(event any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		if e.Request.URL == h.url {
			h.loads++
		} else {
			h.unwanted = append(h.unwanted, "request of "+e.Request.URL)
		}
	case *runtime.EventConsoleAPICalled:
		h.unwanted = append(h.unwanted, fmt.Sprintf("console %s", e.Type))
	case *runtime.EventExceptionThrown:
		h.unwanted = append(h.unwanted, e.ExceptionDetails.Text)
	case *log.EventEntryAdded:
		h.unwanted = append(h.unwanted, e.Entry.Text)
	}
}

// silent wants nothing but the page to have been asked for, and no line.
func (b *browser) silent() {
	b.t.Helper()
	h := b.heard
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.loads == 0 {
		b.t.Error("not even the page was asked for; the test hears nothing")
	}
	for _, u := range h.unwanted {
		b.t.Errorf("the browser reports: %s", u)
	}
}

func (b *browser) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

// call runs a command of the browser's protocol.
func call[P, R any](b *browser, command cdp.Command[P, R], params P) R {
	b.t.Helper()
	out, err := chromedp.Call(b.ctx, command, params)
	if err != nil {
		b.t.Fatal(err)
	}
	return out
}

func value[T any](b *browser, action chromedp.Action[T]) T {
	b.t.Helper()
	out, err := chromedp.Run(b.ctx, action)
	if err != nil {
		b.t.Fatal(err)
	}
	return out
}

// ask runs an expression over the functions of checks.js.
func ask[T any](b *browser, expression string) T {
	b.t.Helper()
	return value(b, chromedp.Evaluate[T]("(()=>{"+checks+"return "+expression+"})()"))
}

// none wants a list of complaints to be empty.
func (b *browser) none(what, expression string) {
	b.t.Helper()
	wrong := ask[[]string](b, expression)
	for i, w := range wrong {
		if i == 8 {
			b.t.Errorf("%s: %d more", what, len(wrong)-i)
			break
		}
		b.t.Errorf("%s: %s", what, w)
	}
}

// load writes a report and opens its page.
func (b *browser) load(r compare.Result) report.Document {
	b.t.Helper()
	dir := b.t.TempDir()
	if err := report.Write(dir, r, report.Options{Timings: true}); err != nil {
		b.t.Fatal(err)
	}
	var d report.Document
	b.visit(dir, &d)
	return d
}

// visit opens the page in dir, and reads its report.json.
func (b *browser) visit(dir string, document any) {
	b.t.Helper()
	url := "file://" + filepath.Join(dir, "report.html")
	b.heard.mu.Lock()
	b.heard.url = url
	b.heard.mu.Unlock()
	b.do(chromedp.Navigate(url))
	text, err := os.ReadFile(filepath.Join(dir, "report.json"))
	if err == nil {
		err = json.Unmarshal(text, document)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *browser) width(w int64) {
	call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: w, Height: 900, DeviceScaleFactor: 1})
}

func (b *browser) scripts(off bool) {
	call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: off})
}

func (b *browser) media(kind string, features ...string) {
	m := emulation.SetEmulatedMediaParams{Media: kind}
	for i := 0; i < len(features); i += 2 {
		m.Features = append(m.Features, &emulation.MediaFeature{Name: features[i], Value: features[i+1]})
	}
	call(b, emulation.SetEmulatedMedia, m)
}

// keepPicture saves what the browser shows, with -keep.
func (b *browser) keepPicture(name string) {
	if *keep == "" {
		return
	}
	picture := value(b, chromedp.FullScreenshot(100))
	if err := os.WriteFile(filepath.Join(*keep, name), picture, 0o666); err != nil {
		b.t.Fatal(err)
	}
}

var questions = []string{
	"Which predicts this text best, and how sure is that?", "What was equal?", "Was each tuned alike?", "How fast did each learn?",
	"How much context does each use?", "Which words make the difference?", "How far do gradients reach; are gates stuck?",
	"What does each cost?", "What do they write?", "Where do they disagree?", "How do I get these numbers again?", "Data",
}

// TestPageInBrowser goes through the checklist that a page must pass.
func TestPageInBrowser(t *testing.T) {
	b := open(t)
	b.width(1280)
	d := b.load(plausible(6))

	want := []string{"H1 Language models of shakespeare.txt on equal terms"}
	for i, q := range questions {
		want = append(want, fmt.Sprintf("H2 %d. %s", i+1, q))
	}
	b.checklist(d, want, 30, "")
	t.Run("keys", func(t *testing.T) {
		b := b.in(t)
		b.keys()
		b.do(chromedp.Focus(chromedp.CSS("#f-loss")), chromedp.KeyEvent(kb.ArrowRight))
		const read = "document.querySelector('#f-loss output').textContent"
		first := ask[string](b, read)
		b.do(chromedp.KeyEvent(kb.ArrowRight))
		if second := ask[string](b, read); !strings.HasPrefix(first, "LSTM") || first == second {
			t.Errorf("arrows read %q, then %q", first, second)
		}
	})
	t.Run("crowded", func(t *testing.T) {
		b := b.in(t)
		b.load(crowded())
		b.none("figures", "checks.svgs()")
		for _, width := range []int64{1280, 360} {
			b.width(width)
			b.none("layout", "checks.layout()")
			b.keepPicture(fmt.Sprintf("crowded-%d.png", width))
		}
	})
	t.Run("hostile text", func(t *testing.T) {
		b := b.in(t)
		b.width(360)
		b.load(hostile())
		if ask[bool](b, "'taken' in window") {
			t.Error("the text's script ran")
		}
		if got := ask[[]string](b, "checks.headings()"); len(got) != 13 {
			t.Errorf("headings %q", got)
		}
		b.none("figures", "checks.svgs()")
		b.none("layout", "checks.layout()")
		b.none("contrast", "checks.contrast()")
		b.keepPicture("hostile-360.png")
		b.silent()
	})
}

// checklist goes through what every page must pass, whatever it is about: its
// headings, and at least so many numbers in its prose. Pictures are kept under names
// that begin with prefix.
func (b *browser) checklist(document any, headings []string, leastNumbers int, prefix string) {
	b.t.Run("offline, silent, complete", func(t *testing.T) {
		b := b.in(t)
		with := ask[string](b, "checks.counts()")
		b.scripts(true)
		b.do(chromedp.Reload())
		b.scripts(false)
		if without := ask[string](b, "checks.counts()"); with != without {
			t.Errorf("without scripts %s, with them %s", without, with)
		}
		b.do(chromedp.Reload())
		b.silent()
	})
	b.t.Run("headings, names, marks, values", func(t *testing.T) {
		b := b.in(t)
		if got := ask[[]string](b, "checks.headings()"); !slices.Equal(got, headings) {
			t.Errorf("headings %q", got)
		}
		b.none("figures", "checks.svgs()")
		b.none("values", "checks.values()")
	})
	b.t.Run("prose equals JSON", func(t *testing.T) {
		b := b.in(t)
		numbers := ask[[][3]string](b, "checks.numbers()")
		if len(numbers) < leastNumbers {
			t.Errorf("only %d numbers in the prose", len(numbers))
		}
		sameAsJSON(t, document, numbers)
	})
	for _, width := range []int64{360, 768, 1280} {
		b.t.Run(fmt.Sprintf("%d pixels", width), func(t *testing.T) {
			b := b.in(t)
			b.width(width)
			b.none("layout", "checks.layout()")
			b.keepPicture(prefix + fmt.Sprintf("light-%d.png", width))
		})
	}
	for name, features := range map[string][]string{
		"light": {"prefers-color-scheme", "light"}, "dark": {"prefers-color-scheme", "dark"},
		"forced": {"forced-colors", "active"}, "forced dark": {"forced-colors", "active", "prefers-color-scheme", "dark"},
	} {
		b.t.Run("contrast, "+name, func(t *testing.T) {
			b := b.in(t)
			b.width(1280)
			b.media("screen", features...)
			b.none("contrast", "checks.contrast()")
			b.keepPicture(prefix + name + "-1280.png")
			b.width(360)
			b.none("contrast", "checks.contrast()")
			b.keepPicture(prefix + name + "-360.png")
		})
	}
	b.t.Run("paper", func(t *testing.T) {
		b := b.in(t)
		b.media("print", "prefers-color-scheme", "dark")
		b.width(673) // A4 less margins of 16 mm
		b.none("paper", "checks.paper()")
		b.none("contrast", "checks.contrast()")
		b.keepPicture(prefix + "print.png")
		b.media("", "prefers-color-scheme", "dark")
		yes := true
		pdf := call(b, page.PrintToPDF, page.PrintToPDFParams{PreferCSSPageSize: &yes, PrintBackground: &yes}).Data
		if !strings.HasPrefix(string(pdf), "%PDF-") {
			t.Error("no PDF came out")
		}
		if *keep != "" {
			if err := os.WriteFile(filepath.Join(*keep, prefix+"report.pdf"), pdf, 0o666); err != nil {
				t.Fatal(err)
			}
		}
		b.media("")
	})
}

// crowded has eight models, some of long names, some close to each other, and words
// for tokens.
func crowded() compare.Result {
	r := plausible(6)
	r.Text.Unit, r.Text.Tokenizer, r.Text.Lossy = "word", "word", true
	for i, name := range []string{"LSTM + 5-gram", "LSTM without output gate"} {
		m := r.Models[1]
		m.Name, m.Kind = name, []string{compare.KindMix, compare.KindLSTMNoGate}[i]
		m.Runs = slices.Clone(m.Runs)
		for j := range m.Runs {
			m.Runs[j].TestLoss += 0.0003
		}
		r.Models = append(r.Models, m)
	}
	r.Sentence.Tokens = strings.Fields("the unforgettable committee said that it had not , in its opinion , been given what was")
	for i := range r.Models {
		for len(r.Models[i].Surprisal) < len(r.Sentence.Tokens) {
			r.Models[i].Surprisal = append(r.Models[i].Surprisal, 3)
		}
		r.Models[i].Surprisal = r.Models[i].Surprisal[:len(r.Sentence.Tokens)]
	}
	return r
}

// in reports to a subtest.
func (b *browser) in(t *testing.T) *browser { return &browser{t, b.ctx, b.heard} }

// keys goes through the page with Tab.
func (b *browser) keys() {
	b.width(1280)
	b.do(chromedp.Reload())
	want := ask[[]string](b, "checks.stops()")
	if len(want) < 15 {
		b.t.Errorf("only %d figures and tables", len(want))
	}
	for _, stop := range want {
		b.do(chromedp.KeyEvent(kb.Tab))
		if got := ask[string](b, "checks.focused()"); got != stop {
			b.t.Errorf("Tab reaches %q, want %q", got, stop)
			return
		}
	}
}

// sameAsJSON wants every number of the prose at its place in the JSON, and what
// is read to be that number.
func sameAsJSON(t *testing.T, d any, numbers [][3]string) {
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	var tree any
	if err := json.Unmarshal(text, &tree); err != nil {
		t.Fatal(err)
	}
	for _, n := range numbers {
		path, written, read := n[0], n[1], n[2]
		at := tree
		for _, key := range strings.Split(path, ".") {
			switch node := at.(type) {
			case map[string]any:
				at = node[key]
			case []any:
				i, err := strconv.Atoi(key)
				if err != nil || i >= len(node) {
					t.Fatalf("%s: no such place", path)
				}
				at = node[i]
			}
		}
		value, ok := at.(float64)
		if w, err := strconv.ParseFloat(written, 64); !ok || err != nil || w != value {
			t.Errorf("%s is %v in the JSON, the page has %s", path, at, written)
			continue
		}
		if !reads(read, value) {
			t.Errorf("%s: %v reads %q", path, value, read)
		}
	}
}

// reads says that a text is the value, rounded; signs may be turned, since the
// page says how far B is above A.
func reads(text string, value float64) bool {
	text = strings.NewReplacer(",", "", "−", "-", "\u202f", " ").Replace(text)
	number, unit, _ := strings.Cut(text, " ")
	if number == "<" || number == ">" {
		least, err := strconv.ParseFloat(unit, 64)
		return err == nil && math.Abs(value) < math.Abs(least)
	}
	scale := map[string]float64{"": 1, "%": 0.01, "s": 1, "min": 60, "h": 3600}[unit]
	shown, err := strconv.ParseFloat(number, 64)
	if err != nil || scale == 0 {
		return false
	}
	_, decimals, _ := strings.Cut(number, ".")
	half := 0.5 * math.Pow10(-len(decimals))
	if decimals == "" && math.Abs(shown) >= 1000 {
		half = math.Abs(shown) * 0.005 // three digits
	}
	return math.Abs(math.Abs(value)/scale-math.Abs(shown)) <= half*1.000001
}

// hostile is a result whose text tries everything.
func hostile() compare.Result {
	r := plausible(4)
	const attack = "</pre></bdi><script>taken=1</script>\u202eevil\u2066 שלום\x00\x1b[31m" + `<img src=x onerror="taken=1">`
	r.Text.Name = attack + ".txt"
	r.Command = "refrain compare '" + attack + "'"
	r.Prompt.Text = attack
	r.Sentence.Tokens = append([]string{attack, "مرحبا", "\x00"}, r.Sentence.Tokens[3:]...)
	for i := range r.Models {
		r.Models[i].Samples = []compare.Sample{{Text: attack + strings.Repeat("x", 300), CopiedFrom: 3, CopiedTo: 40}}
	}
	return r
}
