package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/refrain-lm/refrain/train"
)

// program runs the built command, each model in a folder of its own below dir.
type program struct {
	bin, dir string
	progress io.Writer
}

// trained is a finished run.
type trained struct {
	folder string
	took   string // from start to end; "resumed" if in several goes
}

// train runs refrain train with --out name and the arguments, or resumes the
// run that an interrupted measurement left there.
func (p program) train(name string, args ...string) (trained, error) {
	folder := filepath.Join(p.dir, name)
	args = append([]string{"train", "--out", folder}, args...)
	_, err := os.Stat(filepath.Join(folder, "plan.json"))
	resumed := err == nil
	if resumed {
		args = []string{"train", "--resume", folder}
	}
	start := time.Now()
	out, err := p.run(args...)
	if err != nil {
		return trained{}, err
	}
	took := time.Since(start).Round(time.Second).String()
	if resumed {
		took = "resumed"
	}
	lines := strings.Split(strings.TrimRight(out, "\n"), "\n")
	if last := lines[len(lines)-1]; filepath.Clean(last) != folder {
		return trained{}, fmt.Errorf("refrain train ended its standard output with %q, not the folder %q", last, folder)
	}
	return trained{folder, took}, nil
}

// evaluation is what refrain eval --json says.
type evaluation struct {
	Loss        float64  `json:"loss"`
	Perplexity  float64  `json:"perplexity"`
	BitsPerByte *float64 `json:"bits_per_byte"`
	Tokens      int64    `json:"tokens"`
}

func (p program) eval(folder, file string) (evaluation, error) {
	var e evaluation
	out, err := p.run("eval", folder, file, "--json")
	if err != nil {
		return e, err
	}
	if err := json.Unmarshal([]byte(out), &e); err != nil {
		return e, fmt.Errorf("refrain eval --json: %w", err)
	}
	return e, nil
}

// generate writes tokens with generate's own defaults but for the seed.
func (p program) generate(folder string, tokens, seed int) (string, error) {
	return p.run("generate", folder, "--max-tokens", fmt.Sprint(tokens), "--seed", fmt.Sprint(seed))
}

func (p program) run(args ...string) (string, error) {
	fmt.Fprintln(p.progress, "$ refrain", strings.Join(args, " "))
	c := exec.Command(p.bin, args...)
	c.Stderr = p.progress
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("refrain %s: %w", args[0], err)
	}
	return string(out), nil
}

// plan says in a few words what a run decided.
func plan(folder string) (string, error) {
	p, err := train.ReadPlan(folder)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s (%d), batch %dx%d, %d steps", p.Model, p.Model.EmSize, p.Settings.BatchSize, p.Settings.BPTT, p.Steps), nil
}
