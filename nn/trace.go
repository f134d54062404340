package nn

// Trace is what a recurrent block did in one window, for looking at. Set
// [Tape.Trace] to one: Forward fills in gates and states, Backward the gradients
// of the states. The slices are made for each window and stay as they are. A
// tape without a trace pays nothing.
type Trace struct {
	Steps, Lanes, Width int    // of the window: T, B and H
	Gates               []Gate // of gated cells, in the order of their weights
	// States are h and, where the cell has one, c after each step: [T,B,H].
	States [][]float32
	// Grads are the gradients of States as variables of their own: what reaches h
	// from all its uses, and c from all but the h of the same step.
	Grads [][]float32
}

// Gate is one gate of a window.
type Gate struct {
	Name   string    // i, f, g, o, or r, z, n, as in the cell's equations
	Values []float32 // [T,B,H], activated
}

// At is what one lane of step s of a [T,B,H] array holds, [H].
func (t *Trace) At(values []float32, s, lane int) []float32 {
	return at(values, s*t.Lanes+lane, t.Width)
}

// gateNames are the letters of the cell's equations, in the order of its weights.
func (c *cell) gateNames() []string {
	switch {
	case c.gates == 4:
		return []string{"i", "f", "g", "o"}
	case c.gates == 3 && c.bih.forget >= 0:
		return []string{"i", "f", "g"}
	case c.gates == 3:
		return []string{"r", "z", "n"}
	}
	return nil
}

// traceForward keeps the gates, and one part of the states: buf [T+1,B,H] begins
// with the state before the window.
func (c *cell) traceForward(t *Tape, buf []float32) {
	tr := t.Trace
	if tr == nil {
		return
	}
	n := t.rows() * c.hidden
	if len(tr.States) == 0 {
		tr.Steps, tr.Lanes, tr.Width = t.steps, t.lanes, c.hidden
		for g, name := range c.gateNames() {
			tr.Gates = append(tr.Gates, Gate{name, c.gateValues(t, g)})
		}
	}
	tr.States = append(tr.States, append([]float32(nil), buf[t.lanes*c.hidden:][:n]...))
	tr.Grads = append(tr.Grads, make([]float32, n))
}

// gateValues copies gate g [T,B,H] out of the preactivations.
func (c *cell) gateValues(t *Tape, g int) []float32 {
	values := make([]float32, 0, t.rows()*c.hidden)
	for row := range t.rows() {
		from := row*c.stride + g*c.hidden
		values = append(values, t.pre[from:from+c.hidden]...)
	}
	return values
}

// traceBackward keeps the gradients of the state after step s, once they are
// complete, units [lo,hi) of lanes [lane0,lane1): dh and, of cells with c, dc
// [B,H].
func (t *Tape) traceBackward(s, lane0, lane1, lo, hi int, dh, dc []float32) {
	if t.Trace == nil {
		return
	}
	for i, part := range [][]float32{dh, dc} {
		for lane := lane0; lane < lane1 && part != nil; lane++ {
			copy(t.Trace.At(t.Trace.Grads[i], s, lane)[lo:hi], at(part, lane, t.Trace.Width)[lo:hi])
		}
	}
}
