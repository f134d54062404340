package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/refrain-lm/refrain/checkpoint"
	"github.com/refrain-lm/refrain/eval"
	"github.com/refrain-lm/refrain/lm"
	"github.com/refrain-lm/refrain/train"
)

func (a *app) inspectCommand() *cobra.Command {
	var tensors, history, asJSON bool
	var arpa string
	cmd := &cobra.Command{Use: "inspect DIR", Short: "what a model folder holds and how it was made", Args: cobra.ArbitraryArgs}
	f := cmd.Flags()
	f.BoolVar(&tensors, "tensors", false, "every tensor's name, shape and norm")
	f.BoolVar(&history, "history", false, "every validation, phase and warning of the run")
	f.BoolVar(&asJSON, "json", false, "one JSON object")
	f.StringVar(&arpa, "arpa", "", "write an n-gram model to `FILE` (-: standard output) for KenLM, SRILM and others")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return helpError{cmd}
		}
		i, err := inspect(args[0])
		if err != nil {
			return err
		}
		if arpa != "" {
			return a.exportARPA(i.model, arpa)
		}
		if i.model.Ngram != nil {
			return a.inspectNgram(i, asJSON)
		}
		if asJSON {
			return a.inspectJSON(i)
		}
		a.sayModel(i)
		a.sayRun(i)
		if history {
			a.sayHistory(i)
		} else {
			a.sayCurve(i)
		}
		a.sayTensors(i, tensors)
		return nil
	}
	a.describe(cmd, page{
		summary:  "Show a model folder: its configuration, size, training curve and tensors.",
		examples: []string{"inspect book-model", "inspect book-model --tensors", "inspect ngram-model --arpa lm.arpa"},
		groups:   []flagGroup{{title: "More", names: []string{"tensors", "history", "json", "arpa"}}},
	}, nil)
	return cmd
}

// inspected is what a folder says about itself. A folder copied without its
// run's files has no plan.
type inspected struct {
	dir     string
	model   *eval.Model
	tensors []checkpoint.Tensor
	plan    *train.Plan
	events  []train.Event
}

func inspect(dir string) (*inspected, error) {
	m, err := openModel(dir)
	if err != nil {
		return nil, err
	}
	i := &inspected{dir: dir, model: m}
	if m.LM != nil {
		i.tensors = m.LM.Tensors()
	}
	if p, err := train.ReadPlan(dir); err == nil && p.Complete {
		i.plan = &p
	}
	i.events, _ = train.ReadMetrics(dir) // a curve that cannot be read is left out
	return i, nil
}

// best is the validation with the lowest loss.
func (i *inspected) best() (best train.Event, ok bool) {
	for _, e := range i.events {
		if e.Kind == train.EventValid && !math.IsNaN(e.Valid) && (!ok || e.Valid < best.Valid) {
			best, ok = e, true
		}
	}
	return best, ok
}

// elapsed is the run's time, all its sessions together, and the last step it
// reported.
func (i *inspected) elapsed() (spent time.Duration, step int64) {
	var session time.Duration
	for _, e := range i.events {
		if e.Elapsed < session { // every session begins at zero
			spent += session
		}
		session, step = e.Elapsed, max(step, e.Step)
	}
	return spent + session, step
}

func stateBytes(m *eval.Model) int64 {
	return int64(m.LM.NewStepper(nil).StateBytes())
}

// modelBytes is the size of the weights in memory, each once.
func modelBytes(m *eval.Model) int64 {
	if m.Config.Weights == "" {
		return 4 * m.Config.Params()
	}
	return weightBytes(m)
}

func (a *app) sayModel(i *inspected) {
	m := i.model
	many := map[string]string{"char": "characters", "byte": "bytes", "word": "words"}[m.Tokenizer.Unit()]
	name := m.Config.String()
	line := a.out.fit(fmt.Sprintf("%s, %s %s, %s parameters, %s; state %s a stream", name, a.count(int64(m.Tokenizer.Distinct())), many,
		a.count(m.Config.Params()), size(modelBytes(m)), size(stateBytes(m))), "  ")
	if rest, ok := strings.CutPrefix(line, name); ok { // not so where the name itself was broken
		line = a.out.paint(bold, name) + rest
	}
	fmt.Fprintln(a.out.w, line)
	c := m.Config
	parts := []string{fmt.Sprintf("embedding %d", c.EmSize)}
	if c.Weights != "" {
		parts = append(parts, "weights "+c.Weights)
	}
	if c.Cell == lm.GRU {
		parts = append(parts, "reset "+c.GRUReset)
	}
	if c.Kind == lm.KindFFN {
		parts = append(parts, fmt.Sprintf("reads the last %d tokens", c.Order-1))
	}
	if c.Kind == lm.KindTransformer {
		parts = append(parts, fmt.Sprintf("%d heads, sees the last %d tokens, feed-forward %d", c.Heads, c.Context, c.Feedforward))
	}
	if c.Nonlinearity != "" {
		parts = append(parts, c.Nonlinearity)
	}
	if c.Tied {
		parts = append(parts, "tied")
	}
	if c.Norm != lm.NoNorm {
		parts = append(parts, string(c.Norm)+" norm")
	}
	if c.Residual {
		parts = append(parts, "residual")
	}
	if c.Bias == "one" {
		parts = append(parts, "one bias")
	}
	if c.DropoutInput+c.DropoutLayer+c.DropoutOutput > 0 {
		kind := "dropout"
		if c.Variational {
			kind = "variational dropout"
		}
		parts = append(parts, fmt.Sprintf("%s %g input, %g layers, %g output", kind, c.DropoutInput, c.DropoutLayer, c.DropoutOutput))
	}
	if c.DropoutWeight > 0 {
		parts = append(parts, fmt.Sprintf("weight dropout %g", c.DropoutWeight))
	}
	fmt.Fprintln(a.out.w, a.out.fit(strings.Join(parts, ", "), "  "))
}

func (a *app) sayRun(i *inspected) {
	if i.plan == nil {
		fmt.Fprintln(a.out.w, "no plan.json: how it was trained is not known")
		return
	}
	p := i.plan
	var texts []string
	for _, s := range p.Data.Sources {
		texts = append(texts, fmt.Sprintf("%s (sha256 %.8s)", visible(s.Name), s.SHA256))
	}
	if n := len(texts); n > 3 {
		texts = append(texts[:2], fmt.Sprintf("%s more", a.count(int64(n-2))))
	}
	spent, step := i.elapsed()
	steps := a.count(step) + " steps"
	if all := p.LastSteps(); step < all {
		steps = a.count(step) + " of " + a.count(all) + " steps"
	}
	line := fmt.Sprintf("%s, %s, %s, seed %d, %s", strings.Join(texts, ", "), steps, duration(spent), p.Settings.Seed, kernelName(p.Kernels))
	fmt.Fprintln(a.out.w, a.out.fit(line, "  "))
	line = fmt.Sprintf("%s, learning rate %g, schedule %s, batch %dx%d", p.Settings.Optimizer, p.Settings.LR, p.Settings.Schedule, p.Settings.BatchSize, p.Settings.BPTT)
	fmt.Fprintln(a.out.w, a.out.fit(line, "  "))
	for n, ph := range p.Earlier {
		a.sayPhase(n+1, ph.From, ph.Settings.LR)
	}
	if len(p.Earlier) > 0 {
		a.sayPhase(len(p.Earlier)+1, p.From, p.Settings.LR)
	}
}

func (a *app) sayPhase(n int, from int64, rate float64) {
	fmt.Fprintln(a.out.w, a.out.fit(fmt.Sprintf("phase %d: from step %s, learning rate %g", n, a.count(from), rate), "  "))
}

func (a *app) sayCurve(i *inspected) {
	best, ok := i.best()
	if !ok {
		return
	}
	u := unit{i.model.Tokenizer.Unit()}
	var points []point
	for _, e := range i.events {
		if e.Kind == train.EventValid && !math.IsNaN(e.Valid) {
			points = append(points, point{float64(e.Step), e.Valid})
		}
	}
	rows := plot(points, 8, min(a.out.columns(), 80)-10, u.loss)
	for _, r := range rows {
		fmt.Fprintln(a.out.w, r)
	}
	fmt.Fprintf(a.out.w, "        valid, %s; best %s at step %s\n", u.label(), u.loss(best.Valid), a.count(best.Step))
}

// point is a loss in nats at a step.
type point struct{ step, loss float64 }

// plot draws points as rows of stars with the loss at the left of some.
func plot(points []point, height, width int, label func(float64) string) []string {
	if len(points) == 0 || width < 8 {
		return nil
	}
	low, high := points[0].loss, points[0].loss
	first, last := points[0].step, points[0].step
	for _, p := range points {
		low, high = min(low, p.loss), max(high, p.loss)
		first, last = min(first, p.step), max(last, p.step)
	}
	if high == low {
		height = 1
	}
	width = min(width, max(8, 2*len(points)))
	grid := make([][]byte, height)
	for r := range grid {
		grid[r] = []byte(strings.Repeat(" ", width))
	}
	for _, p := range points {
		x, y := 0, 0
		if last > first {
			x = int((p.step - first) / (last - first) * float64(width-1))
		}
		if high > low {
			y = int(math.Round((high - p.loss) / (high - low) * float64(height-1)))
		}
		grid[y][x] = '*'
	}
	rows := make([]string, height)
	for r := range grid {
		text := ""
		if r == 0 || r == height-1 || r == height/2 {
			at := high
			if height > 1 {
				at = high - (high-low)*float64(r)/float64(height-1)
			}
			text = label(at)
		}
		rows[r] = strings.TrimRight(fmt.Sprintf("%7s |%s", text, grid[r]), " ")
	}
	return rows
}

// sayHistory lists validations and what else happened.
func (a *app) sayHistory(i *inspected) {
	u := unit{i.model.Tokenizer.Unit()}
	w := tabwriter.NewWriter(a.out.w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(a.out.w, "train and valid in %s, time by session\n", u.label())
	fmt.Fprintf(w, "step\ttime\tpass\ttrain\tvalid\tlr\t\n")
	loss, lr := math.NaN(), 0.0
	for _, e := range i.events {
		switch e.Kind {
		case train.EventStep:
			loss, lr = e.Loss, e.LR
		case train.EventValid:
			note := ""
			if e.Best {
				note = " best"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%.3g\t%s\n", a.count(e.Step), clock(e.Elapsed), passColumn(e.Pass), u.loss(loss), u.loss(e.Valid), lr, note)
		case train.EventWarning, train.EventReplan, train.EventResume:
			if e.Kind == train.EventReplan && !a.verbose {
				continue // a timed run has many, a step or two each
			}
			text := e.Text
			if text == "" {
				text = fmt.Sprintf("of %s steps", a.count(e.Steps))
			}
			fmt.Fprintf(w, "%s\t\t\t\t\t\t %s: %s\n", a.count(e.Step), e.Kind, visible(text))
		}
	}
	_ = w.Flush()
}

// norm is a tensor's Euclidean norm, NaN where it is kept in fewer bits.
func norm(t checkpoint.Tensor) float64 {
	if t.Data == nil {
		return math.NaN()
	}
	var sum float64
	for _, v := range t.Data {
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(sum)
}

// keptAs says of a tensor how large it is, or how it is kept.
func keptAs(t checkpoint.Tensor) string {
	switch {
	case t.Half != nil:
		return lm.BFloat16
	case t.Byte != nil:
		return lm.Int8
	}
	return fmt.Sprintf("norm %.4g", norm(t))
}

func shapeOf(t checkpoint.Tensor) string {
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(t.Shape), "[]"), " ", "x")
}

func (a *app) sayTensors(i *inspected, all bool) {
	if !all && len(i.tensors) > 1 {
		t := i.tensors[0]
		line := fmt.Sprintf("%s  %s  %s  (%d more: --tensors)", t.Name, shapeOf(t), keptAs(t), len(i.tensors)-1)
		fmt.Fprintln(a.out.w, a.out.fit(line, "  "))
		return
	}
	w := tabwriter.NewWriter(a.out.w, 0, 8, 2, ' ', 0)
	for _, t := range i.tensors {
		fmt.Fprintf(w, "%s\t%s\t%s\n", t.Name, shapeOf(t), keptAs(t))
	}
	_ = w.Flush()
}

// inspectJSON is the same as one object.
func (a *app) inspectJSON(i *inspected) error {
	type tensor struct {
		Name  string `json:"name"`
		Shape []int  `json:"shape"`
		Norm  number `json:"norm"`
	}
	out := struct {
		Config     lm.Config   `json:"config"`
		Tokenizer  string      `json:"tokenizer"`
		Distinct   int         `json:"distinct"`
		Params     int64       `json:"params"`
		Bytes      int64       `json:"bytes"`
		StateBytes int64       `json:"state_bytes"`
		Best       number      `json:"best"`
		BestStep   int64       `json:"best_step"`
		Tensors    []tensor    `json:"tensors"`
		Plan       *train.Plan `json:"plan"`
	}{Config: i.model.Config, Tokenizer: string(i.model.Tokenizer.Kind()), Distinct: i.model.Tokenizer.Distinct(),
		Params: i.model.Config.Params(), Bytes: modelBytes(i.model), StateBytes: stateBytes(i.model), Best: number(math.NaN()), Plan: i.plan}
	if e, ok := i.best(); ok {
		out.Best, out.BestStep = number(e.Valid), e.Step
	}
	for _, t := range i.tensors {
		out.Tensors = append(out.Tensors, tensor{t.Name, t.Shape, number(norm(t))})
	}
	raw, err := json.Marshal(out)
	if err != nil {
		return err
	}
	_, err = io.WriteString(a.out.w, string(raw)+"\n")
	return err
}
