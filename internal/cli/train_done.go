package cli

import (
	"fmt"
	"math"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/refrain-lm/refrain/train"
)

// outcome is the last JSON line of a run.
type outcome struct {
	Kind        string  `json:"kind"`
	Model       string  `json:"model"`
	Steps       int64   `json:"steps"`
	Best        number  `json:"best"`
	BestStep    int64   `json:"best_step"`
	Elapsed     float64 `json:"elapsed_seconds"`
	Loss        number  `json:"loss"`
	Perplexity  number  `json:"perplexity"`
	BitsPerByte number  `json:"bits_per_byte"`
	Unit        string  `json:"unit"`
	Copied      int     `json:"copied_characters"` // longest stretch of the samples that stands in the text
}

// done tells what came out and what to type next; the folder goes to stdout.
func (r *trainRun) done(out train.Outcome) error {
	remark, copied := r.originality(out.Dir, out.Samples)
	if !r.quiet {
		r.sayResult(out, remark)
		r.sayNext(out)
	}
	if r.flags.json {
		return r.writeJSON(outcome{
			Kind: "done", Model: out.Dir, Steps: out.Steps, Best: number(out.Best), BestStep: out.BestStep,
			Elapsed: out.Elapsed.Seconds(), Loss: number(out.Result.Loss()), Perplexity: number(out.Result.Perplexity()),
			BitsPerByte: number(out.Result.BitsPerByte()), Unit: out.Unit, Copied: copied,
		})
	}
	_, err := fmt.Fprintln(r.out.w, out.Dir)
	return err
}

// sayResult prints the loss, the samples and a remark on them.
func (r *trainRun) sayResult(out train.Outcome, remark string) {
	u := unit{out.Unit}
	loss := "perplexity " + significant(math.Exp(out.Best))
	if !u.words() {
		loss = u.loss(out.Best) + " " + u.label() + ", " + loss
	}
	head := fmt.Sprintf("Done in %s: valid %s", duration(r.elapsed(out)), loss)
	if r.job.Plan().Ngram == nil {
		head += fmt.Sprintf(" (best, step %s)", commas(out.BestStep))
	}
	if p := r.job.Plan(); p.Ngram == nil && out.Steps < p.LastSteps() {
		r.line(r.err.fit(fmt.Sprintf("stopped early at step %s of %s: no better validation in %d (--patience)", commas(out.Steps), commas(p.LastSteps()), p.Settings.Patience), "  "))
	}
	r.line(r.err.paint(bold, r.err.fit(head, "  ")))
	for i, s := range out.Samples {
		if i > 0 {
			r.line("")
		}
		for _, line := range sampleLines(s, r.err.columns()-4) {
			r.line(strings.TrimRight("  | "+line, " "))
		}
	}
	if remark != "" {
		r.line(r.err.fit("  "+remark, "  "))
	}
}

// elapsed is the whole command's time where it is known, else the training's.
func (r *trainRun) elapsed(out train.Outcome) time.Duration {
	if !r.started.IsZero() {
		return r.now().Sub(r.started)
	}
	return out.Elapsed
}

// sampleLines shows a sample's first lines, cut to the width.
func sampleLines(text string, columns int) []string {
	var lines []string
	for _, l := range strings.Split(strings.Trim(text, "\n"), "\n") {
		l = visible(strings.ReplaceAll(strings.TrimRight(l, " \t\r"), "\t", "    "))
		for first := true; first || l != ""; first = false {
			head := cutAtSpace(l, columns)
			lines = append(lines, head)
			if l = l[len(head):]; head == "" {
				break
			}
		}
		if len(lines) >= 6 {
			return lines[:6]
		}
	}
	return lines
}

// sayNext prints commands that work when pasted.
func (r *trainRun) sayNext(out train.Outcome) {
	dir := quotePath(out.Dir)
	generate := []string{"generate", dir}
	if p := promptFrom(out.Samples); p != "" {
		generate = append(generate, "--prompt", quote(p))
	}
	next := []string{r.command(generate...), r.scoreExample(dir)}
	if r.job.Plan().Ngram != nil {
		next = append(next, r.command("inspect", dir))
	} else {
		next = append(next, r.command("train", "--resume", dir, "--time", fullDuration(r.moreTime())))
	}
	r.line(r.err.paint(bold, "Next"))
	for _, c := range next {
		r.line("  " + r.err.paint(cyan, c))
	}
	r.line("Model folder:")
}

// moreTime is what to suggest for going on.
func (r *trainRun) moreTime() time.Duration {
	if s := r.job.Plan().Settings; s.Given("time") {
		return s.Time
	}
	return 10 * time.Minute
}

// scoreExample scores a file that exists, or else a few words.
func (r *trainRun) scoreExample(dir string) string {
	for _, s := range r.job.Plan().Data.Sources {
		if info, err := os.Stat(s.Name); s.Path != "" && err == nil && info.Mode().IsRegular() {
			return r.command("score", dir, quotePath(s.Name))
		}
	}
	return "echo " + quote("How surprising is this?") + " | " + r.command("score", dir)
}

// promptFrom takes the first words of a sample that look like text.
func promptFrom(samples []string) string {
	for _, s := range samples {
		for _, line := range strings.Split(s, "\n") {
			words := strings.Fields(line)
			if len(words) >= 3 && plainWord(words[0]) && plainWord(words[1]) {
				return words[0] + " " + words[1]
			}
		}
	}
	return ""
}

// plainWord reports whether word is letters alone, of which only the first may
// be a capital.
func plainWord(word string) bool {
	for i, r := range word {
		if !unicode.IsLetter(r) || i > 0 && unicode.IsUpper(r) {
			return false
		}
	}
	return word != ""
}
