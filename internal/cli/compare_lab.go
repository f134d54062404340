package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/refrain-lm/refrain/checkpoint"
	"github.com/refrain-lm/refrain/compare/lab"
	"github.com/refrain-lm/refrain/compare/report"
	"github.com/refrain-lm/refrain/data"
)

// labFlags are those of compare --lab.
type labFlags struct {
	lab             string
	cells, variants []string
	tasks           []string
	lags            []int
	steps           int64
	taskSteps       int64
}

// labOnly and labShares are the flags that --lab takes: its own, and some of a
// comparison's.
var (
	labOnly   = []string{"cells", "variants", "tasks", "lags", "steps", "task-steps"}
	labShares = []string{"lab", "time", "out", "json", "threads", "config", "color", "quiet", "verbose", "help", "all",
		"seeds", "seed", "nhid", "bptt", "batch-size", "tokenizer", "words", "min-count", "vocab-size", "lower", "normalize"}
)

// labMatters is where in labShares those begin that change the result.
const labMatters = 11

// addLabFlags adds them, and returns their group in the help.
func addLabFlags(f *pflag.FlagSet, o *labFlags) flagGroup {
	f.StringVar(&o.lab, "lab", "", "instead, look into cells at work: `W` is gradients; without FILE on tasks alone")
	f.StringSliceVar(&o.cells, "cells", nil, "of rnn, lstm, lstm-nog, gru, each with its cures: `LIST`")
	var cures []string
	for _, c := range lab.Cures() {
		name := c.Name
		if c.Value != "" {
			name += "[=" + c.Value + "]"
		}
		cures = append(cures, name)
	}
	f.StringSliceVar(&o.variants, "variants", nil, "instead of --cells, a `LIST` such as lstm+layer,rnn+clip=0.5; cures: "+strings.Join(cures, ", "))
	f.StringSliceVar(&o.tasks, "tasks", nil, "of "+strings.Join(lab.Tasks(), ", ")+", or none: `LIST`")
	f.IntSliceVar(&o.lags, "lags", nil, "of the tasks, in steps: `LIST`")
	f.Int64Var(&o.steps, "steps", 0, "`N` steps on the text")
	f.Int64Var(&o.taskSteps, "task-steps", 0, "at most `N` steps on a task, fewer on long ones")
	return flagGroup{title: "Gradients", names: append([]string{"lab"}, labOnly...), brief: true}
}

// labDefaults are what the help shows behind them.
func labDefaults() map[string]string {
	s := lab.Settings{}.WithDefaults()
	lags := ""
	for i, lag := range s.Lags {
		if i > 0 {
			lags += ","
		}
		lags += strconv.Itoa(lag)
	}
	return map[string]string{"cells": strings.Join(lab.DefaultCells(), ","), "variants": "", "tasks": strings.Join(s.Tasks, ","), "lags": lags,
		"steps": strconv.FormatInt(s.Steps, 10), "task-steps": strconv.FormatInt(s.TaskSteps, 10)}
}

// checkLab refuses flags that do not go together.
func (a *app) checkLab(cmd *cobra.Command, o labFlags) error {
	var wrong error
	cmd.Flags().Visit(func(f *pflag.Flag) {
		switch {
		case wrong != nil || a.origin[f.Name] != fromFlag:
		case o.lab == "" && slices.Contains(labOnly, f.Name):
			wrong = usagef("--%s goes with --lab gradients", f.Name)
		case o.lab != "" && !slices.Contains(labOnly, f.Name) && !slices.Contains(labShares, f.Name):
			wrong = usagef("--%s is for a comparison, not for --lab %s; leave one of them out", f.Name, o.lab)
		}
	})
	switch {
	case wrong != nil || o.lab == "":
	case o.lab != "gradients":
		wrong = usagef("--lab %s: takes gradients", quote(o.lab))
	case len(o.cells) > 0 && len(o.variants) > 0:
		wrong = usagef("--cells and --variants: give one of them; a variant names its cell")
	}
	return wrong
}

// labRun is one compare --lab under way.
type labRun struct {
	*app
	cmd     *cobra.Command
	flags   compareFlags
	s       lab.Settings
	corpus  *lab.Corpus
	dir     string
	live    *live
	share   float64
	left    time.Duration
	started time.Time
}

// lab is the verb: read, train, measure, write the page.
func (a *app) lab(cmd *cobra.Command, args []string, o compareFlags) (err error) {
	r := &labRun{app: a, cmd: cmd, flags: o, share: -1, started: a.now()}
	if err := r.settings(o); err != nil {
		return err
	}
	ctx, stop := watch(cmd.Context())
	defer stop()
	draw := r.bar
	if a.quiet || o.json && a.out.terminal {
		draw = nil
	}
	r.live = startLive(a.err, draw)
	defer r.live.close()
	if err := r.read(args); err != nil {
		return err
	}
	if r.dir = o.out; r.dir == "" {
		r.dir = freeName(args, "-gradients")
	} else if exists(r.dir) {
		return fmt.Errorf("%s exists already; nothing is overwritten: take another name for --out", quotePath(r.dir))
	}
	if err := r.checkDisk(); err != nil {
		return err
	}
	res, err := r.train(ctx)
	if err != nil {
		r.live.close()
		var sig signalError
		if errors.As(context.Cause(ctx), &sig) {
			r.note("Stopped; nothing was kept.")
			return sig
		}
		return err
	}
	return r.done(res)
}

// labDisk is more than the page, its figures and its numbers take.
const labDisk = 6_000_000

// checkDisk refuses before the work what could not be written after it: a lab keeps
// nothing else.
func (r *labRun) checkDisk() error {
	parent := filepath.Dir(r.dir)
	if err := os.MkdirAll(parent, 0o777); err != nil {
		return fmt.Errorf("--out %s: cannot make its folder: %w", r.dir, err)
	}
	probe, err := os.MkdirTemp(parent, ".new-*")
	if err != nil {
		return fmt.Errorf("%s cannot be written (%w): make its folder writable, or use another", quotePath(r.dir), err)
	}
	if err := os.Remove(probe); err != nil {
		return err
	}
	return checkpoint.NeedSpace("the page", parent, labDisk)
}

// settings gathers what flags say.
func (r *labRun) settings(o compareFlags) error {
	if err := r.sharedSettings(r.cmd, &r.flags.Shared); err != nil {
		return err
	}
	shared := r.flags.Shared
	l := o.lab
	r.s = lab.Settings{Tasks: l.tasks, Lags: l.lags, Steps: l.steps, TaskSteps: l.taskSteps, Hidden: shared.Hidden, Window: shared.BPTT,
		Batch: shared.BatchSize, Seed: shared.Seed, Threads: shared.Threads}
	if r.origin["seeds"] != "" {
		r.s.Seeds = o.Seeds
	}
	switch {
	case len(l.variants) > 0:
		r.s.Variants, r.s.TaskVariants = l.variants, l.variants
	case len(l.cells) > 0:
		for _, cell := range l.cells {
			if _, err := lab.ParseVariant(cell); err != nil {
				return usageError{err.Error()}
			}
		}
		r.s.Variants, r.s.TaskVariants = lab.TextVariants(l.cells), lab.TaskVariants(l.cells)
	}
	if err := r.s.Validate(); err != nil {
		return usageError{strings.ReplaceAll(err.Error(), "\n", "; ")}
	}
	if o.Time > 0 && (l.steps > 0 || l.taskSteps > 0) {
		return usagef("--time and --steps: give one budget only")
	}
	return nil
}

// read reads the text, if there is one.
func (r *labRun) read(args []string) error {
	if len(args) == 0 {
		r.row("text   none: on tasks alone")
		return nil
	}
	shared := r.flags.Shared
	if shared.Tokenizer == "" {
		shared.Tokenizer = "char"
	}
	src, err := data.Sources(args, r.in, data.ReadOptions{AllowBinary: shared.Tokenizer == "byte"})
	if err != nil {
		return err
	}
	defer func() { _ = data.CloseSources(src) }()
	if r.corpus, err = lab.Read(src, shared.TokenizerOptions()); err != nil {
		return err
	}
	t := r.corpus.Text
	r.row("text   %s: %s bytes; %s %ss to train on, %s to measure on", visible(t.Name), r.count(t.Bytes), r.count(t.Train), t.Unit, r.count(t.Valid))
	return nil
}

// train fits the steps to a budget, then runs all.
func (r *labRun) train(ctx context.Context) (lab.Result, error) {
	if r.flags.Time > 0 {
		var err error
		if r.s, err = lab.Fit(ctx, r.corpus, r.s, r.flags.Time); err != nil {
			return lab.Result{}, err
		}
	}
	s := r.s.WithDefaults()
	head := "plan  "
	if r.corpus != nil {
		r.row(head+" %s on the text, %s steps each", plural(int64(len(s.Variants)), "variant", "variants"), r.count(s.Steps))
		head = "      "
	}
	if len(s.Tasks) > 0 {
		most, longest := r.count(s.TaskSteps)+" steps at most", slices.Max(s.Lags)
		if n := (lab.Task{Name: s.Tasks[0], Lag: longest}).Most(s.TaskSteps); n < s.TaskSteps {
			most += fmt.Sprintf(", %s at lag %s", r.count(n), r.count(int64(longest)))
		}
		r.row(head+" %s on %s at lags %v; %s", plural(int64(len(s.TaskVariants)), "variant", "variants"), strings.Join(s.Tasks, ", "), s.Lags, most)
	}
	res, err := lab.Run(ctx, r.corpus, r.s, r.on)
	res.Command, res.Version = strings.Join(r.again(res), " "), moduleVersion()
	return res, err
}

// again is the command that repeats the result on any machine.
func (r *labRun) again(res lab.Result) []string {
	words := []string{"refrain", "compare"}
	if res.Text != nil {
		words = append(words, quotePath(res.Text.Name))
	}
	words = append(words, "--lab", "gradients")
	words = append(words, "--steps", strconv.FormatInt(res.Settings.Steps, 10), "--task-steps", strconv.FormatInt(res.Settings.TaskSteps, 10))
	for _, name := range slices.Concat(labOnly, labShares[labMatters:]) {
		if f := r.cmd.Flags().Lookup(name); r.origin[name] != "" && name != "steps" && name != "task-steps" {
			words = append(words, "--"+name+"="+quote(strings.Trim(f.Value.String(), "[]")))
		}
	}
	return words
}

func (r *labRun) on(e lab.Event) {
	r.live.update(func() { r.share, r.left = float64(e.Done)/float64(e.Of), e.Left })
	r.row("%d/%d  %s", e.Done, e.Of, e.Text)
	if r.flags.json {
		_ = json.NewEncoder(r.out.w).Encode(map[string]any{"kind": "run", "text": e.Text, "done": e.Done, "of": e.Of, "left_seconds": e.Left.Seconds()})
	}
}

func (r *labRun) row(format string, args ...any) {
	if !r.quiet {
		r.live.row("%s", r.err.fit(fmt.Sprintf(format, args...), "       "))
	}
}

func (r *labRun) bar() bar {
	return bar{share: r.share, what: "looking at gradients", left: duration(r.left) + " left"}
}

// done writes the page and says the first things it says.
func (r *labRun) done(res lab.Result) error {
	if err := report.WriteLab(r.dir, res); err != nil {
		return err
	}
	r.live.close()
	if !r.quiet {
		r.line(r.err.paint(bold, "Done in "+duration(r.now().Sub(r.started))))
		for _, sentence := range report.LabFindings(res) {
			r.line(r.err.fit(plainMarks.Replace(sentence), ""))
		}
		r.line("Page: " + filepath.Join(r.dir, "report.html"))
	}
	if r.flags.json {
		return json.NewEncoder(r.out.w).Encode(map[string]string{"kind": "done", "lab": r.dir})
	}
	_, err := fmt.Fprintln(r.out.w, r.dir)
	return err
}
