package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/refrain-lm/refrain/compare"
	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/lm"
	"github.com/refrain-lm/refrain/train"
)

// settingValue is a flag that train.Settings knows; it checks what it is given
// and keeps the text, since the order in which sources win is settled later.
type settingValue struct {
	flag train.Flag
	text string
}

func (v *settingValue) Set(text string) error {
	var s train.Settings
	if err := s.Set(v.flag.Name, text, fromFlag); err != nil {
		return usageError{err.Error()}
	}
	switch cell := lm.Cell(strings.ToLower(text)); cell {
	case lm.RNN, lm.LSTM, lm.LSTMNoG, lm.GRU: // as char-rnn and PyTorch's example have it
		if v.flag.Name == "model" {
			return usagef("--model %s; did you mean --cell %s?", quote(text), cell)
		}
	}
	v.text = text
	return nil
}

func (v *settingValue) String() string { return v.text }

// Type is the placeholder in the help.
func (v *settingValue) Type() string {
	if name := map[string]string{"time": "D", "tokenizer": "T", "cell": "C"}[v.flag.Name]; name != "" {
		return name
	}
	switch v.flag.Value(train.Settings{}) {
	case "":
		return "NAME"
	case "0s":
		return "D"
	}
	return "N"
}

// trainFlags are train's own flags, beside the settings.
type trainFlags struct {
	out, resume string
	arpa        string
	valid       []string
	dryRun      bool
	json        bool
}

func (a *app) trainCommand() *cobra.Command {
	var o trainFlags
	cmd := &cobra.Command{Use: "train [FILE|DIR|-]...", Short: "learn a text", Args: cobra.ArbitraryArgs}
	f := cmd.Flags()
	groups := []flagGroup{{title: "First"}, {title: "Text", brief: true}, {title: "Model", brief: true}, {title: "Learning", brief: true}, {title: "Running", brief: true}}
	f.StringVar(&o.out, "out", "", "`DIR` to make, never overwritten")
	f.StringArrayVar(&o.valid, "valid", nil, "text `FILE` to validate on")
	f.StringVar(&o.resume, "resume", "", "go on with the run in `DIR`")
	f.StringVar(&o.arpa, "arpa", "", "read a finished n-gram model from an ARPA `FILE`, as KenLM writes it")
	f.BoolVar(&o.dryRun, "dry-run", false, "stop after the plan; name each value's source")
	f.BoolVar(&o.json, "json", false, "events as JSON lines; the last has the model")
	groups[4].names = []string{"resume", "arpa", "dry-run", "json"}
	shown := map[string]string{"valid": "last 10 %", "out": "book-model"}
	for _, s := range train.Flags() {
		flag := f.VarPF(&settingValue{flag: s, text: s.Default}, s.Name, "", s.Usage)
		if s.Boolean() {
			flag.NoOptDefVal = "true"
		}
		for i := range groups {
			if groups[i].title == s.Group {
				groups[i].names = append(groups[i].names, s.Name)
			}
		}
	}
	groups[0].names = spliceAfter(groups[0].names, "time", "out", "valid")
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return a.train(cmd, args, o) }
	a.describe(cmd, page{
		summary:  "Train on files, folders, - (also gzip, zstd, xz, bzip2); with none, on Go's own sources.",
		examples: []string{"train book.txt --time 10m", "train logs/ --time 10m --out app-model", "train --resume app-model --time 10m"},
		groups:   groups,
		notes:    []string{"Each in full: refrain train --help --all, or man refrain-train"},
	}, shown)
	return cmd
}

// spliceAfter puts more behind the first word of list.
func spliceAfter(list []string, after string, more ...string) []string {
	var out []string
	for _, w := range list {
		out = append(out, w)
		if w == after {
			out = append(out, more...)
		}
	}
	return out
}

// train is the verb: prepare or resume, show the plan, run, tell what came out.
func (a *app) train(cmd *cobra.Command, args []string, o trainFlags) error {
	if err := o.check(args); err != nil {
		return err
	}
	settings, err := a.trainSettings(cmd)
	if err != nil {
		return err
	}
	if o.arpa != "" {
		return a.importARPA(o, args)
	}
	signal.Ignore(syscall.SIGPIPE) // whoever reads along may leave; the run goes on
	defer signal.Reset(syscall.SIGPIPE)
	ctx, stop := watch(cmd.Context())
	defer stop()
	r := &trainRun{app: a, flags: o, started: a.now(), view: a.newTrainView("", o.json && a.out.terminal)}
	defer r.view.close()
	if o.resume != "" {
		err = r.resume(ctx, settings)
	} else {
		err = r.prepare(ctx, settings, args)
	}
	if r.job != nil {
		defer func() { _ = r.job.Close() }()
	}
	switch {
	case errors.Is(err, train.ErrFinished):
		return r.finished()
	case err != nil:
		return r.explain(ctx, err)
	case o.dryRun:
		return r.dryRun()
	}
	return r.run(ctx)
}

// check refuses flags that contradict each other.
func (o trainFlags) check(args []string) error {
	for _, name := range args {
		if strings.HasSuffix(name, ".arpa") || strings.HasSuffix(name, ".arpa.gz") {
			return usagef("%s is a finished model; read it with: refrain train --arpa %s", quotePath(name), quotePath(name))
		}
	}
	if o.resume == "" {
		return nil
	}
	switch {
	case len(args) > 0:
		return usagef("--resume goes on with the text it began with; leave out %s, or train anew without --resume", quotePath(args[0]))
	case o.out != "":
		return usagef("--resume goes on in %s; leave out --out", quotePath(o.resume))
	case len(o.valid) > 0:
		return usagef("--resume keeps its validation text; leave out --valid")
	case o.dryRun:
		return usagef("--dry-run shows the plan of a new run; leave out --resume")
	}
	return nil
}

// trainSettings gathers what flags, environment and config file gave.
func (a *app) trainSettings(cmd *cobra.Command) (train.Settings, error) {
	var s train.Settings
	for _, f := range train.Flags() {
		if origin := a.origin[f.Name]; origin != "" {
			if err := s.Set(f.Name, cmd.Flags().Lookup(f.Name).Value.String(), origin); err != nil {
				return s, usageError{err.Error()}
			}
		}
	}
	if s.Recipe != "" && s.Recipe != "none" {
		if _, err := train.Recipe(s.Recipe); err != nil {
			return s, usageError{err.Error()}
		}
	}
	return s, nil
}

// trainRun is one train command under way.
type trainRun struct {
	*app
	flags   trainFlags
	view    *trainView
	job     *train.Job
	sources []data.Source
	events  *json.Encoder
	demo    bool // it learns Go's own sources

	started    time.Time
	outDir     string        // as the user will know it, in a dry run too
	pilotBegan time.Time     // when the speed measurement began
	pilot      time.Duration // how long it took
}

// on shows an event, and writes it with --json.
func (r *trainRun) on(e train.Event) {
	switch e.Kind {
	case train.EventPilot:
		r.pilotBegan = r.now()
	case train.EventPlan:
		if !r.pilotBegan.IsZero() {
			r.pilot = r.now().Sub(r.pilotBegan)
		}
	}
	switch e.Kind { // what is measured before and after the steps has no losses
	case train.EventRead, train.EventTokenize, train.EventCount, train.EventPilot, train.EventPlan, train.EventResume, train.EventFinal:
		e.Loss, e.Valid, e.Norm, e.Accuracy, e.ValidAccuracy = math.NaN(), math.NaN(), math.NaN(), math.NaN(), math.NaN()
	}
	r.view.on(e)
	if r.flags.json {
		_ = r.writeJSON(e)
	}
}

func (r *trainRun) prepare(ctx context.Context, s train.Settings, args []string) (err error) {
	var left skipped
	read := data.ReadOptions{AllowBinary: s.Tokenizer == "byte", Skipped: left.add}
	r.view.say("reading text")
	if r.demo = len(args) == 0; r.demo {
		r.sources, err = data.GoSources()
	} else {
		r.sources, err = data.Sources(args, r.in, read)
	}
	if err != nil {
		return err
	}
	in := train.Input{Sources: r.sources, Out: r.flags.out, DryRun: r.flags.dryRun, Started: r.started, Command: append([]string{"refrain"}, r.args...)}
	if len(r.flags.valid) > 0 {
		if in.Valid, err = data.Sources(r.flags.valid, nil, read); err != nil {
			return err
		}
	}
	r.sayLeftOut(left)
	if in.Out == "" {
		in.Out = defaultOut(args)
	}
	r.outDir = in.Out
	if parent := filepath.Dir(in.Out); !r.flags.dryRun && r.flags.out != "" {
		if err := os.MkdirAll(parent, 0o777); err != nil {
			return fmt.Errorf("--out %s: cannot make its folder: %w", in.Out, err)
		}
	}
	r.job, err = train.Prepare(ctx, s, in, r.on)
	if err != nil {
		return asUsage(err)
	}
	r.view.live.update(func() { r.view.unit = unit{r.job.Tokenizer().Unit()} })
	r.showPlan()
	return nil
}

func (r *trainRun) resume(ctx context.Context, s train.Settings) (err error) {
	if err := resumable(r.flags.resume, "train"); err != nil {
		return err
	}
	r.view.say("loading " + r.flags.resume)
	if r.job, err = train.Resume(ctx, r.flags.resume, s, r.on); err != nil {
		return err
	}
	p := r.job.Plan()
	r.view.live.update(func() { r.view.unit = unit{r.job.Tokenizer().Unit()} })
	if p.Ngram != nil {
		r.row("%s", r.err.fit("counting anew: an n-gram model is counted in one go", "  "))
		return nil
	}
	at := max(0, r.view.saved)
	steps := p.LastSteps()
	line := fmt.Sprintf("resumed at step %s of %s", commas(at), commas(steps))
	if p.Rate > 0 {
		line += "; " + countdown(time.Duration(float64((steps-at)*p.TokensPerStep())/p.Rate*float64(time.Second))) + " left"
	}
	if p.From == at && p.From > 0 {
		line += "; a new phase of the run begins"
	} else {
		line += "; as if never stopped"
	}
	r.row("%s", r.err.fit(line, "  "))
	return nil
}

// resumable refuses what verb cannot go on with: nothing, a file, or a folder that the
// other of the two verbs left.
func resumable(dir, verb string) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		what := map[string]string{"train": "run", "compare": "comparison"}[verb]
		return fmt.Errorf("no folder %s to resume; a %s begins with: refrain %s FILE", dir, what, verb)
	case err == nil && !info.IsDir():
		return usagef("%s is a file; --resume takes the folder that %s made", dir, verb)
	}
	if verb == "compare" {
		if _, err := train.ReadPlan(dir); err == nil {
			return usagef("%s is a run of one model; go on with: refrain train --resume %s", dir, quotePath(dir))
		}
	} else if _, err := compare.ReadProtocol(dir); err == nil || exists(filepath.Join(dir, compare.ArticleFile)) {
		return usagef("%s is a comparison; go on with: refrain compare --resume %s", dir, quotePath(dir))
	}
	return nil
}

// skipped are the files that a folder has and that are no text.
type skipped []string

func (s *skipped) add(path, why string) { *s = append(*s, visible(path)+": "+why) }

// sayLeftOut names them: one, or with -v all.
func (r *trainRun) sayLeftOut(left skipped) {
	switch {
	case len(left) == 0:
		return
	case r.verbose || len(left) == 1:
		for _, l := range left {
			r.row("%s", r.err.fit("left out: "+l, "  "))
		}
		return
	}
	r.row("%s", r.err.fit(fmt.Sprintf("left out: %s that are no text, such as %s (-v names all)", plural(int64(len(left)), "file", "files"), left[0]), "  "))
}

// row prints a line above the bar, unless -q.
func (r *trainRun) row(format string, args ...any) {
	if !r.quiet {
		r.view.live.row(format, args...)
	}
}

// run trains and tells how it ended.
func (r *trainRun) run(ctx context.Context) error {
	ended := make(chan struct{})
	told := make(chan struct{})
	go func() {
		defer close(told)
		select {
		case <-ctx.Done():
			r.sayStopping(context.Cause(ctx))
		case <-ended:
		}
	}()
	r.view.say("starting")
	out, err := r.job.Run(ctx, r.on)
	close(ended)
	<-told
	r.view.close()
	if err != nil {
		return r.explain(ctx, err)
	}
	return r.done(out)
}

// sayStopping answers the first signal at once.
func (r *trainRun) sayStopping(cause error) {
	var sig signalError
	if !errors.As(cause, &sig) {
		return
	}
	r.view.say("saving")
	if r.job.Plan().Ngram != nil {
		return // it stops at once; there is nothing to save
	}
	again := "again stops now"
	if sig.signal == os.Interrupt {
		again = "Ctrl-C again stops now"
	}
	onDisk := ""
	r.view.live.update(func() {
		if r.view.saved >= 0 {
			onDisk = "; step " + commas(r.view.saved) + " is on disk"
		}
	})
	r.row("%s", r.err.fit(fmt.Sprintf("%s saving (%s%s)", signalName(sig.signal), again, onDisk), "  "))
}

// explain turns what ended a run early into what to do next.
func (r *trainRun) explain(ctx context.Context, err error) error {
	r.view.close()
	var sig signalError
	stopped := errors.As(context.Cause(ctx), &sig)
	switch {
	case stopped && r.job == nil:
		r.note("Stopped before the first step; nothing was kept.")
		return sig
	case stopped && errors.Is(err, train.ErrStopped) && !hasOtherCause(err) && r.job.Plan().Ngram != nil:
		r.line("Stopped; the encoded text is kept. Count it again with: " + r.err.paint(cyan, r.command("train", "--resume", quotePath(r.job.Dir()))))
		return sig
	case stopped && errors.Is(err, train.ErrStopped) && !hasOtherCause(err):
		r.line("Saved step " + commas(r.view.saved) + ". Go on with: " + r.err.paint(cyan, r.command("train", "--resume", quotePath(r.job.Dir()))))
		return sig
	case errors.Is(err, train.ErrDiverged):
		p := r.job.Plan()
		return fmt.Errorf("%w; try %s", err, r.command("train", "--resume", quotePath(r.job.Dir()),
			"--lr", fmt.Sprintf("%.3g", p.Settings.LR/4), "--clip", "0.25"))
	case r.job != nil: // under way; what was saved before is whole
		return fmt.Errorf("%w; then go on with: %s", err, r.command("train", "--resume", quotePath(r.job.Dir())))
	}
	return err
}

// hasOtherCause reports whether saving failed too.
func hasOtherCause(err error) bool {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return false
	}
	for _, e := range joined.Unwrap() {
		if e != nil && !errors.Is(e, train.ErrStopped) {
			return true
		}
	}
	return false
}

// finished answers a resume that has nothing to do.
func (r *trainRun) finished() error {
	r.view.close()
	dir := r.flags.resume
	text := dir + " is finished; nothing was changed."
	if p, err := train.ReadPlan(dir); err != nil || p.Ngram == nil { // n-grams are counted once
		text += " More: " + r.err.paint(cyan, r.command("train", "--resume", quotePath(dir), "--time", "10m"))
	}
	r.line(text)
	if r.flags.json {
		return r.writeJSON(map[string]string{"kind": "done", "model": dir})
	}
	_, err := fmt.Fprintln(r.out.w, dir)
	return err
}

func (r *trainRun) writeJSON(v any) error {
	if r.events == nil {
		r.events = json.NewEncoder(r.out.w)
		r.events.SetEscapeHTML(false)
	}
	return r.events.Encode(v)
}

// asUsage makes complaints about flags wrong usage; they begin with the flag.
func asUsage(err error) error {
	if strings.HasPrefix(err.Error(), "--") {
		return usageError{tidy(err)}
	}
	return err
}

// defaultOut names the model after the first text: book.txt makes book-model,
// or book-model-2 where that is taken.
func defaultOut(args []string) string { return freeName(args, "-model") }

// freeName names a new folder after the first text.
func freeName(args []string, ending string) string {
	base := "go"
	if len(args) > 0 {
		base = "text"
		if args[0] != "-" {
			base = baseName(args[0])
		}
	}
	name := base + ending
	for n := 2; exists(name); n++ {
		name = fmt.Sprintf("%s%s-%d", base, ending, n)
	}
	return name
}

// baseName is a text's name without folder and endings, short enough for what
// is put behind it.
func baseName(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs // so that "." and "logs/" have a name
	}
	base := filepath.Base(path)
	if head, _, found := strings.Cut(strings.TrimLeft(base, ".-"), "."); found || head != base {
		base = head
	}
	if base == "" || base == string(filepath.Separator) {
		return "text"
	}
	return base[:wholeText([]byte(base[:min(len(base), 100)]))]
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
