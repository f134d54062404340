// Package compare trains several models on one text on equal terms and judges
// the differences.
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
// 95 % (Bonferroni); bench/coverage simulates how often it holds the truth. What
// may be said then is a [Verdict]; package compare/report writes it all as a page.
//
// Losses are nats a token unless a name says otherwise, sizes bytes, times
// seconds.
package compare
