package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/eval"
	"github.com/refrain-lm/refrain/tokenizer"
)

// lineCap is the longest line scored at once; longer ones are scored in parts.
const lineCap = 1 << 20

// scoreFlags are the flags of score.
type scoreFlags struct {
	tokens, rank, carry, json bool
	alert                     float64
	mix                       mixFlags
}

func (a *app) scoreCommand() *cobra.Command {
	var o scoreFlags
	cmd := &cobra.Command{Use: "score DIR [FILE|-]...", Short: "find what surprises a model", Args: cobra.ArbitraryArgs}
	f := cmd.Flags()
	f.BoolVar(&o.tokens, "tokens", false, "every token's surprisal in bits")
	f.Float64Var(&o.alert, "alert", 0, "only lines from `BITS` a byte up")
	f.BoolVar(&o.rank, "rank", false, "order each list of lines, likeliest first; a blank line ends a list")
	f.BoolVar(&o.carry, "carry", false, "keep the state from line to line")
	f.BoolVar(&o.json, "json", false, "a JSON object a line; logprob in nats")
	o.mix.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return helpError{cmd}
		}
		if err := o.check(a.origin["alert"] != ""); err != nil {
			return err
		}
		files, err := a.inputs(cmd, args[1:])
		if err != nil {
			return err
		}
		return a.score(cmd, args[0], files, o)
	}
	a.describe(cmd, page{
		summary:  "Score line by line: how many bits a byte of each line surprise the model. Every line starts fresh after a line end; its own line end counts. Memory stays constant.",
		examples: []string{"score ssh-model auth.log --tokens", "tail -f app.log | refrain score app-model - --alert 6", "score en-model --rank nbest.txt"},
		groups:   []flagGroup{{title: "What", names: []string{"tokens", "alert", "rank", "carry", "json"}}, mixGroup},
		notes:    []string{"Digits under a line: bits of each token; . under half, 9 is 9 or more.", "Piped: bits TAB line; with --tokens: line TAB token TAB bits."},
	}, map[string]string{"alert": "", "mix-weight": mixWeightDefault})
	return cmd
}

// check refuses flags that contradict each other; alert says that --alert was given.
func (o scoreFlags) check(alert bool) error {
	switch {
	case o.rank && o.tokens, o.rank && alert, o.rank && o.carry:
		return usagef("--rank orders whole lines; leave out --tokens, --alert and --carry")
	case alert && !(o.alert > 0):
		return usagef("--alert %v: bits a byte above 0, such as 6", o.alert)
	}
	return nil
}

// score runs the verb over files or standard input.
func (a *app) score(cmd *cobra.Command, dir string, files []string, o scoreFlags) error {
	m, err := a.openMixed(cmd.Context(), dir, o.mix)
	if err != nil {
		return err
	}
	if o.alert > 0 {
		if err := a.sayAlert(m, o.alert); err != nil {
			return err
		}
	}
	s := &scoring{app: a, m: m, o: o, out: bufio.NewWriter(a.out.w), scorer: eval.NewLineScorer(m, o.carry)}
	handle := s.line
	if o.rank {
		handle = s.collect
	}
	for _, name := range files {
		if err := s.file(name, handle); err != nil {
			return err
		}
	}
	if o.rank {
		if err := s.flushRanks(); err != nil {
			return err
		}
	}
	return s.out.Flush()
}

// sayAlert says how rare such lines are in what the model knows.
func (a *app) sayAlert(m *eval.Model, bits float64) error {
	if m.Kind == eval.KindMix {
		a.note("lines from %v bits/byte up", bits)
		return nil // the validation lines were measured with the first model alone
	}
	stats, err := eval.ReadLineStats(m.Dir)
	if err != nil {
		a.warn("%s", tidy(err))
		a.note("lines from %v bits/byte up", bits)
		return nil
	}
	share := stats.Rarer(bits)
	rare := "none of its " + commas(stats.Lines) + " validation lines"
	switch {
	case math.IsNaN(share):
		rare = "its validation text has no lines to compare with"
	case share >= 0.995:
		rare = "as nearly all of its validation lines"
	case share > 0.1:
		rare = fmt.Sprintf("%.0f %% of its validation lines", 100*share)
	case share > 0:
		rare = "1 in " + commas(int64(math.Round(1/share))) + " of its validation lines"
	}
	a.note("lines from %v bits/byte up (%s)", bits, rare)
	return nil
}

// scoring is one score command under way.
type scoring struct {
	*app
	m      *eval.Model
	o      scoreFlags
	out    *bufio.Writer
	scorer *eval.LineScorer
	number int64 // of the line at hand, from 1
	part   int   // of a line too long, from 1; else 0
	warned bool
	ids    []int32 // scratch
	ranks  []ranked
	held   int // bytes in ranks
	list   int
}

// file feeds one input line by line. A line comes with its line end; more says
// that the rest of a line too long follows.
func (s *scoring) file(name string, handle func(line []byte, more bool) error) error {
	r := io.Reader(s.in)
	if name != "-" {
		src, err := data.Sources([]string{name}, nil, data.ReadOptions{AllowBinary: true})
		if err != nil {
			return err
		}
		defer func() { _ = data.CloseSources(src) }()
		for _, one := range src {
			f, err := one.Open()
			if err != nil {
				return err
			}
			err = s.lines(f, handle)
			_ = f.Close()
			if err != nil {
				return fmt.Errorf("%s: %w", one.Name, err)
			}
		}
		return nil
	}
	return s.lines(r, handle)
}

// lines cuts r into lines of at most lineCap bytes. Each is handled as soon as
// it is whole, so that a growing log is followed line by line.
func (s *scoring) lines(r io.Reader, handle func(line []byte, more bool) error) error {
	br := bufio.NewReaderSize(r, 64<<10)
	if s.m.Tokenizer.Kind() != tokenizer.Byte {
		skipMark(br)
	}
	var line []byte
	for {
		piece, err := br.ReadSlice('\n')
		line = append(line, piece...)
		if errors.Is(err, bufio.ErrBufferFull) && len(line) < lineCap {
			continue
		}
		more := errors.Is(err, bufio.ErrBufferFull)
		if len(line) > 0 {
			keep := 0
			if more {
				keep = len(line) - wholeText(line)
			}
			if err := s.one(line[:len(line)-keep], more, handle); err != nil {
				return err
			}
			line = append(line[:0], line[len(line)-keep:]...)
		}
		switch {
		case err == nil || more:
		case errors.Is(err, io.EOF):
			return nil
		default:
			return err
		}
	}
}

// skipMark reads over the UTF-8 byte order mark at the beginning of a text, as
// training does. It waits for no more bytes than may be one.
func skipMark(br *bufio.Reader) {
	const mark = "\xEF\xBB\xBF"
	for n := 1; n <= len(mark); n++ {
		if head, err := br.Peek(n); err != nil || string(head) != mark[:n] {
			return
		}
	}
	_, _ = br.Discard(len(mark))
}

// one numbers a line, or a part of one, and hands it on.
func (s *scoring) one(line []byte, more bool, handle func(line []byte, more bool) error) error {
	if s.part == 0 {
		s.number++
		if more {
			s.part = 1
		}
	}
	err := handle(line, more)
	if more {
		s.part++
	} else {
		s.part = 0
	}
	return err
}

// wholeText is the length of b without a UTF-8 character cut off at its end.
func wholeText(b []byte) int {
	for n := 1; n <= 3 && n < len(b); n++ {
		c := b[len(b)-n]
		if c >= 0xC0 {
			if utf8.FullRune(b[len(b)-n:]) {
				break
			}
			return len(b) - n
		}
		if c < 0x80 {
			break
		}
	}
	return len(b)
}

// scored is a line's JSON object.
type scored struct {
	Line        int64       `json:"line"`
	LogProb     number      `json:"logprob"`
	Perplexity  number      `json:"perplexity"`
	BitsPerByte number      `json:"bits_per_byte"`
	Tokens      int         `json:"tokens"`
	Bytes       int         `json:"bytes"`
	Part        int         `json:"part,omitempty"`
	List        int         `json:"list,omitempty"`
	Rank        int         `json:"rank,omitempty"`
	Text        string      `json:"text,omitempty"`
	Each        []tokenBits `json:"surprisal,omitempty"`
}

type tokenBits struct {
	Token string `json:"token"`
	Bits  number `json:"bits"`
}

func (s *scoring) object(sc eval.LineScore) scored {
	out := scored{Line: s.number, LogProb: number(sc.LogProb), Perplexity: number(sc.Perplexity()), BitsPerByte: number(sc.BitsPerByte()),
		Tokens: sc.Tokens, Bytes: sc.Bytes, Part: s.part}
	for _, t := range sc.Each {
		out.Each = append(out.Each, tokenBits{t.Text, number(t.Bits)})
	}
	return out
}

// line scores one line and prints it as asked.
func (s *scoring) line(line []byte, more bool) error {
	sc := s.scorer.Score(line, more, s.o.tokens)
	bits, exact := s.bits(sc)
	if s.o.alert > 0 && bits < s.o.alert {
		return nil
	}
	text := bytes.TrimSuffix(line, []byte("\n"))
	switch {
	case s.o.json:
		o := s.object(sc)
		if s.o.alert > 0 {
			o.Text = string(text)
		}
		if err := s.writeJSON(o); err != nil {
			return err
		}
	case s.o.tokens:
		s.printTokens(text, sc, bits, exact)
	default:
		s.printLine(text, bits, exact)
	}
	return s.out.Flush()
}

func (s *scoring) writeJSON(v any) error {
	enc := json.NewEncoder(s.out)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// bits is a line's bits a byte. Where the tokenizer lost something there is no
// such number; then what the model saw is divided by the bytes all the same,
// and marked, since a line full of unknown words should not go unnoticed.
func (s *scoring) bits(sc eval.LineScore) (bits float64, exact bool) {
	if b := sc.BitsPerByte(); !math.IsNaN(b) {
		return b, true
	}
	if !s.warned && sc.Lossy {
		s.warned = true
		s.note("~ marks lines of which the tokenizer lost something; their bits/byte are a guess")
	}
	return max(0, -sc.LogProb) / math.Ln2 / float64(max(1, sc.Bytes)), false
}

// mark writes bits as shown: ~ for a guess.
func mark(bits float64, exact, terminal bool) string {
	text := fmt.Sprintf("%.3f", bits)
	if terminal {
		text = fmt.Sprintf("%.2f", bits)
	}
	if !exact {
		text = "~" + text
	}
	return text
}

// printLine is "bits TAB line", aligned on a terminal.
func (s *scoring) printLine(text []byte, bits float64, exact bool) {
	if s.app.out.terminal {
		head := fmt.Sprintf("%5s  ", mark(bits, exact, true))
		fmt.Fprintln(s.out, head+cut(visible(string(text)), s.app.out.columns()-len(head)))
		return
	}
	fmt.Fprintf(s.out, "%s\t%s", mark(bits, exact, false), text)
	if s.part > 0 {
		fmt.Fprintf(s.out, "\tpart %d", s.part)
	}
	_ = s.out.WriteByte('\n')
}
