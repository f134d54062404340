package train

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/refrain-lm/refrain/checkpoint"
)

// The kinds of events, in the order a run meets them.
const (
	EventRead     = "read"     // reading text: Done of Total bytes
	EventTokenize = "tokenize" // writing ids: Done of Total bytes
	EventCount    = "count"    // counting n-grams: Done of Total tokens
	EventPilot    = "pilot"    // measuring speed
	EventPlan     = "plan"     // the plan is complete
	EventResume   = "resume"   // a run goes on at Step
	EventStep     = "step"     // training: Loss since the last report
	EventValid    = "valid"    // a validation; Text is a sample
	EventSave     = "save"     // a checkpoint is on disk
	EventNote     = "note"     // Text says something worth knowing
	EventWarning  = "warning"  // Text says what happened
	EventReplan   = "replan"   // Steps has changed to fit the time
	EventFinal    = "final"    // measuring the best model: Done of Total tokens
)

// Event tells an onlooker what a run does. Losses are nats a token.
type Event struct {
	Kind            string
	Time            time.Time
	Step, Steps     int64
	Pass            float64 // passes over the training text so far
	Loss, Valid     float64 // NaN where there is none
	Accuracy        float64 // share of the targets behind Loss that were the model's first choice; NaN where there is none
	ValidAccuracy   float64 // of those behind Valid
	Best            bool
	LR, Norm        float64 // learning rate; gradient norm before clipping
	Clip            Clip    // what clipping did
	TokensPerSecond float64
	Elapsed, Left   time.Duration
	Trained         time.Duration // of Elapsed, in training steps alone
	Text            string
	Done, Total     int64
}

// Clip says what clipping did to gradients.
type Clip struct {
	Scale  float64 `json:"scale,omitempty"`  // factor of this step's gradients, 1 where their norm was within --clip; 0: it is off
	Values float64 `json:"values,omitempty"` // share of this step's gradients that --clip-value limited
	Steps  float64 `json:"steps,omitempty"`  // share of the steps since the last report that either changed
}

// record is an Event's line in metrics.jsonl: NaN as null, no empty fields.
type record struct {
	Kind    string   `json:"kind"`
	Time    string   `json:"time,omitempty"`
	Step    int64    `json:"step"`
	Steps   int64    `json:"steps"`
	Pass    float64  `json:"pass"`
	Loss    *float64 `json:"loss,omitempty"`
	Valid   *float64 `json:"valid,omitempty"`
	Hits    *float64 `json:"accuracy,omitempty"`
	VHits   *float64 `json:"valid_accuracy,omitempty"`
	Best    bool     `json:"best,omitempty"`
	LR      float64  `json:"lr,omitempty"`
	Norm    *float64 `json:"norm,omitempty"`
	Clip    Clip     `json:"clip,omitzero"`
	Rate    float64  `json:"tokens_per_second,omitempty"`
	Elapsed float64  `json:"elapsed_seconds,omitempty"`
	Left    float64  `json:"left_seconds,omitempty"`
	Trained float64  `json:"trained_seconds,omitempty"`
	Text    string   `json:"text,omitempty"`
	Done    int64    `json:"done,omitempty"`
	Total   int64    `json:"total,omitempty"`
}

func finite(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

// MarshalJSON writes the event as one flat object; losses that are not there are left out.
func (e Event) MarshalJSON() ([]byte, error) {
	r := record{Kind: e.Kind, Step: e.Step, Steps: e.Steps, Pass: e.Pass, Loss: finite(e.Loss), Valid: finite(e.Valid),
		Hits: finite(e.Accuracy), VHits: finite(e.ValidAccuracy), Best: e.Best, LR: e.LR, Norm: finite(e.Norm), Clip: e.Clip, Rate: e.TokensPerSecond, Elapsed: e.Elapsed.Seconds(),
		Left: e.Left.Seconds(), Trained: e.Trained.Seconds(), Text: e.Text, Done: e.Done, Total: e.Total}
	if !e.Time.IsZero() {
		r.Time = e.Time.UTC().Format(time.RFC3339Nano)
	}
	return json.Marshal(r)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (e *Event) UnmarshalJSON(raw []byte) error {
	var r record
	if err := json.Unmarshal(raw, &r); err != nil {
		return err
	}
	nan := func(p *float64) float64 {
		if p == nil {
			return math.NaN()
		}
		return *p
	}
	*e = Event{Kind: r.Kind, Step: r.Step, Steps: r.Steps, Pass: r.Pass, Loss: nan(r.Loss), Valid: nan(r.Valid), Best: r.Best,
		Accuracy: nan(r.Hits), ValidAccuracy: nan(r.VHits),
		LR: r.LR, Norm: nan(r.Norm), Clip: r.Clip, TokensPerSecond: r.Rate, Text: r.Text, Done: r.Done, Total: r.Total,
		Elapsed: time.Duration(r.Elapsed * float64(time.Second)), Left: time.Duration(r.Left * float64(time.Second)), Trained: time.Duration(r.Trained * float64(time.Second))}
	if r.Time != "" {
		t, err := time.Parse(time.RFC3339Nano, r.Time)
		if err != nil {
			return err
		}
		e.Time = t
	}
	return nil
}

// kept says which events metrics.jsonl keeps.
func (e Event) kept() bool {
	switch e.Kind {
	case EventStep, EventValid, EventNote, EventWarning, EventReplan, EventResume:
		return true
	}
	return false
}

const metricsFile = "metrics.jsonl"

// ReadMetrics reads a run's metrics.jsonl. A last line cut off by a crash is left out.
func ReadMetrics(dir string) ([]Event, error) {
	f, err := os.Open(filepath.Join(dir, metricsFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	defer f.Close()
	return parseMetrics(f)
}

func parseMetrics(r io.Reader) ([]Event, error) {
	var events []Event
	br := bufio.NewReader(r)
	for n := 1; ; n++ {
		line, err := br.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return events, nil // the rest, if any, is a line that was never finished
		}
		if err != nil {
			return events, fmt.Errorf("train: %s: %w", metricsFile, err)
		}
		var e Event
		if err := json.Unmarshal(bytes.TrimSpace(line), &e); err != nil {
			return events, fmt.Errorf("train: %s: line %d is damaged (%w): move the file away to go on without that history", metricsFile, n, err)
		}
		events = append(events, e)
	}
}

// metrics appends events to metrics.jsonl. What a full disk does not take waits
// and goes before the next event, so that no line is lost or torn.
type metrics struct {
	f       checkpoint.Handle
	waiting []byte
}

// openMetrics opens the folder's metrics.jsonl and drops every event that a run
// resumed at step will write again: those after it, and where the phase began
// earlier a second validation at it, which is that of the averaged weights.
func (f folder) openMetrics(step, from int64) (*metrics, error) {
	events, err := ReadMetrics(f.dir)
	if err != nil {
		return nil, err
	}
	measured := false
	events = slices.DeleteFunc(events, func(e Event) bool {
		again := e.Kind == EventValid && e.Step == step && step > from
		drop := e.Step > step || again && measured
		measured = measured || again
		return drop
	})
	err = f.write(metricsFile, func(w io.Writer) error {
		for _, e := range events {
			if err := writeEvent(w, e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	file, err := f.disk.Append(filepath.Join(f.dir, metricsFile))
	if err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	return &metrics{f: file}, nil
}

// write adds an event; close tells of those that could not be written.
func (m *metrics) write(e Event) error {
	var line bytes.Buffer
	if err := writeEvent(&line, e); err != nil {
		return err
	}
	m.waiting = append(m.waiting, line.Bytes()...)
	_ = m.flush()
	return nil
}

func (m *metrics) flush() error {
	n, err := m.f.Write(m.waiting)
	m.waiting = m.waiting[:copy(m.waiting, m.waiting[n:])]
	return err
}

func (m *metrics) close() error {
	err := m.flush()
	if err == nil {
		err = m.f.Sync()
	}
	if cerr := m.f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("train: %s: %w", metricsFile, err)
	}
	return nil
}

func writeEvent(w io.Writer, e Event) error {
	line, err := json.Marshal(e)
	if err == nil {
		_, err = w.Write(append(line, '\n'))
	}
	if err != nil {
		return fmt.Errorf("train: %s: %w", metricsFile, err)
	}
	return nil
}
