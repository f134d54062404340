package compare

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/refrain-lm/refrain/eval"
	"github.com/refrain-lm/refrain/lm"
	"github.com/refrain-lm/refrain/ngram"
)

// costRepeats is how often every cost is measured.
const costRepeats = 5

// stepsTimed are the tokens of one measurement of a step.
const stepsTimed = 200

// cost measures what the models of the first seed cost, one after another.
func (m *measuring) cost(ctx context.Context, _ *Result) error {
	for i, k := range m.models {
		run := k.first()
		if run < 0 {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		m.c.emit(Event{Stage: StageMeasure, Text: "timing the models", Done: int64(i), Total: int64(len(m.models))})
		model, err := m.openModel(k, run)
		if err != nil {
			return err
		}
		if !k.entry.mixed() {
			k.result.Size = sizeOf(k.entry, model)
			if k.result.FileBytes, err = weightBytes(m.dir(k.entry, run)); err != nil {
				return err
			}
		}
		cost := &Cost{StepMillis: m.stepTime(model), TrainTokens: trainRate(k.outcomes[run].Curve)}
		for _, o := range k.outcomes {
			cost.PeakBytes = max(cost.PeakBytes, o.PeakBytes)
		}
		k.result.Cost = cost
	}
	return nil
}

// stepTime is what one token of one stream takes, in milliseconds.
func (m *measuring) stepTime(model *eval.Model) Spread {
	stepper := model.Predictor.NewStepper(nil)
	var times []float64
	ids := m.test.ids[:min(len(m.test.ids), stepsTimed)]
	for n := -1; n < costRepeats; n++ { // the first warms caches and buffers
		stepper.Reset()
		begin := time.Now()
		for _, id := range ids {
			stepper.Step(id)
		}
		if n >= 0 {
			times = append(times, time.Since(begin).Seconds()*1000/float64(len(ids)))
		}
	}
	return spread(times)
}

// trainRate is the training speed in each fifth of a run, tokens a second.
func trainRate(curve []Mark) Spread {
	var rates []float64
	before := Mark{}
	for i := range costRepeats {
		at := len(curve)*(i+1)/costRepeats - 1
		if at < 0 || curve[at].Seconds <= before.Seconds {
			continue
		}
		rates = append(rates, float64(curve[at].Tokens-before.Tokens)/(curve[at].Seconds-before.Seconds))
		before = curve[at]
	}
	return spread(rates)
}

// spread is the median and range of values; without any it is zero.
func spread(values []float64) Spread {
	if len(values) == 0 {
		return Spread{}
	}
	s := slices.Sorted(slices.Values(values))
	n := len(s)
	return Spread{Median: (s[(n-1)/2] + s[n/2]) / 2, Low: s[0], High: s[n-1], N: n}
}

// sizeOf counts a model's scalars by what they are for.
func sizeOf(e Entry, m *eval.Model) Size {
	if m.LM == nil {
		var s Size
		if m.Ngram != nil {
			for _, n := range m.Ngram.Grams() {
				s.Total += n
			}
		}
		return s
	}
	s := Size{Hidden: e.Model.Hidden, MultiplyAdds: e.Model.MultiplyAdds()}
	for _, p := range m.LM.Params() {
		n := int64(len(p.Value))
		s.Total += n
		switch part, _, _ := strings.Cut(p.Name, "."); part {
		case "encoder":
			s.Embedding += n
		case "decoder", "proj":
			s.Head += n
		default:
			s.Cell += n
		}
	}
	return s
}

// weightBytes is the size of the weights' file, of whatever kind.
func weightBytes(dir string) (int64, error) {
	info, err := os.Stat(filepath.Join(dir, lm.WeightsFile))
	if errors.Is(err, fs.ErrNotExist) {
		info, err = os.Stat(filepath.Join(dir, ngram.WeightsFile))
	}
	if err != nil {
		return 0, fmt.Errorf("compare: %w", err)
	}
	return info.Size(), nil
}

func bits(nats float64) float64 { return nats / math.Ln2 }
