package kernel

// LSTM computes one lane of n units:
//
//	i, f, g, o = σ(i), σ(f), tanh(g), σ(o)
//	c = f⊙cPrev + i⊙g;  tanhC = tanh(c);  h = o⊙tanhC
//
// The gate slices hold preactivations before and activations after. c may be
// cPrev, and h may be any slice but an input.
func LSTM(i, f, g, o, cPrev, c, tanhC, h []float32) {
	n := len(i)
	wantLen("LSTM", "f", len(f), n)
	wantLen("LSTM", "g", len(g), n)
	wantLen("LSTM", "o", len(o), n)
	wantLen("LSTM", "cPrev", len(cPrev), n)
	wantLen("LSTM", "c", len(c), n)
	wantLen("LSTM", "tanhC", len(tanhC), n)
	wantLen("LSTM", "h", len(h), n)
	if useAsm {
		lstmAsm(n, first(i), first(f), first(g), first(o), first(cPrev), first(c), first(tanhC), first(h))
		return
	}
	lstmGeneric(i, f, g, o, cPrev, c, tanhC, h)
}

// LSTMGrad goes back through [LSTM]. In: activations, dh the whole gradient of
// h, dc the gradient of c from the later step. Out: i, f, g, o hold the
// gradients of the preactivations, dc that of cPrev.
//
//	dc += dh⊙o⊙(1−tanhC²)
//	o = dh⊙tanhC⊙o⊙(1−o);  f = dc⊙cPrev⊙f⊙(1−f)
//	i = dc⊙g⊙i⊙(1−i);      g = dc⊙i⊙(1−g²);      dc = dc⊙f
//
// where every right side means the activations.
func LSTMGrad(i, f, g, o, cPrev, tanhC, dh, dc []float32) {
	n := len(i)
	wantLen("LSTMGrad", "f", len(f), n)
	wantLen("LSTMGrad", "g", len(g), n)
	wantLen("LSTMGrad", "o", len(o), n)
	wantLen("LSTMGrad", "cPrev", len(cPrev), n)
	wantLen("LSTMGrad", "tanhC", len(tanhC), n)
	wantLen("LSTMGrad", "dh", len(dh), n)
	wantLen("LSTMGrad", "dc", len(dc), n)
	if useAsm {
		lstmGradAsm(n, first(i), first(f), first(g), first(o), first(cPrev), first(tanhC), first(dh), first(dc))
		return
	}
	lstmGradGeneric(i, f, g, o, cPrev, tanhC, dh, dc)
}

// LSTMNoGate computes one lane of the LSTM without an output gate:
//
//	i, f, g = σ(i), σ(f), tanh(g);  c = f⊙cPrev + i⊙g;  h = σ(c)
//
// c may be cPrev.
func LSTMNoGate(i, f, g, cPrev, c, h []float32) {
	n := len(i)
	wantLen("LSTMNoGate", "f", len(f), n)
	wantLen("LSTMNoGate", "g", len(g), n)
	wantLen("LSTMNoGate", "cPrev", len(cPrev), n)
	wantLen("LSTMNoGate", "c", len(c), n)
	wantLen("LSTMNoGate", "h", len(h), n)
	if useAsm {
		lstmNoGateAsm(n, first(i), first(f), first(g), first(cPrev), first(c), first(h))
		return
	}
	lstmNoGateGeneric(i, f, g, cPrev, c, h)
}

// LSTMNoGateGrad goes back through [LSTMNoGate] as [LSTMGrad] does, with
//
//	dc += dh⊙h⊙(1−h)
func LSTMNoGateGrad(i, f, g, cPrev, h, dh, dc []float32) {
	n := len(i)
	wantLen("LSTMNoGateGrad", "f", len(f), n)
	wantLen("LSTMNoGateGrad", "g", len(g), n)
	wantLen("LSTMNoGateGrad", "cPrev", len(cPrev), n)
	wantLen("LSTMNoGateGrad", "h", len(h), n)
	wantLen("LSTMNoGateGrad", "dh", len(dh), n)
	wantLen("LSTMNoGateGrad", "dc", len(dc), n)
	if useAsm {
		lstmNoGateGradAsm(n, first(i), first(f), first(g), first(cPrev), first(h), first(dh), first(dc))
		return
	}
	lstmNoGateGradGeneric(i, f, g, cPrev, h, dh, dc)
}

func lstmGeneric(i, f, g, o, cPrev, c, tanhC, h []float32) {
	for u := range i {
		iu, fu, gu, ou := sigmoid(i[u]), sigmoid(f[u]), tanh(g[u]), sigmoid(o[u])
		cu := fu*cPrev[u] + iu*gu
		tu := tanh(cu)
		i[u], f[u], g[u], o[u] = iu, fu, gu, ou
		c[u], tanhC[u], h[u] = cu, tu, ou*tu
	}
}

func lstmGradGeneric(i, f, g, o, cPrev, tanhC, dh, dc []float32) {
	for u := range i {
		iu, fu, gu, ou, tu := i[u], f[u], g[u], o[u], tanhC[u]
		do := dh[u] * tu
		dcu := dh[u]*ou*(1-tu*tu) + dc[u]
		o[u] = do * (ou * (1 - ou))
		i[u] = dcu * gu * (iu * (1 - iu))
		f[u] = dcu * cPrev[u] * (fu * (1 - fu))
		g[u] = dcu * iu * (1 - gu*gu)
		dc[u] = dcu * fu
	}
}

func lstmNoGateGeneric(i, f, g, cPrev, c, h []float32) {
	for u := range i {
		iu, fu, gu := sigmoid(i[u]), sigmoid(f[u]), tanh(g[u])
		cu := fu*cPrev[u] + iu*gu
		i[u], f[u], g[u] = iu, fu, gu
		c[u], h[u] = cu, sigmoid(cu)
	}
}

func lstmNoGateGradGeneric(i, f, g, cPrev, h, dh, dc []float32) {
	for u := range i {
		iu, fu, gu, hu := i[u], f[u], g[u], h[u]
		dcu := dh[u]*(hu*(1-hu)) + dc[u]
		i[u] = dcu * gu * (iu * (1 - iu))
		f[u] = dcu * cPrev[u] * (fu * (1 - fu))
		g[u] = dcu * iu * (1 - gu*gu)
		dc[u] = dcu * fu
	}
}
