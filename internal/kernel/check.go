package kernel

import "fmt"

// wantLen panics when a slice that must have n elements has not.
func wantLen(routine, name string, got, n int) {
	if got != n {
		panic(fmt.Sprintf("kernel: %s: %s has %d elements, want %d", routine, name, got, n))
	}
}

// wantMatrix panics when a slice cannot hold rows × cols with the leading
// dimension ld.
func wantMatrix(routine, name string, got, rows, cols, ld int) {
	if rows < 0 || cols < 0 || ld < cols {
		panic(fmt.Sprintf("kernel: %s: %s is %d×%d with leading dimension %d", routine, name, rows, cols, ld))
	}
	if rows > 0 && cols > 0 && got < (rows-1)*ld+cols {
		panic(fmt.Sprintf("kernel: %s: %s has %d elements, want %d for %d×%d with leading dimension %d",
			routine, name, got, (rows-1)*ld+cols, rows, cols, ld))
	}
}
