package cli

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"text/tabwriter"

	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/train"
)

// showPlan says before the first step what will happen and what it costs.
func (r *trainRun) showPlan() {
	if r.quiet {
		return
	}
	p := r.job.Plan()
	for _, line := range [][2]string{
		{"text", r.textLine(p)},
		{"words", r.vectorsLine(p)},
		{"speed", r.speedLine(p)},
		{"plan", r.planLine(p)},
		{"needs", r.needsLine(p)},
	} {
		if line[1] != "" {
			r.row("%s %s", r.err.paint(bold, fmt.Sprintf("%-6s", line[0])), r.err.fit("       "+line[1], "       ")[7:])
		}
	}
}

// textLine is "book.txt: 1,115,394 characters, 65 distinct; last 10 % validates".
func (r *trainRun) textLine(p train.Plan) string {
	u := r.job.Tokenizer().Unit()
	many := map[string]string{"char": "characters", "byte": "bytes", "word": "words"}[u]
	name := fmt.Sprintf("%d files", len(r.sources))
	switch {
	case r.demo:
		name = "Go's own sources"
	case len(r.sources) == 1:
		name = visible(r.sources[0].Name)
	}
	d := p.Data
	all := counted(d.Train, u)
	if len(r.flags.valid) == 0 {
		all += counted(d.Valid, u)
	}
	line := fmt.Sprintf("%s: %s %s, %s distinct", name, commas(all), many, commas(int64(r.job.Tokenizer().Distinct())))
	if len(r.flags.valid) > 0 {
		return line + fmt.Sprintf("; validates on %s (%s)", visible(strings.Join(r.flags.valid, ", ")), commas(counted(d.Valid, u)))
	}
	return line + fmt.Sprintf("; last %s %% validates", short(100*float64(d.Valid.Bytes)/float64(max(1, d.Train.Bytes+d.Valid.Bytes))))
}

// counted is how much of unit u a part of the text has; training tokens hold a
// few noise bytes more.
func counted(p data.PartInfo, u string) int64 {
	switch u {
	case "char":
		return p.Characters
	case "byte":
		return p.Bytes
	}
	return p.Tokens
}

// vectorsLine is what the embedding begins with, where that is given.
func (r *trainRun) vectorsLine(p train.Plan) string {
	v := p.Vectors
	if v == nil {
		return ""
	}
	line := fmt.Sprintf("%s: vectors for %s of %s, the others begin at random", visible(v.Path), commas(int64(v.Found)), commas(int64(v.Words)))
	if p.Settings.Freeze {
		line += "; none is trained"
	}
	return line
}

// speedLine is what the pilot measured, if there was one.
func (r *trainRun) speedLine(p train.Plan) string {
	if p.Rate == 0 {
		return ""
	}
	line := fmt.Sprintf("%s tokens/s for %s (%s, %s", commas(int64(p.Rate)), p.Model, kernelName(p.Kernels), plural(int64(threadsOf(p)), "thread", "threads"))
	if tried := r.pilot; tried > 0 {
		line += "; tried for " + duration(tried)
	}
	return line + ")"
}

func kernelName(name string) string {
	if name == "generic" {
		return "plain Go"
	}
	return strings.ToUpper(name)
}

func threadsOf(p train.Plan) int {
	if p.Settings.Threads > 0 {
		return p.Settings.Threads
	}
	return runtime.GOMAXPROCS(0)
}

func (r *trainRun) planLine(p train.Plan) string {
	if p.Ngram != nil {
		return ngramPlanLine(p)
	}
	return fmt.Sprintf("%s, %s parameters, batch %dx%d; %s = %s tokens, %s over the text",
		p.Model, commas(p.Params), p.Settings.BatchSize, p.Settings.BPTT, plural(p.Steps-p.From, "step", "steps"), millions(p.Tokens()), passes(p.Passes()))
}

func (r *trainRun) needsLine(p train.Plan) string {
	line := fmt.Sprintf("%s memory, %s disk (%s)", size(p.Memory()), size(p.Disk()), visible(r.outDir))
	if p.Ngram != nil {
		return "at most " + line
	}
	if p.Settings.Time > 0 {
		line += "; done by " + r.started.Add(p.Settings.Time).Format("15:04")
	}
	return line
}

// dryRun ends after the plan with each value and where it came from.
func (r *trainRun) dryRun() error {
	r.view.close()
	p := r.job.Plan()
	if r.flags.json {
		raw, err := json.Marshal(p)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(r.out.w, string(raw))
		return err
	}
	w := tabwriter.NewWriter(r.out.w, 0, 8, 2, ' ', 0)
	for _, f := range train.Flags() {
		if !f.GoesWith(p.Settings.Model) {
			continue
		}
		origin := p.Settings.Origin[f.Name]
		value := f.Value(p.Settings)
		switch {
		case origin == "" && f.Default == "" && isZero(value):
			continue // another setting stands in for it
		case origin == "" && isBudget(f.Name):
			if isZero(value) {
				continue
			}
			origin = "default"
		case origin == "":
			origin = "default"
		}
		if f.Name == "time" {
			value = fullDuration(p.Settings.Time)
		}
		if value == "" {
			value = "none"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", f.Name, value, origin)
	}
	return w.Flush()
}

func isZero(value string) bool { return value == "" || value == "0" || value == "0s" }

func isBudget(name string) bool { return name == "time" || name == "steps" || name == "epochs" }
