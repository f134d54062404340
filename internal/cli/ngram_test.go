package cli_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
)

// ngramModel counts song.txt by words in the folder that smallModel moved to.
func ngramModel(t *testing.T) result {
	t.Helper()
	write(t, "song.txt", smallText())
	r := refrain(t, nil, "", "train", "--model", "ngram", "--order", "3", "--tokenizer", "word", "song.txt", "--out", "counts")
	if r.status != 0 || r.out != "counts\n" {
		t.Fatalf("train --model ngram: %+v", r)
	}
	return r
}

func TestNgramTells(t *testing.T) {
	t.Chdir(t.TempDir())
	r := ngramModel(t)
	for _, want := range []string{"plan   3-gram, interpolated modified Kneser-Ney; one count of ", ", a line being a sentence", "needs  at most ",
		"0.5, 1, 1.5 instead, as is usual", "Done in ", ": valid perplexity ", "\n  refrain inspect counts\n"} {
		if !strings.Contains(r.err, want) {
			t.Errorf("stderr lacks %q:\n%s", want, r.err)
		}
	}
	for _, unwanted := range []string{"step", "--resume", "batch"} {
		if strings.Contains(r.err, unwanted) {
			t.Errorf("stderr speaks of %q:\n%s", unwanted, r.err)
		}
	}
	again := refrain(t, nil, "", "train", "--resume", "counts")
	if again.status != 0 || again.out != "counts\n" || again.err != "counts is finished; nothing was changed.\n" {
		t.Errorf("--resume: %+v", again)
	}
	fails(t, refrain(t, nil, "", "train", "--resume", "counts", "--time", "1m"), 1, "counts is an n-gram model, which counts its text once", "--time")
	fails(t, refrain(t, nil, "", "train", "--model", "ngram", "song.txt", "--out", "counts"), 1, "counts exists already")
	fails(t, refrain(t, nil, "", "train", "--model", "ngram", "song.txt", "--lr", "1"), 2, "--lr means nothing to --model ngram")
	dry := refrain(t, nil, "", "train", "--model", "ngram", "song.txt", "--dry-run")
	if dry.status != 0 || !strings.Contains(dry.out, "order") || strings.Contains(dry.out, "nhid") || strings.Contains(dry.out, "dropout") {
		t.Errorf("--dry-run: %+v", dry)
	}
}

// TestNgramServes runs every verb that takes a model folder on an n-gram model.
func TestNgramServes(t *testing.T) {
	t.Chdir(t.TempDir())
	ngramModel(t)
	r := refrain(t, nil, "", "eval", "counts", "song.txt", "--per-line", "--json")
	var measured struct{ Perplexity float64 }
	if err := json.Unmarshal([]byte(r.out), &measured); err != nil || !(measured.Perplexity > 1 && measured.Perplexity < 2) {
		t.Errorf("eval: %+v, %v", r, err)
	}
	if r := refrain(t, nil, "", "score", "counts", "song.txt"); r.status != 0 || strings.Count(r.out, "\n") != 700 {
		t.Errorf("score: %+v", r)
	}
	r = refrain(t, nil, "", "generate", "counts", "--prompt", "line 3 of", "--max-tokens", "12", "--temperature", "0")
	if r.status != 0 || !strings.HasPrefix(r.out, "line 3 of the song goes round and round again\n") {
		t.Errorf("generate: %+v", r)
	}
	r = refrain(t, nil, "", "inspect", "counts")
	for _, want := range []string{"3-gram, ", " n-grams, ", "a line is a sentence", "song.txt (sha256 ", "the usual ones: its counts gave none"} {
		if !strings.Contains(r.out, want) {
			t.Errorf("inspect lacks %q:\n%s", want, r.out)
		}
	}
	var said struct {
		Config struct{ Order int }
		Grams  []int64 `json:"ngrams"`
	}
	r = refrain(t, nil, "", "inspect", "counts", "--json")
	if err := json.Unmarshal([]byte(r.out), &said); err != nil || said.Config.Order != 3 || len(said.Grams) != 3 {
		t.Errorf("inspect --json: %+v, %v", r, err)
	}
}

// TestARPA takes a model through an ARPA file and back.
func TestARPA(t *testing.T) {
	t.Chdir(t.TempDir())
	ngramModel(t)
	if r := refrain(t, nil, "", "inspect", "counts", "--arpa", "song.arpa"); r.status != 0 || r.out != "song.arpa\n" {
		t.Fatalf("inspect --arpa: %+v", r)
	}
	text, err := os.ReadFile("song.arpa")
	if err != nil {
		t.Fatal(err)
	}
	if r := refrain(t, nil, "", "inspect", "counts", "--arpa", "-"); r.out != string(text) {
		t.Error("standard output has another text than the file")
	}
	fails(t, refrain(t, nil, "", "inspect", "counts", "--arpa", "song.arpa"), 1, "song.arpa exists already")
	if r := refrain(t, nil, string(text), "train", "--arpa", "-", "--out", "back"); r.status != 0 || r.out != "back\n" {
		t.Fatalf("train --arpa: %+v", r)
	}
	loss := func(dir string) float64 {
		var measured struct{ Loss float64 }
		r := refrain(t, nil, "", "eval", dir, "song.txt", "--json")
		if err := json.Unmarshal([]byte(r.out), &measured); err != nil {
			t.Fatalf("%+v: %v", r, err)
		}
		return measured.Loss
	}
	if a, b := loss("counts"), loss("back"); math.Abs(a-b) > 1e-6 {
		t.Errorf("loss %v, through ARPA %v", a, b)
	}
	write(t, "cut.arpa", string(text[:len(text)/2]))
	for _, c := range []struct {
		args   string
		status int
		says   string
	}{
		{"train song.arpa", 2, "song.arpa is a finished model; read it with: refrain train --arpa song.arpa"},
		{"train --arpa song.arpa song.txt", 2, "--arpa reads a finished model; leave out song.txt"},
		{"train --arpa song.arpa --order 3", 2, "--arpa reads a finished model; leave out --order"},
		{"train --arpa song.arpa --out counts", 1, "counts cannot be made"},
		{"train --arpa song.txt", 1, "song.txt: it is no ARPA file"},
		{"train --arpa gone.arpa", 1, "gone.arpa: no such file"},
		{"train --arpa cut.arpa", 1, "cut.arpa: "},
	} {
		fails(t, refrain(t, nil, "", strings.Fields(c.args)...), c.status, c.says)
	}
	if r := refrain(t, nil, "", "train", "--arpa", "cut.arpa"); !strings.Contains(r.err, "cut short") {
		t.Errorf("a cut file: %q", r.err)
	}
}

func TestMixing(t *testing.T) {
	smallModel(t)
	if r := refrain(t, nil, "", "train", "--model", "ngram", "--order", "4", "song.txt", "--out", "counts"); r.status != 0 {
		t.Fatalf("train: %+v", r)
	}
	loss := func(args ...string) float64 {
		t.Helper()
		var measured struct{ Loss float64 }
		r := refrain(t, nil, "", append([]string{"eval", "song-model", "song.txt", "--json"}, args...)...)
		if err := json.Unmarshal([]byte(r.out), &measured); err != nil {
			t.Fatalf("%+v: %v", r, err)
		}
		return measured.Loss
	}
	alone, whole, fitted := loss(), loss("--mix", "counts", "--mix-weight", "1"), loss("--mix", "counts")
	if alone != whole {
		t.Errorf("loss %v, with all the weight %v", alone, whole)
	}
	if fitted >= alone {
		t.Errorf("loss %v, mixed %v", alone, fitted)
	}
	r := refrain(t, nil, "", "score", "song-model", "song.txt", "--mix", "counts")
	var weight float64
	if _, rest, ok := strings.Cut(r.err, "--mix-weight "); !ok {
		t.Errorf("score says no weight: %q", r.err)
	} else if _, err := fmt.Sscan(rest, &weight); err != nil {
		t.Error(err)
	}
	again := refrain(t, nil, "", "score", "song-model", "song.txt", "--mix", "counts", "--mix-weight", fmt.Sprint(weight))
	if again.out != r.out || again.err != "" {
		t.Errorf("the weight that was told gives other scores, or words: %q", again.err)
	}
	r = refrain(t, nil, "", "generate", "song-model", "--mix", "counts", "--mix-weight", "0.5", "--max-tokens", "20")
	if r.status != 0 || r.out == "" {
		t.Errorf("generate: %+v", r)
	}
	if err := os.Remove("song-model/data.ids"); err != nil {
		t.Fatal(err)
	}
	fails(t, refrain(t, nil, "", "eval", "song-model", "song.txt", "--mix", "counts"), 1, "song-model has no data.ids", "give --mix-weight")
	if r := refrain(t, nil, "", "train", "--model", "ngram", "--tokenizer", "word", "song.txt", "--out", "words"); r.status != 0 {
		t.Fatalf("train: %+v", r)
	}
	for _, c := range []struct {
		args   string
		status int
		says   string
	}{
		{"--mix words", 1, "song-model and words cannot be mixed: their tokenizers differ"},
		{"--mix gone", 1, "no folder gone"},
		{"--mix-weight 0.5", 2, "--mix-weight goes with --mix DIR"},
		{"--mix counts --mix-weight 1.5", 2, "--mix-weight 1.5: the first model's share, from 0 to 1"},
	} {
		fails(t, refrain(t, nil, "", append([]string{"eval", "song-model", "song.txt"}, strings.Fields(c.args)...)...), c.status, c.says)
	}
}

func TestDamagedCounts(t *testing.T) {
	t.Chdir(t.TempDir())
	ngramModel(t)
	if err := os.Rename("counts", "song-model"); err != nil { // where spoil looks
		t.Fatal(err)
	}
	home, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		damage func(*testing.T)
		says   string
	}{
		{"n-grams cut", spoil("model.ngram", half), "song-model/model.ngram: it is cut at"},
		{"n-grams empty", spoil("model.ngram", none), "song-model/model.ngram: it is cut within its header"},
		{"n-grams a text", spoil("model.ngram", prose), "song-model/model.ngram: it is no file of n-grams"},
		{"n-grams missing", spoil("model.ngram", nil), "song-model has no model.ngram yet"},
		{"config with a key unknown", spoil("config.json", replace(`"order"`, `"ordre"`)), "ordre"},
		{"config of another order", spoil("config.json", replace(`"order": 3`, `"order": 4`)), "discounts of 3 orders, want 4"},
		{"config of a later version", spoil("config.json", replace(`"version": 1`, `"version": 2`)), "version 2 is not known"},
	} {
		t.Run(test.name, func(t *testing.T) {
			inCopy(t, home)
			test.damage(t)
			for _, verb := range []string{"eval song-model song.txt", "generate song-model --max-tokens 3", "score song-model song.txt", "inspect song-model"} {
				fails(t, refrain(t, nil, "", strings.Fields(verb)...), 1, "", test.says)
			}
		})
	}
}
