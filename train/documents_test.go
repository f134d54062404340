package train_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/lm"
	"github.com/refrain-lm/refrain/nn"
	"github.com/refrain-lm/refrain/optim"
	"github.com/refrain-lm/refrain/train"
)

// poems are documents of 2 to 9 tokens in which each token is one more than the
// one before.
func poems(n int) [][]int32 {
	docs := make([][]int32, n)
	for i := range docs {
		for k := range 2 + i%8 {
			docs[i] = append(docs[i], int32(1+(i+k)%9))
		}
	}
	return docs
}

func feed(t testing.TB, form data.Form, shuffle bool) *data.Documents {
	t.Helper()
	d, err := data.NewDocuments(poems(50), data.DocumentOptions{Form: form, Rows: 8, Shuffle: shuffle, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestDocumentsLearn: both forms, loss and accuracy in the run's events.
func TestDocumentsLearn(t *testing.T) {
	for _, form := range []data.Form{data.EveryPosition, data.LastPosition} {
		t.Run(string(form), func(t *testing.T) {
			m := model(t, lm.Config{Cell: lm.LSTM, Vocab: 10, EmSize: 8, Hidden: 16})
			d, valid, err := feed(t, form, true).SplitDocuments(0.2)
			if err != nil {
				t.Fatal(err)
			}
			var accuracy, validAccuracy float64
			o := train.Options{Steps: 200, Schedule: optim.Schedule{Name: "constant", LR: 0.02}, ValidFeed: valid, On: func(e train.Event) {
				switch e.Kind {
				case train.EventStep:
					accuracy = e.Accuracy
				case train.EventValid:
					validAccuracy = e.ValidAccuracy
				}
			}}
			r, err := train.Run(context.Background(), m, d, o)
			if err != nil {
				t.Fatal(err)
			}
			if r.Best > 0.1 || accuracy < 0.99 || validAccuracy < 0.99 || accuracy > 1 || validAccuracy > 1 {
				t.Errorf("validation loss %.3f nats, accuracy %v, of validation %v", r.Best, accuracy, validAccuracy)
			}
		})
	}
}

// TestPaddingChangesNothing: rows of a padded batch have the losses of the same
// rows alone, and their gradients add up. A masked step in front leaves Keras'
// zero state as it is, so these are the losses of masked padding in front too;
// bench/keras shows that against Keras itself.
func TestPaddingChangesNothing(t *testing.T) {
	for _, form := range []data.Form{data.EveryPosition, data.LastPosition} {
		for _, cell := range []lm.Cell{lm.RNN, lm.LSTM, lm.LSTMNoG, lm.GRU} {
			t.Run(fmt.Sprintf("%s,%s", form, cell), func(t *testing.T) {
				cfg := lm.Config{Cell: cell, Vocab: 10, EmSize: 5, Hidden: 17}
				padded, alone := model(t, cfg), model(t, cfg)
				sum, n := lossOfPass(t, padded, 8, form)
				want, m := lossOfPass(t, alone, 1, form)
				if n != m || math.Abs(sum-want) > 1e-9*want {
					t.Errorf("padded: %v nats of %d targets, alone %v of %d", sum, n, want, m)
				}
				for i, p := range padded.Params() {
					for k, g := range alone.Params()[i].Grad {
						// float32 sums in another order
						if d := math.Abs(float64(p.Grad[k] - g)); d > 1e-4*math.Abs(float64(g))+1e-5 {
							t.Fatalf("%s[%d]: gradient %v padded, %v alone", p.Name, k, p.Grad[k], g)
						}
					}
				}
			})
		}
	}
}

// lossOfPass sums losses and gradients over a pass in batches of so many rows.
func lossOfPass(t testing.TB, m *lm.Model, rows int, form data.Form) (sum float64, n int) {
	t.Helper()
	d, err := data.NewDocuments(poems(50), data.DocumentOptions{Form: form, Rows: rows})
	if err != nil {
		t.Fatal(err)
	}
	m.Refresh(nil, true)
	for _, p := range m.Params() {
		p.ZeroGrad()
	}
	state, tape := m.NewState(rows), lm.Tape{Mode: nn.Mode{Train: true}, Scale: 1}
	var b data.Batch
	for range d.Windows() {
		if err := d.Next(&b); err != nil {
			t.Fatal(err)
		}
		state.Reset()
		s, c := m.Loss(&tape, b.Inputs, b.Targets, state)
		m.Backward(&tape)
		sum, n = sum+s, n+c
	}
	return sum, n
}

// TestDocumentsResume: a run that is stopped and gone on with has the bits of one
// that is not.
func TestDocumentsResume(t *testing.T) {
	o := train.Options{Steps: 40, Schedule: optim.Schedule{Name: "constant", LR: 0.01}, ValidFeed: feed(t, data.EveryPosition, false), Seed: 2}
	whole := model(t, small)
	if _, err := train.Run(context.Background(), whole, feed(t, data.EveryPosition, true), o); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	o.Keep, o.ReportEvery = &memoryKeeper{}, 1
	o.On = func(e train.Event) {
		if e.Kind == train.EventStep && e.Step == 17 {
			stop()
		}
	}
	if _, err := train.Run(ctx, model(t, small), feed(t, data.EveryPosition, true), o); !errors.Is(err, train.ErrStopped) {
		t.Fatalf("stopped: %v", err)
	}
	o.On = nil
	resumed := model(t, small)
	if _, err := train.Run(context.Background(), resumed, feed(t, data.EveryPosition, true), o); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(weights(whole), weights(resumed)) {
		t.Error("the resumed run has other weights")
	}
}
