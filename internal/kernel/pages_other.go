//go:build !linux

package kernel

// adviseLargePages does nothing: other systems choose pages themselves.
func adviseLargePages([]byte) {}
