package compare

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/eval"
)

// parts are the kinds that a mixture is made of.
func (e Entry) parts() (a, b string) {
	a, b, _ = strings.Cut(e.Kind, mixSign)
	return a, b
}

// checkMix says what is wrong with a mixture, "" if nothing is.
func (s Settings) checkMix(name string) string {
	a, b := Entry{Kind: name}.parts()
	switch {
	case a == b:
		return "a model mixed with itself is that model"
	case !slices.Contains(s.Models, a) || !slices.Contains(s.Models, b):
		return fmt.Sprintf("a mixture needs both its models beside it: %s,%s,%s", a, b, name)
	case strings.Contains(b, mixSign):
		return "two models can be mixed, not more"
	}
	return ""
}

// part is the place of a kind among the entries.
func (p Protocol) part(kind string) int {
	return slices.IndexFunc(p.Entries, func(e Entry) bool { return e.Kind == kind })
}

// partRun is the run of an entry's part that goes with a run of the whole: of what
// is counted there is one only.
func partRun(e Entry, run int) int {
	if e.counted() {
		return 0
	}
	return run
}

// mixOutcomes fills in the runs of mixtures: one for each seed, diverged where one
// of its parts has.
func (c *Comparison) mixOutcomes(all [][]outcome) {
	p := c.protocol
	for k, e := range p.Entries {
		if !e.mixed() {
			continue
		}
		nameA, nameB := e.parts()
		a, b := p.part(nameA), p.part(nameB)
		for i, seed := range p.Seeds {
			oa, ob := all[a][partRun(p.Entries[a], i)], all[b][partRun(p.Entries[b], i)]
			out := outcome{seed: seed, Best: math.NaN(), Tokens: max(oa.Tokens, ob.Tokens)}
			out.Diverged = oa.Diverged || ob.Diverged
			all[k] = append(all[k], out)
		}
	}
}

// mix fits the weights of every mixture on the validation part: one for each seed.
func (m *measuring) mix(ctx context.Context, res *Result) error {
	for _, k := range m.models {
		if !k.entry.mixed() {
			continue
		}
		k.weights = make([]float64, len(k.outcomes))
		err := m.each(ctx, "fitting a mixture", len(k.outcomes), func(i int) error {
			if k.outcomes[i].Diverged {
				return nil
			}
			a, b, err := m.mixParts(k, i)
			if err != nil {
				return err
			}
			weight, _, err := eval.FitMix(ctx, a, b, firstIDs{m.ids.Valid(), m.c.protocol.TestTokens}, nil, nil)
			k.weights[i] = math.Round(weight*1e4) / 1e4
			return err
		})
		if err != nil {
			return err
		}
		var shares []string
		for i, o := range k.outcomes {
			if !o.Diverged {
				shares = append(shares, fmt.Sprintf("%g (seed %d)", k.weights[i], o.seed))
			}
		}
		if len(shares) > 0 {
			res.Notes = append(res.Notes, fmt.Sprintf("%s: the first one's share is %s, fitted on the validation text.", k.result.Name, strings.Join(shares, ", ")))
		}
	}
	return nil
}

// firstIDs are the first n ids of a reader: a mixture is fitted on no more of the
// validation text than it meets of the test text.
type firstIDs struct {
	data.Reader
	n int64
}

func (f firstIDs) Len() int64 { return min(f.n, f.Reader.Len()) }

// mixParts opens both models of one run of a mixture.
func (m *measuring) mixParts(k *measured, run int) (a, b *eval.Model, err error) {
	open := func(kind string) (*eval.Model, error) {
		e := m.c.protocol.Entries[m.c.protocol.part(kind)]
		return eval.Open(m.dir(e, partRun(e, run)))
	}
	nameA, nameB := k.entry.parts()
	if a, err = open(nameA); err != nil {
		return nil, nil, err
	}
	b, err = open(nameB)
	return a, b, err
}

// openModel opens the model of one run.
func (m *measuring) openModel(k *measured, run int) (*eval.Model, error) {
	if !k.entry.mixed() {
		return eval.Open(m.dir(k.entry, run))
	}
	a, b, err := m.mixParts(k, run)
	if err != nil {
		return nil, err
	}
	return eval.Mix(a, b, k.weights[run])
}
