// Package train is the training loop and everything around it: the plan, the
// time budget, validation, checkpoints, resuming.
//
// [Run] is the loop, on a model and a stream of windows, with everything in
// memory unless told otherwise:
//
//	report, err := train.Run(ctx, model, stream, train.Options{Steps: 1000, Valid: valid})
//
// [Prepare] and [Resume] make a [Job]: a run in a model folder, from text to
// model card. Its [Plan] is on disk before the first step; its bits are a
// function of that plan and the text, not of time, threads, or of being
// stopped and resumed in between.
//
// Truncated backpropagation through time follows Williams and Peng (1990);
// what is dropped out, clipped, scheduled and averaged is in packages nn and
// optim.
package train
