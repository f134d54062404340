package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/refrain-lm/refrain/compare"
	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/lm"
	"github.com/refrain-lm/refrain/train"
)

// articleFlags are those that compare --article has beside the ones it shares.
type articleFlags struct {
	on      bool
	form    string
	split   float64
	by      string
	maxLen  int
	oov     string
	epochs  int
	perFile bool
}

var (
	articleOnly   = []string{"form", "epochs", "split", "split-by", "maxlen", "oov", "per-file"}
	articleShares = []string{"article", "models", "nhid", "emsize", "batch-size", "vocab-size", "vectors", "freeze-embedding", "seed", "threads", "out", "json", "resume"}
)

func (o *articleFlags) add(f *pflag.FlagSet) flagGroup {
	f.BoolVar(&o.on, "article", false, "the review article's own experiment instead, as in Keras")
	f.StringVar(&o.form, "form", "every", "what a row predicts, `F`: every position, or the last of each prefix")
	f.IntVar(&o.epochs, "epochs", 10, "`N` passes")
	f.Float64Var(&o.split, "split", 0.2, "last `SHARE` of the rows validates")
	f.StringVar(&o.by, "split-by", "rows", "`W`: rows (validation_split) or documents, which leaks no prefix")
	f.IntVar(&o.maxLen, "maxlen", 0, "`N` words an input at most, the last ones")
	f.StringVar(&o.oov, "oov", "", "`WORD` for words beyond --vocab-size (none: they are left out)")
	f.BoolVar(&o.perFile, "per-file", false, "every file is a document, not every line")
	return flagGroup{title: "Article", names: append([]string{"article"}, articleOnly...), brief: true}
}

// check refuses flags that the article's experiment has no use for, and its own
// without it.
func (o *articleFlags) check(cmd *cobra.Command) error {
	var err error
	cmd.Flags().Visit(func(f *pflag.Flag) {
		known := slices.Contains(articleOnly, f.Name)
		switch {
		case err != nil:
		case known && !o.on:
			err = usagef("--%s goes with --article", f.Name)
		case o.on && !known && !slices.Contains(articleShares, f.Name) && !slices.Contains(commonGroup.names, f.Name):
			err = usagef("--article has settings of its own; leave out --%s", f.Name)
		}
	})
	switch {
	case err != nil || !o.on:
		return err
	case o.form != string(data.EveryPosition) && o.form != string(data.LastPosition):
		return usagef("--form %s: takes every or last", quote(o.form))
	case o.by != "rows" && o.by != "documents":
		return usagef("--split-by %s: takes rows or documents", quote(o.by))
	case !(o.split > 0 && o.split < 1):
		return usagef("--split %v: outside (0, 1)", o.split)
	case o.epochs < 1 || o.maxLen < 0:
		return usagef("--epochs takes 1 or more, --maxlen 0 or more")
	}
	return nil
}

// settings are the experiment's, from its flags and the shared ones.
func (o *articleFlags) settings(s train.Settings) compare.Article {
	return compare.Article{
		Form: data.Form(o.form), Epochs: o.epochs, Split: o.split, ByDocument: o.by == "documents", MaxLen: o.maxLen, OOVToken: o.oov,
		Units: s.Hidden, EmSize: s.EmSize, Batch: s.BatchSize, NumWords: s.VocabSize, Vectors: s.Vectors, Freeze: s.Freeze,
		Seed: max(1, s.Seed), Threads: s.Threads,
	}
}

// articleRun is one compare --article under way.
type articleRun struct {
	*app
	x    *compare.ArticleFolder
	json bool
	live *live
	done atomic.Int64 // epochs
}

// article is the verb with --article: read, train a model of each cell, print the
// table, keep the models.
func (a *app) article(cmd *cobra.Command, args []string, o compareFlags, own *articleFlags) error {
	files, err := a.inputs(cmd, args)
	if err != nil {
		return err
	}
	if err := a.sharedSettings(cmd, &o.Shared); err != nil {
		return err
	}
	record := compare.ArticleRecord{Command: append([]string{"refrain"}, a.args...), Article: own.settings(o.Shared), Date: a.now().Format(time.DateOnly)}
	if record.Cells, err = articleCells(o.Models); err != nil {
		return err
	}
	if o.out == "" {
		o.out = freeName(files, "-article")
	} else if err := os.MkdirAll(filepath.Dir(o.out), 0o777); err != nil {
		return fmt.Errorf("--out %s: cannot make its folder: %w", o.out, err)
	}
	src, err := data.Sources(files, a.in, data.ReadOptions{})
	if err != nil {
		return err
	}
	docs, err := data.Texts(src, own.perFile)
	if err = errors.Join(err, data.CloseSources(src)); err != nil {
		return err
	}
	if !own.perFile {
		if err := compare.RefuseLabels(files[0], []byte(strings.Join(docs[:min(len(docs), 1000)], "\n")+"\n")); err != nil {
			return err
		}
	}
	x, err := compare.NewArticle(o.out, docs, record)
	if err != nil {
		return err
	}
	return a.runArticle(cmd, x, o)
}

// resumeArticle is the verb with --resume and the folder of an article.
func (a *app) resumeArticle(cmd *cobra.Command, args []string, o compareFlags) error {
	if err := o.check(args); err != nil {
		return err
	}
	if err := a.sharedSettings(cmd, &o.Shared); err != nil {
		return err
	}
	x, err := compare.ResumeArticle(o.resume, o.Shared.Threads)
	if err != nil {
		return err
	}
	return a.runArticle(cmd, x, o)
}

// resumesArticle says that --resume names the folder of an article.
func (o compareFlags) resumesArticle() bool {
	return o.resume != "" && exists(filepath.Join(o.resume, compare.ArticleFile))
}

func (a *app) runArticle(cmd *cobra.Command, x *compare.ArticleFolder, o compareFlags) error {
	defer func() { _ = x.Close() }()
	signal.Ignore(syscall.SIGPIPE) // whoever reads along may leave; the runs go on
	defer signal.Reset(syscall.SIGPIPE)
	ctx, stop := watch(cmd.Context())
	defer stop()
	return (&articleRun{app: a, x: x, json: o.json}).run(ctx)
}

// articleCells are the cells that --models asks for.
func articleCells(models []string) ([]lm.Cell, error) {
	if len(models) == 0 {
		return []lm.Cell{lm.RNN, lm.LSTM, lm.GRU}, nil
	}
	var cells []lm.Cell
	for _, m := range models {
		cell := lm.Cell(m)
		if !slices.Contains([]lm.Cell{lm.RNN, lm.LSTM, lm.LSTMNoG, lm.GRU}, cell) {
			return nil, usagef("--models %s: --article takes rnn, lstm, lstm-nog, gru", quote(m))
		}
		cells = append(cells, cell)
	}
	return cells, nil
}

func (r *articleRun) run(ctx context.Context) error {
	r.tellPlan()
	draw := r.bar
	if r.quiet || r.json && r.out.terminal {
		draw = nil
	}
	r.live = startLive(r.err, draw)
	defer r.live.close()
	if !r.json {
		r.print(fmt.Sprintf("%-8s %5s %8s %9s %9s %13s %8s", "cell", "epoch", "loss", "accuracy", "val_loss", "val_accuracy", "seconds"))
	}
	told := r.sayStopping(ctx)
	err := r.x.Run(ctx, r.epoch)
	told()
	r.live.close()
	if err != nil {
		return r.explain(ctx, err)
	}
	if r.json {
		return json.NewEncoder(r.out.w).Encode(map[string]string{"kind": "done", "article": r.x.Dir()})
	}
	_, err = fmt.Fprintln(r.out.w, r.x.Dir())
	return err
}

// sayStopping answers the first signal at once; the function that it returns ends
// the waiting for one.
func (r *articleRun) sayStopping(ctx context.Context) (ended func()) {
	over, told := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(told)
		select {
		case <-ctx.Done():
			var sig signalError
			if errors.As(context.Cause(ctx), &sig) && !r.quiet {
				r.live.row("%s saving (again stops now; what is done stays)", signalName(sig.signal))
			}
		case <-over:
		}
	}()
	return func() { close(over); <-told }
}

// tellPlan says what is about to be trained on what.
func (r *articleRun) tellPlan() {
	if r.quiet {
		return
	}
	a := r.x.Article
	form := map[data.Form]string{data.EveryPosition: "every position", data.LastPosition: "the last position of every prefix"}[a.Form]
	parts := map[bool]string{true: "by document", false: "as validation_split cuts them"}[a.ByDocument]
	r.note("text   %s documents, %s words, %s distinct", r.count(int64(r.x.Documents)), r.count(int64(r.x.Tokens)), r.count(int64(r.x.Tokenizer.Size()-1)))
	r.note("rows   %s; %s train, %s validate, %s", form, r.count(int64(r.x.Train.Rows())), r.count(int64(r.x.Valid.Rows())), parts)
	vectors := "random"
	if v := r.x.Vectors; v != nil {
		vectors = fmt.Sprintf("%s of %s words from %s, %s at random", r.count(int64(v.Found)), r.count(int64(v.Words)), a.Vectors, r.count(int64(v.Missing())))
		if a.Freeze {
			vectors += ", frozen"
		}
	}
	r.note("model  Embedding(%d, %s), %s(%d), Dense(%s) softmax; Adam %v, batch %d, %s", a.EmSize, vectors,
		strings.ToUpper(strings.Join(cellNames(r.x.Record.Cells), "|")), a.Units, r.count(int64(r.x.Tokenizer.Size())), a.LR, a.Batch, plural(int64(a.Epochs), "epoch", "epochs"))
}

func cellNames(cells []lm.Cell) (names []string) {
	for _, c := range cells {
		names = append(names, string(c))
	}
	return names
}

// epoch prints a row of the table.
func (r *articleRun) epoch(cell lm.Cell, e compare.Epoch) {
	r.done.Add(1)
	if r.json {
		_ = json.NewEncoder(r.out.w).Encode(struct {
			Cell lm.Cell `json:"cell"`
			compare.Epoch
		}{cell, e})
		return
	}
	r.print(fmt.Sprintf("%-8s %5d %8.4f %9.4f %9.4f %13.4f %8.1f", cell, e.Epoch, e.Loss, e.Accuracy, e.ValidLoss, e.ValidAccuracy, e.Seconds))
}

// print writes a line of the table to standard output; where both streams are one
// terminal, above the moving line.
func (r *articleRun) print(line string) {
	if r.out.terminal && r.err.terminal {
		r.live.row("%s", line)
		return
	}
	_, _ = fmt.Fprintln(r.out.w, line)
}

func (r *articleRun) bar() bar {
	done, all := int(r.done.Load()), len(r.x.Record.Cells)*r.x.Article.Epochs
	at := min(done, all-1)
	return bar{share: float64(done) / float64(all), what: fmt.Sprintf("%s, epoch %d of %d", r.x.Record.Cells[at/r.x.Article.Epochs], at%r.x.Article.Epochs+1, r.x.Article.Epochs)}
}

// explain turns what ended the experiment early into what to do next.
func (r *articleRun) explain(ctx context.Context, err error) error {
	again := r.command("compare", "--resume", quotePath(r.x.Dir()))
	var sig signalError
	if errors.As(context.Cause(ctx), &sig) && errors.Is(err, compare.ErrStopped) {
		r.line("Saved. Go on with: " + r.err.paint(cyan, again))
		return sig
	}
	if errors.Is(err, train.ErrDiverged) { // and would again
		return fmt.Errorf("%w; models that were finished are in %s", err, r.x.Dir())
	}
	return fmt.Errorf("%w; then go on with: %s", err, again)
}
