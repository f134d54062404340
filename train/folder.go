package train

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/refrain-lm/refrain/checkpoint"
	"github.com/refrain-lm/refrain/eval"
	"github.com/refrain-lm/refrain/lm"
)

// Files of a run's folder; lm and eval name the others.
const (
	planFile = eval.PlanFile
	idsFile  = eval.IDsFile
	cardFile = "README.md"

	keptCheckpoints = 2
	stateFile       = "state.json"
	arraysFile      = "state.safetensors"
)

// folder keeps a run's states as checkpoints in its model folder and the best
// weights in model.safetensors.
type folder struct {
	dir     string
	disk    checkpoint.FS
	skipped func(error) // told of each damaged checkpoint that Last passes over; nil: nobody
}

// InFolder keeps a run's states as checkpoints in dir, and its best weights there in
// model.safetensors, as a model folder does.
func InFolder(dir string) Keeper { return folder{dir: dir, disk: checkpoint.OS{}} }

// Save commits checkpoint-N and prunes older ones.
func (f folder) Save(s Snapshot) error {
	state, err := json.MarshalIndent(s.Run, "", "  ")
	if err != nil {
		return err
	}
	err = checkpoint.Commit(f.disk, f.dir, checkpoint.Name(s.Run.Step), []checkpoint.File{
		{Name: arraysFile, Write: func(w io.Writer) error { return checkpoint.WriteSafetensors(w, s.Tensors) }},
		{Name: stateFile, Write: func(w io.Writer) error { _, err := w.Write(append(state, '\n')); return err }},
	})
	if err != nil {
		return err
	}
	return checkpoint.Prune(f.disk, f.dir, keptCheckpoints)
}

// Last reads the newest whole checkpoint.
func (f folder) Last() (Snapshot, error) {
	path, _, err := checkpoint.NewestOf(f.dir, f.skipped)
	if errors.Is(err, checkpoint.ErrNone) {
		return Snapshot{}, ErrNoSnapshot
	}
	if err != nil {
		return Snapshot{}, err
	}
	var s Snapshot
	raw, err := os.ReadFile(filepath.Join(path, stateFile))
	if err != nil {
		return s, fmt.Errorf("train: %w", err)
	}
	if s.Run, err = parseState(raw); err != nil {
		return s, fmt.Errorf("train: %s: %w", filepath.Join(path, stateFile), err)
	}
	s.Tensors, err = checkpoint.ReadSafetensorsFile(filepath.Join(path, arraysFile))
	return s, err
}

// parseState reads a state.json and refuses what no run can be in.
func parseState(raw []byte) (RunState, error) {
	var r RunState
	if err := strictJSON(raw, &r); err != nil {
		return r, err
	}
	possible := r.Step >= 0 && r.Steps >= 0 && r.OptSteps >= 0 && r.Averaged >= 0 && r.Validated >= 0 && r.BestStep >= -1 &&
		r.Waited >= 0 && r.LossCount >= 0 && r.Hits >= 0 && r.Divergences >= 0 && r.LRScale > 0 && r.LRScale <= 1
	if !possible {
		return r, errors.New("a number in it is out of range; remove this checkpoint to go on from the one before")
	}
	return r, nil
}

// KeepBest replaces model.safetensors.
func (f folder) KeepBest(weights []checkpoint.Tensor) error {
	return checkpoint.ReplaceFile(f.disk, filepath.Join(f.dir, lm.WeightsFile), func(w io.Writer) error {
		return checkpoint.WriteSafetensors(w, weights)
	})
}

// LoadBest reads model.safetensors into m, if it is there.
func (f folder) LoadBest(m *lm.Model) error {
	path := filepath.Join(f.dir, lm.WeightsFile)
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	ts, err := checkpoint.ReadSafetensorsFile(path)
	if err != nil {
		return err
	}
	return m.SetTensors(ts)
}

// strictJSON decodes one JSON object without unknown keys.
func strictJSON(raw []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	switch err := dec.Decode(v); {
	case errors.Is(err, io.EOF):
		return errors.New("it is empty")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("it is cut")
	case err != nil:
		return err
	}
	if dec.More() {
		return errors.New("text after the JSON object")
	}
	return nil
}

// writeJSON replaces dir/name by v, indented.
func (f folder) writeJSON(name string, v any) error {
	write, err := indented(name, v)
	if err != nil {
		return err
	}
	return f.write(name, write)
}

// indented writes v as the file of that name.
func indented(name string, v any) (func(io.Writer) error, error) {
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("train: %s: %w", name, err)
	}
	return func(w io.Writer) error { _, err := w.Write(append(raw, '\n')); return err }, nil
}

func (f folder) write(name string, write func(io.Writer) error) error {
	if err := checkpoint.ReplaceFile(f.disk, filepath.Join(f.dir, name), write); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	return nil
}
