package cli

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// live keeps one moving line at the bottom of a terminal. Rows printed through
// it stay above. On other streams only rows appear. A failed write is not
// reported: work goes on when nobody looks any more.
type live struct {
	out  *stream
	mu   sync.Mutex
	draw func() bar // asked five times a second
	at   string     // what the line shows now
	wide int        // the terminal's width when it was drawn
	stop chan struct{}
	done chan struct{}
}

// startLive shows draw's bar until close. draw is called with the lock that
// update holds.
func startLive(out *stream, draw func() bar) *live {
	l := &live{out: out, draw: draw}
	if !out.terminal || draw == nil {
		return l
	}
	l.stop, l.done = make(chan struct{}), make(chan struct{})
	go l.run()
	return l
}

func (l *live) run() {
	defer close(l.done)
	tick := time.NewTicker(refreshTime)
	defer tick.Stop()
	for {
		l.mu.Lock()
		l.repaint("")
		l.mu.Unlock()
		select {
		case <-tick.C:
		case <-l.stop:
			return
		}
	}
}

// repaint writes rows and the moving line in one piece. The lock is held.
func (l *live) repaint(rows string) {
	if l.stop == nil {
		if rows != "" {
			_, _ = io.WriteString(l.out.w, rows)
		}
		return
	}
	columns := l.out.columns()
	line := l.draw().line(columns)
	if rows == "" && line == l.at && columns == l.wide {
		return
	}
	erase := l.erase(columns)
	l.at, l.wide = line, columns
	_, _ = io.WriteString(l.out.w, erase+rows+line)
}

// erase removes the moving line. A window made narrower has broken it into
// several rows, all of which go.
func (l *live) erase(columns int) string {
	if n := textColumns(l.at); columns < l.wide && n > columns+1 {
		return fmt.Sprintf("\r\x1b[%dA\x1b[J", (n-1)/(columns+1))
	}
	return eraseLine
}

// update changes what the line shows.
func (l *live) update(change func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change()
}

// row prints a line that stays.
func (l *live) row(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.repaint(fmt.Sprintf(format, args...) + "\n")
}

// close removes the moving line.
func (l *live) close() {
	if l.stop == nil {
		return
	}
	close(l.stop)
	<-l.done
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = io.WriteString(l.out.w, l.erase(l.out.columns()))
	l.stop = nil
}

// progress shows how far a measurement has come, on terminals only.
type progress struct {
	live  *live
	what  string
	units string
	done  int64
	total int64
	begun time.Time
	now   func() time.Time
}

// startProgress begins a bar for the work that what names, of total units (0:
// unknown).
func (a *app) startProgress(what, units string, total int64) *progress {
	p := &progress{what: what, units: units, total: total, begun: a.now(), now: a.now}
	out := a.err
	draw := p.bar
	if a.quiet {
		draw = nil
	}
	p.live = startLive(out, draw)
	return p
}

// set says how many units are done.
func (p *progress) set(done int64) {
	p.live.update(func() { p.done = done })
}

func (p *progress) close() { p.live.close() }

// bar is what the line shows now; time left after three seconds.
func (p *progress) bar() bar {
	b := bar{share: -1, what: p.what}
	spent := p.now().Sub(p.begun)
	if p.total > 0 {
		b.share = min(1, float64(p.done)/float64(p.total))
	}
	if spent < time.Second || p.done == 0 {
		return b
	}
	b.speed = commas(int64(float64(p.done)/spent.Seconds())) + " " + p.units + "/s"
	if b.share > 0 && spent > 3*time.Second {
		b.left = countdown(time.Duration(float64(spent)*(1-b.share)/b.share)) + " left"
	} else if p.total == 0 {
		b.left = countdown(spent)
	}
	return b
}
