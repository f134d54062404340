package kernel

// gemmHalf continues the chains of C with a B of BFloat16, which is widened on
// the way: the bits are those of the same product in float32. A single row reads
// B as it is; more rows share panels that were widened for them.
func gemmHalf(c []float32, ldc int, a []float32, lda, m int, b *Packed, p0, p1 int) {
	size := b.K * PanelWidth
	p := p0
	if m == 1 && useX86 {
		whole := min(p1, b.N/PanelWidth)
		for ; useAVX512 && p+8 <= whole; p += 8 {
			half1x128(b.K, &a[0], &b.Half[p*size], size*2, &c[p*PanelWidth])
		}
		for ; p+4 <= whole; p += 4 {
			half1x64(b.K, &a[0], &b.Half[p*size], size*2, &c[p*PanelWidth])
		}
	}
	if p == p1 {
		return
	}
	const group = 2 // panels that the widest tiles take
	widened := packedScratch.Get().(*Packed)
	defer packedScratch.Put(widened)
	for ; p < p1; p += group {
		end := min(p+group, p1)
		widened.shape(b.K, min(end*PanelWidth, b.N)-p*PanelWidth)
		widenHalf(widened.Data, b.Half[p*size:end*size])
		gemm(c[p*PanelWidth:], ldc, a, lda, 0, m, widened, 0, end-p, continued)
	}
}
