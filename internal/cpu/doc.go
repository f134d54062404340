// Package cpu says which vector instructions this process may use.
//
// Detection happens once, at start. The environment variable REFRAIN_CPU
// chooses a lower path for tests and for hunting faults: generic (plain Go),
// avx2, avxvnni, avx512, amx or neon. An unknown value, or one that this machine
// cannot run, leaves the detected path in place and is reported by [OverrideError].
package cpu
