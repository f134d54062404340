package report

import (
	"fmt"
	"strings"

	"github.com/refrain-lm/refrain/compare"
	"github.com/refrain-lm/refrain/compare/lab"
)

// LabDocument is report.json of a lab's page.
type LabDocument struct {
	Result lab.Result `json:"result"`
}

// LabFiles makes the page of a lab's result in memory.
func LabFiles(r lab.Result) ([]File, error) {
	b := &labBuilder{r: r}
	p := b.page()
	return p.files(LabDocument{r})
}

// WriteLab makes the page and puts it into dir, which is made if it is not there.
func WriteLab(dir string, r lab.Result) error {
	files, err := LabFiles(r)
	if err != nil {
		return err
	}
	return write(dir, files)
}

// LabFindings are the first sentences of the page.
func LabFindings(r lab.Result) []string {
	var out []string
	for _, s := range (&labBuilder{r: r}).verdict() {
		out = append(out, s.String())
	}
	return out
}

// labBuilder makes the page of a lab's result.
type labBuilder struct{ r lab.Result }

func (b *labBuilder) page() page {
	p := page{title: say("Gradients of recurrent networks, laid open"), verdict: b.verdict()}
	for _, s := range []section{b.reach(), b.cures(), b.depth(), b.clipping(), b.gates(), b.moves(), b.tasks(), b.answers(), b.again()} {
		if len(s.parts) > 0 {
			p.sections = append(p.sections, s)
		}
	}
	last := section{id: "data", title: "Data"}
	last.say("Each figure’s numbers, as drawn; the same stand in ", code("figures"), " as CSV, and all of them in ", code("report.json"), ".")
	for _, s := range p.sections {
		for _, part := range s.parts {
			if part.figure != nil {
				last.tabulate(part.figure.table)
			}
		}
	}
	p.sections = append(p.sections, last)
	return p
}

// cellOf is a variant's cell, which gives it its colour.
func cellOf(variant string) string {
	cell, _, _ := strings.Cut(variant, "+")
	return cell
}

func bare(variant string) bool { return !strings.Contains(variant, "+") }

// title is a variant's name as people read it: "LSTM + forget 3".
func title(variant string) string {
	words := strings.Split(strings.ReplaceAll(variant, "=", " "), "+")
	words[0] = displayCell(words[0])
	return strings.Join(words, " + ")
}

// cureOf is the same without its cell.
func cureOf(variant string) string {
	_, cure, _ := strings.Cut(variant, "+")
	return strings.ReplaceAll(strings.ReplaceAll(cure, "+", " + "), "=", " ")
}

func displayCell(cell string) string {
	if cell == compare.KindLSTMNoGate {
		return "LSTM, no output gate"
	}
	return strings.ToUpper(cell)
}

// find is the place of a variant's run on the text, −1 without one that ended.
func (b *labBuilder) find(variant string) int {
	for i, r := range b.r.Runs {
		if r.Variant == variant && len(r.Stages) > 0 {
			return i
		}
	}
	return -1
}

// cells are those of the runs on the text, in their order.
func (b *labBuilder) cells() []string {
	var out []string
	seen := map[string]bool{}
	for _, r := range b.r.Runs {
		if cell := cellOf(r.Variant); !seen[cell] && len(r.Stages) > 0 {
			seen[cell] = true
			out = append(out, cell)
		}
	}
	return out
}

// top is the uppermost layer of a stage, whose states the head reads, and its
// place in report.json.
func (b *labBuilder) top(run, stage int) (l lab.Layer, path string) {
	layers := b.r.Runs[run].Stages[stage].Layers
	return layers[len(layers)-1], fmt.Sprintf("result.runs.%d.stages.%d.layers.%d.", run, stage, len(layers)-1)
}

// below says from which lag on a layer's gradient is under one hundredth.
func below(l lab.Layer, path string) prose {
	if l.Below < 0 {
		return say("at no lag up to ", count(int64(l.Lags[len(l.Lags)-1])))
	}
	return say("from lag ", number(path+"below", float64(l.Below), count(int64(l.Below))), " on")
}

// verdict says what was found, in five sentences at most.
func (b *labBuilder) verdict() []prose {
	var said []prose
	for _, s := range []prose{b.reachFound(), b.explosionFound(), b.divergedFound(), b.tasksFound()} {
		if s != nil {
			said = append(said, s)
		}
	}
	if len(said) == 0 {
		return []prose{say("Nothing was measured.")}
	}
	return said
}

// reachFound compares the bare cells at the start of training.
func (b *labBuilder) reachFound() prose {
	var items []prose
	for _, cell := range b.cells() {
		if i := b.find(cell); i >= 0 {
			l, path := b.top(i, 0)
			items = append(items, say(below(l, path), " in the ", displayCell(cell)))
		}
	}
	if len(items) == 0 {
		return nil
	}
	return say("Before training, less than 1", thin, "% of the gradient arrives ", list(items), ".")
}

// explosionFound says what large recurrent weights do, and clipping against it.
func (b *labBuilder) explosionFound() prose {
	for i, r := range b.r.Runs {
		wild, cure := b.find("rnn+"+cureBase(r.Variant)), i
		if cellOf(r.Variant) != "rnn" || !strings.Contains(r.Variant, "radius") || !strings.HasSuffix(r.Variant, "+clip") || wild < 0 || len(r.Stages) == 0 {
			continue
		}
		l, path := b.top(wild, 0)
		last := len(l.Lags) - 1
		if l.Mid[last] <= 1 || b.r.Runs[wild].Diverged {
			continue
		}
		p := say("With recurrent weights of ", radiusOf(r.Variant), " the gradient of the RNN grows ",
			number(fmt.Sprintf("%smedian.%d", path, last), float64(l.Mid[last]), large(float64(l.Mid[last]))), " times over ", count(int64(l.Lags[last])), " steps")
		a, z := b.r.Runs[wild].Stages, b.r.Runs[cure].Stages
		return say(p, "; trained all the same it ends at ", number(fmt.Sprintf("result.runs.%d.stages.%d.loss", wild, len(a)-1), float64(a[len(a)-1].Loss), fixed(float64(a[len(a)-1].Loss), 2)),
			" nats a ", b.unit(), ", with the gradient clipped at ", number(fmt.Sprintf("result.runs.%d.stages.%d.loss", cure, len(z)-1), float64(z[len(z)-1].Loss), fixed(float64(z[len(z)-1].Loss), 2)), ".")
	}
	return nil
}

// divergedFound names runs that diverged, and what clipping made of them.
func (b *labBuilder) divergedFound() prose {
	var items []prose
	for i, r := range b.r.Runs {
		if !r.Diverged {
			continue
		}
		p := say(title(r.Variant), " diverged after ", count(int64(len(b.r.Runs[i].Norms))), " steps")
		if c := b.find(r.Variant + "+clip"); c >= 0 && !b.r.Runs[c].Diverged {
			end := len(b.r.Runs[c].Stages) - 1
			loss := float64(b.r.Runs[c].Stages[end].Loss)
			p = say(p, ", and clipped it ended at ", number(fmt.Sprintf("result.runs.%d.stages.%d.loss", c, end), loss, fixed(loss, 2)), " nats a ", b.unit())
		}
		items = append(items, p)
	}
	if len(items) == 0 {
		return nil
	}
	return say(list(items), ".")
}

// radiusOf names the radius of a variant's recurrent weights.
func radiusOf(variant string) string {
	_, radius, _ := strings.Cut(variant, "radius=")
	radius, _, _ = strings.Cut(radius, "+")
	return "spectral radius " + radius
}

// cureBase is a variant's cures without the last.
func cureBase(variant string) string {
	words := strings.Split(variant, "+")
	if len(words) < 3 {
		return ""
	}
	return strings.Join(words[1:len(words)-1], "+")
}

// tasksFound counts what each variant solved.
func (b *labBuilder) tasksFound() prose {
	if len(b.r.Tasks) == 0 {
		return nil
	}
	solved, all := map[string]int{}, map[string]int{}
	for _, t := range b.r.Tasks {
		all[t.Variant]++
		if t.Solved {
			solved[t.Variant]++
		}
	}
	best := b.r.Settings.TaskVariants[0]
	for _, v := range b.r.Settings.TaskVariants {
		if solved[v] > solved[best] {
			best = v
		}
	}
	if solved[best] == 0 {
		return say("None of the tasks was solved, at lags up to ", count(int64(b.longestLag())), ".")
	}
	runs := " runs on tasks each, at lags up to "
	if all[best] == 1 {
		runs = " run on a task each, at lags up to "
	}
	p := say("Of ", count(int64(all[best])), runs, count(int64(b.longestLag())), ", ", title(best), " solved ", count(int64(solved[best])), ", as many as any")
	var plain []prose
	for _, v := range b.r.Settings.TaskVariants {
		if cureOf(v) == "clip" && v != best {
			plain = append(plain, say(title(v), " ", count(int64(solved[v]))))
		}
	}
	if len(plain) > 0 {
		p = say(p, "; ", list(plain))
	}
	return say(p, ".")
}

func (b *labBuilder) longestLag() int {
	longest := 0
	for _, lag := range b.r.Settings.Lags {
		longest = max(longest, lag)
	}
	return longest
}

func (b *labBuilder) unit() string {
	if b.r.Text == nil {
		return "token"
	}
	return b.r.Text.Unit
}

// large writes a factor that may have many digits.
func large(v float64) string {
	if v >= 1e5 || v < 0.01 && v > 0 {
		return exponent(v)
	}
	return significant(v, 2)
}
