// Package probe looks into a recurrent model while it works: how far gradients
// reach back through time, which gates are stuck, how its output moves from
// token to token.
//
//	reach, err := probe.Gradients(model, ids, probe.Options{Lags: 70})
//	gates, err := probe.Gates(model, ids, probe.Options{})
//	moves, err := probe.Moves(model, ids[:200])
//
// A model is read, never changed: what needs a backward pass runs on a copy
// without dropout. All results are functions of the weights, the ids and the
// options; no number of threads changes a bit. Losses are nats a token.
//
// # Sources
//
// Gradients that vanish or explode with the lag: Hochreiter (1991, 1998), Bengio,
// Simard and Frasconi (1994), Pascanu, Mikolov and Bengio (2013). Gates that are
// open or shut most of the time: Karpathy, Johnson and Li (2015).
package probe
