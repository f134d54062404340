//go:build !amd64 || purego

package kernel

func multiplyAMX(c []float32, ldc int, strips *[2]strip, b *Packed, p0, p1 int, from start) {
	panic(noAssembly)
}

func amxPeak(multiplyAdds int) (operations float64) { panic(noAssembly) }
