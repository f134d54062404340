package optim_test

import (
	"fmt"

	"github.com/refrain-lm/refrain/optim"
)

// Ten steps towards the minimum of (p−3)², the rate falling to 0.
func ExampleNew() {
	p, g := []float32{0}, []float32{0}
	params := []optim.Slice{{Name: "p", Value: p, Grad: g}}
	opt, err := optim.New(optim.Config{Name: "sgd"}, params)
	if err != nil {
		panic(err)
	}
	s := optim.Schedule{Name: "cosine", LR: 0.4}
	for step := range 10 {
		g[0] = 2 * (p[0] - 3)
		norm := optim.GlobalNorm(nil, params)
		opt.Step(nil, float32(s.Rate(step, 10)), optim.ClipScale(norm, 5))
	}
	fmt.Printf("%.2f\n", p[0])
	// Output: 3.00
}
