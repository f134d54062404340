// Package optim changes parameters: optimizers, gradient clipping, averages of
// the parameters over steps, and learning-rate schedules. It knows named
// slices, not layers.
//
// A training step is
//
//	norm := optim.GlobalNorm(pool, params)
//	opt.Step(pool, float32(schedule.Rate(step, total)), optim.ClipScale(norm, 0.25))
//
// where the clipping factor is applied inside the optimizer's single pass over
// the memory. pool is an nn.Pool; nil is the caller's goroutine alone. Optimizers:
//
//   - sgd: p −= lr·(g + wd·p). No momentum.
//   - asgd: the same steps, and beside them the running mean of the parameters
//     (Polyak and Juditsky 1992), which is what to evaluate and to keep: see
//     [ASGD]. It is PyTorch's ASGD with lambd=0, the form that AWD-LSTM trains
//     with; [Stalled] is AWD-LSTM's test for when to begin averaging.
//   - adam: Kingma and Ba 2015, weight decay coupled: wd·p is added to the
//     (clipped) gradient, as in PyTorch's Adam.
//   - adamw: Loshchilov and Hutter 2019, weight decay decoupled: p −= lr·wd·p
//     before the step, as in PyTorch's AdamW.
//
// Everything that a resumed run needs is reachable: named float32 slices
// ([Optimizer.State], [Average.State]) and a few numbers that belong into JSON
// (Steps, Start, Count, [Plateau]). Put back, they continue to the bit. Results
// depend neither on the pool's size nor on the platform: work is cut in fixed
// pieces, sums follow a tree fixed by the lengths, and the float64 arithmetic of
// rates and bias corrections avoids fused operations and the math functions that
// differ between platforms.
package optim
