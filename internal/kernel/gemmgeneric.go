package kernel

// tileGeneric adds A·panel to rows × cols of C, cols ≤ PanelWidth. Element
// (i,k) of A lies at a[i*rs+k*ks]. It goes by two rows and four columns, whose
// eight sums fit in registers; each is the chain of [Gemm] all the same.
func tileGeneric(c []float32, ldc int, a []float32, rs, ks, rows, k int, panel []float32, cols int) {
	panel = panel[:k*PanelWidth]
	i := 0
	for ; i+2 <= rows; i += 2 {
		top, bottom := c[i*ldc:i*ldc+cols], c[(i+1)*ldc:(i+1)*ldc+cols]
		j := 0
		for ; j+4 <= cols; j += 4 {
			twoByFour(top[j:j+4], bottom[j:j+4], a[i*rs:], rs, ks, panel[j:])
		}
		for ; j < cols; j++ {
			top[j] = chain(top[j], a[i*rs:], ks, panel[j:])
			bottom[j] = chain(bottom[j], a[(i+1)*rs:], ks, panel[j:])
		}
	}
	if i < rows {
		row := c[i*ldc : i*ldc+cols]
		j := 0
		for ; j+4 <= cols; j += 4 {
			oneByFour(row[j:j+4], a[i*rs:], ks, panel[j:])
		}
		for ; j < cols; j++ {
			row[j] = chain(row[j], a[i*rs:], ks, panel[j:])
		}
	}
}

// twoByFour continues four columns of two rows. The panel begins at the first
// of the columns.
func twoByFour(x, y, a []float32, rs, ks int, panel []float32) {
	x, y = x[:4:4], y[:4:4]
	x0, x1, x2, x3 := x[0], x[1], x[2], x[3]
	y0, y1, y2, y3 := y[0], y[1], y[2], y[3]
	below := a[rs:]
	at := 0
	for l := 0; l+4 <= len(panel); l += PanelWidth {
		b := panel[l : l+4 : l+4]
		s, t := a[at], below[at]
		x0 += s * b[0]
		x1 += s * b[1]
		x2 += s * b[2]
		x3 += s * b[3]
		y0 += t * b[0]
		y1 += t * b[1]
		y2 += t * b[2]
		y3 += t * b[3]
		at += ks
	}
	x[0], x[1], x[2], x[3] = x0, x1, x2, x3
	y[0], y[1], y[2], y[3] = y0, y1, y2, y3
}

// oneByFour continues four columns of one row.
func oneByFour(x, a []float32, ks int, panel []float32) {
	x = x[:4:4]
	x0, x1, x2, x3 := x[0], x[1], x[2], x[3]
	at := 0
	for l := 0; l+4 <= len(panel); l += PanelWidth {
		b := panel[l : l+4 : l+4]
		s := a[at]
		x0 += s * b[0]
		x1 += s * b[1]
		x2 += s * b[2]
		x3 += s * b[3]
		at += ks
	}
	x[0], x[1], x[2], x[3] = x0, x1, x2, x3
}

// chain continues one element with a column of the panel.
func chain(sum float32, a []float32, ks int, panel []float32) float32 {
	at := 0
	for l := 0; l < len(panel); l += PanelWidth {
		sum += a[at] * panel[l]
		at += ks
	}
	return sum
}
