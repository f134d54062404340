package nn

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
)

// Init names a set of initial weights.
type Init string

const (
	// InitRefrain, the default: Glorot uniform input weights and orthogonal
	// recurrent weights for each gate by itself, forget gates biased to 1, all
	// other biases zero, embeddings uniform in ±1 (±0.1 where the head shares
	// them), Glorot uniform projections and head.
	InitRefrain Init = "refrain"
	// InitPyTorch is what torch.nn.Embedding, RNN, LSTM, GRU and Linear draw:
	// the embedding normal, the rest uniform in ±1/√H, where H is the layer's
	// width for cells and the width of the input for linear layers.
	InitPyTorch Init = "pytorch"
	// InitKeras is what the layers of the same names draw there: Glorot uniform
	// weights, orthogonal recurrent weights (all gates as one matrix), forget
	// gates biased to 1, embeddings uniform in ±0.05.
	InitKeras Init = "keras"
	// InitUniform draws everything, biases too, uniformly in ±Range.
	InitUniform Init = "uniform"
)

// InitConfig says how Initialize draws weights.
type InitConfig struct {
	Name       Init     `json:"name,omitempty"`        // "" means InitRefrain
	Range      float64  `json:"range,omitempty"`       // of InitUniform; 0 means 0.1
	ForgetBias *float64 `json:"forget_bias,omitempty"` // sum of a forget gate's biases, nil: as the set has it
	// Chrono, if not 0, is the longest lag in tokens that gates begin open for
	// (Tallec and Ollivier 2018): biases of forget gates, and of the GRU's update
	// gates, which keep as z, are log u, u uniform in [1,Chrono−1); those of an
	// LSTM's input gates the same, negative.
	Chrono float64 `json:"chrono,omitempty"`
}

// defaultRange is that of Zaremba et al.'s small model.
const defaultRange = 0.1

// role is what a parameter is for.
type role int

const (
	plain role = iota // made by NewParam alone
	embeddingTable
	inputWeight
	recurrentWeight
	inputBias
	recurrentBias
	linearWeight
	linearBias
	headWeight
	headBias
	constant // made by newConstant
)

// Validate reports everything that is wrong with c.
func (c InitConfig) Validate() error {
	var errs []error
	switch c.Name {
	case "", InitRefrain, InitPyTorch, InitKeras, InitUniform:
	default:
		errs = append(errs, fmt.Errorf("init %q is none of refrain, pytorch, keras, uniform", c.Name))
	}
	if !(c.Range >= 0) || math.IsInf(c.Range, 0) {
		errs = append(errs, fmt.Errorf("init range %v is negative or no number", c.Range))
	}
	if f := c.ForgetBias; f != nil && (math.IsNaN(*f) || math.IsInf(*f, 0)) {
		errs = append(errs, fmt.Errorf("forget bias %v is no number", *f))
	}
	if t := c.Chrono; t != 0 && !(t >= 2 && t <= 1e9) {
		errs = append(errs, fmt.Errorf("chrono %v is not from 2 to 1e9", t))
	}
	if c.Chrono != 0 && c.ForgetBias != nil {
		errs = append(errs, errors.New("chrono and a forget bias: both say how forget gates begin"))
	}
	return errors.Join(errs...)
}

// Initialize draws the values of parameters that belong to layers of this
// package. Each parameter's values depend on seed and its name alone, not on
// the others or their order; a frozen one becomes zero. Gains, shifts and
// statistics of normalisations begin at their constants in every set.
func Initialize(params []*Param, c InitConfig, seed uint64) error {
	if err := c.Validate(); err != nil {
		return fmt.Errorf("nn: %w", err)
	}
	for _, p := range params {
		if p.role == plain {
			return fmt.Errorf("nn: %s belongs to no layer: initialize it by hand", p.Name)
		}
		p.fillStart()
		if p.Frozen || p.role == constant {
			continue
		}
		name := fnv.New64a()
		name.Write([]byte(p.Name))
		d := draw{p: p, rng: rand.New(rand.NewPCG(seed, name.Sum64()))}
		switch c.Name {
		case InitPyTorch:
			d.pytorch()
		case InitKeras:
			d.keras()
		case InitUniform:
			d.uniform(rangeOr(c.Range))
		default:
			d.refrain()
		}
		if c.ForgetBias != nil {
			d.forgetBias(*c.ForgetBias)
		}
		if c.Chrono != 0 {
			d.chrono(c.Chrono)
		}
	}
	return nil
}

func rangeOr(r float64) float64 {
	if r == 0 {
		return defaultRange
	}
	return r
}

// draw fills one parameter.
type draw struct {
	p   *Param
	rng *rand.Rand
}

func (d draw) pytorch() {
	p := d.p
	switch p.role {
	case embeddingTable:
		for i := range p.Value {
			p.Value[i] = float32(d.rng.NormFloat64())
		}
	case linearWeight, headWeight:
		d.uniform(1 / math.Sqrt(float64(p.Shape[1])))
	case linearBias, headBias:
		d.uniform(1 / math.Sqrt(float64(p.fanIn)))
	default:
		d.uniform(1 / math.Sqrt(float64(p.Shape[0]/p.gates)))
	}
}

func (d draw) keras() {
	p := d.p
	switch p.role {
	case embeddingTable:
		d.uniform(0.05)
	case inputWeight, linearWeight, headWeight:
		d.glorot(p.Shape[0], p.Shape[1])
	case recurrentWeight:
		d.orthogonal(p.Value, p.Shape[0], p.Shape[1])
	case inputBias:
		d.forgetBias(1)
	}
}

func (d draw) refrain() {
	p := d.p
	switch p.role {
	case embeddingTable:
		if p.tied {
			d.uniform(0.1)
		} else {
			d.uniform(1)
		}
	case inputWeight:
		d.glorot(p.Shape[0]/p.gates, p.Shape[1])
	case linearWeight, headWeight:
		d.glorot(p.Shape[0], p.Shape[1])
	case recurrentWeight:
		h := p.Shape[1]
		for g := range p.gates {
			d.orthogonal(at(p.Value, g, h*h), h, h)
		}
	case inputBias:
		d.forgetBias(1)
	}
}

// uniform draws from [−r,r).
func (d draw) uniform(r float64) {
	for i := range d.p.Value {
		d.p.Value[i] = float32(d.between(r))
	}
}

// between returns a number in [−r,r) from the generator's upper 53 bits.
func (d draw) between(r float64) float64 {
	return r * (float64(d.rng.Uint64()>>11)/(1<<52) - 1)
}

// glorot draws uniform weights of variance 2/(in+out) (Glorot and Bengio 2010).
func (d draw) glorot(out, in int) { d.uniform(math.Sqrt(6 / float64(in+out))) }

// forgetBias makes the two biases of the forget gate sum up to v.
func (d draw) forgetBias(v float64) {
	p := d.p
	if p.forget < 0 {
		return
	}
	h := len(p.Value) / p.gates
	if p.role == recurrentBias {
		v = 0
	}
	for i := range h {
		p.Value[p.forget*h+i] = float32(v)
	}
}

// chrono makes the two biases of gates that keep sum up to log u, u uniform in
// [1,t−1), unit by unit, and those of the input gate, the LSTM's first, to −log u.
func (d draw) chrono(t float64) {
	p := d.p
	if p.gates < 3 || p.role != inputBias && p.role != recurrentBias {
		return
	}
	keep, h := p.forget, len(p.Value)/p.gates
	if keep < 0 {
		keep = 1 // z of r, z, n
	}
	for i := range h {
		v := 0.0
		if p.role == inputBias {
			v = math.Log(1 + (t-2)*(d.between(1)+1)/2)
		}
		p.Value[keep*h+i] = float32(v)
		if p.forget >= 0 {
			p.Value[i] = float32(0 - v)
		}
	}
}

// orthogonal fills w [rows,cols], rows ≥ cols, with orthonormal columns by
// Kac's random walk: the unit matrix under random rotations of random pairs of
// rows, which needs far fewer operations than factoring a random matrix. After
// ⌈log₂ rows⌉ rounds every row may have met every other; twice that and some
// more leaves no trace of the start.
func (d draw) orthogonal(w []float32, rows, cols int) {
	q := make([]float64, rows*cols)
	for i := range cols {
		q[i*cols+i] = 1
	}
	rounds := 8
	for n := 1; n < rows; n *= 2 {
		rounds += 2
	}
	order := make([]int, rows)
	for i := range order {
		order[i] = i
	}
	for range rounds {
		d.shuffle(order)
		for i := 0; i+1 < rows; i += 2 {
			cos, sin := d.direction()
			rotate(at(q, order[i], cols), at(q, order[i+1], cols), cos, sin)
		}
	}
	for i, v := range q {
		w[i] = float32(v)
	}
}

// shuffle is Fisher and Yates'; the bias of the remainder is under 2⁻⁴⁰.
func (d draw) shuffle(order []int) {
	for i := len(order) - 1; i > 0; i-- {
		j := int(d.rng.Uint64() % uint64(i+1))
		order[i], order[j] = order[j], order[i]
	}
}

// direction returns a uniformly random point of the unit circle, without
// trigonometry, whose last bit differs between machines.
func (d draw) direction() (cos, sin float64) {
	for {
		x, y := d.between(1), d.between(1)
		if r := float64(x*x) + float64(y*y); r > 1.0/(1<<20) && r <= 1 {
			r = math.Sqrt(r)
			return x / r, y / r
		}
	}
}

// rotate turns the rows a and b. The conversions keep compilers from fusing,
// which would give other machines other bits.
func rotate(a, b []float64, cos, sin float64) {
	for i, x := range a {
		y := b[i]
		a[i] = float64(cos*x) - float64(sin*y)
		b[i] = float64(sin*x) + float64(cos*y)
	}
}
