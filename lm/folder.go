package lm

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/refrain-lm/refrain/checkpoint"
)

// Names of the files of a model folder that this package reads.
const (
	ConfigFile  = "config.json"
	WeightsFile = "model.safetensors"
)

// Load reads the model of a folder: config.json and model.safetensors.
func Load(dir string) (*Model, error) {
	f, err := os.Open(filepath.Join(dir, ConfigFile))
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("lm: %s is no model folder: it has no %s: %w", dir, ConfigFile, err)
		}
		return nil, fmt.Errorf("lm: %w", err)
	}
	defer f.Close()
	cfg, err := ReadConfig(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, ConfigFile), err)
	}
	return LoadWeights(cfg, filepath.Join(dir, WeightsFile))
}

// LoadWeights builds the model of cfg with the weights of one safetensors file.
// The file is checked against cfg before any weight is allocated.
func LoadWeights(cfg Config, path string) (*Model, error) {
	read := checkpoint.ReadSafetensorsFile
	if cfg.Weights != "" {
		read = checkpoint.ReadCompactFile
	}
	tensors, err := read(path)
	if err != nil {
		return nil, fmt.Errorf("lm: %w", err)
	}
	var have int64
	for _, t := range tensors {
		have += int64(t.Len())
	}
	if want := cfg.Params(); have < want {
		return nil, fmt.Errorf("lm: %s holds %d weights, %s asks for %d: the two are not of one model", path, have, ConfigFile, want)
	}
	m, err := build(cfg)
	if err != nil {
		return nil, err
	}
	if err := m.SetTensors(tensors); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// Tensors lists the weights under PyTorch's names; tied weights stand under both
// of theirs. Matrices of a quantized model stand once, as they are kept, those of
// int8 with their rows' scales as NAME.scale. The data are the model's own, not
// copies.
func (m *Model) Tensors() []checkpoint.Tensor {
	var out []checkpoint.Tensor
	for _, p := range m.params {
		t := checkpoint.Tensor{Name: p.Name, Shape: p.Shape, Data: p.Value}
		if c := p.Compact(); c != nil {
			t.Half, t.Byte = c.Half, c.Byte
		}
		out = append(out, t)
		if t.Byte != nil {
			out = append(out, checkpoint.Tensor{Name: p.Name + ".scale", Shape: p.Shape[:1], Data: p.Compact().Scale})
		}
		if m.cfg.Tied && m.cfg.Weights == "" && p.Name == "encoder.weight" {
			out = append(out, checkpoint.Tensor{Name: "decoder.weight", Shape: p.Shape, Data: p.Value})
		}
	}
	return out
}

// SetTensors copies weights into the model by name and refreshes it. Every
// weight must be there with its shape, and nothing else.
func (m *Model) SetTensors(tensors []checkpoint.Tensor) error {
	given := make(map[string]checkpoint.Tensor, len(tensors))
	for _, t := range tensors {
		given[t.Name] = t
	}
	want := m.Tensors()
	for _, w := range want {
		g, ok := given[w.Name]
		if !ok {
			return fmt.Errorf("lm: no tensor %s", w.Name)
		}
		if !slices.Equal(g.Shape, w.Shape) {
			return fmt.Errorf("lm: tensor %s has shape %v, the config asks for %v", w.Name, g.Shape, w.Shape)
		}
		if len(g.Data) != len(w.Data) || len(g.Half) != len(w.Half) || len(g.Byte) != len(w.Byte) || slices.Contains(g.Byte, -128) {
			return fmt.Errorf("lm: tensor %s does not hold its weights as the config says", w.Name)
		}
		delete(given, w.Name)
	}
	for _, t := range tensors {
		if _, left := given[t.Name]; left {
			return fmt.Errorf("lm: tensor %s is not part of a %s", t.Name, m.cfg)
		}
	}
	if err := m.checkTied(tensors); err != nil {
		return err
	}
	for _, t := range tensors {
		given[t.Name] = t
	}
	for _, w := range want {
		g := given[w.Name]
		copy(w.Data, g.Data)
		copy(w.Half, g.Half)
		copy(w.Byte, g.Byte)
	}
	m.Refresh(nil, false)
	return nil
}

// checkTied refuses a tied model whose two copies differ.
func (m *Model) checkTied(tensors []checkpoint.Tensor) error {
	if !m.cfg.Tied || m.cfg.Weights != "" {
		return nil
	}
	var enc, dec []float32
	for _, t := range tensors {
		switch t.Name {
		case "encoder.weight":
			enc = t.Data
		case "decoder.weight":
			dec = t.Data
		}
	}
	if !slices.Equal(enc, dec) {
		return errors.New("lm: encoder.weight and decoder.weight differ, but config.json says tied")
	}
	return nil
}
