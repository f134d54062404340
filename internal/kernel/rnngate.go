package kernel

// RNN computes one lane of the simple recurrent cell in place: h holds the
// preactivation before, and tanh of it after, or max(0, ·) if relu is set.
func RNN(h []float32, relu bool) {
	switch {
	case !relu:
		Tanh(h)
	case useAsm:
		reluAsm(len(h), first(h))
	default:
		reluGeneric(h)
	}
}

// RNNGrad goes back through [RNN]: dpre = dh⊙(1−h²), or dh where h > 0 if relu
// is set. dpre may be dh.
func RNNGrad(dpre, h, dh []float32, relu bool) {
	wantLen("RNNGrad", "h", len(h), len(dpre))
	wantLen("RNNGrad", "dh", len(dh), len(dpre))
	switch {
	case relu && useAsm:
		reluGradAsm(len(dpre), first(dpre), first(h), first(dh))
	case relu:
		reluGradGeneric(dpre, h, dh)
	case useAsm:
		tanhGradAsm(len(dpre), first(dpre), first(h), first(dh))
	default:
		tanhGradGeneric(dpre, h, dh)
	}
}

func reluGeneric(h []float32) {
	for u, v := range h {
		if v <= 0 {
			h[u] = 0
		}
	}
}

func reluGradGeneric(dpre, h, dh []float32) {
	for u := range dpre {
		if h[u] > 0 {
			dpre[u] = dh[u]
		} else {
			dpre[u] = 0
		}
	}
}

func tanhGradGeneric(dpre, h, dh []float32) {
	for u := range dpre {
		dpre[u] = dh[u] * (1 - h[u]*h[u])
	}
}
