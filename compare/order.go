package compare

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"strconv"

	"github.com/refrain-lm/refrain/ngram"
	"github.com/refrain-lm/refrain/tokenizer"
	"github.com/refrain-lm/refrain/train"
)

// firstOrder is where the search for an n-gram's order begins: letters say less
// than words.
func firstOrder(kind string) int {
	if kind == string(tokenizer.Word) {
		return 2
	}
	return 4
}

// orderGain is the fall of the validation loss, nats a token, that is worth another
// order.
const orderGain = 0.001

// searchOrder counts n-grams of one order after another until the validation loss
// hardly falls any more. An order that was given is not searched for.
func (c *Comparison) searchOrder(ctx context.Context, e Entry) (Search, error) {
	if n := e.Settings.Order; n > 0 {
		return Search{Chosen: float64(n)}, nil
	}
	s := Search{Setting: "order", Tokens: c.protocol.Text.Train.Tokens}
	for n := firstOrder(c.protocol.Text.Tokenizer); n <= ngram.MaxOrder; n++ {
		r := run{entry: e, dir: filepath.Join("search", fmt.Sprintf("%s-%d", e.Kind, n)), settings: orderSettings(e, float64(n))}
		r.event = Event{Stage: StageSearch, Model: e.Kind, Setting: s.Setting, Value: float64(n)}
		out, err := c.do(ctx, r)
		if err != nil {
			return s, err
		}
		s.Trials = append(s.Trials, Trial{Value: float64(n), Loss: Number(out.Best)})
		if k := len(s.Trials); k > 1 && !(s.Trials[k-1].Loss < s.Trials[k-2].Loss-orderGain) {
			break
		}
	}
	s.Chosen = s.Trials[bestTrial(s.Trials)].Value
	return s, nil
}

// orderSettings are those of an n-gram of that order.
func orderSettings(e Entry, order float64) train.Settings {
	s := e.Settings
	s.Origin = maps.Clone(s.Origin)
	if err := s.Set("order", strconv.Itoa(int(order)), "program"); err != nil {
		panic("compare: " + err.Error())
	}
	return s
}
