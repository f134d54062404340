package lm_test

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/refrain-lm/refrain/checkpoint"
	"github.com/refrain-lm/refrain/lm"
	"github.com/refrain-lm/refrain/nn"
)

// quantized is m in other storage.
func quantized(t testing.TB, m *lm.Model, weights string) *lm.Model {
	t.Helper()
	q, err := m.Quantize(weights)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// inEveryStorage is m and its quantized forms, each so many times.
func inEveryStorage(t testing.TB, m *lm.Model, times int) (all []*lm.Model) {
	for range times {
		all = append(all, m, quantized(t, m, lm.BFloat16), quantized(t, m, lm.Int8))
	}
	return all
}

func TestQuantizedFolder(t *testing.T) {
	for _, s := range shapes {
		for _, weights := range []string{lm.BFloat16, lm.Int8} {
			t.Run(s.name+" "+weights, func(t *testing.T) {
				m := quantized(t, newModel(t, s.cfg), weights)
				dir := save(t, m)
				got, err := lm.Load(dir)
				if err != nil {
					t.Fatal(err)
				}
				// Programs that know no such weights refuse the kind.
				if raw, err := os.ReadFile(filepath.Join(dir, lm.ConfigFile)); err != nil || !strings.Contains(string(raw), m.Config().Kind+"-"+weights+`"`) || strings.Contains(string(raw), `"weights"`) {
					t.Errorf("config.json %s (%v)", raw, err)
				}
				if got.Config() != m.Config() {
					t.Errorf("config %+v, want %+v", got.Config(), m.Config())
				}
				equalBits(t, "logits", got.NewStepper(nil).Step(2), m.NewStepper(nil).Step(2))
				if _, err := got.Quantize(weights); err == nil {
					t.Error("a quantized model was quantized")
				}
			})
		}
	}
}

// With bfloat16 a model is the float32 model of the rounded weights, to the bit.
func TestBFloat16IsRoundedFloat32(t *testing.T) {
	for _, s := range shapes {
		m := newModel(t, s.cfg)
		q := quantized(t, m, lm.BFloat16)
		for _, p := range m.Params() {
			if !p.Matrix() {
				continue
			}
			for i, v := range p.Value {
				bits := math.Float32bits(v)
				p.Value[i] = math.Float32frombits((bits + 0x7fff + bits>>16&1) >> 16 << 16)
			}
		}
		m.Refresh(nil, false)
		equalBits(t, s.name, q.NewStepper(nil).Feed([]int32{1, 5, 2}), m.NewStepper(nil).Feed([]int32{1, 5, 2}))
	}
}

// With int8 every factor of a product is within 1/254 of the largest of its row,
// which leaves a few hundredths of logits of about one.
func TestInt8IsNear(t *testing.T) {
	for _, s := range shapes {
		m := newModel(t, s.cfg)
		got, want := quantized(t, m, lm.Int8).NewStepper(nil).Feed([]int32{1, 5, 2}), m.NewStepper(nil).Feed([]int32{1, 5, 2})
		same := true
		for i := range want {
			same = same && got[i] == want[i]
			if d := math.Abs(float64(got[i] - want[i])); d > 0.05 {
				t.Errorf("%s: logit %d is %v, in float32 %v", s.name, i, got[i], want[i])
			}
		}
		if same {
			t.Errorf("%s: logits are those of float32, so nothing was quantized", s.name)
		}
	}
}

func TestQuantizedSize(t *testing.T) {
	cfg := lm.Config{Cell: lm.LSTM, Vocab: 300, EmSize: 64, Hidden: 64, Layers: 2, Tied: true}
	m := newModel(t, cfg)
	size := func(m *lm.Model) float64 { return float64(checkpoint.SafetensorsSize(m.Tensors())) }
	for weights, bytes := range map[string]float64{lm.BFloat16: 2, lm.Int8: 1} {
		// Biases and scales are a few percent of so small a model; tied weights stand once.
		if got, want := size(quantized(t, m, weights)), bytes*float64(cfg.Params()); got > 1.15*want {
			t.Errorf("%s: %.0f bytes for %d weights", weights, got, cfg.Params())
		}
	}
}

func TestQuantizeRefusals(t *testing.T) {
	m := newModel(t, shapes[2].cfg)
	for name, f := range map[string]func() error{
		"neither int8 nor bfloat16": func() error { _, err := m.Quantize("int4"); return err },
		"come from Model.Quantize": func() error {
			_, err := lm.New(lm.Config{Vocab: 5, Hidden: 4, Weights: lm.Int8}, nn.InitConfig{}, 1)
			return err
		},
		"take bfloat16":   func() error { return lm.Config{Vocab: 5, Hidden: 1 << 18, Weights: lm.Int8}.Validate() },
		`kind "ffn-int9"`: func() error { return lm.Config{Kind: "ffn-int9", Vocab: 5, Hidden: 4}.Validate() },
		"not finite": func() error {
			sick := newModel(t, shapes[2].cfg)
			sick.Params()[1].Value[3] = float32(math.NaN())
			_, err := sick.Quantize(lm.Int8)
			return err
		},
		"does not hold its weights": func() error { // a byte that no row is rounded to
			q := quantized(t, m, lm.Int8)
			q.Params()[0].Compact().Byte[2] = -128
			_, err := lm.Load(save(t, q))
			return err
		},
		"not hold its weights as": func() error { // float32 under a config of int8
			q := quantized(t, m, lm.Int8)
			dir := save(t, q)
			var b bytes.Buffer
			if err := checkpoint.WriteSafetensors(&b, append(m.Tensors(), scalesOf(q)...)); err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(dir, lm.WeightsFile), b.Bytes(), 0o644); err != nil {
				return err
			}
			_, err := lm.Load(dir)
			return err
		},
	} {
		if err := f(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v, want one with %q", err, name)
		}
	}
}

// scalesOf are the tensors that float32 has not got.
func scalesOf(m *lm.Model) (scales []checkpoint.Tensor) {
	for _, t := range m.Tensors() {
		if strings.HasSuffix(t.Name, ".scale") {
			scales = append(scales, t)
		}
	}
	return scales
}
