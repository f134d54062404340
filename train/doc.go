// Package train is the training loop and everything around it: the plan, the
// time budget, validation, checkpoints, resuming.
//
// [Run] is the loop, on a model and a [Feed] of windows (data.Stream,
// data.Documents), with everything in memory unless told otherwise:
//
//	report, err := train.Run(ctx, model, stream, train.Options{Steps: 1000, Valid: valid})
//
// [Prepare] and [Resume] make a [Job]: a run in a model folder, from text to
// model card:
//
//	text, err := data.Sources([]string{"book.txt"}, nil, data.ReadOptions{})
//	job, err := train.Prepare(ctx, train.Settings{Time: 10 * time.Minute}, train.Input{Sources: text, Out: "book"}, nil)
//	outcome, err := job.Run(ctx, nil)
//	err = job.Close()
//
// [Settings] are plain fields: what is not zero is given, the plan chooses the
// rest, and [Settings.Set] gives a zero. The [Plan] is on disk before the first
// step; its bits are a function of that plan and the text, not of time, threads,
// or of being stopped and resumed in between.
//
// Losses are nats a token unless a name says otherwise; windows are [T,B], T
// tokens of B lanes; times are durations of the wall clock, and [Plan] counts
// bytes.
//
// # What the plan chooses
//
// Whatever is given, by program, flag, environment, config file or recipe, stays
// as it is. What is left open is decided in this order, and plan.json and the dry
// run say what was decided:
//
//  1. Batch and window: 16 lanes of 32 characters, or 32 of 64 where layers
//     have 384 units or more; 32 lanes of 35 words; 16 of 64 tokens for a
//     transformer; halved until the text has a few steps to offer. Many small
//     steps learn more in a short time than few large ones.
//  2. Speed, for a budget in time: one layer of 256 units is trained for a
//     sixtieth of the time, 2 s at most. The fastest third of its steps counts, so
//     that a burst of other work does not shrink the plan.
//  3. Size: one layer with √(operations/60) weights, at the nearest of a
//     few widths from 32 to 1536; operations are the floating-point operations
//     that the rest of the budget can spend on training. That is the shape of
//     compute-optimal scaling (Hoffmann et al. 2022) with a constant fitted on
//     small texts. Embeddings are 64 wide; for words 256 and tied. The same rule
//     gives --model ffn its width; its order is 5 for words, 12 for characters.
//     A transformer spreads as many weights over four layers, with heads of about
//     32 units, 4·units after attention and a context of 128 tokens.
//  4. Learning: Adam at 0.004·√(256/units), a quarter of it for rnn and a third of
//     it for a transformer, warmed up over 3 % of the run (a transformer 10 %) and
//     cooled down to zero over its last 60 %; gradients clipped to norm 1; the more
//     passes over the text, the more dropout of outputs, between layers and of
//     recurrent weights: none up to 6 passes, then 0.2 more for every doubling, 0.5
//     at most.
//  5. Steps: the chosen model is timed for a thirtieth of the time, 4 s at most; 95 %
//     of what is left, less a reserve for the work after training, goes into
//     steps.
//  6. Validations: about twenty, fewer where they would take more than a fortieth
//     of the time; checkpoints about twenty.
//
// What these rules reach on tinyshakespeare in one minute and in ten, three seeds
// each, stands in bench/RESULTS.md; go run ./bench/quality shakespeare-minute (and
// shakespeare) prints the tables again.
//
// While it runs, a timed run compares its projected end with the deadline, fifty
// times, and changes the number of steps where the two are apart by more than 2 %
// of the time left. The change is recorded in the plan ([Replan]), so that a
// repeated run has the same bits.
//
// An n-gram model (--model ngram) has no steps: its text is counted once, whatever
// the budget. The plan chooses order 5 and lines as sentences for words, order 8
// and contexts across lines for characters and bytes.
//
// A budget in steps or passes measures nothing, so that one command gives one
// plan on every machine; the size then follows from the number of tokens.
//
// # Errors
//
// [ErrStopped] comes when the context ends, after saving; [ErrDiverged] when the
// loss ran away three times; [ErrFinished] when there is nothing to resume. A
// folder held by another run matches checkpoint.ErrLocked, a full disk
// checkpoint.ErrDiskFull. All others are one line that says what to do.
//
// # Sources
//
// Truncated backpropagation through time follows Williams and Peng (1990), states
// zeroed at random Melis, Dyer and Blunsom (2018); what is dropped out, clipped,
// scheduled and averaged is in packages nn and optim, published settings are in
// [Recipe].
package train
