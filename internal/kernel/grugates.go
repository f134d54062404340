package kernel

// GRUAfter computes one lane of the GRU whose reset gate acts after the
// recurrent product:
//
//	r, z = σ(r), σ(z);  n = tanh(n + r⊙hn);  h = (1−z)⊙n + z⊙hPrev
//
// Before, r, z and n hold preactivations (n the input's part with its bias), hn
// the recurrent part of the candidate with its bias. After, r, z and n hold
// activations; hn stays. h may be hPrev.
func GRUAfter(r, z, n, hn, hPrev, h []float32) {
	units := len(r)
	wantLen("GRUAfter", "z", len(z), units)
	wantLen("GRUAfter", "n", len(n), units)
	wantLen("GRUAfter", "hn", len(hn), units)
	wantLen("GRUAfter", "hPrev", len(hPrev), units)
	wantLen("GRUAfter", "h", len(h), units)
	if useAsm {
		gruAfterAsm(units, first(r), first(z), first(n), first(hn), first(hPrev), first(h))
		return
	}
	gruAfterGeneric(r, z, n, hn, hPrev, h)
}

// GRUAfterGrad goes back through [GRUAfter]. In: activations, hn, hPrev and dh
// the whole gradient of h. Out: r, z and n hold the gradients of their
// preactivations, hn that of hn, dhPrev = z⊙dh, to which the caller adds the
// recurrent products.
//
//	dn = dh⊙(1−z)⊙(1−n²);  dr = dn⊙hn⊙r⊙(1−r);  dz = dh⊙(hPrev−n)⊙z⊙(1−z);  dhn = dn⊙r
//
// dhPrev may be dh.
func GRUAfterGrad(r, z, n, hn, hPrev, dh, dhPrev []float32) {
	units := len(r)
	wantLen("GRUAfterGrad", "z", len(z), units)
	wantLen("GRUAfterGrad", "n", len(n), units)
	wantLen("GRUAfterGrad", "hn", len(hn), units)
	wantLen("GRUAfterGrad", "hPrev", len(hPrev), units)
	wantLen("GRUAfterGrad", "dh", len(dh), units)
	wantLen("GRUAfterGrad", "dhPrev", len(dhPrev), units)
	if useAsm {
		gruAfterGradAsm(units, first(r), first(z), first(n), first(hn), first(hPrev), first(dh), first(dhPrev))
		return
	}
	gruAfterGradGeneric(r, z, n, hn, hPrev, dh, dhPrev)
}

// GRUBeforeGates computes the gates of the GRU whose reset gate acts before
// the recurrent product: r, z = σ(r), σ(z) and rh = r⊙hPrev.
func GRUBeforeGates(r, z, hPrev, rh []float32) {
	units := len(r)
	wantLen("GRUBeforeGates", "z", len(z), units)
	wantLen("GRUBeforeGates", "hPrev", len(hPrev), units)
	wantLen("GRUBeforeGates", "rh", len(rh), units)
	if useAsm {
		gruBeforeGatesAsm(units, first(r), first(z), first(hPrev), first(rh))
		return
	}
	gruBeforeGatesGeneric(r, z, hPrev, rh)
}

// GRUBeforeOut ends the step: n = tanh(n), h = (1−z)⊙n + z⊙hPrev, where n holds
// the candidate's preactivation before. h may be hPrev.
func GRUBeforeOut(z, n, hPrev, h []float32) {
	units := len(z)
	wantLen("GRUBeforeOut", "n", len(n), units)
	wantLen("GRUBeforeOut", "hPrev", len(hPrev), units)
	wantLen("GRUBeforeOut", "h", len(h), units)
	if useAsm {
		gruBeforeOutAsm(units, first(z), first(n), first(hPrev), first(h))
		return
	}
	gruBeforeOutGeneric(z, n, hPrev, h)
}

// GRUBeforeOutGrad goes back through [GRUBeforeOut]:
//
//	dn = dh⊙(1−z)⊙(1−n²);  z = dh⊙(hPrev−n)⊙z⊙(1−z);  dhPrev = z⊙dh
//
// where every right side means activations; z holds its preactivation's
// gradient after. dn may be n, and dhPrev may be dh.
func GRUBeforeOutGrad(z, n, hPrev, dh, dn, dhPrev []float32) {
	units := len(z)
	wantLen("GRUBeforeOutGrad", "n", len(n), units)
	wantLen("GRUBeforeOutGrad", "hPrev", len(hPrev), units)
	wantLen("GRUBeforeOutGrad", "dh", len(dh), units)
	wantLen("GRUBeforeOutGrad", "dn", len(dn), units)
	wantLen("GRUBeforeOutGrad", "dhPrev", len(dhPrev), units)
	if useAsm {
		gruBeforeOutGradAsm(units, first(z), first(n), first(hPrev), first(dh), first(dn), first(dhPrev))
		return
	}
	gruBeforeOutGradGeneric(z, n, hPrev, dh, dn, dhPrev)
}

// GRUBeforeGatesGrad goes back through rh = r⊙hPrev and σ(r) of
// [GRUBeforeGates]:
//
//	dhPrev += r⊙drh;  r = drh⊙hPrev⊙r⊙(1−r)
//
// with r the activation on every right side. The part of z is in
// [GRUBeforeOutGrad].
func GRUBeforeGatesGrad(r, hPrev, drh, dhPrev []float32) {
	units := len(r)
	wantLen("GRUBeforeGatesGrad", "hPrev", len(hPrev), units)
	wantLen("GRUBeforeGatesGrad", "drh", len(drh), units)
	wantLen("GRUBeforeGatesGrad", "dhPrev", len(dhPrev), units)
	if useAsm {
		gruBeforeGatesGradAsm(units, first(r), first(hPrev), first(drh), first(dhPrev))
		return
	}
	gruBeforeGatesGradGeneric(r, hPrev, drh, dhPrev)
}

// gruMix is (1−z)·n + z·h with one rounding less.
func gruMix(z, n, h float32) float32 { return z*(h-n) + n }

func gruAfterGeneric(r, z, n, hn, hPrev, h []float32) {
	for u := range r {
		ru, zu := sigmoid(r[u]), sigmoid(z[u])
		nu := tanh(ru*hn[u] + n[u])
		r[u], z[u], n[u] = ru, zu, nu
		h[u] = gruMix(zu, nu, hPrev[u])
	}
}

func gruAfterGradGeneric(r, z, n, hn, hPrev, dh, dhPrev []float32) {
	for u := range r {
		ru, zu, nu, dhu := r[u], z[u], n[u], dh[u]
		dn := dhu * (1 - zu) * (1 - nu*nu)
		r[u] = dn * hn[u] * (ru * (1 - ru))
		z[u] = dhu * (hPrev[u] - nu) * (zu * (1 - zu))
		n[u] = dn
		hn[u] = dn * ru
		dhPrev[u] = zu * dhu
	}
}

func gruBeforeGatesGeneric(r, z, hPrev, rh []float32) {
	for u := range r {
		ru := sigmoid(r[u])
		r[u], z[u], rh[u] = ru, sigmoid(z[u]), ru*hPrev[u]
	}
}

func gruBeforeOutGeneric(z, n, hPrev, h []float32) {
	for u := range z {
		nu := tanh(n[u])
		n[u] = nu
		h[u] = gruMix(z[u], nu, hPrev[u])
	}
}

func gruBeforeOutGradGeneric(z, n, hPrev, dh, dn, dhPrev []float32) {
	for u := range z {
		zu, nu, dhu := z[u], n[u], dh[u]
		dn[u] = dhu * (1 - zu) * (1 - nu*nu)
		z[u] = dhu * (hPrev[u] - nu) * (zu * (1 - zu))
		dhPrev[u] = zu * dhu
	}
}

func gruBeforeGatesGradGeneric(r, hPrev, drh, dhPrev []float32) {
	for u := range r {
		ru := r[u]
		dhPrev[u] += ru * drh[u]
		r[u] = drh[u] * hPrev[u] * (ru * (1 - ru))
	}
}
