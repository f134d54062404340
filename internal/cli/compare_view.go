package cli

import (
	"fmt"
	"math"
	"time"

	"github.com/refrain-lm/refrain/compare"
	"github.com/refrain-lm/refrain/train"
)

// compareView shows a comparison on standard error: a row for every run that has
// ended and a moving bar on a terminal, plain lines elsewhere.
type compareView struct {
	out   *stream
	quiet bool
	now   func() time.Time
	live  *live

	unit   unit // what a token is
	last   compare.Event
	lastAt time.Time
	nats   float64 // loss of the run under way
	begun  time.Time
	said   string // last stage named in plain lines
	spoke  time.Time
}

func (a *app) newCompareView(still bool) *compareView {
	v := &compareView{out: a.err, quiet: a.quiet, now: a.now, nats: math.NaN(), begun: a.now()}
	draw := v.bar
	if a.quiet || still {
		draw = nil
	}
	v.last = compare.Event{Stage: compare.StageText}
	v.live = startLive(a.err, draw)
	return v
}

// on takes an event of the comparison.
func (v *compareView) on(e compare.Event) {
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
func (v *compareView) take(e compare.Event) []string {
	if e.Stage == compare.StageWarning || e.Train != nil && e.Train.Kind == train.EventWarning {
		text := e.Text
		if e.Train != nil {
			text = what(e) + ": " + e.Train.Text
		}
		const head = "warning: "
		return []string{v.out.paint(yellow, "warning:") + " " + v.out.fit(head+text, "  ")[len(head):]}
	}
	if what(e) != what(v.last) {
		v.nats = math.NaN()
	}
	v.last, v.lastAt = e, v.now()
	if e.Train != nil && e.Train.Kind == train.EventStep {
		v.nats = e.Train.Loss
	}
	switch {
	case e.Ended:
		return []string{v.endedRow(e)}
	case !v.out.terminal && what(e) != v.said:
		v.said, v.spoke = what(e), v.now()
		return []string{v.now().Format(time.TimeOnly) + " " + v.said + v.remaining()}
	case !v.out.terminal && v.now().Sub(v.spoke) >= plainEvery:
		v.spoke = v.now()
		return []string{v.now().Format(time.TimeOnly) + " " + what(e) + v.losses() + v.remaining()}
	}
	return nil
}

// what names the work under way.
func what(e compare.Event) string {
	switch e.Stage {
	case compare.StageText:
		return "reading text"
	case compare.StagePilot:
		return "measuring the speed of " + e.Model
	case compare.StageSearch, compare.StageFinal:
		if e.Setting == "order" {
			return fmt.Sprintf("counting n-grams, order %g", e.Value)
		}
		if e.Stage == compare.StageFinal {
			return fmt.Sprintf("run %d of %d: %s, seed %d", e.Run, e.Runs, e.Model, e.Seed)
		}
		return fmt.Sprintf("run %d of %d: %s, %s %g", e.Run, e.Runs, e.Model, e.Setting, e.Value)
	case compare.StageMeasure:
		return e.Text
	}
	return "starting"
}

// endedRow is "lstm  learning rate 0.003  1.2345 nats  validation".
func (v *compareView) endedRow(e compare.Event) string {
	head := fmt.Sprintf("seed %d", e.Seed)
	if e.Setting != "" {
		head = fmt.Sprintf("%s %g", e.Setting, e.Value)
	}
	result := "valid " + v.loss(e.Loss)
	if e.Diverged {
		result = "diverged"
	}
	if !v.out.terminal {
		return fmt.Sprintf("%s %s %s %s", v.now().Format(time.TimeOnly), e.Model, head, result)
	}
	at := clock(v.now().Sub(v.begun))
	if v.out.columns() < narrow {
		return cut(fmt.Sprintf("%s %s %s %s", at, e.Model, head, result), v.out.columns())
	}
	return fmt.Sprintf("%-6s%-12s %-20s  %s", at, e.Model, head, result)
}

// loss is nats a token in what is shown.
func (v *compareView) loss(nats float64) string {
	if v.unit.words() {
		return v.unit.label() + " " + v.unit.loss(nats)
	}
	return v.unit.loss(nats) + " " + v.unit.label()
}

func (v *compareView) losses() string {
	if math.IsNaN(v.nats) {
		return ""
	}
	return " train " + v.loss(v.nats)
}

func (v *compareView) remaining() string {
	if v.last.Left <= 0 {
		return ""
	}
	return " left=" + countdown(v.last.Left)
}

// bar is the moving line.
func (v *compareView) bar() bar {
	b := bar{share: -1, what: what(v.last)}
	if v.last.Share > 0 {
		b.share = v.last.Share
	}
	if !math.IsNaN(v.nats) {
		b.speed = v.loss(v.nats)
	}
	if v.last.Left > 0 && v.now().Sub(v.begun) >= 3*time.Second {
		b.left = countdown(v.last.Left-v.now().Sub(v.lastAt)) + " left"
	}
	return b
}

func (v *compareView) close() { v.live.close() }
