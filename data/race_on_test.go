//go:build race

package data_test

// raceEnabled tells tests that the race detector slows them down and makes
// sync.Pool forget at random.
const raceEnabled = true
