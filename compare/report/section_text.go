package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/refrain-lm/refrain/compare"
)

// writing is section 9: samples of each model.
func (b *builder) writing() section {
	s := section{id: "writing", title: "What do they write?"}
	r := b.doc.Result
	if r.Prompt == nil {
		s.say("No samples were written.")
		return s
	}
	s.say("Each continues ", "“", corpus(strings.TrimSpace(r.Prompt.Text)), "”", " with seed ", number("result.prompt.seed", float64(r.Prompt.Seed), strconv.FormatUint(r.Prompt.Seed, 10)),
		" at temperature ", number("result.prompt.temperature", r.Prompt.Temperature, trim(fixed(r.Prompt.Temperature, 2))),
		". Underlined is the longest stretch that stands in the training text. Samples show a model’s manner; they never rank models.")
	for _, m := range r.Models {
		if len(m.Samples) == 0 {
			continue
		}
		shown := &sample{model: m.Name, kind: m.Kind}
		for _, w := range m.Samples {
			from, to := max(0, min(w.CopiedFrom, len(w.Text))), max(0, min(w.CopiedTo, len(w.Text)))
			to = max(from, to)
			shown.texts = append(shown.texts, written{visible(w.Text[:from]), visible(w.Text[from:to]), visible(w.Text[to:])})
		}
		s.parts = append(s.parts, part{sample: shown})
	}
	return s
}

// grid is a sentence with the bits of each token for each model. Tables of a few
// tokens side by side are for wide pages, one with tokens as rows for phones.
type grid struct {
	across []*table
	down   *table
}

// sentence is section 10.
func (b *builder) sentence() section {
	s := section{id: "sentence", title: "Where do they disagree?"}
	r := b.doc.Result
	if r.Sentence == nil {
		s.say("No sentence was looked at.")
		return s
	}
	how := "the test line of 8 to 24 tokens on which the models’ losses are closest to their means over the test text"
	if r.Sentence.Asked {
		how = "as asked for"
	}
	s.say("Line ", number("result.sentence.line", float64(r.Sentence.Line), count(r.Sentence.Line)), ", ", how,
		". Bits that each token cost, darker where more; cuts at 2, 5, 8 and 12.")
	s.parts = append(s.parts, part{grid: b.grid()})
	if w := b.doc.Findings.Widest; w != nil {
		s.say("They are furthest apart on ", corpus(quoted(r.Sentence.Tokens[w.Token])), ": ", number("findings.widest.low", w.Low, fixed(w.Low, 1)), " bits for ", w.Best, ", ",
			number("findings.widest.high", w.High, fixed(w.High, 1)), " for ", w.Worst, ".")
	}
	return s
}

// quoted shows where a token begins and ends.
func quoted(token string) string { return "“" + shown(token) + "”" }

// shown makes spaces and line ends visible, as they are tokens of their own.
func shown(token string) string {
	return strings.NewReplacer("\n", "⏎", "\t", "⇥", " ", "␣").Replace(token)
}

// gridWidth is how many pixels of tokens stand side by side.
const gridWidth = 700.0

func (b *builder) grid() *grid {
	r := b.doc.Result
	var shownModels []compare.Model
	for _, m := range r.Models {
		if len(m.Surprisal) == len(r.Sentence.Tokens) {
			shownModels = append(shownModels, m)
		}
	}
	down := &table{id: "sentence", caption: "Bits by token", columns: []column{{head: "token", key: "token", text: true}}}
	for _, m := range shownModels {
		down.columns = append(down.columns, column{head: m.Name, key: m.Name})
	}
	g := &grid{down: down}
	room := 0.0
	for i, token := range r.Sentence.Tokens {
		text := visible(shown(token))
		width := max(38, textWidth(text, 15)+14)
		if room -= width; room < 0 {
			room = gridWidth - width
			t := &table{id: fmt.Sprintf("sentence-%d", len(g.across)+1), caption: "Bits by token", columns: []column{{head: "", text: true}}}
			for _, m := range shownModels {
				t.add(named(m.Name, m.Kind))
			}
			g.across = append(g.across, t)
		}
		t := g.across[len(g.across)-1]
		t.columns = append(t.columns, column{head: text})
		row := []cell{{text: text, own: true}}
		for k, m := range shownModels {
			c := num(float64(m.Surprisal[i]), bits(float64(m.Surprisal[i])))
			c.shade = shadeFor(float64(m.Surprisal[i]))
			t.rows[k] = append(t.rows[k], c)
			row = append(row, c)
		}
		down.add(row...)
	}
	return g
}

func bits(v float64) string {
	if math.IsNaN(v) {
		return "–"
	}
	return strconv.FormatFloat(v, 'f', 1, 64)
}

// again is section 11: what repeats the numbers.
func (b *builder) again() section {
	s := section{id: "again", title: "How do I get these numbers again?"}
	r := b.doc.Result
	s.parts = append(s.parts, part{pre: visible(r.Command)})
	t := &table{id: "again", caption: "What the numbers depend on", columns: []column{{head: "", key: "what", text: true}, {head: "value", key: "value", text: true}}}
	fact := func(what, value string) {
		if value != "" {
			t.add(word(what), cell{text: visible(value)})
		}
	}
	t.add(word("text"), cell{text: visible(r.Text.Name), own: true})
	fact("its SHA-256", r.Text.SHA256)
	fact("bytes", count(r.Text.Bytes))
	for _, p := range []struct {
		name string
		part compare.Part
	}{{"training", r.Text.Train}, {"validation", r.Text.Valid}, {"test", r.Text.Test}} {
		fact(p.name+" part", fmt.Sprintf("from byte %s, %s bytes, %s tokens", count(p.part.From), count(p.part.Bytes), count(p.part.Tokens)))
	}
	fact("tokenizer", fmt.Sprintf("%s, %s entries", r.Text.Tokenizer, count(int64(r.Text.Vocab))))
	fact("seeds", seeds(r.Plan.Seeds)+"; of the search "+strconv.FormatUint(r.Plan.SearchSeed, 10))
	fact("learning rates", b.rates())
	fact("schedule", fmt.Sprintf("%s warm-up, constant, last %s cooled by 1−√x", percentWhole(r.Plan.Warmup), percentWhole(r.Plan.Cooldown)))
	fact("budget", r.Plan.Budget)
	fact("program", r.Version)
	if r.Machine != nil {
		fact("machine", fmt.Sprintf("%s, %s, kernels %s, %d threads", r.Machine.CPU, r.Machine.System, r.Machine.Kernels, r.Machine.Threads))
	}
	s.tabulate(t)
	s.say("All of it, with the sums over every block of the test text, is in ", code("report.json"),
		". Intervals are recomputed from those sums: 10,000 resamples of blocks, the same for all models; v = s²/S of both + the text’s; Student’s t with Welch’s ν, 95", thin, "% for all pairs at once.")
	return s
}

func percentWhole(share float64) string { return trim(fixed(100*share, 1)) + thin + "%" }

func seeds(of []uint64) string {
	var s []string
	for _, seed := range of {
		s = append(s, strconv.FormatUint(seed, 10))
	}
	return strings.Join(s, ", ")
}

func (b *builder) rates() string {
	var s []string
	for _, m := range b.doc.Result.Models {
		if m.Search != nil && m.Search.Setting == "learning rate" && m.Search.Chosen > 0 {
			s = append(s, m.Name+" "+rate(m.Search.Chosen))
		}
	}
	return strings.Join(s, ", ")
}
