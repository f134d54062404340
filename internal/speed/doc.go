// Package speed measures: what a machine can do at most ([Machine]), and what
// training ([Training]) and writing ([Generation]) do with it, on random data
// and without a text. refrain bench prints it; bench/peers sets it beside other
// programs.
package speed
