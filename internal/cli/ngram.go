package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"

	"github.com/refrain-lm/refrain/ngram"
	"github.com/refrain-lm/refrain/train"
)

// ngramPlanLine is what a run that counts will do.
func ngramPlanLine(p train.Plan) string {
	line := fmt.Sprintf("%s, interpolated modified Kneser-Ney; one count of %s tokens", p.Ngram, commas(p.Data.Train.Tokens))
	if p.Ngram.LineEnd < 0 {
		return line + ", across lines"
	}
	return line + ", a line being a sentence"
}

// inspectNgram is inspect of an n-gram model.
func (a *app) inspectNgram(i *inspected, asJSON bool) error {
	if asJSON {
		return a.ngramJSON(i)
	}
	a.sayNgram(i)
	a.sayCounted(i)
	a.sayOrders(i.model.Ngram)
	return nil
}

// sayNgram shows an n-gram model.
func (a *app) sayNgram(i *inspected) {
	m := i.model.Ngram
	many := map[string]string{"char": "characters", "byte": "bytes", "word": "words"}[i.model.Tokenizer.Unit()]
	name := m.Config().String()
	line := a.out.fit(fmt.Sprintf("%s, %s %s, %s n-grams, %s; state %s a stream", name, a.count(int64(i.model.Tokenizer.Distinct())), many,
		a.count(gramsOf(m)), size(m.Bytes()), size(int64(m.NewStepper().StateBytes()))), "  ")
	if rest, ok := strings.CutPrefix(line, name); ok {
		line = a.out.paint(bold, name) + rest
	}
	fmt.Fprintln(a.out.w, line)
	if m.Config().LineEnd < 0 {
		fmt.Fprintln(a.out.w, "contexts run on across lines")
	} else {
		fmt.Fprintln(a.out.w, "a line is a sentence")
	}
}

// sayCounted shows where an n-gram model's text came from and what it measured.
func (a *app) sayCounted(i *inspected) {
	if i.plan == nil {
		fmt.Fprintln(a.out.w, "no plan.json: how it was counted is not known")
		return
	}
	var texts []string
	for _, s := range i.plan.Data.Sources {
		texts = append(texts, fmt.Sprintf("%s (sha256 %.8s)", visible(s.Name), s.SHA256))
	}
	if n := len(texts); n > 3 {
		texts = append(texts[:2], fmt.Sprintf("%s more", a.count(int64(n-2))))
	}
	line := strings.Join(texts, ", ") + ", " + a.count(i.plan.Data.Train.Tokens) + " tokens"
	if best, ok := i.best(); ok {
		u := unit{i.model.Tokenizer.Unit()}
		line += fmt.Sprintf("; valid %s %s", u.loss(best.Valid), u.label())
	}
	fmt.Fprintln(a.out.w, a.out.fit(line, "  "))
}

// sayOrders lists each order's n-grams and discounts.
func (a *app) sayOrders(m *ngram.Model) {
	d := m.Config().Discounts
	w := tabwriter.NewWriter(a.out.w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "order\tn-grams\t")
	if d != nil {
		fmt.Fprint(w, "D1\tD2\tD3+\t")
	}
	fmt.Fprintln(w)
	for k, n := range m.Grams() {
		fmt.Fprintf(w, "%d\t%s\t", k+1, a.count(n))
		switch {
		case d == nil:
		case d[k].Usual:
			fmt.Fprintf(w, "%g\t%g\t%g\t  the usual ones: its counts gave none", d[k].D[0], d[k].D[1], d[k].D[2])
		default:
			fmt.Fprintf(w, "%.4f\t%.4f\t%.4f\t", d[k].D[0], d[k].D[1], d[k].D[2])
		}
		fmt.Fprintln(w)
	}
	_ = w.Flush()
}

// ngramJSON is the same as one object.
func (a *app) ngramJSON(i *inspected) error {
	m := i.model.Ngram
	out := struct {
		Config     ngram.Config `json:"config"`
		Tokenizer  string       `json:"tokenizer"`
		Distinct   int          `json:"distinct"`
		Grams      []int64      `json:"ngrams"`
		Bytes      int64        `json:"bytes"`
		StateBytes int          `json:"state_bytes"`
		Best       number       `json:"best"`
		Plan       *train.Plan  `json:"plan"`
	}{m.Config(), string(i.model.Tokenizer.Kind()), i.model.Tokenizer.Distinct(), m.Grams(), m.Bytes(), m.NewStepper().StateBytes(), number(math.NaN()), i.plan}
	if e, ok := i.best(); ok {
		out.Best = number(e.Valid)
	}
	raw, err := json.Marshal(out)
	if err != nil {
		return err
	}
	_, err = io.WriteString(a.out.w, string(raw)+"\n")
	return err
}
