package compare

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/eval"
	"github.com/refrain-lm/refrain/internal/cpu"
	"github.com/refrain-lm/refrain/internal/kernel"
	"github.com/refrain-lm/refrain/tokenizer"
)

// measuring is the last part of a comparison: the final models meet the test text.
type measuring struct {
	c      *Comparison
	test   testPart
	tokens []int64 // training count of every id
	ids    *data.IDs
	models []*measured
	part   int // of parts that is under way
}

// measured is a model with what was found out about it.
type measured struct {
	entry    Entry
	outcomes []outcome
	scores   []score   // of each run; without losses where it diverged
	weights  []float64 // of a mixture's runs: the share of its first model
	result   Model
}

// measure runs everything that is not training, and makes the result.
func (c *Comparison) measure(ctx context.Context, chosen []Search, finals [][]outcome) (res Result, err error) {
	m := &measuring{c: c}
	if err := m.open(); err != nil {
		return res, err
	}
	defer func() { err = errors.Join(err, m.ids.Close()) }()
	for i, e := range c.protocol.Entries {
		k := &measured{entry: e, outcomes: finals[i], scores: make([]score, len(finals[i]))}
		k.result = Model{Name: c.displayName(e, chosen), Kind: e.Kind}
		if e.mixed() {
			k.result.Kind = KindMix
		}
		k.result.Scores, k.result.Reach = c.scoring(e, chosen[i].Chosen)
		m.models = append(m.models, k)
	}
	res = c.shell(m.test)
	for _, k := range m.models {
		if e := k.entry; e.Kind == KindTransformer {
			res.Notes = append(res.Notes, fmt.Sprintf("Transformer: its embedding is as wide as its layers, %d, and it has %d of them.", e.Model.Hidden, e.Model.Layers))
		}
		if len(k.outcomes) > 0 && len(k.outcomes[0].notes) > 0 {
			res.Notes = append(res.Notes, k.result.Name+": "+strings.Join(k.outcomes[0].notes, "; ")+".")
		}
	}
	res.Floors = floors(m.tokens, m.test)
	for i, part := range m.parts() {
		m.part = i
		if err := part(ctx, &res); err != nil {
			if ctx.Err() != nil {
				return res, ErrStopped
			}
			return res, err
		}
	}
	for i, k := range m.models {
		k.finish(&chosen[i], m.test)
		res.Models = append(res.Models, k.result)
	}
	return res, nil
}

// parts are the measurements in their order; what is timed comes last.
func (m *measuring) parts() []func(context.Context, *Result) error {
	return []func(context.Context, *Result) error{m.mix, m.score, m.context, m.counts, m.gradients, m.samples, m.sentence, m.cost}
}

// open reads the test text and counts the training text.
func (m *measuring) open() error {
	dir := m.c.idsDir()
	f, err := os.Open(filepath.Join(dir, eval.TokenizerFile))
	if err != nil {
		return err
	}
	tok, err := tokenizer.Load(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if m.test, err = readTest(m.c.dir, tok, m.c.protocol.TestTokens); err != nil {
		return err
	}
	if m.ids, err = data.OpenIDs(filepath.Join(dir, eval.IDsFile)); err != nil {
		return err
	}
	if m.tokens, err = countTokens(m.ids.Train(), tok.Size()); err != nil {
		return errors.Join(err, m.ids.Close())
	}
	return nil
}

// shell is a result with what the plan alone says.
func (c *Comparison) shell(t testPart) Result {
	p := c.protocol
	s := p.Settings.Shared
	res := Result{Command: quoteWords(p.Again()), Text: p.Text}
	res.Text.Lossy = t.lossy
	res.Text.Test.Bytes, res.Text.Test.Tokens = t.bytes, int64(t.predictions())
	res.Text.Blocks = Blocks{Size: blockBytes, Tokens: t.blocks}
	tokens, _ := p.tokens()
	res.Plan = Plan{
		Equal: p.Settings.Equal, Tokens: tokens, Parameters: p.Parameters, Reference: p.Reference,
		Seeds: p.Seeds, SearchSeed: p.SearchSeed, Validated: p.ValidTokens, Gentle: Gentle, Layers: s.Layers, Embedding: s.EmSize, Tied: s.Tied, Window: s.BPTT, Batch: s.BatchSize,
		Optimizer: s.Optimizer, Clip: s.Clip, Dropout: s.Dropout, Warmup: warmup, Cooldown: cooldown,
	}
	if p.Settings.Equal == "time" {
		res.Plan.Tokens, res.Plan.Seconds = 0, fitSeconds(p.Settings.Time, len(p.Seeds), p.trainedModels())
	}
	if p.Settings.Time > 0 {
		res.Plan.Budget = p.Settings.Time.String()
	}
	res.Machine = &Machine{CPU: cpu.Describe(), Kernels: kernel.Name(), Threads: c.workers(), System: runtime.GOOS + "/" + runtime.GOARCH}
	return res
}

// quoteWords joins words to a line that a shell takes.
func quoteWords(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = w
		if strings.ContainsAny(w, " \t\n'\"\\$`&|;<>()*?[]{}!#~") || w == "" {
			quoted[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}

// scoring says how much a model sees when it is scored, and the most it can see in
// tokens (0: no limit).
func (c *Comparison) scoring(e Entry, chosen float64) (scores string, reach int) {
	switch {
	case e.mixed():
		return "as its models", 0
	case e.counted():
		return tokensBack(int(chosen) - 1)
	case e.Kind == KindFeedForward:
		return tokensBack(e.Model.Order - 1)
	case e.Kind == KindTransformer: // each layer sees further through the one below
		return fmt.Sprintf("%d tokens a layer, carried", e.Model.Context), e.Model.Layers*(e.Model.Context-1) + 1
	}
	return "state carried", 0
}

func tokensBack(n int) (string, int) {
	if n == 1 {
		return "1 token", n
	}
	return fmt.Sprintf("%d tokens", n), n
}

// displayName is what tables call a model.
func (c *Comparison) displayName(e Entry, chosen []Search) string {
	switch e.Kind {
	case KindRNN, KindLSTM, KindGRU:
		return strings.ToUpper(e.Kind)
	case KindNGram:
		return fmt.Sprintf("%d-gram", int(chosen[c.protocol.part(e.Kind)].Chosen))
	case KindLSTMNoGate:
		return "LSTM without output gate"
	case KindFeedForward:
		return "feed-forward"
	case KindTransformer:
		return "Transformer"
	}
	if e.mixed() {
		a, b := e.parts()
		return c.displayName(Entry{Kind: a}, chosen) + " + " + c.displayName(Entry{Kind: b}, chosen)
	}
	return e.Kind
}

func (c *Comparison) workers() int {
	if n := c.protocol.Settings.Shared.Threads; n > 0 {
		return n
	}
	return runtime.GOMAXPROCS(0)
}

// dir is the folder of a model's final run.
func (m *measuring) dir(e Entry, run int) string {
	return filepath.Join(m.c.dir, e.Kind+"-"+strconv.FormatUint(m.c.protocol.Seeds[run], 10))
}

// first is a model's first run that did not diverge, −1 where all did.
func (k *measured) first() int {
	for i, o := range k.outcomes {
		if !o.Diverged {
			return i
		}
	}
	return -1
}

// each calls fn for 0 to n−1, several at a time, and returns the first error in
// their order. What runs beside what changes no bit.
func (m *measuring) each(ctx context.Context, what string, n int, fn func(i int) error) error {
	errs := make([]error, n)
	var next, done atomic.Int64
	var told sync.Mutex
	tell := func() {
		told.Lock()
		defer told.Unlock()
		m.c.clock.measured = (float64(m.part) + float64(done.Load())/float64(max(1, n))) / float64(len(m.parts()))
		e := Event{Stage: StageMeasure, Text: what, Done: done.Load(), Total: int64(n)}
		e.Share, e.Left = m.c.clock.now()
		m.c.emit(e)
	}
	tell()
	var wait sync.WaitGroup
	for range min(m.c.workers(), n) {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				errs[i] = fn(i)
				done.Add(1)
				tell()
			}
		})
	}
	wait.Wait()
	return errors.Join(append(errs, ctx.Err())...)
}

// score lets every final model meet the test text, once.
func (m *measuring) score(ctx context.Context, _ *Result) error {
	type job struct {
		k   *measured
		run int
	}
	var jobs []job
	for _, k := range m.models {
		for i, o := range k.outcomes {
			if !o.Diverged {
				jobs = append(jobs, job{k, i})
			}
		}
	}
	return m.each(ctx, "reading the test text", len(jobs), func(i int) error {
		j := jobs[i]
		model, err := m.openModel(j.k, j.run)
		if err != nil {
			return err
		}
		j.k.scores[j.run], err = scoreTest(ctx, model, m.test, nil)
		return err
	})
}

// context measures how much context the models of the first seed use.
func (m *measuring) context(ctx context.Context, res *Result) error {
	most := longestContext
	for most > 1 && 4*most > len(m.test.ids) {
		most /= 2
	}
	targets := contextTargets(m.test, m.c.protocol.Targets, most)
	res.ContextTargets = len(targets)
	return m.each(ctx, "measuring the use of context", len(m.models), func(i int) error {
		k := m.models[i]
		run := k.first()
		if run < 0 {
			return nil
		}
		model, err := m.openModel(k, run)
		if err != nil {
			return err
		}
		k.result.Context, err = contextUse(ctx, model, m.test, targets, m.longest(k, most), nil)
		return err
	})
}

// longest is the longest context that a model is shown: of a Transformer what it
// can see.
func (m *measuring) longest(k *measured, most int) int {
	if k.entry.Kind != KindTransformer {
		return most
	}
	return min(most, k.result.Reach)
}

// counts sorts losses by how often words were seen in training.
func (m *measuring) counts(_ context.Context, res *Result) error {
	of, ranges, err := wordRanges(m.c.dir, m.test, m.tokens)
	if err != nil {
		return err
	}
	res.Counts = ranges
	for _, k := range m.models {
		finished := 0.0
		sums := make([]float64, len(ranges))
		for i, s := range k.scores {
			if k.outcomes[i].Diverged {
				continue
			}
			finished++
			for r, nats := range natsByRange(s.losses, of) {
				sums[r] += nats
			}
		}
		if finished == 0 {
			continue
		}
		for r := range sums {
			sums[r] /= finished
		}
		k.result.CountNats = sums
	}
	return nil
}

// finish writes the runs into the result.
func (k *measured) finish(s *Search, t testPart) {
	if len(s.Trials) > 0 {
		k.result.Search = s
	}
	for i, o := range k.outcomes {
		r := Run{Diverged: o.Diverged, Tokens: o.Tokens, Best: o.BestAt, Curve: o.Curve, Seconds: o.Seconds,
			TestLoss: Number(math.NaN()), Accuracy: Number(math.NaN())}
		r.Seed = o.seed
		if !o.Diverged {
			k.scores[i].fill(&r, t)
		}
		k.result.Runs = append(k.result.Runs, r)
	}
}
