package report

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/refrain-lm/refrain/compare"
)

// verdict compares the best model with each other one, in the words that the rules
// allow, in three sentences at most.
func (b *builder) verdict() []prose {
	if len(b.doc.Judgement.Pairs) == 0 {
		return []prose{say("There is one model, so there is nothing to compare.")}
	}
	if b.doc.Judgement.Pairs[0].Verdict == compare.ShortText {
		return []prose{say("No comparison: the test text has ", number("findings.blocks", float64(b.doc.Findings.Blocks), count(int64(b.doc.Findings.Blocks))),
			" blocks of about 1", thin, "KB, and fewer than 30 say too little about the text’s own noise. Give a longer text.")}
	}
	var said []prose
	for _, of := range []compare.Verdict{compare.Better, compare.Equal, compare.NotSeparated, compare.Unfinished} {
		if s := b.group(of); s != nil {
			said = append(said, s)
		}
	}
	for len(said) > 3 {
		last := len(said) - 1
		said = append(said[:last-1], say(said[last-1], "; ", said[last]))
	}
	for i := range said {
		opening := ""
		if i == 0 {
			opening = "On this text, size and budget, "
		}
		said[i] = say(opening, said[i], ".")
	}
	return said
}

// group says one thing of the best model and all rivals that it holds for.
func (b *builder) group(of compare.Verdict) prose {
	var items []prose
	leader := b.doc.Judgement.Rows[0].Name
	for i, p := range b.doc.Judgement.Pairs {
		if p.A == leader && p.Verdict == of {
			items = append(items, b.rival(i, p))
		}
	}
	switch {
	case len(items) == 0:
		return nil
	case of == compare.Better:
		return say(leader, " is better than ", list(items))
	case of == compare.Equal && len(items) == 1:
		return say(leader, " and ", list(items), " are practically equal")
	case of == compare.Equal:
		return say(leader, " is practically equal to each of ", list(items))
	case of == compare.NotSeparated && len(items) == 1:
		return say(leader, " and ", list(items))
	case of == compare.NotSeparated:
		return say(leader, " is not separated from ", list(items))
	case !b.doc.Judgement.Rows[0].Complete():
		return say("nothing is compared, since no model finished all its runs: ", list(append([]prose{b.finished(0)}, items...)))
	case len(items) == 1:
		return say(list(items), " is not compared")
	}
	return say(list(items), " are not compared")
}

// rival is the other model with what was measured, as group needs it.
func (b *builder) rival(i int, p compare.Pair) prose {
	path := fmt.Sprintf("judgement.pairs.%d.", i)
	switch p.Verdict {
	case compare.Better:
		return b.gap(path, p)
	case compare.Equal:
		places := places(p.Loss.Half())
		return say(p.B, " (apart by ", number(path+"loss.delta", float64(p.Loss.Delta), fixed(-float64(p.Loss.Delta), places)),
			" nats, ", b.interval(path+"loss.", p.Loss, places), ")")
	case compare.NotSeparated:
		return b.unseparated(path, p)
	}
	return b.finished(b.row(p.B))
}

// gap says how far A is below B; only the first names the unit.
func (b *builder) gap(path string, p compare.Pair) prose {
	places := places(p.Loss.Half())
	delta := number(path+"loss.delta", float64(p.Loss.Delta), fixed(-float64(p.Loss.Delta), places))
	less, unit, sure := "", "", ""
	if p.Small {
		less = "by less than 1" + thin + "%: "
	}
	if path == "judgement.pairs."+strconv.Itoa(b.first(compare.Better))+"." {
		unit, sure = " nats a "+b.unit(), "95"+thin+"% interval "
	}
	return say(p.B, " (", less, delta, unit, ", ", sure, b.interval(path+"loss.", p.Loss, places), ")")
}

// first is the first pair of the best model with this verdict.
func (b *builder) first(of compare.Verdict) int {
	return slices.IndexFunc(b.doc.Judgement.Pairs, func(p compare.Pair) bool { return p.Verdict == of })
}

// interval turns Δ = A − B into the distance of B from A.
func (b *builder) interval(path string, d *compare.Difference, places int) prose {
	return say(number(path+"high", float64(d.High), fixed(-float64(d.High), places)),
		" to ", number(path+"low", float64(d.Low), fixed(-float64(d.Low), places)))
}

func (b *builder) unseparated(path string, p compare.Pair) prose {
	places := places(p.Loss.Half())
	noise := "seeds add more noise than the text"
	if p.Noisier() == "text" {
		noise = "the text adds more noise than the seeds"
	}
	visible := number(path+"visible", float64(p.Visible), fixed(float64(p.Visible), places))
	if b.alone(compare.NotSeparated) {
		return say(p.B, " are not separated; a gap over ", visible, " nats a ", b.unit(), " would likely have shown, and ", noise)
	}
	return say(p.B, " (a gap over ", visible, " nats a ", b.unit(), " would likely have shown; ", noise, ")")
}

// alone says that the best has one rival of this verdict.
func (b *builder) alone(of compare.Verdict) bool {
	n := 0
	for _, p := range b.doc.Judgement.Pairs {
		if p.A == b.doc.Judgement.Rows[0].Name && p.Verdict == of {
			n++
		}
	}
	return n == 1
}

func (b *builder) finished(row int) prose {
	r := b.doc.Judgement.Rows[row]
	if r.Complete() {
		return say(r.Name, " (a single run)")
	}
	path := fmt.Sprintf("judgement.rows.%d.", row)
	return say(r.Name, " (", number(path+"finished", float64(r.Finished), count(int64(r.Finished))), " of ",
		number(path+"planned", float64(r.Planned), count(int64(r.Planned))), " runs finished)")
}

func (b *builder) row(name string) int {
	for i, r := range b.doc.Judgement.Rows {
		if r.Name == name {
			return i
		}
	}
	return 0
}

// inWords is the verdict on a row in the table, against row one.
func (b *builder) inWords(row int) string {
	j := b.doc.Judgement
	if row == 0 {
		if !j.Rows[0].Complete() {
			return b.finished(0).String()
		}
		return ""
	}
	p := j.Pairs[row-1]
	switch p.Verdict {
	case compare.Better:
		if p.Small {
			return p.A + " is better, by less than 1" + thin + "%"
		}
		return p.A + " is better"
	case compare.Equal:
		return "practically equal"
	case compare.NotSeparated:
		return "not separated"
	case compare.ShortText:
		return "not compared"
	}
	r := j.Rows[row]
	if r.Complete() {
		return "not compared"
	}
	return fmt.Sprintf("%d of %d runs finished", r.Finished, r.Planned)
}

// unit is what a token is called.
func (b *builder) unit() string {
	if b.doc.Result.Text.Unit == "char" {
		return "character"
	}
	return b.doc.Result.Text.Unit
}
