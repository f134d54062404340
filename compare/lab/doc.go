// Package lab lays the gradients of recurrent networks open: it trains cells,
// and cells with each of the known cures, on one text and on tasks whose lag is
// known, and looks at what crosses the lag.
//
//	res, err := lab.Run(ctx, ids, lab.Settings{Lags: []int{10, 100}}, nil)
//
// A [Variant] is a cell with cures: "lstm", "rnn+clip=1+layer". On text, each is
// trained on the same tokens, and at the start, the middle and the end of its run
// package probe measures how far gradients reach and which gates are stuck; what
// clipping did is kept for every step. The [Task]s are recall of one symbol,
// copying and adding, at lags from 10 to 1,000: solved or not, after how many
// steps, with what loss beside chance.
//
// All results are functions of settings, text and seeds. Networks are small and
// steps short, so runs go side by side, one thread each, which changes no bit.
//
// # Sources
//
// Why gradients vanish or explode: Hochreiter (1991, 1998), Bengio, Simard and
// Frasconi (1994). Clipping by the global norm: Pascanu, Mikolov and Bengio (2013).
// Forget gates that begin open: Gers, Schmidhuber and Cummins (2000), Jozefowicz,
// Zaremba and Sutskever (2015). Normalisation: Ioffe and Szegedy (2015), Cooijmans
// et al. (2016), Ba, Kiros and Hinton (2016). Residual connections: He et al. (2016).
// Orthogonal recurrent weights: Saxe, McClelland and Ganguli (2014). Stuck gates:
// Karpathy, Johnson and Li (2015). The tasks name their own.
package lab
