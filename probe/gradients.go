package probe

import (
	"fmt"
	"math"
	"slices"

	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/lm"
	"github.com/refrain-lm/refrain/nn"
)

// Reach is how much of a loss's gradient arrives in earlier states of one
// recurrent layer: for each lag k from 0 on, quantiles over targets t of
//
//	‖∂L_t/∂state_{t−k}‖ / ‖∂L_t/∂state_t‖
//
// The state is all that a layer hands on: h and c of an LSTM together, since
// most of the gradient travels through c. A target whose gradient is zero at lag
// 0 is not counted; a norm beyond float32 is +Inf.
type Reach struct {
	Layer             int       // from 1, the bottom
	Targets           int       // that were counted
	Norm              float64   // median of ‖∂L_t/∂state_t‖
	Median, Low, High []float64 // at each lag; Low and High are the 10 % and 90 % quantiles
}

// Gradients measures each recurrent layer of m on windows of r, in training
// mode but without dropout. The loss is that of the window's last token alone
// and the backward pass is exact. Where a batch norm couples the windows that run
// together, L_t is their sum.
func Gradients(m *lm.Model, r data.Reader, o Options) ([]Reach, error) {
	o = o.withDefaults()
	m = m.WithoutDropout()
	m.Refresh(o.Pool, true)
	defer m.Refresh(o.Pool, false)
	norms := make([]Norms, m.Config().Layers)
	scratch := new(nn.Scratch)
	tape := lm.Tape{Scale: 1, Trace: make([]nn.Trace, len(norms))}
	err := o.windows(r, func(warm, in, next []int32) {
		lanes := len(next)
		state := m.NewState(lanes)
		want := slices.Repeat([]int32{-1}, len(in))
		m.LogProbs(&lm.Tape{Mode: nn.Mode{Pool: o.Pool, Scratch: scratch}}, warm, want[:len(warm)], state, make([]float32, len(warm)))
		copy(want[len(in)-lanes:], next)
		tape.Mode = nn.Mode{Pool: o.Pool, Train: true, Scratch: scratch}
		m.Loss(&tape, in, want, state)
		m.Backward(&tape)
		for layer := range norms {
			norms[layer].Add(tape.Trace[layer])
		}
	})
	if err != nil {
		return nil, err
	}
	return ReachOf(norms), nil
}

// ReachOf sums up the norms of each layer.
func ReachOf(norms []Norms) []Reach {
	var out []Reach
	for layer, n := range norms {
		reach := n.reach()
		reach.Layer = layer + 1
		out = append(out, reach)
	}
	return out
}

// Norms gathers, for one layer, ‖∂L_t/∂state_{t−k}‖ of windows whose loss is
// that of their last step. The zero value is ready.
type Norms struct {
	lags [][]float64 // by lag, one value a target
}

// Add takes in a window, each lane a target.
func (n *Norms) Add(t nn.Trace) {
	for len(n.lags) < t.Steps {
		n.lags = append(n.lags, nil)
	}
	for lag := range t.Steps {
		for lane := range t.Lanes {
			sum := 0.0
			for _, part := range t.Grads {
				for _, g := range t.At(part, t.Steps-1-lag, lane) {
					sum += float64(float64(g) * float64(g))
				}
			}
			n.lags[lag] = append(n.lags[lag], math.Sqrt(sum))
		}
	}
}

func (n *Norms) reach() Reach {
	var r Reach
	for lag, norms := range n.lags {
		var relative []float64
		for i, v := range norms {
			if own := n.lags[0][i]; own > 0 && !math.IsInf(own, 0) { // NaN is neither
				relative = append(relative, v/own)
			}
		}
		if lag == 0 {
			r.Targets, r.Norm = len(relative), quantile(norms, 0.5)
		}
		r.Low = append(r.Low, quantile(relative, 0.1))
		r.Median = append(r.Median, quantile(relative, 0.5))
		r.High = append(r.High, quantile(relative, 0.9))
	}
	return r
}

// Below is the first lag from which on the median stays below share, and whether
// it does before the longest lag.
func (r Reach) Below(share float64) (lag int, ok bool) {
	lag = len(r.Median)
	for lag > 0 && r.Median[lag-1] < share {
		lag--
	}
	return lag, lag < len(r.Median)
}

// quantile interpolates between the two nearest of the values, which it sorts;
// NaN where there are none or one of them is NaN.
func quantile(values []float64, q float64) float64 {
	values = slices.Clone(values)
	slices.Sort(values) // NaN first
	if len(values) == 0 || math.IsNaN(values[0]) {
		return math.NaN()
	}
	at := q * float64(len(values)-1)
	i := int(at)
	if i+1 == len(values) || values[i] == values[i+1] {
		return values[i]
	}
	return values[i] + float64((at-float64(i))*(values[i+1]-values[i]))
}

// String says how far the gradient reaches.
func (r Reach) String() string {
	lag, ok := r.Below(0.01)
	if !ok {
		return fmt.Sprintf("layer %d: above 1 %% at every lag to %d", r.Layer, len(r.Median)-1)
	}
	return fmt.Sprintf("layer %d: below 1 %% from lag %d on", r.Layer, lag)
}
