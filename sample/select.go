package sample

// before says whether id a ranks ahead of id b.
func before(logits []float32, a, b int32) bool {
	if logits[a] != logits[b] {
		return logits[a] > logits[b]
	}
	return a < b
}

// topK fills ids with the len(ids) first-ranking ids, best first. It keeps the
// best so far in a heap with the worst of them at its root.
func topK(ids []int32, logits []float32) []int32 {
	k := len(ids)
	for i := range ids {
		ids[i] = int32(i)
	}
	for i := k/2 - 1; i >= 0; i-- {
		sinkWorst(ids, i, logits)
	}
	for id := int32(k); int(id) < len(logits); id++ {
		if before(logits, id, ids[0]) {
			ids[0] = id
			sinkWorst(ids, 0, logits)
		}
	}
	for n := k - 1; n > 0; n-- { // heap sort: the worst goes to the end
		ids[0], ids[n] = ids[n], ids[0]
		sinkWorst(ids[:n], 0, logits)
	}
	return ids
}

func sinkWorst(ids []int32, i int, logits []float32) {
	for {
		child := 2*i + 1
		if child >= len(ids) {
			return
		}
		if child+1 < len(ids) && before(logits, ids[child], ids[child+1]) {
			child++
		}
		if !before(logits, ids[i], ids[child]) {
			return
		}
		ids[i], ids[child] = ids[child], ids[i]
		i = child
	}
}

// topP keeps the fewest first-ranking ids whose weights sum to at least
// p·total, best first.
func topP(ids []int32, weight []float64, logits []float32, p, total float64, sorted bool) ([]int32, []float64) {
	goal := float64(p * total)
	if sorted {
		sum := 0.0
		for i, w := range weight {
			if sum += w; sum >= goal {
				return ids[:i+1], weight[:i+1]
			}
		}
		return ids, weight
	}
	// What weighs less than this cannot be needed, since all of it together is
	// less than (1−p)·total; half of that leaves room for rounding. The one that
	// weighs 1, the likeliest, always stays.
	least := min(1, 0.5*(1-p)*total/float64(len(ids)))
	n := 0
	for i, w := range weight {
		if w >= least {
			ids[n], weight[n] = ids[i], w
			n++
		}
	}
	ids, weight = ids[:n], weight[:n]
	h := heap{ids, weight, logits}
	for i := n/2 - 1; i >= 0; i-- {
		h.sink(i, n)
	}
	// Taken ones gather at the end, the best last; then they are turned round.
	sum, rest := 0.0, n
	for rest > 0 && sum < goal {
		sum += weight[0]
		rest--
		h.swap(0, rest)
		h.sink(0, rest)
	}
	ids, weight = ids[rest:], weight[rest:]
	for i, j := 0, len(ids)-1; i < j; i, j = i+1, j-1 {
		ids[i], ids[j] = ids[j], ids[i]
		weight[i], weight[j] = weight[j], weight[i]
	}
	return ids, weight
}

// heap has the first-ranking id at its root.
type heap struct {
	ids    []int32
	weight []float64
	logits []float32
}

func (h heap) swap(i, j int) {
	h.ids[i], h.ids[j] = h.ids[j], h.ids[i]
	h.weight[i], h.weight[j] = h.weight[j], h.weight[i]
}

func (h heap) sink(i, n int) {
	for {
		child := 2*i + 1
		if child >= n {
			return
		}
		if child+1 < n && before(h.logits, h.ids[child+1], h.ids[child]) {
			child++
		}
		if !before(h.logits, h.ids[child], h.ids[i]) {
			return
		}
		h.swap(i, child)
		i = child
	}
}
