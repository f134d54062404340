package train

import (
	"fmt"
	"path/filepath"

	"github.com/refrain-lm/refrain/checkpoint"
	"github.com/refrain-lm/refrain/lm"
)

// CheckpointModel returns the model of a run as its checkpoint of that step holds
// it: the weights then, not the best ones.
func CheckpointModel(dir string, step int64) (*lm.Model, error) {
	p, err := ReadPlan(dir)
	if err != nil {
		return nil, err
	}
	m, err := lm.New(p.Model, p.Settings.initConfig(), p.Settings.Seed)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, checkpoint.Name(step))
	tensors, err := checkpoint.ReadSafetensorsFile(filepath.Join(path, arraysFile))
	if err != nil {
		return nil, err
	}
	saved := make(map[string][]float32, len(tensors))
	for _, t := range tensors {
		saved[t.Name] = t.Data
	}
	for _, w := range m.Params() {
		from := saved[modelPrefix+w.Name]
		if len(from) != len(w.Value) {
			return nil, fmt.Errorf("train: %s has no %s of %d values: it is of another model", path, w.Name, len(w.Value))
		}
		copy(w.Value, from)
	}
	m.Refresh(nil, false)
	return m, nil
}

// InitialModel returns the model of a run as it was before its first step.
func InitialModel(dir string) (*lm.Model, error) {
	p, err := ReadPlan(dir)
	if err != nil {
		return nil, err
	}
	return lm.New(p.Model, p.Settings.initConfig(), p.Settings.Seed)
}
