package eval

import (
	"bytes"
	"context"
	"math"
	"unicode/utf8"

	"github.com/refrain-lm/refrain/nn"
	"github.com/refrain-lm/refrain/sample"
)

// DefaultMaxTokens is what a zero GenerateOptions.MaxTokens means.
const DefaultMaxTokens = 500

// GenerateOptions say how a Generator writes.
type GenerateOptions struct {
	MaxTokens int            // tokens an answer; 0: DefaultMaxTokens; below 0: no limit
	Stop      []string       // the first of these to appear ends the answer, and is left out
	Sample    sample.Options // the zero value always takes the likeliest token
	Pool      *nn.Pool       // threads that share each token's work; nil: the caller alone; the text is the same
}

// Why an answer ended.
const (
	ReasonLength = "length" // MaxTokens were made
	ReasonStop   = "stop"   // a stop string appeared
	ReasonCancel = "cancel" // the context was cancelled
)

// Generator continues text. Its state goes on from answer to answer, so that a
// conversation is one text; Reset begins a new one. It is not for several
// goroutines at once, though any number of Generators may share a Model.
type Generator struct {
	m       *Model
	o       GenerateOptions
	stepper Stepper
	sampler *sample.Sampler
	last    int32  // read by the model just before the next token is chosen
	text    []byte // text so far: context for decoding, then what is held back
	sent    int    // text[:sent] has been emitted or belongs to a prompt
	ids     []int32
	tokens  int
	never   []int32 // tokens that are never written
}

// NewGenerator begins a text. A fresh state starts after one line end, as
// scoring does.
func NewGenerator(m *Model, o GenerateOptions) (*Generator, error) {
	if o.MaxTokens == 0 {
		o.MaxTokens = DefaultMaxTokens
	}
	s, err := sample.New(o.Sample, m.Predictor.Vocab())
	if err != nil {
		return nil, err
	}
	g := &Generator{m: m, o: o, stepper: m.Predictor.NewStepper(o.Pool), sampler: s}
	for id := range int32(m.Predictor.Vocab()) {
		if m.Tokenizer.Fallback(id) {
			g.never = append(g.never, id)
		}
	}
	g.Reset()
	return g, nil
}

// Options are the ones in force.
func (g *Generator) Options() GenerateOptions { return g.o }

// SetOptions changes how the text goes on; its state stays. The random numbers
// start anew from o.Sample.Seed.
func (g *Generator) SetOptions(o GenerateOptions) error {
	if o.MaxTokens == 0 {
		o.MaxTokens = DefaultMaxTokens
	}
	s, err := sample.New(o.Sample, g.m.Predictor.Vocab())
	if err != nil {
		return err
	}
	g.o, g.sampler = o, s
	return nil
}

// SetMaxTokens changes the length of the answers to come and nothing else.
func (g *Generator) SetMaxTokens(n int) {
	if n == 0 {
		n = DefaultMaxTokens
	}
	g.o.MaxTokens = n
}

// Reset forgets the text and starts the random numbers anew.
func (g *Generator) Reset() {
	g.stepper.Reset()
	g.sampler.Reset(g.o.Sample.Seed)
	g.last = g.m.Tokenizer.LineEnd()
	g.text, g.sent = g.text[:0], 0
}

// AtLineStart reports whether the text so far ends with a line end, or is empty.
func (g *Generator) AtLineStart() bool {
	return len(g.text) == 0 || g.text[len(g.text)-1] == '\n'
}

// Tokens is the number of tokens the last answer took.
func (g *Generator) Tokens() int { return g.tokens }

// Generate reads prompt and writes its continuation piece by piece to emit,
// which must not keep its argument. A piece never ends within a UTF-8
// character, nor within what may become a stop string; a character that the
// end of the answer cuts in two is not emitted. It returns why the answer ended.
func (g *Generator) Generate(ctx context.Context, prompt string, emit func([]byte) error) (reason string, err error) {
	g.read(prompt)
	for g.tokens = 0; g.o.MaxTokens < 0 || g.tokens < g.o.MaxTokens; g.tokens++ {
		if ctx.Err() != nil {
			return ReasonCancel, g.flush(emit)
		}
		g.next()
		if at := g.stopAt(); at >= 0 {
			err := g.send(at, emit)
			g.sent = len(g.text)
			return ReasonStop, err
		}
		if err := g.send(g.ready(), emit); err != nil {
			return ReasonCancel, err
		}
	}
	return ReasonLength, g.flush(emit)
}

// read feeds a prompt to the model, all but its last token, which next reads.
func (g *Generator) read(prompt string) {
	g.ids = g.m.Tokenizer.Encode(append(g.ids[:0], g.last), []byte(prompt))
	for _, id := range g.ids[1:] {
		g.sampler.Accept(id)
	}
	n := len(g.ids) - 1
	g.stepper.Feed(g.ids[:n])
	g.last = g.ids[n]
	g.text = append(g.text, prompt...)
	g.sent = len(g.text)
}

// next makes one token and its text, without allocating. The bytes of
// characters outside the vocabulary are read but never written: the model knows
// how rare they are, not how they are spelt.
func (g *Generator) next() {
	logits := g.stepper.Step(g.last)
	for _, id := range g.never {
		logits[id] = float32(math.Inf(-1))
	}
	g.last = g.sampler.Next(logits)
	g.compact()
	g.text = g.m.Tokenizer.AppendDecode(g.text, g.last)
}

// keptText is how much of what was emitted stays as context for decoding.
const keptText = 256

// compact drops old text now and then, so that an endless answer needs no more memory.
func (g *Generator) compact() {
	if old := g.sent - keptText; old > 4096 {
		g.text = append(g.text[:0], g.text[old:]...)
		g.sent -= old
	}
}

// stopAt is where in text the first stop string begins, −1 if none is there.
func (g *Generator) stopAt() int {
	at := -1
	for _, s := range g.o.Stop {
		if i := bytes.Index(g.text[g.sent:], []byte(s)); s != "" && i >= 0 && (at < 0 || g.sent+i < at) {
			at = g.sent + i
		}
	}
	return at
}

// ready is the end of the text that can be emitted: not within a character,
// and not within the beginning of a stop string.
func (g *Generator) ready() int {
	end := len(g.text)
	for _, s := range g.o.Stop {
		for n := min(len(s)-1, len(g.text)-g.sent); n > 0; n-- {
			if string(g.text[len(g.text)-n:]) == s[:n] {
				end = min(end, len(g.text)-n)
				break
			}
		}
	}
	return g.sent + wholeRunes(g.text[g.sent:end])
}

// wholeRunes is the length of b without an incomplete UTF-8 character at its
// end. Bytes that can never become a character count as whole.
func wholeRunes(b []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
		if tail := b[len(b)-n:]; utf8.RuneStart(tail[0]) {
			if !utf8.FullRune(tail) {
				return len(b) - n
			}
			break
		}
	}
	return len(b)
}

// send emits text up to end.
func (g *Generator) send(end int, emit func([]byte) error) error {
	if end <= g.sent {
		return nil
	}
	piece := g.text[g.sent:end]
	g.sent = end
	return emit(piece)
}

// flush ends an answer: what only might have become a stop string goes out.
func (g *Generator) flush(emit func([]byte) error) error {
	err := g.send(g.sent+wholeRunes(g.text[g.sent:]), emit)
	g.sent = len(g.text)
	return err
}
