package cli

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/refrain-lm/refrain/train"
)

// trainView shows a run on standard error: rows and a moving bar on a
// terminal, plain lines elsewhere.
type trainView struct {
	out     *stream
	quiet   bool
	verbose bool
	now     func() time.Time
	unit    unit
	live    *live

	phase    string // what is under way besides training
	done     int64  // of total in that phase
	total    int64
	began    time.Time // of the first step seen
	last     train.Event
	lastAt   time.Time
	loss     float64 // last training loss, nats
	rate     float64
	digits   bar // the numbers shown, renewed once a second
	digitsAt time.Time
	header   bool
	said     string    // last phase named in plain lines
	spoke    time.Time // last plain step line
	saved    int64     // step that is on disk
}

// plainEvery is the pause between plain lines.
const plainEvery = 30 * time.Second

func (a *app) newTrainView(token string, still bool) *trainView {
	v := &trainView{out: a.err, quiet: a.quiet, verbose: a.verbose, now: a.now, unit: unit{token}, loss: math.NaN(), saved: -1}
	draw := v.bar
	if a.quiet || still {
		draw = nil
	}
	v.phase = "starting"
	v.live = startLive(a.err, draw)
	return v
}

// on takes an event of the run.
func (v *trainView) on(e train.Event) {
	var rows []string
	v.live.update(func() { rows = v.take(e) })
	if v.quiet {
		return
	}
	for _, r := range rows {
		v.live.row("%s", r)
	}
}

// take notes e and returns the rows it makes.
func (v *trainView) take(e train.Event) []string {
	v.phase = ""
	switch e.Kind {
	case train.EventRead, train.EventTokenize, train.EventCount, train.EventPilot, train.EventFinal:
		v.phase, v.done, v.total = phaseName(e.Kind), e.Done, e.Total
		return v.plainPhase()
	case train.EventStep, train.EventValid, train.EventReplan:
		v.note(e)
	case train.EventResume:
		v.note(e)
		v.saved = e.Step
		return nil
	case train.EventSave:
		v.saved = e.Step
		return nil
	case train.EventNote:
		return []string{v.out.fit(e.Text, "  ")}
	case train.EventWarning:
		return []string{v.out.paint(yellow, "warning:") + " " + e.Text}
	}
	switch {
	case e.Kind == train.EventValid && e.Steps == 0:
		return nil // an n-gram model is measured once, and the end tells of it
	case e.Kind == train.EventValid && !math.IsNaN(e.Valid):
		return v.validRows(e)
	case e.Kind == train.EventValid:
		v.phase = "validating"
	case e.Kind == train.EventReplan && v.verbose:
		return []string{"replanned: " + plural(e.Steps, "step", "steps") + " fit the time"}
	case e.Kind == train.EventStep && !v.out.terminal && v.now().Sub(v.spoke) >= plainEvery:
		return []string{v.plainLine(e)}
	}
	return nil
}

func phaseName(kind string) string {
	return map[string]string{
		train.EventRead: "reading text", train.EventTokenize: "encoding text", train.EventCount: "counting n-grams",
		train.EventPilot: "measuring this machine's speed", train.EventFinal: "measuring the best model",
	}[kind]
}

// plainPhase names a new phase in plain lines.
func (v *trainView) plainPhase() []string {
	if v.out.terminal || v.phase == v.said {
		return nil
	}
	v.said = v.phase
	return []string{v.now().Format(time.TimeOnly) + " " + v.phase}
}

func (v *trainView) note(e train.Event) {
	if v.began.IsZero() {
		v.began = v.now()
	}
	if !math.IsNaN(e.Loss) {
		v.loss = e.Loss
	}
	if e.TokensPerSecond > 0 {
		v.rate = e.TokensPerSecond
	}
	v.last, v.lastAt = e, v.now()
}

// validRows are the table's row on a terminal, a plain line elsewhere.
func (v *trainView) validRows(e train.Event) []string {
	if !v.out.terminal {
		return []string{v.plainLine(e)}
	}
	var rows []string
	if !v.header {
		v.header = true
		head := cut(fmt.Sprintf("%-6s%4s  %5s  %5s  %-14s it writes (same seed each time)", "time", "pass", "train", "valid", v.unit.label()), v.out.columns())
		rows = append(rows, v.out.paint(bold, head))
	}
	row := fmt.Sprintf("%-6s%4s  %5s  %5s  ", clock(e.Elapsed), passColumn(e.Pass), v.unit.loss(v.loss), v.unit.loss(e.Valid))
	if room := v.out.columns() - len(row); room > 10 {
		row += oneLine(e.Text, room)
	}
	return append(rows, strings.TrimRight(cut(row, v.out.columns()), " "))
}

// plainLine is "14:27:03 step=1076 left=4m58s train=2.204 valid=2.301 bits/char 30412 tokens/s".
func (v *trainView) plainLine(e train.Event) string {
	v.spoke = v.now()
	var b strings.Builder
	fmt.Fprintf(&b, "%s step=%d left=%s", v.now().Format(time.TimeOnly), e.Step, countdown(e.Left))
	if !math.IsNaN(v.loss) {
		fmt.Fprintf(&b, " train=%s", v.unit.loss(v.loss))
	}
	if !math.IsNaN(e.Valid) {
		fmt.Fprintf(&b, " valid=%s", v.unit.loss(e.Valid))
	}
	fmt.Fprintf(&b, " %s", v.unit.label())
	if v.rate > 0 {
		fmt.Fprintf(&b, " %.0f tokens/s", v.rate)
	}
	if v.verbose && e.LR > 0 {
		fmt.Fprintf(&b, " lr=%.4g norm=%.4g", e.LR, e.Norm)
	}
	return b.String()
}

// bar is the moving line: bar and time follow at once, digits once a second.
func (v *trainView) bar() bar {
	if v.phase != "" {
		b := bar{share: -1, what: v.phase}
		if v.total > 0 {
			b.share = float64(v.done) / float64(v.total)
		}
		return b
	}
	now := v.now()
	b := bar{share: -1}
	if v.last.Steps > 0 {
		b.share = float64(v.last.Step) / float64(v.last.Steps)
	}
	if now.Sub(v.digitsAt) >= time.Second {
		v.digitsAt = now
		v.digits = v.numbers(now)
	}
	b.what, b.speed, b.left = v.digits.what, v.digits.speed, v.digits.left
	return b
}

func (v *trainView) numbers(now time.Time) bar {
	d := bar{what: "training"}
	if !math.IsNaN(v.loss) {
		d.what = v.unit.loss(v.loss) + " " + v.unit.label()
		if v.unit.words() {
			d.what = v.unit.label() + " " + v.unit.loss(v.loss)
		}
	}
	if v.rate > 0 {
		d.speed = commas(int64(v.rate)) + " tokens/s"
	}
	if !v.began.IsZero() && now.Sub(v.began) >= 3*time.Second {
		d.left = countdown(v.last.Left-now.Sub(v.lastAt)) + " left"
	}
	if v.verbose && v.last.LR > 0 {
		d.what += fmt.Sprintf("  lr %.3g", v.last.LR)
	}
	return d
}

// say sets what the bar names: load, save.
func (v *trainView) say(phase string) {
	v.live.update(func() { v.phase, v.total = phase, 0 })
}

func (v *trainView) close() { v.live.close() }
