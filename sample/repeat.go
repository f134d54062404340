package sample

// ring holds the most recent ids, and how often each is among them. The zero
// ring holds none.
type ring struct {
	ids   []int32 // [window], the oldest at next once full
	next  int
	full  bool
	count []int32 // [vocab]
}

func newRing(window, vocab int) ring {
	return ring{ids: make([]int32, window), count: make([]int32, vocab)}
}

func (r *ring) clear() {
	for _, id := range r.held() {
		r.count[id] = 0
	}
	r.next, r.full = 0, false
}

func (r *ring) held() []int32 {
	if r.full {
		return r.ids
	}
	return r.ids[:r.next]
}

func (r *ring) add(id int32) {
	if len(r.ids) == 0 {
		return
	}
	if r.full {
		r.count[r.ids[r.next]]--
	}
	r.ids[r.next] = id
	r.count[id]++
	if r.next++; r.next == len(r.ids) {
		r.next, r.full = 0, true
	}
}

// penalise changes the logit of each id held, once however often it is held.
func (r *ring) penalise(logits []float32, penalty float32) {
	for _, id := range r.held() {
		if r.count[id] <= 0 {
			continue
		}
		r.count[id] = -r.count[id] // done; turned back below
		if logits[id] > 0 {
			logits[id] /= penalty
		} else {
			logits[id] *= penalty
		}
	}
	for _, id := range r.held() {
		if r.count[id] < 0 {
			r.count[id] = -r.count[id]
		}
	}
}
