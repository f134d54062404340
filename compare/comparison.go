package compare

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/refrain-lm/refrain/checkpoint"
	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/train"
)

// ErrStopped says that the context was cancelled: what was done is saved.
var ErrStopped = train.ErrStopped

// Input is what a comparison reads and where it writes.
type Input struct {
	Sources []data.Source // the text; its last fifth validates and tests, unless these are given:
	Valid   []data.Source
	Test    []data.Source
	Out     string    // the new folder; must not exist
	Command []string  // for the record
	Started time.Time // when the budget began; zero: now
}

// Comparison is a planned comparison that holds its folder's lock.
type Comparison struct {
	dir      string
	lock     *checkpoint.FolderLock
	protocol Protocol
	deadline time.Time // zero: none
	on       func(Event)
	runs     runLog
	clock    clock
}

// Protocol is what the comparison will do.
func (c *Comparison) Protocol() Protocol { return c.protocol }

// Takes guesses what the whole takes after Prepare, where a budget was given in time;
// where that is too little for even the shortest runs it is more.
func (c *Comparison) Takes() time.Duration {
	if c.deadline.IsZero() || !c.clock.known() {
		return 0
	}
	return time.Duration(c.clock.whole() * float64(time.Second))
}

// Dir is the comparison's folder.
func (c *Comparison) Dir() string { return c.dir }

// Close releases the folder.
func (c *Comparison) Close() error { return c.lock.Unlock() }

// Prepare makes the comparison's folder, cuts the text, and writes the plan. It
// calls on, if that is not nil, with every event.
func Prepare(ctx context.Context, s Settings, in Input, on func(Event)) (*Comparison, error) {
	if in.Started.IsZero() {
		in.Started = time.Now()
	}
	if err := s.Validate(); err != nil {
		return nil, err
	}
	s = s.withDefaults()
	c := &Comparison{dir: filepath.Clean(in.Out), on: on}
	c.protocol = Protocol{Version: protocolVersion, Command: in.Command, Settings: s}
	if s.Time > 0 {
		c.deadline = in.Started.Add(s.Time)
	}
	if err := c.makeFolder(); err != nil {
		return nil, err
	}
	if err := c.prepare(ctx, in); err != nil {
		// Nothing has been learnt yet.
		return nil, errors.Join(err, c.Close(), os.RemoveAll(c.dir))
	}
	c.emit(Event{Stage: StagePlan})
	return c, nil
}

func (c *Comparison) makeFolder() error {
	plan, err := indented(planFile, c.protocol)
	if err != nil {
		return err
	}
	err = checkpoint.NewFolder(checkpoint.OS{}, c.dir, []checkpoint.File{{Name: planFile, Write: plan}})
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%s exists already; nothing is overwritten: take another --out, or go on with: refrain compare --resume %s", c.dir, c.dir)
	}
	if err != nil {
		return fmt.Errorf("cannot make the comparison's folder: %w", err)
	}
	c.lock, err = checkpoint.Lock(c.dir)
	return err
}

func (c *Comparison) prepare(ctx context.Context, in Input) (err error) {
	c.emit(Event{Stage: StageText})
	if c.protocol.Text, err = split(filepath.Join(c.dir, textDir), in); err != nil {
		return err
	}
	return c.plan(ctx)
}

// Resume opens a comparison to go on with it as if it had never been stopped. A
// budget in time is not begun anew: what was planned is done.
func Resume(dir string, on func(Event)) (*Comparison, error) {
	p, err := ReadProtocol(dir)
	if err != nil {
		return nil, err
	}
	c := &Comparison{dir: filepath.Clean(dir), protocol: p, on: on}
	c.lock, err = checkpoint.Lock(dir)
	return c, err
}

// Run searches, trains, measures, and returns what came out. Where ctx is
// cancelled it saves and returns ErrStopped. Called again, or after Resume, it goes
// on with what is missing.
func (c *Comparison) Run(ctx context.Context) (Result, error) {
	if err := c.readLog(); err != nil {
		return Result{}, err
	}
	c.clock = newClock(c.protocol)
	chosen, err := c.search(ctx)
	if err != nil {
		return Result{}, err
	}
	if err := c.fitAgain(); err != nil {
		return Result{}, err
	}
	finals, err := c.finals(ctx, chosen)
	if err != nil {
		return Result{}, err
	}
	return c.measure(ctx, chosen, finals)
}

// indented writes v as the file of that name.
func indented(name string, v any) (func(io.Writer) error, error) {
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("compare: %s: %w", name, err)
	}
	return func(w io.Writer) error { _, err := w.Write(append(raw, '\n')); return err }, nil
}
