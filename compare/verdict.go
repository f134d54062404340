package compare

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// Margin is ε: a difference in loss that nobody would notice, 0.01 nats a token,
// which is 1 % of perplexity.
const Margin = 0.01

// Verdict is what may be said about two models. There are no other words.
type Verdict string

// The verdicts.
const (
	Better       Verdict = "better"        // A predicts better than B
	Equal        Verdict = "equal"         // inside ±Margin, and 0 is among the possible
	NotSeparated Verdict = "not separated" // anything else
	Unfinished   Verdict = "unfinished"    // runs of A or B diverged or are missing, or one is all there is
	ShortText    Verdict = "short text"    // fewer than 30 blocks
)

// Judgement is what a Result lets one say.
type Judgement struct {
	Rows []Row `json:"rows"` // complete models by ascending loss, then the others
	// Pairs are all pairs of rows, the better placed as A. All their intervals hold
	// at once with 95 %.
	Pairs []Pair `json:"pairs"`
}

// Row is one model on the test text, over the runs that finished.
type Row struct {
	Name        string `json:"name"`
	Model       int    `json:"model"` // in Result.Models
	Planned     int    `json:"planned"`
	Finished    int    `json:"finished"`
	Loss        Number `json:"loss"`       // mean over runs, nats a token
	Perplexity  Number `json:"perplexity"` // exp(Loss), never a mean of perplexities
	BitsPerByte Number `json:"bits_per_byte"`
	Accuracy    Number `json:"accuracy"`
	Low         Number `json:"low"` // lowest and highest loss of a run
	High        Number `json:"high"`
}

// Complete says that every run planned has finished.
func (r Row) Complete() bool { return r.Finished == r.Planned }

// Pair compares two rows.
type Pair struct {
	A       string  `json:"a"`
	B       string  `json:"b"`
	Verdict Verdict `json:"verdict"`

	// These are nil where the two are not compared.
	Loss     *Difference `json:"loss,omitempty"`
	Accuracy *Difference `json:"accuracy,omitempty"`
	Lower    Number      `json:"lower"` // share of pairs of runs in which A has the lower loss
	// Small says of Better that the whole interval lies within ±Margin.
	Small bool `json:"small,omitempty"`
	// Visible is the gap that would likely (with 80 % or more) have shown: 1.5 half
	// widths.
	Visible Number `json:"visible"`
}

// Noisier says where more of the uncertainty comes from: "seeds" or "text".
func (p Pair) Noisier() string {
	if p.Loss.SeedsA+p.Loss.SeedsB > p.Loss.Text {
		return "seeds"
	}
	return "text"
}

// The draws of every judgement.
const (
	bootstrapSeed = 2004
	resamples     = 10_000
)

// Judge applies the rules to a result. It is deterministic.
func Judge(r Result) Judgement {
	tokens := r.Text.Blocks.Tokens
	var j Judgement
	for i, m := range r.Models {
		j.Rows = append(j.Rows, newRow(r, i, m))
	}
	slices.SortStableFunc(j.Rows, compareRows)
	rows := len(j.Rows)
	measured := make([]sums, 2*rows) // losses of all rows, then hits
	for i, row := range j.Rows {
		measured[i] = lossSums(r.Models[row.Model], tokens)
		measured[rows+i] = accuracySums(r.Models[row.Model], tokens)
	}
	drawn := newBootstrap(measured, tokens, bootstrapSeed, resamples)
	n := rows * (rows - 1) / 2
	for a := range j.Rows {
		for b := a + 1; b < len(j.Rows); b++ {
			p := Pair{A: j.Rows[a].Name, B: j.Rows[b].Name}
			switch {
			case len(drawn.groupings) == 0:
				p.Verdict = ShortText
			case !j.Rows[a].Complete() || !j.Rows[b].Complete() || measured[a].one() || measured[b].one():
				p.Verdict = Unfinished
			default:
				l, h := drawn.difference(measured, a, b, n), drawn.difference(measured, rows+a, rows+b, n)
				p.Loss, p.Accuracy = &l, &h
				p.Lower = Number(lowerShare(measured[a], measured[b]))
				p.judge()
			}
			j.Pairs = append(j.Pairs, p)
		}
	}
	return j
}

// judge finds the words; A has the lower mean.
func (p *Pair) judge() {
	low, high := p.Loss.Low, p.Loss.High
	inside := low >= -Margin && high <= Margin
	p.Visible = Number(1.5 * p.Loss.Half())
	switch {
	case high < 0 && p.Lower >= 0.75:
		p.Verdict, p.Small = Better, inside
	case inside && low <= 0 && high >= 0:
		p.Verdict = Equal
	default:
		p.Verdict = NotSeparated
	}
}

func newRow(r Result, at int, m Model) Row {
	row := Row{Name: m.Name, Model: at, Planned: max(1, len(r.Plan.Seeds)), BitsPerByte: Number(math.NaN())}
	if m.Kind == KindNGram {
		row.Planned = 1
	}
	losses := lossSums(m, r.Text.Blocks.Tokens).means
	hits := accuracySums(m, r.Text.Blocks.Tokens).means
	row.Finished = len(losses)
	if row.Finished == 0 {
		nan := Number(math.NaN())
		row.Loss, row.Perplexity, row.Accuracy, row.Low, row.High = nan, nan, nan, nan, nan
		return row
	}
	row.Loss, row.Accuracy = Number(stat.Mean(losses, nil)), Number(stat.Mean(hits, nil))
	row.Low, row.High = Number(slices.Min(losses)), Number(slices.Max(losses))
	row.Perplexity = Number(math.Exp(float64(row.Loss)))
	row.BitsPerByte = Number(r.Text.BitsPerByte(float64(row.Loss)))
	return row
}

// BitsPerByte turns nats a token on the test text into bits a byte; NaN where the
// tokenizer lost something.
func (t Text) BitsPerByte(loss float64) float64 {
	if t.Lossy {
		return math.NaN()
	}
	return loss * total(t.Blocks.Tokens) / math.Ln2 / float64(t.Test.Bytes)
}

func compareRows(a, b Row) int {
	switch {
	case a.Complete() != b.Complete():
		if a.Complete() {
			return -1
		}
		return 1
	case a.Finished == 0 || b.Finished == 0:
		return b.Finished - a.Finished
	case a.Loss < b.Loss:
		return -1
	case a.Loss > b.Loss:
		return 1
	}
	return 0
}
