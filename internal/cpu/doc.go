// Package cpu says which vector instructions this process may use.
//
// Detection happens once, at start. The environment variable REFRAIN_CPU
// chooses a lower level for tests and for hunting faults: "generic" (plain Go)
// or "avx2". An unknown value, or one that this machine cannot run, leaves the
// detected level in place and is reported by [OverrideError].
package cpu
