package compare

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/refrain-lm/refrain/checkpoint"
	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/lm"
	"github.com/refrain-lm/refrain/train"
)

// ArticleFile is the file of an article's folder that holds its record.
const ArticleFile = "article.json"

// Other files of an article's folder: its texts, and before a cell's name the
// folder in which it is trained.
const (
	documentsFile  = "documents.json"
	trainingPrefix = "training-"
)

// ArticleRecord is article.json: what an article's experiment does, and the rows of
// its table so far.
type ArticleRecord struct {
	Command  []string            `json:"command"`
	Article  Article             `json:"article"`
	Cells    []lm.Cell           `json:"cells"` // in the order of their runs
	Train    int                 `json:"train_rows"`
	Valid    int                 `json:"validation_rows"`
	Date     string              `json:"date"` // when it began
	Epochs   map[lm.Cell][]Epoch `json:"epochs"`
	UnderWay *Epoch              `json:"under_way,omitempty"` // of a run that was stopped: what is known of its next row
}

// ArticleFolder is an article's experiment in a folder, one model after another. A
// run that was stopped or killed goes on there to the same bits.
type ArticleFolder struct {
	*Experiment
	Record ArticleRecord
	dir    string
	lock   *checkpoint.FolderLock
}

// NewArticle makes the folder, with the texts in it. Of the record it takes
// Command, Article, Cells and Date.
func NewArticle(dir string, texts []string, r ArticleRecord) (*ArticleFolder, error) {
	x, err := NewExperiment(texts, r.Article)
	if err != nil {
		return nil, err
	}
	r.Article, r.Train, r.Valid, r.Epochs = x.Article, x.Train.Rows(), x.Valid.Rows(), map[lm.Cell][]Epoch{}
	var files []checkpoint.File
	for _, file := range []struct {
		name string
		v    any
	}{{documentsFile, texts}, {ArticleFile, r}} {
		write, err := indented(file.name, file.v)
		if err != nil {
			return nil, err
		}
		files = append(files, checkpoint.File{Name: file.name, Write: write})
	}
	if err := checkpoint.NewFolder(checkpoint.OS{}, dir, files); err != nil {
		if errors.Is(err, os.ErrExist) {
			return nil, fmt.Errorf("%s exists already; nothing is overwritten: take another --out, or go on with: refrain compare --resume %s", dir, dir)
		}
		return nil, fmt.Errorf("cannot make the article's folder: %w", err)
	}
	f := &ArticleFolder{Experiment: x, Record: r, dir: dir}
	f.lock, err = checkpoint.Lock(dir)
	return f, err
}

// ResumeArticle opens a folder that NewArticle made. threads, if not 0, replaces
// what was asked for then.
func ResumeArticle(dir string, threads int) (f *ArticleFolder, err error) {
	f = &ArticleFolder{dir: dir}
	if f.lock, err = checkpoint.Lock(dir); err != nil {
		return nil, err
	}
	var texts []string
	if err = errors.Join(readJSON(dir, ArticleFile, &f.Record), readJSON(dir, documentsFile, &texts)); err == nil {
		if threads > 0 {
			f.Record.Article.Threads = threads
		}
		f.Experiment, err = NewExperiment(texts, f.Record.Article)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func readJSON(dir, name string, v any) error {
	raw, err := os.ReadFile(filepath.Join(dir, name))
	if err == nil {
		err = json.Unmarshal(raw, v)
	}
	if err != nil {
		return fmt.Errorf("compare: %s: %w", filepath.Join(dir, name), err)
	}
	return nil
}

// Dir is the folder.
func (f *ArticleFolder) Dir() string { return f.dir }

// Close releases the folder.
func (f *ArticleFolder) Close() error { return f.lock.Unlock() }

// Run trains what is missing and calls on with each row of the table, those of
// earlier calls among them. Each cell's best model is in a folder of its name.
// Where ctx is cancelled it saves and returns ErrStopped.
func (f *ArticleFolder) Run(ctx context.Context, on func(lm.Cell, Epoch)) error {
	for _, cell := range f.Record.Cells {
		if _, err := os.Stat(filepath.Join(f.dir, string(cell))); err == nil {
			for _, row := range f.Record.Epochs[cell] {
				on(cell, row)
			}
			if err := os.RemoveAll(f.training(cell)); err != nil {
				return fmt.Errorf("compare: %w", err)
			}
			continue
		}
		if err := f.train(ctx, cell, on); err != nil {
			if errors.Is(err, ErrStopped) {
				return err
			}
			return fmt.Errorf("%s: %w", cell, err)
		}
	}
	return nil
}

func (f *ArticleFolder) training(cell lm.Cell) string {
	return filepath.Join(f.dir, trainingPrefix+string(cell))
}

// train makes the model of one cell, or goes on with it.
func (f *ArticleFolder) train(ctx context.Context, cell lm.Cell, on func(lm.Cell, Epoch)) error {
	if err := os.Mkdir(f.training(cell), 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("compare: %w", err)
	}
	keep := train.InFolder(f.training(cell))
	if err := f.cutBack(cell, keep); err != nil {
		return err
	}
	for _, row := range f.Record.Epochs[cell] {
		on(cell, row)
	}
	m, err := f.Model(cell)
	if err != nil {
		return err
	}
	if err := f.Train.Seek(data.Cursor{}); err != nil { // every cell sees the same rows in the same order
		return err
	}
	var failed error
	rows := rowWatch{windows: f.Train.Windows(), on: func(row Epoch) {
		f.Record.Epochs[cell] = append(f.Record.Epochs[cell], row)
		on(cell, row)
	}}
	if f.Record.UnderWay != nil {
		rows.row = *f.Record.UnderWay
	}
	o := f.options(func(e train.Event) {
		if rows.hear(e) {
			f.Record.UnderWay = rows.underWay()
			failed = errors.Join(failed, writeJSON(f.dir, ArticleFile, f.Record))
		}
	})
	o.Keep = keep
	_, err = train.Run(ctx, m, f.Train, o)
	if err = errors.Join(err, failed); err != nil {
		return err
	}
	if err := f.Save(filepath.Join(f.dir, string(cell)), m); err != nil {
		return err
	}
	if err := os.RemoveAll(f.training(cell)); err != nil {
		return fmt.Errorf("compare: %w", err)
	}
	return nil
}

// cutBack forgets what the record knows beyond the state that training goes on from:
// a run that was killed had not saved it yet.
func (f *ArticleFolder) cutBack(cell lm.Cell, keep train.Keeper) error {
	last, err := keep.Last()
	if err != nil && !errors.Is(err, train.ErrNoSnapshot) {
		return err
	}
	done := int(last.Run.Step / f.Train.Windows())
	if rows := f.Record.Epochs[cell]; len(rows) > done {
		f.Record.Epochs[cell] = rows[:done]
	}
	if u := f.Record.UnderWay; u != nil && (u.Epoch > done || u.Epoch > 0 && u.Epoch <= len(f.Record.Epochs[cell])) {
		f.Record.UnderWay = nil
	}
	return nil
}

// rowWatch makes rows of a table of a run's events.
type rowWatch struct {
	windows int64 // of an epoch
	row     Epoch // the next one: trained where it has a number, else with the seconds that it took so far
	began   time.Duration
	at      time.Duration // of the last event
	on      func(Epoch)
}

// hear takes an event and says whether more is known of the table.
func (w *rowWatch) hear(e train.Event) bool {
	w.at = e.Elapsed
	switch e.Kind {
	case train.EventStep:
		w.row = Epoch{Epoch: int(e.Step / w.windows), Loss: e.Loss, Accuracy: e.Accuracy, Seconds: w.row.Seconds + (e.Elapsed - w.began).Seconds()}
	case train.EventValid:
		w.row.ValidLoss, w.row.ValidAccuracy = e.Valid, e.ValidAccuracy
		row := w.row
		w.row, w.began = Epoch{}, e.Elapsed
		w.on(row)
	case train.EventSave: // in the midst of an epoch: it was stopped
		return e.Step%w.windows != 0
	default:
		return false
	}
	return true
}

// underWay is what is known of the next row, nil for nothing.
func (w *rowWatch) underWay() *Epoch {
	row := w.row
	if row.Epoch == 0 {
		row.Seconds += (w.at - w.began).Seconds()
	}
	if row == (Epoch{}) {
		return nil
	}
	return &row
}
