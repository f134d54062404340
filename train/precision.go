package train

import (
	"errors"

	"github.com/refrain-lm/refrain/lm"
	"github.com/refrain-lm/refrain/nn"
)

const bfloat16 = "bfloat16"

// choosePrecision settles what auto means on this machine: bfloat16 where its
// products are faster than those of float32, but for statistics over a batch
// inside the recurrence, which make much of small errors. The plan records it.
func (s *Settings) choosePrecision() error {
	if s.Precision == "auto" {
		fastest := "float32"
		if nn.BFloat16IsFast() && s.Norm != string(lm.RecurrentBatchNorm) {
			fastest = bfloat16
		}
		return s.Set("precision", fastest, "plan")
	}
	return checkPrecision(s.Precision == bfloat16)
}

// checkPrecision refuses what would take many times as long as float32.
func checkPrecision(half bool) error {
	if half && !nn.BFloat16IsFast() {
		return errors.New("train: bfloat16: this processor, or REFRAIN_CPU, has no fast products of it; use --precision float32")
	}
	return nil
}
