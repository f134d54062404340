package eval_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/refrain-lm/refrain/eval"
	"github.com/refrain-lm/refrain/lm"
	"github.com/refrain-lm/refrain/tokenizer"
)

func TestOpen(t *testing.T) {
	text := prose(40)
	each(t, text, func(t *testing.T, m *eval.Model) {
		got, err := eval.Open(folder(t, m))
		if err != nil {
			t.Fatal(err)
		}
		if got.Kind != m.LM.Config().Kind || got.Config != m.LM.Config() || got.Tokenizer.ID() != m.Tokenizer.ID() {
			t.Errorf("opened %s %+v", got.Kind, got.Config)
		}
		if a, b := stream(t, got, texts(text), nil), stream(t, m, texts(text), nil); a != b {
			t.Errorf("opened: %+v, saved: %+v", a, b)
		}
	})
}

func TestOpenRefuses(t *testing.T) {
	tok := newTokenizer(t, tokenizer.Options{Kind: tokenizer.Char}, "späte Vögel\n")
	remove := func(name string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	put := func(name, content string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	edit := func(name, old, new string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			path := filepath.Join(dir, name)
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Contains(raw, []byte(old)) {
				t.Fatalf("%s holds no %s", raw, old)
			}
			put(name, strings.Replace(string(raw), old, new, 1))(t, dir)
		}
	}
	var other bytes.Buffer
	if err := tokenizer.NewByte().Save(&other); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		spoil func(*testing.T, string)
		want  []string
	}{
		{"no folder", remove(""), []string{"no folder", "refrain train"}},
		{"no config", remove(lm.ConfigFile), []string{"no finished model folder", lm.ConfigFile}},
		{"a folder of models", func(t *testing.T, dir string) {
			remove(lm.ConfigFile)(t, dir)
			if err := os.Mkdir(filepath.Join(dir, "lstm-1"), 0o755); err != nil {
				t.Fatal(err)
			}
			put(filepath.Join("lstm-1", lm.ConfigFile), "{}")(t, dir)
		}, []string{"folder of models", "lstm-1"}},
		{"empty config", put(lm.ConfigFile, ""), []string{lm.ConfigFile, "damaged"}},
		{"cut config", put(lm.ConfigFile, `{"version": 1, "ki`), []string{lm.ConfigFile, "damaged"}},
		{"config of something else", put(lm.ConfigFile, `{"hidden_size": 768}`), []string{"kind"}},
		{"unknown kind", edit(lm.ConfigFile, `"recurrent"`, `"oracle"`), []string{"oracle", "newer"}},
		{"unknown key", edit(lm.ConfigFile, `"cell"`, `"cel"`), []string{lm.ConfigFile, "cel"}},
		{"later version", edit(lm.ConfigFile, `"version": 1`, `"version": 2`), []string{"version 2"}},
		{"huge", edit(lm.ConfigFile, `"nhid": 7`, `"nhid": 1000000`), []string{lm.ConfigFile, "weights"}},
		{"no tokenizer", remove(eval.TokenizerFile), []string{eval.TokenizerFile}},
		{"damaged tokenizer", put(eval.TokenizerFile, `{"version":`), []string{eval.TokenizerFile}},
		{"another model's tokenizer", put(eval.TokenizerFile, other.String()), []string{"knows 258 tokens", "256", "saved with this model"}},
		{"no weights yet", remove(lm.WeightsFile), []string{"before the first validation", "--resume"}},
		{"cut weights", func(t *testing.T, dir string) {
			if err := os.Truncate(filepath.Join(dir, lm.WeightsFile), 2000); err != nil {
				t.Fatal(err)
			}
		}, []string{lm.WeightsFile, "cut"}},
		{"weights that are none", put(lm.WeightsFile, "PK\x03\x04 and so on"), []string{lm.WeightsFile}},
		{"hostile weights", put(lm.WeightsFile, "\xff\xff\xff\xff\xff\xff\xff\x7f{}"), []string{lm.WeightsFile}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := folder(t, random(t, tok, lm.LSTM))
			c.spoil(t, dir)
			_, err := eval.Open(dir)
			if err == nil {
				t.Fatal("opened")
			}
			for _, w := range append(c.want, filepath.Base(dir)) {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("error %q does not say %q", err, w)
				}
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q has more than one line", err)
			}
		})
	}
}
