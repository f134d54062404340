package cli

import (
	"context"
	"fmt"
	"math"

	"github.com/spf13/cobra"

	"github.com/refrain-lm/refrain/eval"
	"github.com/refrain-lm/refrain/nn"
)

// mixFlags mix a second model into the one that a verb opens.
type mixFlags struct {
	dir    string
	weight float64
}

// mixGroup is their part of a verb's page.
var mixGroup = flagGroup{title: "Mixing", names: []string{"mix", "mix-weight"}}

func (o *mixFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.dir, "mix", "", "model `DIR` with the same tokenizer, of any kind, to mix in")
	cmd.Flags().Float64Var(&o.weight, "mix-weight", 0, "`X` from 0 to 1: the first model's share")
}

// mixWeightDefault is what the help says of --mix-weight.
const mixWeightDefault = "fitted on its validation text"

// openMixed opens a model folder and, where asked to, mixes another in.
func (a *app) openMixed(parent context.Context, dir string, o mixFlags) (*eval.Model, error) {
	given := a.origin["mix-weight"] != ""
	switch {
	case given && o.dir == "":
		return nil, usagef("--mix-weight goes with --mix DIR")
	case given && !(o.weight >= 0 && o.weight <= 1):
		return nil, usagef("--mix-weight %v: the first model's share, from 0 to 1", o.weight)
	}
	m, err := openModel(dir)
	if err != nil || o.dir == "" {
		return m, err
	}
	other, err := openModel(o.dir)
	if err != nil {
		return nil, err
	}
	if !given {
		if o.weight, err = a.fitMix(parent, m, other); err != nil {
			return nil, err
		}
	}
	return eval.Mix(m, other, o.weight)
}

// fitMix finds the weight, to four digits, so that what it prints repeats it.
func (a *app) fitMix(parent context.Context, m, other *eval.Model) (float64, error) {
	if _, err := eval.Mix(m, other, 0); err != nil { // before the text is asked for
		return 0, err
	}
	ids, err := m.OpenIDs()
	if err != nil {
		return 0, fmt.Errorf("%w; give --mix-weight, the first model's share", err)
	}
	defer ids.Close()
	pool := nn.NewPool(1)
	defer pool.Close()
	ctx, stop := watch(parent)
	defer stop()
	p := a.startProgress("fitting the mixing weight", m.Tokenizer.Unit()+"s", ids.Valid().Len())
	weight, n, err := eval.FitMix(ctx, m, other, ids.Valid(), pool, p.set)
	p.close()
	if err != nil {
		return 0, causeOf(ctx, err)
	}
	weight = math.Round(weight*1e4) / 1e4
	a.note("mixing %g %s + %g %s, fitted on %s predictions of the first one's validation text; --mix-weight %g repeats it",
		weight, visible(m.Dir), math.Round((1-weight)*1e4)/1e4, visible(other.Dir), commas(n), weight)
	return weight, nil
}
