package report

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// maxBins is how many stretches of steps a run is cut into.
const maxBins = 10

// clipping is the section of norms step by step.
func (b *labBuilder) clipping() section {
	s := section{id: "clipping", title: "Do gradients explode, and what did clipping do?"}
	f := &figure{id: "clipping", title: "Norm of each step’s gradient before clipping", columns: 2, table: &table{id: "clipping", caption: "Norms before clipping, by stretch of training",
		columns: []column{{head: "variant", key: "variant", text: true}, {head: "steps to", key: "step"}, {head: "largest norm", key: "norm"},
			{head: "smallest factor of clipping", key: "factor"}, {head: "gradients limited by value", key: "values"}, {head: "steps clipped", key: "clipped"}}}}
	for i, r := range b.r.Runs {
		wild := strings.Contains(r.Variant, "radius")
		if clip := r.Scales != nil || r.Values != nil; len(r.Norms) > 0 && (bare(r.Variant) || wild || clip) {
			f.panels = append(f.panels, b.normPanel(f.table, i))
		}
	}
	if len(f.panels) == 0 {
		return s
	}
	f.says = say("The largest norm of each stretch of ", count(int64(b.bin())), " steps, log scale; the line across is the norm that clipping allows. Filled marks: clipping changed a step of the stretch.")
	s.show(f)
	s.say("Clipping by the global norm keeps the gradient’s direction and shortens it (Pascanu et al. 2013); clipping by value cuts each number by itself, and so turns it. Neither makes a gradient reach further: they keep a step from going too far where gradients explode.")
	return s
}

func (b *labBuilder) bin() int { return max(1, int(b.r.Settings.Steps)/maxBins) }

func (b *labBuilder) normPanel(t *table, run int) panel {
	r, kind := b.r.Runs[run], cellOf(b.r.Runs[run].Variant)
	p := panel{title: title(r.Variant), height: 130, x: axis{label: "step"}, y: axis{scale: log10}}
	if r.Diverged {
		p.sub = "diverged after " + count(int64(len(r.Norms))) + " steps"
	}
	line := series{kind: kind, draw: drawThin}
	loose, cut := series{kind: kind, draw: drawSeeds}, series{kind: kind, draw: drawBubbles}
	for from := 0; from < len(r.Norms); from += b.bin() {
		to := min(from+b.bin(), len(r.Norms))
		largest, factor, values, clipped := 0.0, 1.0, 0.0, 0
		for i := from; i < to; i++ {
			largest = max(largest, float64(r.Norms[i]))
			changed := false
			if r.Scales != nil {
				factor = min(factor, float64(r.Scales[i]))
				changed = r.Scales[i] < 1
			}
			if r.Values != nil {
				values = max(values, float64(r.Values[i]))
				changed = changed || r.Values[i] > 0
			}
			if changed {
				clipped++
			}
		}
		cells := []cell{named(title(r.Variant), kind), whole(int64(to)), num(largest, large(largest)), word("–"), word("–"), whole(int64(clipped))}
		if r.Scales != nil {
			cells[3] = num(factor, large(factor))
		}
		if r.Values != nil {
			cells[4] = num(values, fixed(100*values, 1)+thin+"%")
		}
		row := t.add(cells...)
		pt := point{row: row, x: float64(to), y: largest, size: 4}
		line.points = append(line.points, point{row: -1, x: pt.x, y: pt.y})
		if clipped > 0 {
			cut.points = append(cut.points, pt)
		} else {
			loose.points = append(loose.points, pt)
		}
	}
	p.series = []series{line, loose, cut}
	all := values(p.series, func(p point) []float64 { return []float64{p.y} })
	if r.Scales != nil {
		limit := b.clipOf(run)
		p.rules = []rule{{at: limit, kind: "muted", dash: "3 3", row: -1}}
		all = append(all, limit)
	}
	p.y.fit(all, 0.08)
	p.x.fit([]float64{0, float64(b.r.Settings.Steps)}, 0)
	return p
}

// clipOf is the norm that a run's clipping allowed, from a step that it changed; 1
// where it changed none.
func (b *labBuilder) clipOf(run int) float64 {
	r := b.r.Runs[run]
	for i, scale := range r.Scales {
		if scale < 1 {
			return round(float64(r.Norms[i]*scale), 2)
		}
	}
	return 1
}

// moves is the section of the staircase.
func (b *labBuilder) moves() section {
	s := section{id: "moves", title: "How does the output move along a text?"}
	var shown []int
	for i, r := range b.r.Runs {
		if bare(r.Variant) && len(r.Moves) > 0 {
			shown = append(shown, i)
		}
	}
	if len(shown) == 0 {
		return s
	}
	const most = 44
	f := &figure{id: "moves", title: "What each " + b.unit() + " changes in the prediction", columns: 1, table: &table{id: "moves", caption: "Jensen-Shannon divergence, in bits, of the prediction after a " + b.unit() + " from that before it",
		columns: []column{{head: "variant", key: "variant", text: true}, {head: "place", key: "place"}, {head: b.unit(), key: "token", text: true}, {head: "bits", key: "bits"}}}}
	var tenth []prose
	for _, i := range shown {
		r := b.r.Runs[i]
		p := panel{title: title(r.Variant), height: 110, x: axis{label: "place in the text"}, y: axis{min: 0, max: 1, ticks: []tick{{0, "0"}, {0.5, "0.5"}, {1, "1"}}}}
		line := series{kind: cellOf(r.Variant)}
		for at, bits := range r.Moves[:min(most, len(r.Moves))] {
			token := visible(shownToken(b.r.Text.Stretch[at+1]))
			row := f.table.add(named(title(r.Variant), cellOf(r.Variant)), whole(int64(at+1)), cell{text: token, own: true}, decimal(float64(bits), 3))
			line.points = append(line.points, point{row: row, x: float64(at + 1), y: float64(bits)})
		}
		p.series = []series{line}
		p.x.fit([]float64{0, float64(len(line.points) + 1)}, 0)
		f.panels = append(f.panels, p)
		tenth = append(tenth, say(title(r.Variant), " ", number(fmt.Sprintf("result.runs.%d.moves_tenth", i), float64(r.MovesTenth), fixed(100*float64(r.MovesTenth), 0)+thin+"%")))
	}
	f.says = say("0 bits: the prediction rests; 1 bit: before and after have nothing in common. A staircase rests and jumps. The largest tenth of the moves makes so much of all movement: ", list(tenth), "; a tenth if all moves were alike.")
	s.show(f)
	return s
}

// shownToken makes white space visible.
func shownToken(token string) string {
	return strings.NewReplacer(" ", "␣", "\n", "⏎", "\t", "⇥").Replace(token)
}

// tasks is the section of the tasks of known lag.
func (b *labBuilder) tasks() section {
	s := section{id: "tasks", title: "Which long lags are learnt?"}
	if len(b.r.Tasks) == 0 {
		return s
	}
	f := &figure{id: "tasks", title: "Loss on each task beside chance", columns: 1, table: &table{id: "tasks", caption: "Runs on tasks", columns: []column{
		{head: "variant", key: "variant", text: true}, {head: "task", key: "task", text: true}, {head: "lag", key: "lag"}, {head: "seed", key: "seed"},
		{head: "loss, share of chance", key: "loss"}, {head: "solved", key: "solved", text: true}, {head: "steps", key: "steps"},
		{head: "steps clipped", key: "clipped"}, {head: "largest norm", key: "largest"}}}}
	for _, task := range b.r.Settings.Tasks {
		if len(b.r.Settings.Lags) > 1 {
			f.panels = append(f.panels, b.taskPanel(f.table, task))
		}
		s.tabulate(b.taskTable(task))
	}
	if items := b.notLearnt(); len(items) > 0 {
		s.say("Not learnt by any variant: ", list(items), ". More steps, more units or another rate may change that.")
	}
	s.say(taskNotes)
	if len(f.panels) > 0 {
		f.says = say("Loss on fresh sequences over that of a network that has seen nothing, the mean of the seeds, by lag; solved is below 5", thin, "%. Runs end where they are solved.")
		s.parts = append([]part{{figure: f}}, s.parts...)
	}
	return s
}

const taskNotes = "Recall: the first symbol, one of four, is asked for after the lag, distractors in between. Copy: ten symbols, blanks as long as the lag, and the ten again. " +
	"Adding: pairs of a number from [0, 1) and a mark, as many as the lag; the sum of the two marked numbers, one in each half, is asked for at the end (Hochreiter and Schmidhuber 1997; Arjovsky et al. 2016; Le et al. 2015). " +
	"Losses are those of answers alone. One learning rate serves all, so a variant that fails here may do better with its own."

func (b *labBuilder) taskPanel(t *table, task string) panel {
	p := panel{title: task, height: 26 * float64(len(b.r.Settings.TaskVariants)), x: axis{label: "lag, steps", scale: log10}, y: axis{label: "loss, share of chance", min: 0, max: 1.15,
		ticks: []tick{{0, "0"}, {0.5, "0.5"}, {1, "1"}}}}
	dashes := map[string]int{}
	var lags []float64
	for _, variant := range b.r.Settings.TaskVariants {
		kind := cellOf(variant)
		line := series{kind: kind, label: strings.Replace(title(variant), " + clip", "", 1), dash: []string{"", "7 4", "1.5 4", "12 3 2 3", "4 2"}[dashes[kind]%5]}
		dashes[kind]++
		for _, lag := range b.r.Settings.Lags {
			sum, n, row := 0.0, 0, -1
			for _, r := range b.r.Tasks {
				if r.Name != task || r.Lag != lag || r.Variant != variant {
					continue
				}
				state := map[bool]string{true: "yes", false: "no"}[r.Solved]
				if r.Diverged {
					state = "diverged"
				}
				at := t.add(named(title(variant), kind), word(task), whole(int64(lag)), word(fmt.Sprint(r.Seed)), num(float64(r.Loss), fixed(float64(r.Loss), 3)), word(state), whole(r.Steps),
					num(r.Clipped, fixed(100*r.Clipped, 0)+thin+"%"), num(float64(r.Largest), large(float64(r.Largest))))
				if row < 0 {
					row = at
				}
				if !math.IsNaN(float64(r.Loss)) {
					sum += float64(r.Loss)
					n++
				}
			}
			if n > 0 {
				line.points = append(line.points, point{row: row, x: float64(lag), y: sum / float64(n)})
			}
			lags = append(lags, float64(lag))
		}
		slices.SortFunc(line.points, func(p, q point) int { return int(p.x - q.x) })
		p.series = append(p.series, line)
	}
	p.x.fit(lags, 0.02)
	p.x.ticks = nil
	for _, lag := range b.r.Settings.Lags {
		p.x.ticks = append(p.x.ticks, tick{float64(lag), count(int64(lag))})
	}
	return p
}

// taskTable has a row for each variant and a column for each lag.
func (b *labBuilder) taskTable(task string) *table {
	t := &table{id: "task-" + task, caption: strings.ToUpper(task[:1]) + task[1:] + ": steps until solved, or the share of chance’s loss at the end", columns: []column{{head: "variant", key: "variant", text: true}}}
	for _, lag := range b.r.Settings.Lags {
		t.columns = append(t.columns, column{head: "lag " + count(int64(lag)), key: fmt.Sprintf("lag-%d", lag), text: true})
	}
	for _, variant := range b.r.Settings.TaskVariants {
		cells := []cell{named(title(variant), cellOf(variant))}
		for _, lag := range b.r.Settings.Lags {
			cells = append(cells, word(b.outcome(task, lag, variant)))
		}
		t.add(cells...)
	}
	return t
}

// notLearnt names the tasks that no variant solved, with the steps that they had and
// the lowest loss.
func (b *labBuilder) notLearnt() []prose {
	var items []prose
	for _, task := range b.r.Settings.Tasks {
		for _, lag := range b.r.Settings.Lags {
			best, solved := -1, false
			for i, r := range b.r.Tasks {
				if r.Name != task || r.Lag != lag || r.Diverged {
					continue
				}
				if solved = solved || r.Solved; best < 0 || r.Loss < b.r.Tasks[best].Loss {
					best = i
				}
			}
			if solved || best < 0 {
				continue
			}
			path, r := fmt.Sprintf("result.tasks.%d.", best), b.r.Tasks[best]
			items = append(items, say(task, " at lag ", count(int64(lag)), " (best: ", title(r.Variant), ", ", number(path+"loss", float64(r.Loss), fixed(100*float64(r.Loss), 0)+thin+"%"),
				" of chance’s loss after ", number(path+"steps", float64(r.Steps), count(r.Steps)), " steps)"))
		}
	}
	return items
}

// outcome sums up the seeds of one task.
func (b *labBuilder) outcome(task string, lag int, variant string) string {
	var steps, losses []float64
	diverged, runs := 0, 0
	for _, r := range b.r.Tasks {
		if r.Name != task || r.Lag != lag || r.Variant != variant {
			continue
		}
		runs++
		switch {
		case r.Diverged:
			diverged++
		case r.Solved:
			steps = append(steps, float64(r.Steps))
		default:
			losses = append(losses, float64(r.Loss))
		}
	}
	text := ""
	slices.Sort(steps)
	slices.Sort(losses)
	switch {
	case len(steps) > 0:
		text = "after " + count(int64(steps[len(steps)/2]))
	case len(losses) > 0:
		text = "no: " + fixed(100*losses[len(losses)/2], 0) + thin + "%"
	case diverged > 0:
		return "diverged"
	default:
		return "–"
	}
	if len(steps) > 0 && len(steps) < runs {
		text += fmt.Sprintf(" (%d of %d)", len(steps), runs)
	}
	return text
}

// answers is the section of adding's output along a sequence.
func (b *labBuilder) answers() section {
	s := section{id: "answers", title: "What does a network answer while it adds?"}
	f := &figure{id: "answers", title: "The answer after each step of one sequence of adding", columns: 2, table: &table{id: "answers", caption: "Answers along one sequence of adding", columns: []column{
		{head: "variant", key: "variant", text: true}, {head: "step", key: "step"}, {head: "answer", key: "answer"}, {head: "sum so far", key: "sum"}}}}
	for _, r := range b.r.Tasks {
		if len(r.Answers) == 0 {
			continue
		}
		p := panel{title: title(r.Variant), height: 110, x: axis{label: "step"}, y: axis{}}
		line, stairs := series{kind: cellOf(r.Variant)}, series{kind: "muted", draw: drawThin, dash: "3 3"}
		every, last := max(1, len(r.Answers)/24), len(r.Answers)-1
		for i := range r.Answers {
			x, rises := float64(i+1), i > 0 && r.Sums[i] != r.Sums[i-1]
			if rises {
				stairs.points = append(stairs.points, point{row: -1, x: x, y: float64(r.Sums[i-1])})
			}
			if rises || i == 0 || i == last {
				stairs.points = append(stairs.points, point{row: -1, x: x, y: float64(r.Sums[i])})
			}
			if i%every == 0 || i == last {
				row := f.table.add(named(title(r.Variant), cellOf(r.Variant)), whole(int64(i+1)), decimal(float64(r.Answers[i]), 3), decimal(float64(r.Sums[i]), 3))
				line.points = append(line.points, point{row: row, x: x, y: float64(r.Answers[i])})
			}
		}
		p.series = []series{stairs, line}
		p.x.fit([]float64{1, float64(len(r.Answers))}, 0)
		f.panels = append(f.panels, p)
	}
	if len(f.panels) == 0 {
		return s
	}
	shareY(f.panels)
	f.says = say("What each network would answer after each step of one sequence of adding at lag ", count(int64(b.longestLag())), ". The dashed line is the sum so far of the marked numbers: a network that adds climbs these two stairs, one that has learnt nothing stays at the mean, 1.")
	s.show(f)
	return s
}

// again is the section of what repeats the numbers.
func (b *labBuilder) again() section {
	s := section{id: "again", title: "How do I get these numbers again?"}
	r := b.r
	s.parts = append(s.parts, part{pre: visible(r.Command)})
	t := &table{id: "again", caption: "What the numbers depend on", columns: []column{{head: "", key: "what", text: true}, {head: "value", key: "value", text: true}}}
	fact := func(what, value string) { t.add(word(what), cell{text: visible(value)}) }
	if r.Text != nil {
		t.add(word("text"), cell{text: visible(r.Text.Name), own: true})
		fact("its SHA-256", r.Text.SHA256)
		fact("bytes read", count(r.Text.Bytes))
		fact("tokens", fmt.Sprintf("%s to train on, %s to measure on; tokenizer %s, %s entries", count(r.Text.Train), count(r.Text.Valid), r.Text.Tokenizer, count(int64(r.Text.Vocab))))
	}
	fact("network", fmt.Sprintf("%d units a layer, %d to copy; one layer unless it says otherwise; embeddings as wide", r.Settings.Hidden, 2*r.Settings.Hidden))
	fact("training", fmt.Sprintf("Adam at %s on text, at %s on tasks, constant; %d lanes or sequences a step, windows of %d tokens; %s steps on text; on a task %s at most, of sequences longer than 200 fewer in proportion",
		rate(r.Settings.LR), rate(r.Settings.TaskLR), r.Settings.Batch, r.Settings.Window, count(r.Settings.Steps), count(r.Settings.TaskSteps)))
	fact("seeds", fmt.Sprintf("from %d on: 1 on text, %d on tasks", r.Settings.Seed, r.Settings.Seeds))
	fact("program", r.Version)
	s.tabulate(t)
	return s
}
