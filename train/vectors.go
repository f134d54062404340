package train

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/refrain-lm/refrain/embedding"
	"github.com/refrain-lm/refrain/lm"
)

// Vectors are the word vectors that a run's embedding begins with: part of its
// plan.
type Vectors struct {
	Path   string `json:"path"`
	SHA256 string `json:"sha256"`
	Width  int    `json:"width"`
	Words  int    `json:"words"` // of the vocabulary
	Found  int    `json:"found"` // of them in the file; the others begin at random
}

// readVectors reads what the settings' file has for the vocabulary, and lets its
// width be the embedding's.
func (j *Job) readVectors() error {
	s := &j.plan.Settings
	if s.Vectors == "" {
		return nil
	}
	r, err := embedding.Open(s.Vectors)
	if err != nil {
		return fmt.Errorf("--vectors: %w", err)
	}
	defer r.Close()
	if s.Given("emsize") {
		if err := r.Fits(s.EmSize); err != nil {
			return fmt.Errorf("--vectors %s: %w", s.Vectors, err)
		}
	}
	if err := s.Set("emsize", strconv.Itoa(r.Width()), "vectors"); err != nil {
		return err
	}
	if j.vectors, err = embedding.Select(r, j.words()); err != nil {
		return fmt.Errorf("--vectors %s: %w", s.Vectors, err)
	}
	if j.vectors.Found == 0 {
		return fmt.Errorf("--vectors %s has none of the %d %ss of this text: is it of another language, or --lower missing?", s.Vectors, j.vectors.Words, j.tok.Unit())
	}
	sum, err := hashFile(s.Vectors)
	j.plan.Vectors = &Vectors{Path: s.Vectors, SHA256: sum, Width: r.Width(), Words: j.vectors.Words, Found: j.vectors.Found}
	return err
}

// words are the texts of the vocabulary; the line end is word2vec's </s>.
func (j *Job) words() []string {
	words := make([]string, j.tok.Size())
	for id := range words {
		words[id] = string(j.tok.AppendDecode(nil, int32(id)))
	}
	if end := j.tok.LineEnd(); words[end] == "\n" {
		words[end] = "</s>"
	}
	return words
}

func hashFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return hex.EncodeToString(h.Sum(nil)), err
}

// placeVectors puts the vectors into the embedding of a run that begins, and keeps
// a frozen one out of training.
func (j *Job) placeVectors(m *lm.Model, begins bool) error {
	if j.plan.Vectors == nil {
		return nil
	}
	table := m.Embedding()
	table.Frozen = j.plan.Settings.Freeze
	if !begins {
		return nil
	}
	if j.vectors == nil { // killed between the plan and its first step
		if sum, err := hashFile(j.plan.Vectors.Path); err != nil || sum != j.plan.Vectors.SHA256 {
			return fmt.Errorf("%s is not the file of vectors that this run was planned with: put it back, or train anew with --out other", j.plan.Vectors.Path)
		}
		if err := j.readVectors(); err != nil {
			return err
		}
	}
	j.vectors.Fill(table.Value)
	m.Refresh(nil, false)
	return nil
}
