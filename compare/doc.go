// Package compare trains several models on one text on equal terms and judges
// the differences.
//
// [Prepare] cuts the text and plans, [Comparison.Run] trains and measures:
//
//	text, err := data.Sources([]string{"book.txt"}, nil, data.ReadOptions{})
//	c, err := compare.Prepare(ctx, compare.Settings{Time: 10 * time.Minute}, compare.Input{Sources: text, Out: "book"}, nil)
//	result, err := c.Run(ctx)
//	err = c.Close()
//
// A comparison is a [Result]: what was read, what was equal, what every model
// scored on every block of the test text with every seed, and what else was
// measured. [Judge] turns it into words by fixed rules. For two models A and B,
// Δ is the difference of their mean losses over seeds, and its variance is
//
//	s²(A)/S + s²(B)/S + v(text)
//
// s² the variance over S seeds, v(text) that of Δ over 10,000 test texts drawn
// from blocks of the real one, the same draws for all models (a paired block
// bootstrap, Koehn 2004). Seeds vary all that is random in a run at once
// (Bouthillier et al. 2021). The interval is Student's with the degrees of freedom
// of Welch and Satterthwaite, widened so that those of all pairs hold at once with
// 95 % (Bonferroni). In simulations (bench/coverage: 500 trials each of 3 and of 5
// seeds, noise of the text 0.3 to 3 times that of seeds) it holds the truth in 96 to
// 99 %, an interval from the test text alone in 44 to 98 %. What may be said then is
// a [Verdict]; package compare/report writes it all as a page.
//
// Losses are nats a token unless a name says otherwise, sizes bytes, times
// seconds.
//
// # The protocol
//
// The text is cut into 80 % to train, 10 % to validate and 10 % to test, in that
// order and at line ends. The learning rate and each run's checkpoint see the
// validation part only; each final model meets the test part once, as one stream
// whose first token is given. A Transformer carries its keys as others their state, and
// is not cut into windows with a stride, of which some tokens would see half only. One
// tokenizer is learnt, on the training part.
//
// Equal parameters: all trainable scalars of the reference, an LSTM of the given
// width, tied weights counted once. Vocabulary, embedding width and depth are kept;
// [SolveWidth] finds the hidden width, and more than 1 % off is an error. With
// tied weights a projection joins the hidden width and the embedding's. A
// Transformer keeps the vocabulary only: its embedding is as wide as its layers,
// and it has as many of them as package train plans, since one alone cannot look up
// what followed an earlier token (Olsson et al. 2022). An n-gram has as many counts
// as the text gives; its order, and the weight of a mixture, are chosen on
// validation.
//
// Equal tokens: with one seed all models read the same windows in the same order.
// For a budget of time X, three fifths of it go into training steps:
// N = 0.6·X / Σₘ((S+1)/rₘ) tokens a run, for S seeds and a speed of rₘ tokens a
// second that a pilot measured; five runs of the search, a fifth of N each, make the
// one beside the seeds. It is less where measuring needs more than the rest: the final
// models read 45 KB of test text at least. After the search, whose runs tell the speeds
// better, N is fitted to the time that is left. Equal time instead: the same seconds
// of training steps alone, as many steps as the speed in the search allows; what
// each run really took is in its Seconds. Runs go one after another on all threads.
//
// No run spends more than a tenth of its work on validation, where a token read counts
// half of one trained: a final run validates 24 times, on as many tokens as that
// allows, or where those would be fewer than 512 on 512 at least 12, 8 or 6 times. In the
// shortest runs, below 18,000 tokens, four shorter validations are left, which still
// tell whether the loss fell before the cooling.
//
// The schedule is that of Hägele et al. (2024): 2 % warm-up, constant, and over the
// last fifth down by 1−√x, so that validations before it share a phase. Each
// model's learning rate is the smallest of 0.0003, 0.001, 0.003, 0.01 and 0.03 whose
// validation loss, in runs of N/5 tokens with a seed of their own, is within [Gentle]
// of the lowest; where the best is at an edge one more is tried, at most twice.
// The lowest alone is often too large a rate for runs five times as long: on
// tinyshakespeare in ten minutes it let one of three GRUs diverge and put the others
// behind the RNN. Rates matter more than anything
// else that could be tuned (Greff et al. 2015), and tuning them overturns
// rankings (Melis et al. 2018). Values are fixed and not drawn, so there is no
// curve of expected validation performance (Dodge et al. 2019).
//
// A seed sets initial weights, dropout and the offsets of windows together
// (Bouthillier et al. 2021: vary all sources of variation); there are three at
// least. A run whose loss runs away has diverged: it is told as such, and not gone
// back with at a lower rate, since its rate is part of what is compared.
//
// The use of context is measured on the same test tokens for every length, from
// fresh states (Khandelwal et al. 2018).
//
// # A comparison's folder
//
//	plan.json      a [Protocol]: what is done, complete before the first run
//	text/          the three parts, and the tokenizer and ids that all runs share
//	search/        the runs of the search, without weights once they have ended
//	lstm-1/ …      the final runs by model and seed, each a model folder
//	runs.json      which runs have ended, and how
//	report.html …  the report, which package report makes of the [Result]
//
// [Resume] goes on with a comparison that was stopped or killed, within a run at
// its last checkpoint, to the same bytes. Everything but times is a function of
// text, plan and seeds.
package compare
