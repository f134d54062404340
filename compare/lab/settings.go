package lab

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/refrain-lm/refrain/internal/typo"
)

// Settings says what to try. Zero fields mean what their comments say.
type Settings struct {
	Variants     []string `json:"variants"`      // on text; none: TextVariants of DefaultCells
	Tasks        []string `json:"tasks"`         // none: all; the word "none": none
	TaskVariants []string `json:"task_variants"` // on tasks; none: TaskVariants of DefaultCells
	Lags         []int    `json:"lags"`          // of tasks; none: 10, 100 and 1,000
	Steps        int64    `json:"steps"`         // of each run on text; 0: 400
	TaskSteps    int64    `json:"task_steps"`    // most steps of each run on a task, fewer of long ones (Task.Most); 0: 2,000
	Hidden       int      `json:"nhid"`          // units a layer, twice as many for copying; 0: 48
	Window       int      `json:"bptt"`          // T on text, tokens; 0: 64
	Batch        int      `json:"batch_size"`    // lanes, and sequences a step; 0: 32
	LR           float64  `json:"lr"`            // of Adam on text, constant; 0: 0.003
	TaskLR       float64  `json:"task_lr"`       // of Adam on tasks, constant; 0: 0.01
	Seed         uint64   `json:"seed"`          // the first; 0: 1
	Seeds        int      `json:"seeds"`         // runs on each task; 0: 1
	Threads      int      `json:"threads"`       // runs side by side; 0: all cores; changes no bit
}

// DefaultCells are looked at where none are named.
func DefaultCells() []string { return []string{"rnn", "lstm", "gru"} }

// WithDefaults fills in what a zero field means.
func (s Settings) WithDefaults() Settings {
	if len(s.Variants) == 0 {
		s.Variants = TextVariants(DefaultCells())
	}
	if len(s.Tasks) == 0 {
		s.Tasks = Tasks()
	}
	if slices.Equal(s.Tasks, []string{"none"}) {
		s.Tasks = nil
	}
	if len(s.TaskVariants) == 0 {
		s.TaskVariants = TaskVariants(DefaultCells())
	}
	if len(s.Lags) == 0 {
		s.Lags = []int{10, 100, 1000}
	}
	set(&s.Steps, 400)
	set(&s.TaskSteps, 2000)
	set(&s.Hidden, 48)
	set(&s.Window, 64)
	set(&s.Batch, 32)
	set(&s.LR, 0.003)
	set(&s.TaskLR, 0.01)
	set(&s.Seed, 1)
	set(&s.Seeds, 1)
	return s
}

func set[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Validate reports everything that is wrong with s, in one error.
func (s Settings) Validate() error {
	s = s.WithDefaults()
	var errs []error
	lists := [][]string{s.Variants, s.TaskVariants}
	if slices.Equal(s.Variants, s.TaskVariants) {
		lists = lists[:1]
	}
	for _, list := range lists {
		for i, name := range list {
			if _, err := ParseVariant(name); err != nil {
				errs = append(errs, err)
			} else if slices.Contains(list[:i], name) {
				errs = append(errs, fmt.Errorf("%s stands there twice", name))
			}
		}
	}
	for _, task := range s.Tasks {
		if !slices.Contains(Tasks(), task) {
			hint := ""
			if near := typo.Nearest(task, Tasks()); near != "" {
				hint = "; did you mean " + near + "?"
			}
			errs = append(errs, fmt.Errorf("no task %q: takes %s, or none%s", task, strings.Join(Tasks(), ", "), hint))
		}
	}
	for _, lag := range s.Lags {
		if err := (Task{Recall, lag}).check(); err != nil {
			errs = append(errs, err)
		}
	}
	for _, c := range []struct {
		name        string
		v, min, max float64
	}{
		{"steps", float64(s.Steps), 2, 1e9}, {"task-steps", float64(s.TaskSteps), 2, 1e9}, {"nhid", float64(s.Hidden), 1, 1 << 14},
		{"bptt", float64(s.Window), 2, 1 << 14}, {"batch-size", float64(s.Batch), 2, 1 << 14}, {"lr", s.LR, 1e-12, 100}, {"task-lr", s.TaskLR, 1e-12, 100},
		{"seeds", float64(s.Seeds), 1, 1000}, {"threads", float64(s.Threads), 0, 4096},
	} {
		if !(c.v >= c.min && c.v <= c.max) {
			errs = append(errs, fmt.Errorf("--%s %v: outside %v to %v", c.name, c.v, c.min, c.max))
		}
	}
	return errors.Join(errs...)
}
