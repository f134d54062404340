package lab

import (
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
)

func TestBatchesAreDeterministic(t *testing.T) {
	for _, name := range Tasks() {
		draw := func(seed uint64) batch { return Task{name, 20}.batch(rand.New(rand.NewPCG(seed, 1)), 3) }
		if !reflect.DeepEqual(draw(1), draw(1)) {
			t.Errorf("%s: one seed draws two batches", name)
		}
		if reflect.DeepEqual(draw(1), draw(2)) {
			t.Errorf("%s: two seeds draw one batch", name)
		}
	}
}

// symbols is what stands in each step of one lane, from its one-of-n inputs.
func symbols(t *testing.T, task Task, b batch, lane int) []int {
	t.Helper()
	var out []int
	for s := range b.steps {
		row := b.x[(s*b.lanes+lane)*task.in():][:task.in()]
		at := -1
		for i, v := range row {
			if v != 0 {
				if v != 1 || at >= 0 {
					t.Fatalf("step %d: %v", s, row)
				}
				at = i
			}
		}
		if at < 0 {
			t.Fatalf("step %d shows nothing", s)
		}
		out = append(out, at)
	}
	return out
}

func TestRecallAsksForTheFirst(t *testing.T) {
	task := Task{Recall, 13}
	b := task.batch(rand.New(rand.NewPCG(1, 1)), 50)
	seen := map[int]bool{}
	for lane := range b.lanes {
		shown := symbols(t, task, b, lane)
		seen[shown[0]] = true
		for s, symbol := range shown {
			want := int32(-1)
			if s == task.Lag {
				want = int32(shown[0])
			}
			if b.want[s*b.lanes+lane] != want || (s > 0) != (symbol >= recallKinds) || (s == task.Lag) != (symbol == recallKinds+distractors) {
				t.Fatalf("lane %d, step %d: %d, asked for %d", lane, s, symbol, b.want[s*b.lanes+lane])
			}
		}
	}
	if len(seen) != recallKinds {
		t.Errorf("%d kinds of first symbols", len(seen))
	}
}

func TestCopyAsksForAllInOrder(t *testing.T) {
	task := Task{Copy, 13}
	b := task.batch(rand.New(rand.NewPCG(1, 1)), 5)
	for lane := range b.lanes {
		shown := symbols(t, task, b, lane)
		asked := 0
		for s := range shown {
			if want := b.want[s*b.lanes+lane]; want >= 0 {
				asked++
				if int(want) != shown[s-task.Lag-copyLength] {
					t.Errorf("step %d asks for %d, %d steps before %d was shown", s, want, task.Lag+copyLength, shown[s-task.Lag-copyLength])
				}
			}
		}
		if asked != copyLength || shown[task.Lag+copyLength-1] != copyKinds+1 {
			t.Errorf("%d answers asked for, the step before shows %d", asked, shown[task.Lag+copyLength-1])
		}
	}
}

// TestChance: a network that always answers the mean has chance's loss, and the
// sums are those of the marked numbers, one of each half.
func TestChance(t *testing.T) {
	task := Task{Adding, 11}
	b := task.batch(rand.New(rand.NewPCG(1, 1)), 20000)
	square := 0.0
	for lane, sum := range b.sum {
		marks, got, early := 0, float32(0), 0
		for s := range b.steps {
			pair := b.x[(s*b.lanes+lane)*2:]
			if pair[1] == 1 {
				marks++
				got += pair[0]
				if s < 5 {
					early++
				}
			}
		}
		if marks != 2 || early != 1 || got != sum {
			t.Fatalf("lane %d: %d marks, %d early, sum %v, want %v", lane, marks, early, sum, got)
		}
		square += (float64(sum) - 1) * (float64(sum) - 1) / float64(b.lanes)
	}
	if math.Abs(square/task.Chance()-1) > 0.03 { // three deviations of 20,000 squares
		t.Errorf("always 1 has a square error of %v, chance is %v", square, task.Chance())
	}
	if got := (Task{Recall, 5}).Chance(); got != math.Log(4) {
		t.Errorf("chance of recall is %v", got)
	}
	if got := (Task{Copy, 5}).Chance(); got != math.Log(8) {
		t.Errorf("chance of copy is %v", got)
	}
}

// TestNetGradients: those of every task by central differences.
func TestNetGradients(t *testing.T) {
	v, err := ParseVariant("gru+layers=2+residual")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range Tasks() {
		task := Task{name, 4}
		n, err := newNet(task, v, 5, 3)
		if err != nil {
			t.Fatal(err)
		}
		b := task.batch(rand.New(rand.NewPCG(1, 1)), 6)
		n.loss(b, true)
		for _, p := range n.params {
			for k := 0; k < len(p.Value); k += 1 + len(p.Value)/7 {
				const step = 1.0 / 64
				old := p.Value[k]
				at := func(d float32) float64 {
					p.Value[k] = old + d
					n.refresh()
					return n.loss(b, false)
				}
				num := (at(step) - at(-step)) / (2 * step)
				at(0)
				if d := math.Abs(num - float64(p.Grad[k])); d > 2e-3*(1+math.Abs(num)) { // the curvature's part is step²
					t.Errorf("%s: %s[%d]: gradient %v, by differences %v", name, p.Name, k, p.Grad[k], num)
				}
			}
		}
	}
}

// TestLookingChangesNothing: neither weights nor running statistics.
func TestLookingChangesNothing(t *testing.T) {
	for _, name := range []string{"lstm+recurrent-batch", "rnn+batch"} {
		v, err := ParseVariant(name)
		if err != nil {
			t.Fatal(err)
		}
		task := Task{Copy, 10}
		n, err := newNet(task, v, 6, 3)
		if err != nil {
			t.Fatal(err)
		}
		fresh := task.batch(rand.New(rand.NewPCG(2, 2)), 8)
		before := n.loss(fresh, false)
		reach, gates := n.look(task.batch(rand.New(rand.NewPCG(1, 1)), 8))
		if after := n.loss(fresh, false); after != before {
			t.Errorf("%s: loss %v, after a look %v", name, before, after)
		}
		if len(reach) != 1 || len(reach[0].Median) != task.steps() || reach[0].Targets != 8 || len(gates) == 0 {
			t.Errorf("%s: %d layers, %d gates", name, len(reach), len(gates))
		}
	}
}
