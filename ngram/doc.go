// Package ngram counts n-grams and predicts the next token from them: the
// interpolated modified Kneser-Ney model, the baseline of language modelling.
//
// [Train] counts ids and estimates; [Load] and [Model.Write] keep a model in a
// folder; [ReadARPA] and [Model.WriteARPA] exchange it with KenLM, SRILM and
// others. A [Model] is read-only: any number of goroutines share one, each with
// a [Stepper] (the distribution of the next token) or a [Scorer] (the
// probability of given tokens).
//
// # Equations
//
// With a(·) the adjusted count, D the discount of an order and h′ the context h
// without its first word,
//
//	p(w|h) = (a(hw) − D(a(hw))) / Σ_x a(hx) + γ(h)·p(w|h′)
//	γ(h)   = (D1·N1(h) + D2·N2(h) + D3·N3(h)) / Σ_x a(hx)
//	p(w)   = (a(w) − D(a(w))) / Σ_x a(x) + γ/V
//
// where Nj(h) is the number of words that follow h with adjusted count j (3: 3
// or more) and V the vocabulary. The adjusted count of the longest n-grams is
// how often they occur, that of shorter ones the number of distinct words
// before them. The discounts of an order come from the number nj of its n-grams
// with adjusted count j:
//
//	Y = n1/(n1+2·n2),  Dj = j − (j+1)·Y·n(j+1)/nj
//
// Where that gives none (a count of counts is zero, or the result is outside
// (0,j], as with characters, of which hardly any occurs once), D is 0.5, 1, 1.5
// as KenLM's fallback has it, and [Discount].Usual says so.
//
// # Lines
//
// With [Config].LineEnd ≥ 0 each line is a sentence, as KenLM has it: no context
// reaches back beyond a line end. The one id stands for both of KenLM's marks:
// as the last word it is </s>, which is predicted, as the first word of a
// context it is <s>. N-grams that begin a line have nothing before them, so
// their adjusted count is how often they occur. With −1 the text is one stream,
// in which a line end is a token like others.
//
// # Memory
//
// Counting holds [Options].Memory bytes of n-grams; what is more goes to disk,
// sorted, and is merged: time is linear in the text, and the result depends on
// the text alone. Estimating holds the model's n-grams, 24 bytes each (the
// longest 16); a model in use takes 16 (8).
//
// # Sources
//
// Kneser and Ney (1995); Chen and Goodman (1998), modified and interpolated;
// Heafield, Pouzyrevsky, Clark and Koehn (2013), whose lmplz fixes what is left
// open: sentence marks, the uniform base, the fallback.
package ngram
