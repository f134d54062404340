//go:build !purego

package cpu

// assembly says that this build may contain assembly routines at all.
const assembly = true
