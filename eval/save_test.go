package eval_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/refrain-lm/refrain/eval"
	"github.com/refrain-lm/refrain/lm"
	"github.com/refrain-lm/refrain/tokenizer"
)

func TestSaveRefuses(t *testing.T) {
	tok := newTokenizer(t, tokenizer.Options{Kind: tokenizer.Char}, "späte Vögel\n")
	m := random(t, tok, lm.LSTM)
	saved := folder(t, m)
	mixed, err := eval.Mix(m, m, 0.5)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		m    *eval.Model
		dir  string
		is   error // nil: any
		want string
	}{
		{"over a model", m, saved, os.ErrExist, "nothing is overwritten"},
		{"into a folder that is not there", m, filepath.Join(saved, "a", "b"), os.ErrNotExist, "make it again"},
		{"another tokenizer", eval.New("", m.LM, tokenizer.NewByte()), filepath.Join(saved, "a"), nil, "trained with"},
		{"a mixture", mixed, filepath.Join(saved, "a"), nil, "save the two it mixes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.m.Save(c.dir)
			if err == nil || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one like %v with %q", err, c.is, c.want)
			}
		})
	}
	files, err := os.ReadDir(saved)
	if err != nil || len(files) != 3 {
		t.Errorf("the folder has %d files (%v), want the 3 of the first Save", len(files), err)
	}
	if _, err := eval.Open(saved); err != nil {
		t.Errorf("after refused saves: %v", err)
	}
}
