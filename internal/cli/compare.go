package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/refrain-lm/refrain/compare"
	"github.com/refrain-lm/refrain/compare/report"
	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/train"
)

// compareFlags are compare's own flags, beside the settings that all models share.
type compareFlags struct {
	compare.Settings
	out, resume string
	valid, test []string
	timings     bool
	dryRun      bool
	json        bool
	lab         labFlags
}

func (a *app) compareCommand() *cobra.Command {
	var o compareFlags
	var article articleFlags
	cmd := &cobra.Command{Use: "compare [FILE|DIR|-]...", Short: "several models on equal terms", Args: cobra.ArbitraryArgs}
	f := cmd.Flags()
	groups := append(o.add(f), article.add(f), addLabFlags(f, &o.lab))
	addShared(f, groups)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := article.check(cmd); err != nil {
			return err
		}
		if err := a.checkLab(cmd, o.lab); err != nil {
			return err
		}
		switch {
		case o.resumesArticle():
			return a.resumeArticle(cmd, args, o)
		case article.on && o.resume == "":
			return a.article(cmd, args, o, &article)
		case o.lab.lab != "":
			return a.lab(cmd, args, o)
		}
		return a.compare(cmd, args, o)
	}
	defaults := map[string]string{"models": strings.Join(compare.DefaultModels(), ","), "time": fullDuration(compare.DefaultTime), "tokens": "", "out": "book-comparison",
		"valid": "a tenth before the last", "test": "last 10 %", "search-tokens": "a fifth of --tokens", "prompt": "the test text's first words", "sentence": "a typical one"}
	maps.Copy(defaults, labDefaults())
	a.describe(cmd, page{
		summary:  "Train several models on one text on equal terms, and say which predicts it best and how sure that is.",
		examples: []string{"compare book.txt", "compare book.txt --models rnn,lstm,gru --time 30m", "compare --resume book-comparison", "compare --article poems.txt", "compare book.txt --lab gradients"},
		groups:   groups,
		notes: []string{"Equal parameters, tokens and search for a learning rate; --nhid is the width of the LSTM that sets the parameters.",
			"Each in full: refrain compare --help --all, or man refrain-compare"},
	}, defaults)
	return cmd
}

// add declares compare's own flags and returns the groups that help shows them in.
func (o *compareFlags) add(f *pflag.FlagSet) []flagGroup {
	f.StringSliceVar(&o.Models, "models", nil, "of "+strings.Join(compare.Kinds(), ", ")+", and mixtures such as lstm+ngram: `LIST`")
	f.DurationVar(&o.Time, "time", 0, "budget `D` for everything: 10m, 2h")
	f.Int64Var(&o.Tokens, "tokens", 0, "`N` tokens a run instead: nothing is measured, same bytes each time")
	f.StringVar(&o.Equal, "equal", "tokens", "what `W`: every run reads equal tokens, or trains for equal time")
	f.IntVar(&o.Seeds, "seeds", 3, "`N` runs a model")
	f.StringVar(&o.out, "out", "", "`DIR` to make, never overwritten")
	f.StringVar(&o.resume, "resume", "", "go on with the comparison, or article, in `DIR`")
	f.StringArrayVar(&o.valid, "valid", nil, "text `FILE` to validate on")
	f.StringArrayVar(&o.test, "test", nil, "text `FILE` to test on")
	f.Int64Var(&o.SearchTokens, "search-tokens", 0, "`N` tokens a run of the learning rates' search")
	f.StringVar(&o.Prompt, "prompt", "", "`TEXT` that all models continue")
	f.StringVar(&o.Sentence, "sentence", "", "`TEXT` that is shown token by token")
	f.BoolVar(&o.timings, "timings", true, "measure and show times")
	f.BoolVar(&o.dryRun, "dry-run", false, "stop after the plan")
	f.BoolVar(&o.json, "json", false, "events as JSON lines; the last has the folder")
	return []flagGroup{
		{title: "First", names: []string{"models", "time", "tokens", "out", "equal", "seeds"}},
		{title: "Text", names: []string{"valid", "test"}, brief: true},
		{title: "Model", brief: true}, {title: "Learning", brief: true},
		{title: "Running", names: []string{"search-tokens", "prompt", "sentence", "timings", "resume", "dry-run", "json"}, brief: true},
	}
}

// addShared declares the settings of train that all models share, each in the group of
// its own there.
func addShared(f *pflag.FlagSet, groups []flagGroup) {
	shared := map[string]bool{}
	for _, name := range compare.SharedFlags() {
		shared[name] = true
	}
	for _, s := range train.Flags() {
		if !shared[s.Name] {
			continue
		}
		flag := f.VarPF(&settingValue{flag: s, text: s.Default}, s.Name, "", s.Usage)
		if s.Boolean() {
			flag.NoOptDefVal = "true"
		}
		i := map[string]int{"Text": 1, "Model": 2, "Learning": 3, "Running": 4}[s.Group]
		groups[i].names = append(groups[i].names, s.Name)
	}
}

// compareRun is one compare command under way.
type compareRun struct {
	*app
	flags   compareFlags
	view    *compareView
	c       *compare.Comparison
	events  *json.Encoder
	started time.Time
}

// compare is the verb: plan or resume, run, tell what came out.
func (a *app) compare(cmd *cobra.Command, args []string, o compareFlags) error {
	if len(args) == 0 && o.resume == "" {
		files, err := a.inputs(cmd, args)
		if err != nil {
			return err
		}
		args = files
	}
	if err := o.check(args); err != nil {
		return err
	}
	if err := a.sharedSettings(cmd, &o.Shared); err != nil {
		return err
	}
	signal.Ignore(syscall.SIGPIPE) // whoever reads along may leave; the runs go on
	defer signal.Reset(syscall.SIGPIPE)
	ctx, stop := watch(cmd.Context())
	defer stop()
	r := &compareRun{app: a, flags: o, started: a.now(), view: a.newCompareView(o.json && a.out.terminal)}
	defer r.view.close()
	err := r.open(ctx, args)
	if r.c != nil {
		defer func() { _ = r.c.Close() }()
	}
	switch {
	case err != nil:
		return r.explain(ctx, err)
	case o.dryRun:
		r.view.close()
		return errors.Join(r.c.Close(), os.RemoveAll(r.c.Dir()))
	}
	return r.run(ctx)
}

// check refuses flags that contradict each other.
func (o compareFlags) check(args []string) error {
	if o.resume == "" {
		return nil
	}
	switch {
	case len(args) > 0:
		return usagef("--resume goes on with the text it began with; leave out %s, or compare anew without --resume", quotePath(args[0]))
	case o.out != "":
		return usagef("--resume goes on in %s; leave out --out", quotePath(o.resume))
	case o.dryRun:
		return usagef("--dry-run shows the plan of a new comparison; leave out --resume")
	}
	return nil
}

// sharedSettings gathers what flags, environment and config file gave for all models.
func (a *app) sharedSettings(cmd *cobra.Command, s *train.Settings) error {
	for _, name := range compare.SharedFlags() {
		if origin := a.origin[name]; origin != "" {
			if err := s.Set(name, cmd.Flags().Lookup(name).Value.String(), origin); err != nil {
				return usageError{err.Error()}
			}
		}
	}
	return nil
}

// open plans a comparison, or opens one to go on with it.
func (r *compareRun) open(ctx context.Context, args []string) (err error) {
	if r.flags.resume != "" {
		if err := resumable(r.flags.resume, "compare"); err != nil {
			return err
		}
		if r.c, err = compare.Resume(r.flags.resume, r.on); err == nil {
			r.setUnit()
		}
		return err
	}
	if err := r.flags.Settings.Validate(); err != nil {
		return asUsage(err)
	}
	in := compare.Input{Out: r.flags.out, Started: r.started, Command: append([]string{"refrain"}, r.args...)}
	read := data.ReadOptions{AllowBinary: r.flags.Shared.Tokenizer == "byte"}
	for _, part := range []struct {
		files []string
		into  *[]data.Source
	}{{args, &in.Sources}, {r.flags.valid, &in.Valid}, {r.flags.test, &in.Test}} {
		if len(part.files) == 0 {
			continue
		}
		if *part.into, err = data.Sources(part.files, r.in, read); err != nil {
			return err
		}
		defer func() { _ = data.CloseSources(*part.into) }()
	}
	if in.Out == "" {
		in.Out = freeName(args, "-comparison")
	} else if err := os.MkdirAll(filepath.Dir(in.Out), 0o777); err != nil {
		return fmt.Errorf("--out %s: cannot make its folder: %w", in.Out, err)
	}
	if r.c, err = compare.Prepare(ctx, r.flags.Settings, in, r.on); err != nil {
		return asUsage(err)
	}
	r.setUnit()
	r.showPlan()
	return nil
}

func (r *compareRun) setUnit() {
	r.view.live.update(func() { r.view.unit = unit{r.c.Protocol().Text.Unit} })
}

// showPlan says what is equal and how much there is to do.
func (r *compareRun) showPlan() {
	p := r.c.Protocol()
	unit := p.Text.Unit + "s"
	r.row("text   %s: %s bytes; %s %s train, %s validate, %s bytes test", visible(p.Text.Name), r.count(p.Text.Bytes),
		r.count(p.Text.Train.Tokens), unit, r.count(p.Text.Valid.Tokens), r.count(p.Text.Test.Bytes))
	var widths []string
	for _, e := range p.Entries {
		if e.Params > 0 {
			widths = append(widths, fmt.Sprintf("%s %dx%d", e.Kind, e.Model.Layers, e.Model.Hidden))
		}
	}
	r.row("equal  %s parameters (%s): %s", r.count(p.Parameters), p.Reference, strings.Join(widths, ", "))
	for _, e := range p.Entries {
		if e.Params == 0 {
			continue
		}
		tokens := e.Steps * p.TokensPerStep()
		r.row("plan   %s %s a run (%s), %s a model after its search for a learning rate", millions(tokens), unit,
			passes(float64(tokens)/float64(max(1, p.Text.Train.Tokens))), plural(int64(len(p.Seeds)), "run", "runs"))
		break
	}
	if blocks := max(1, (p.Text.Test.Bytes+512)/1024); blocks < 30 { // as the test text is cut
		r.warn("the test part has %s of about 1 KB; with fewer than 30 no model can be called better: give more text, or --test FILE",
			plural(blocks, "block", "blocks"))
	}
	if budget := p.Settings.Time; budget > 0 {
		takes := max(budget, r.c.Takes())
		if takes > budget {
			r.warn("--time %s is too little for these models on this machine: the shortest runs and their measuring take about %s", fullDuration(budget), duration(takes))
		}
		r.row("done by %s", r.started.Add(takes).Format("15:04"))
	}
}

// row prints a line above the bar, unless -q.
func (r *compareRun) row(format string, args ...any) {
	if !r.quiet {
		r.view.live.row("%s", r.err.fit(fmt.Sprintf(format, args...), "       "))
	}
}

// warn prints a warning above the bar, unless -q.
func (r *compareRun) warn(format string, args ...any) {
	r.view.on(compare.Event{Stage: compare.StageWarning, Text: fmt.Sprintf(format, args...)})
}

// on shows an event, and writes it with --json.
func (r *compareRun) on(e compare.Event) {
	r.view.on(e)
	if r.flags.json && (e.Train == nil || e.Ended) {
		_ = r.writeJSON(compareEvent(e))
	}
}

// compareEvent is an event as scripts read it.
func compareEvent(e compare.Event) any {
	return struct {
		Kind     string  `json:"kind"`
		Model    string  `json:"model,omitempty"`
		Setting  string  `json:"setting,omitempty"`
		Value    float64 `json:"value,omitempty"`
		Seed     uint64  `json:"seed,omitempty"`
		Run      int     `json:"run,omitempty"`
		Runs     int     `json:"runs,omitempty"`
		Ended    bool    `json:"ended,omitempty"`
		Loss     number  `json:"loss"`
		Diverged bool    `json:"diverged,omitempty"`
		Text     string  `json:"text,omitempty"`
		Left     float64 `json:"left_seconds,omitempty"`
	}{e.Stage, e.Model, e.Setting, e.Value, e.Seed, e.Run, e.Runs, e.Ended, number(lossOf(e)), e.Diverged, e.Text, e.Left.Seconds()}
}

// lossOf is the loss of a run that has ended, else NaN.
func lossOf(e compare.Event) float64 {
	if !e.Ended {
		return math.NaN()
	}
	return e.Loss
}

// run searches, trains and measures, and tells how it ended.
func (r *compareRun) run(ctx context.Context) error {
	ended, told := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(told)
		select {
		case <-ctx.Done():
			r.sayStopping(context.Cause(ctx))
		case <-ended:
		}
	}()
	res, err := r.c.Run(ctx)
	close(ended)
	<-told
	r.view.close()
	if err != nil {
		return r.explain(ctx, err)
	}
	return r.done(res)
}

// sayStopping answers the first signal at once.
func (r *compareRun) sayStopping(cause error) {
	var sig signalError
	if errors.As(cause, &sig) {
		r.row("%s saving (again stops now; what is done stays)", signalName(sig.signal))
	}
}

// explain turns what ended a comparison early into what to do next.
func (r *compareRun) explain(ctx context.Context, err error) error {
	r.view.close()
	var sig signalError
	stopped := errors.As(context.Cause(ctx), &sig)
	switch {
	case stopped && r.c == nil:
		r.note("Stopped before the first run; nothing was kept.")
		return sig
	case stopped && errors.Is(err, compare.ErrStopped):
		r.line("Saved. Go on with: " + r.err.paint(cyan, r.again()))
		return sig
	case r.c != nil:
		return fmt.Errorf("%w; then go on with: %s", err, r.again())
	}
	return err
}

// again is the command that goes on with the comparison to the report that was asked for.
func (r *compareRun) again() string {
	words := []string{"compare", "--resume", quotePath(r.c.Dir())}
	if !r.flags.timings {
		words = append(words, "--timings=false")
	}
	return r.command(words...)
}

// plainMarks are ASCII for what the page writes as print does.
var plainMarks = strings.NewReplacer("’", "'", "\u202f", " ")

// done writes the report and shows what it says; the folder goes to stdout.
func (r *compareRun) done(res compare.Result) error {
	res.Version = moduleVersion()
	dir := r.c.Dir()
	if err := report.Write(dir, res, report.Options{Timings: r.flags.timings}); err != nil {
		return fmt.Errorf("%w; the runs are whole: %s", err, r.again())
	}
	if !r.quiet {
		r.line(r.err.paint(bold, "Done in "+duration(r.now().Sub(r.started))))
		r.line(r.err.fit(visible(plainMarks.Replace(report.Verdict(res))), ""))
		for _, row := range compareTable(res) {
			r.line(cut(row, tableColumns(r.err.columns())))
		}
		r.line("Page: " + quotePath(filepath.Join(dir, "report.html")))
		r.line("Next")
		if best := r.bestFolder(res); best != "" {
			r.line("  " + r.err.paint(cyan, r.command("generate", quotePath(best))))
		}
		r.line("Folder of report and models:")
	}
	if r.flags.json {
		return r.writeJSON(map[string]string{"kind": "done", "comparison": dir, "report": filepath.Join(dir, "report.html")})
	}
	_, err := fmt.Fprintln(r.out.w, dir)
	return err
}

// bestFolder is a final model of the best kind that has a folder.
func (r *compareRun) bestFolder(res compare.Result) string {
	for _, row := range compare.Judge(res).Rows {
		m := res.Models[row.Model]
		for _, run := range m.Runs {
			if !run.Diverged && m.Kind != compare.KindMix {
				return filepath.Join(r.c.Dir(), fmt.Sprintf("%s-%d", m.Kind, run.Seed))
			}
		}
	}
	return ""
}

// compareTable is the result in a few lines, the best model first.
func compareTable(res compare.Result) []string {
	rows := []string{fmt.Sprintf("%-24s %9s %10s %9s %8s  %s", "", "nats/"+res.Text.Unit, "perplexity", "bits/byte", "accuracy", "runs")}
	for _, m := range compare.Judge(res).Rows {
		if m.Finished == 0 {
			rows = append(rows, fmt.Sprintf("%-24s %9s %10s %9s %8s  0 of %d", m.Name, "diverged", "-", "-", "-", m.Planned))
			continue
		}
		bits := "-"
		if b := float64(m.BitsPerByte); !math.IsNaN(b) {
			bits = fmt.Sprintf("%.3f", b)
		}
		rows = append(rows, fmt.Sprintf("%-24s %9.4f %10s %9s %6.1f %%  %d of %d", m.Name, float64(m.Loss), significant(float64(m.Perplexity)), bits,
			100*float64(m.Accuracy), m.Finished, m.Planned))
	}
	for _, f := range res.Floors {
		rows = append(rows, fmt.Sprintf("%-24s %9.4f %10s %9s %6.1f %%", f.Name, f.TestLoss, significant(math.Exp(f.TestLoss)), "", 100*float64(f.Accuracy)))
	}
	return rows
}

// tableColumns is the width of as many of compareTable's columns as fit.
func tableColumns(width int) int {
	ends := []int{34, 45, 55, 64} // of all columns but the last
	for i, end := range ends {
		if width < end {
			return ends[max(0, i-1)]
		}
	}
	return width
}

func (r *compareRun) writeJSON(v any) error {
	if r.events == nil {
		r.events = json.NewEncoder(r.out.w)
		r.events.SetEscapeHTML(false)
	}
	return r.events.Encode(v)
}
