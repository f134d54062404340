package report

import (
	"fmt"
	"math"

	"github.com/refrain-lm/refrain/compare"
)

// loss is section 1: who predicts best, and how sure that is.
func (b *builder) loss() section {
	s := section{id: "loss", title: "Which predicts this text best, and how sure is that?"}
	f := &figure{
		id: "loss", title: "Test loss of each model, and its distance from row one", columns: 2,
		says: say("Each run is a mark, the mean a tick."),
		table: &table{id: "loss", caption: "Test loss of every run and mean", columns: []column{
			{head: "model", key: "model", text: true}, {head: "run", key: "run", text: true}, {head: "loss, " + b.nats(), key: "loss"},
			{head: "above row one", key: "delta"}, {head: "from", key: "low"}, {head: "to", key: "high"}, {head: "text alone ±", key: "text_half"},
		}},
	}
	left, right := b.lossPanels(f.table)
	f.panels = []panel{left}
	if len(right.series) > 0 {
		f.panels = append(f.panels, right)
		f.says = say(f.says, " Then how far each mean is above that of row one: thick bars are 95", thin, "% intervals, all at once, ",
			"thin bars the test text’s noise alone; between the dashed lines (±0.01 nats, 1", thin, "% of perplexity) nobody would notice.")
	} else {
		f.columns = 1
	}
	s.show(f)
	s.tabulate(b.scores())
	if r := b.doc.Result; r.Text.Lossy {
		s.say("There are no bits a byte, since some of the text’s words are not in the vocabulary and were not predicted.")
	}
	s.say("This does not say that the order holds for other texts, sizes or budgets. Perplexities compare only within one vocabulary.")
	if b.doc.Result.Interrupted {
		s.say("The comparison was interrupted; some runs are missing.")
	}
	return s
}

func (b *builder) nats() string { return "nats a " + b.unit() }

// lossPanels fills the table with the rows that the marks stand for.
func (b *builder) lossPanels(t *table) (left, right panel) {
	j := b.doc.Judgement
	left = panel{weight: 1.45, x: axis{label: "test loss, " + b.nats(), other: "perplexity"}, y: axis{scale: names}}
	right = panel{x: axis{label: "above row one, nats"}, y: axis{scale: names, hide: true}}
	for i, row := range j.Rows {
		kind := b.model(row).Kind
		label := row.Name
		if !row.Complete() {
			label = fmt.Sprintf("%s (%d of %d)", row.Name, row.Finished, row.Planned)
		}
		left.y.names = append(left.y.names, rowName{label, kind})
		seeds := series{kind: kind, draw: drawSeeds}
		for _, run := range b.model(row).Runs {
			if run.Diverged || b.model(row).Kind == compare.KindNGram {
				continue
			}
			at := t.add(named(row.Name, kind), word(fmt.Sprintf("seed %d", run.Seed)), decimal(float64(run.TestLoss), 4), cell{}, cell{}, cell{}, cell{})
			seeds.points = append(seeds.points, point{row: at, x: float64(run.TestLoss), y: float64(i)})
		}
		left.series = append(left.series, seeds)
		if row.Finished == 0 {
			continue
		}
		cells := []cell{named(row.Name, kind), word("mean"), decimal(float64(row.Loss), 4), {}, {}, {}, {}}
		p := point{y: float64(i)}
		compared := i > 0 && j.Pairs[i-1].Loss != nil
		if compared {
			d := j.Pairs[i-1].Loss
			p.x, p.low, p.high, p.inner = -float64(d.Delta), -float64(d.High), -float64(d.Low), float64(d.TextHalf)
			cells[3], cells[4], cells[5], cells[6] = decimal(p.x, 4), decimal(p.low, 4), decimal(p.high, 4), decimal(p.inner, 4)
		}
		p.row = t.add(cells...)
		left.series = append(left.series, series{kind: kind, draw: drawMeans, points: []point{{row: p.row, x: float64(row.Loss), y: float64(i)}}})
		if compared {
			right.series = append(right.series, series{kind: kind, draw: drawIntervals, points: []point{p}})
		}
	}
	right.y.names = left.y.names
	left.x.fit(values(left.series, func(p point) []float64 { return []float64{p.x} }), 0.06)
	left.x.second = perplexities(left.x.min, left.x.max)
	right.x.fit(append(values(right.series, func(p point) []float64 { return []float64{p.low, p.high} }), -compare.Margin, compare.Margin), 0.06)
	right.rules = []rule{{at: 0, upright: true, kind: "axis", row: -1},
		{at: -compare.Margin, upright: true, kind: "muted", dash: "3 3", row: -1}, {at: compare.Margin, upright: true, kind: "muted", dash: "3 3", row: -1}}
	return left, right
}

// perplexities are round ones between two losses.
func perplexities(low, high float64) []tick {
	var ticks []tick
	for _, t := range linearTicks(math.Exp(low), math.Exp(high)) {
		if t.at > 0 {
			ticks = append(ticks, tick{math.Log(t.at), t.text})
		}
	}
	return ticks
}

// scores is the table of section 1.
func (b *builder) scores() *table {
	t := &table{id: "scores", caption: "Scores on the test text; distances with their 95 % interval", columns: []column{
		{head: "model", key: "model", text: true}, {head: "loss, " + b.nats(), key: "loss"}, {head: "above row one", key: "delta"},
		{head: "in words", key: "verdict", text: true}, {head: "perplexity", key: "perplexity"}, {head: "bits a byte", key: "bits_per_byte"},
		{head: "accuracy, %", key: "accuracy"}, {head: "runs", key: "runs"},
	}}
	digits := b.lossPlaces()
	for i, row := range b.doc.Judgement.Rows {
		runs, delta := "", ""
		if row.Finished > 1 {
			runs = fixed(float64(row.Low), digits) + "–" + fixed(float64(row.High), digits)
		}
		if i > 0 {
			if d := b.doc.Judgement.Pairs[i-1].Loss; d != nil {
				n := places(d.Half())
				delta = fixed(-float64(d.Delta), n) + " ± " + fixed(d.Half(), n)
			}
		}
		loss, accuracy := float64(row.Loss), float64(row.Accuracy)
		t.add(named(row.Name, b.model(row).Kind), decimal(loss, digits), word(delta), word(b.inWords(i)),
			num(float64(row.Perplexity), significant(float64(row.Perplexity), 4)), decimal(float64(row.BitsPerByte), 3), decimal(100*accuracy, 1), word(runs))
	}
	for _, f := range b.doc.Result.Floors {
		t.add(word(f.Name), decimal(f.TestLoss, digits), cell{}, word("a floor"), num(math.Exp(f.TestLoss), significant(math.Exp(f.TestLoss), 4)),
			decimal(b.doc.Result.Text.BitsPerByte(f.TestLoss), 3), decimal(100*float64(f.Accuracy), 1), cell{})
	}
	return t
}

// lossPlaces shows two digits of the narrowest half width against row one.
func (b *builder) lossPlaces() int {
	half := math.Inf(1)
	for _, p := range b.doc.Judgement.Pairs {
		if p.Loss != nil && p.A == b.doc.Judgement.Rows[0].Name {
			half = min(half, p.Loss.Half())
		}
	}
	return places(half)
}

// pairs lists every difference with the parts of its variance.
func (b *builder) pairs() *table {
	t := &table{id: "pairs", caption: "All pairs: Δ = A − B and the parts of its variance", columns: []column{
		{head: "A", key: "a", text: true}, {head: "B", key: "b", text: true}, {head: "Δ loss", key: "delta"}, {head: "±", key: "half"},
		{head: "variance: seeds of A", key: "seeds_a"}, {head: "seeds of B", key: "seeds_b"}, {head: "text", key: "text"}, {head: "blocks joined", key: "grouping"},
		{head: "ν", key: "freedom"}, {head: "A lower, % of seed pairs", key: "lower"},
		{head: "Δ accuracy, points", key: "accuracy_delta"}, {head: "±", key: "accuracy_half"},
	}}
	for _, p := range b.doc.Judgement.Pairs {
		if p.Loss == nil {
			continue
		}
		l, a, n := p.Loss, p.Accuracy, places(p.Loss.Half())
		scientific := func(v compare.Number) cell { return num(float64(v), exponent(float64(v))) }
		percent := func(v float64) cell { return decimal(100*v, min(2, places(100*a.Half()))) }
		t.add(named(p.A, b.kind(p.A)), named(p.B, b.kind(p.B)), decimal(float64(l.Delta), n), decimal(l.Half(), n),
			scientific(l.SeedsA), scientific(l.SeedsB), scientific(l.Text), whole(int64(l.Grouping)),
			num(float64(l.Freedom), fixed(float64(l.Freedom), 1)), decimal(100*float64(p.Lower), 0),
			percent(float64(a.Delta)), percent(a.Half()))
	}
	if len(t.rows) == 0 {
		return nil
	}
	return t
}

// kind is that of the model of a name.
func (b *builder) kind(name string) string {
	for _, m := range b.doc.Result.Models {
		if m.Name == name {
			return m.Kind
		}
	}
	return ""
}
