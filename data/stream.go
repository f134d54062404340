package data

import (
	"fmt"
)

// A Batch is one window of every lane, time-major: token t of lane b stands at
// t·B+b, its target, the next token of the lane, likewise.
type Batch struct {
	T, B    int
	Inputs  []int32 // [T,B]
	Targets []int32 // [T,B]
	// Reset is true where the window does not continue the one before it: for
	// the first window of a pass, for every window of documents.
	Reset bool
}

// Counted is the number of targets that are counted: all but −1.
func (b *Batch) Counted() int {
	n := 0
	for _, id := range b.Targets {
		if id >= 0 {
			n++
		}
	}
	return n
}

// size gives b slices of t steps and lanes rows.
func (b *Batch) size(t, lanes int) {
	n := t * lanes
	if cap(b.Inputs) < n || cap(b.Targets) < n {
		b.Inputs, b.Targets = make([]int32, n), make([]int32, n)
	}
	b.T, b.B = t, lanes
	b.Inputs, b.Targets = b.Inputs[:n], b.Targets[:n]
}

// A Cursor is a place in a stream: the window that Next gives next.
type Cursor struct {
	Pass   int64 `json:"pass"`
	Window int64 `json:"window"`
}

// A Stream cuts ids into B contiguous lanes and these into windows of T
// tokens. With N ids, lane b holds ids [b·⌊N/B⌋, (b+1)·⌊N/B⌋); a pass goes
// through the windows in order, all lanes abreast, each window beginning with
// the target that the one before ended with. Every window has T tokens: what a
// lane's end leaves over, at most T of them, is not read in that pass. Passes
// follow each other without end.
type Stream struct {
	r       Reader
	b, t    int
	seed    uint64
	random  bool
	windows int64
	at      Cursor
	lane    []int32 // [T+1]
}

// NewStream makes a stream of windows [t,b]. Fewer ids than one window of
// every lane needs are an error.
func NewStream(r Reader, b, t int) (*Stream, error) {
	if b < 1 || t < 1 {
		return nil, fmt.Errorf("data: windows of %d tokens in %d lanes", t, b)
	}
	s := &Stream{r: r, b: b, t: t}
	return s, s.count()
}

// count sets the number of windows a pass.
func (s *Stream) count() error {
	n := s.r.Len()
	if s.random {
		n -= int64(s.t) - 1 // the greatest offset: every pass has as many windows
	}
	s.windows = (n/int64(s.b) - 1) / int64(s.t)
	if n < int64(s.b) || s.windows < 1 {
		return fmt.Errorf("data: %d tokens are too few for %d lanes of windows of %d: give more text, shorter windows or fewer lanes",
			s.r.Len(), s.b, s.t)
	}
	return nil
}

// SetOffset lets every pass begin at a random id below T, drawn from seed and
// the number of the pass, so that windows are cut elsewhere each time. Call it
// before the first Next. All passes keep the same number of windows, for which
// up to T−1 ids of the text's end are given up.
func (s *Stream) SetOffset(seed uint64) error {
	s.seed, s.random = seed, true
	return s.count()
}

// offset returns where a pass begins.
func (s *Stream) offset(pass int64) int64 {
	if !s.random {
		return 0
	}
	return int64(mix(s.seed^mix(uint64(pass))) % uint64(s.t))
}

// Windows returns the number of windows in a pass.
func (s *Stream) Windows() int64 { return s.windows }

// Cursor returns the place of the next window.
func (s *Stream) Cursor() Cursor { return s.at }

// Seek goes to a place that Cursor returned, of a stream with the same ids and
// sizes.
func (s *Stream) Seek(c Cursor) error {
	if c.Pass < 0 || c.Window < 0 || c.Window >= s.windows {
		return fmt.Errorf("data: window %d of pass %d, a pass has %d", c.Window, c.Pass, s.windows)
	}
	s.at = c
	return nil
}

// Next fills b with the next window, reusing its slices.
func (s *Stream) Next(b *Batch) error {
	b.size(s.t, s.b)
	if s.lane == nil {
		s.lane = make([]int32, s.t+1)
	}
	b.Reset = s.at.Window == 0
	offset := s.offset(s.at.Pass)
	length := (s.r.Len() - offset) / int64(s.b)
	for l := range s.b {
		at := offset + int64(l)*length + s.at.Window*int64(s.t)
		if err := s.r.Read(s.lane, at); err != nil {
			return err
		}
		for t := range s.t {
			b.Inputs[t*s.b+l] = s.lane[t]
			b.Targets[t*s.b+l] = s.lane[t+1]
		}
	}
	s.at.Window++
	if s.at.Window == s.windows {
		s.at = Cursor{Pass: s.at.Pass + 1}
	}
	return nil
}

// mix is the finalizer of splitmix64 (Steele, Lea, Flood 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Lanes is B, the number of lanes.
func (s *Stream) Lanes() int { return s.b }
