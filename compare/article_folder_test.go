package compare_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/refrain-lm/refrain/compare"
	"github.com/refrain-lm/refrain/lm"
)

// countdown is a context that is cancelled when it has been asked so often.
type countdown struct {
	context.Context
	left   int
	before func() // called just before that
}

func (c *countdown) Err() error {
	if c.left--; c.left > 0 {
		return nil
	}
	if c.left == 0 && c.before != nil {
		c.before()
	}
	return context.Canceled
}

// articleFiles are the files of an article's folder; the record without its times.
func articleFiles(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".") {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if d.Name() == compare.ArticleFile {
			var r compare.ArticleRecord
			if err := json.Unmarshal(raw, &r); err != nil {
				return err
			}
			for _, rows := range r.Epochs {
				for i := range rows {
					rows[i].Seconds = 0
				}
			}
			if raw, err = json.Marshal(r); err != nil {
				return err
			}
		}
		name, err := filepath.Rel(dir, path)
		files[name] = string(raw)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestArticleGoesOn stops a run, and kills one, at every second place where it looks
// whether it should stop; what goes on ends as if it had never been.
func TestArticleGoesOn(t *testing.T) {
	record := compare.ArticleRecord{Article: compare.Article{Units: 6, EmSize: 4, Batch: 16, Epochs: 2, Seed: 5, Threads: 1}, Cells: []lm.Cell{lm.RNN, lm.GRU}, Date: "2026-01-31"}
	begin := func(dir string) *compare.ArticleFolder {
		f, err := compare.NewArticle(dir, verses(60), record)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	run := func(f *compare.ArticleFolder, ctx context.Context) (rows int, err error) {
		seen := map[lm.Cell]int{}
		err = f.Run(ctx, func(cell lm.Cell, e compare.Epoch) {
			if rows++; e.Epoch != seen[cell]+1 || e.Seconds <= 0 || e.Loss == 0 {
				t.Errorf("%s: row %+v after epoch %d", cell, e, seen[cell])
			}
			seen[cell] = e.Epoch
		})
		return rows, errors.Join(err, f.Close())
	}
	whole := filepath.Join(t.TempDir(), "whole")
	if rows, err := run(begin(whole), context.Background()); err != nil || rows != 4 {
		t.Fatalf("%d rows, %v", rows, err)
	}
	want := articleFiles(t, whole)
	places := 0
	for n := 1; ; n += 2 {
		dir := t.TempDir()
		stopped, killed := filepath.Join(dir, "stopped"), filepath.Join(dir, "killed")
		f := begin(stopped)
		_, err := run(f, &countdown{context.Background(), n, func() {
			if err := os.CopyFS(killed, os.DirFS(stopped)); err != nil {
				t.Error(err)
			}
		}})
		if err == nil {
			break
		}
		if !errors.Is(err, compare.ErrStopped) {
			t.Fatal(err)
		}
		places++
		for _, dir := range []string{stopped, killed} {
			f, err := compare.ResumeArticle(dir, 2)
			if err != nil {
				t.Fatal(err)
			}
			f.Record.Article.Threads = 1 // it changes no bit, but is in the record
			if rows, err := run(f, context.Background()); err != nil || rows != 4 {
				t.Errorf("%s at %d: %d rows, %v", filepath.Base(dir), n, rows, err)
			}
			if got := articleFiles(t, dir); !reflect.DeepEqual(got, want) {
				for name := range want {
					if got[name] != want[name] {
						t.Errorf("%s at %d: %s is not what it is without a break", filepath.Base(dir), n, name)
					}
				}
				t.Errorf("%s at %d: %d files, want %d", filepath.Base(dir), n, len(got), len(want))
			}
		}
	}
	if places < 8 {
		t.Errorf("stopped at %d places only", places)
	}
}
