package compare

import (
	"context"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/refrain-lm/refrain/eval"
	"github.com/refrain-lm/refrain/sample"
)

const (
	sampleCount       = 3
	sampleChars       = 200
	sampleTemperature = 0.8
	promptWords       = 4
)

// samples lets the models of the first seed continue one prompt, and looks for
// what they copied.
func (m *measuring) samples(ctx context.Context, res *Result) error {
	prompt := m.c.protocol.Settings.Prompt
	if prompt == "" {
		prompt = m.test.firstWords(promptWords)
	}
	res.Prompt = &Prompt{Text: prompt, Temperature: sampleTemperature, Seed: m.c.protocol.Seeds[0]}
	return m.each(ctx, "letting the models write", len(m.models), func(i int) error {
		k := m.models[i]
		run := k.first()
		if run < 0 {
			return nil
		}
		model, err := m.openModel(k, run)
		if err != nil {
			return err
		}
		for n := range sampleCount {
			text, err := write(ctx, model, prompt, res.Prompt.Seed+uint64(n))
			if err != nil {
				return err
			}
			found, err := eval.LongestCopy(model.Tokenizer, []string{text}, m.ids.Train())
			if err != nil {
				return err
			}
			s := Sample{Text: text}
			s.CopiedFrom, s.CopiedTo = findCopy(text, found)
			k.result.Samples = append(k.result.Samples, s)
		}
		return nil
	})
}

// firstWords are the first words of the test text's first line that has any.
func (t testPart) firstWords(n int) string {
	var text []byte
	for _, id := range t.ids[:min(len(t.ids), 2000)] {
		text = t.tok.AppendDecode(text, id)
	}
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) > 0 {
			return strings.Join(words[:min(n, len(words))], " ")
		}
	}
	return ""
}

// errFull ends a sample.
var errFull = errors.New("full")

// write lets a model continue prompt for sampleChars characters.
func write(ctx context.Context, m *eval.Model, prompt string, seed uint64) (string, error) {
	g, err := eval.NewGenerator(m, eval.GenerateOptions{
		MaxTokens: sampleChars, Sample: sample.Options{Temperature: sampleTemperature, Seed: seed},
	})
	if err != nil {
		return "", err
	}
	var text []byte
	_, err = g.Generate(ctx, prompt, func(piece []byte) error {
		text = append(text, piece...)
		if utf8.RuneCount(text) >= sampleChars {
			return errFull
		}
		return nil
	})
	if err != nil && !errors.Is(err, errFull) {
		return "", err
	}
	end := 0
	for range sampleChars {
		_, n := utf8.DecodeRune(text[end:])
		end += n
	}
	return string(text[:end]), ctx.Err()
}

// findCopy is where found stands in text, bytes [from, to); a blank in found is a
// run of blanks in text.
func findCopy(text, found string) (from, to int) {
	if found == "" {
		return 0, 0
	}
	for from = range text {
		if to, ok := matchBlanks(text[from:], found); ok {
			return from, from + to
		}
	}
	return 0, 0
}

// matchBlanks reports how much of text's beginning reads as pattern.
func matchBlanks(text, pattern string) (n int, ok bool) {
	isBlank := func(b byte) bool { return b == ' ' || b == '\t' }
	for i := 0; i < len(pattern); i++ {
		switch {
		case n >= len(text):
			return 0, false
		case isBlank(pattern[i]) && isBlank(text[n]):
			for n < len(text) && isBlank(text[n]) {
				n++
			}
		case pattern[i] == text[n]:
			n++
		default:
			return 0, false
		}
	}
	return n, true
}

const (
	shortestSentence = 8
	longestSentence  = 24
)

// sentence shows one piece of the test text token by token: the sentence of 8 to 24
// tokens on which all models' losses are together closest to their means.
func (m *measuring) sentence(ctx context.Context, res *Result) error {
	if asked := m.c.protocol.Settings.Sentence; asked != "" {
		return m.askedSentence(asked, res)
	}
	var models []*measured
	for _, k := range m.models {
		if k.first() >= 0 {
			models = append(models, k)
		}
	}
	from, to := m.typicalSentence(models)
	if to == 0 {
		return nil
	}
	res.Sentence = &Sentence{Line: int64(m.test.lines[from]) + 1}
	for i := from; i < to; i++ {
		res.Sentence.Tokens = append(res.Sentence.Tokens, m.test.tok.TokenText(m.test.ids[i]))
	}
	for _, k := range models {
		for _, loss := range k.scores[k.first()].losses[from-1 : to-1] {
			k.result.Surprisal = append(k.result.Surprisal, Number(bits(float64(loss))))
		}
	}
	return ctx.Err()
}

// typicalSentence is the place of that sentence, ids [from, to); to is 0 where no
// sentence has such a length.
func (m *measuring) typicalSentence(models []*measured) (from, to int) {
	if len(models) == 0 {
		return 0, 0
	}
	sums := make([][]float64, len(models)) // of each model: losses up to a prediction
	means := make([]float64, len(models))
	for i, k := range models {
		s := k.scores[k.first()]
		sums[i] = make([]float64, len(s.losses)+1)
		for j, loss := range s.losses {
			sums[i][j+1] = sums[i][j] + float64(loss)
		}
		means[i] = s.mean()
	}
	best := 0.0
	m.test.sentences(func(a, b int) {
		if n := b - a; n < shortestSentence || n > longestSentence || a < 1 {
			return
		}
		var off float64
		for i := range models {
			d := (sums[i][b-1]-sums[i][a-1])/float64(b-a) - means[i]
			off += d * d
		}
		if to == 0 || off < best {
			best, from, to = off, a, b
		}
	})
	return from, to
}

// sentences calls fn with the ids [from, to) of every sentence: up to a full stop,
// a question or exclamation mark with a blank behind it, or a line end.
func (t testPart) sentences(fn func(from, to int)) {
	from, stopped := 0, false
	var piece []byte
	for i, id := range t.ids {
		piece = t.tok.AppendDecode(piece[:0], id)
		text := strings.TrimLeft(string(piece), " ")
		r, _ := utf8.DecodeRuneInString(text)
		lineEnd := id == t.tok.LineEnd()
		if stopped && !lineEnd && (t.tok.Kind() == "word" || text == "" || unicode.IsSpace(r)) {
			fn(from, i)
			from = i
		}
		if from == i && text == "" {
			from = i + 1 // a sentence does not begin with blanks
		}
		stopped = text == "." || text == "?" || text == "!" || text == "。"
		if lineEnd {
			fn(from, i+1)
			from, stopped = i+1, false
		}
	}
}

// askedSentence scores a sentence that is not of the test text, from a fresh start.
func (m *measuring) askedSentence(text string, res *Result) error {
	res.Sentence = &Sentence{Asked: true}
	for _, k := range m.models {
		run := k.first()
		if run < 0 {
			continue
		}
		model, err := m.openModel(k, run)
		if err != nil {
			return err
		}
		s := eval.NewLineScorer(model, false).Score([]byte(text), false, true)
		res.Sentence.Tokens = res.Sentence.Tokens[:0]
		for _, each := range s.Each {
			res.Sentence.Tokens = append(res.Sentence.Tokens, each.Text)
			k.result.Surprisal = append(k.result.Surprisal, Number(each.Bits))
		}
	}
	return nil
}
