package cli_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/refrain-lm/refrain/checkpoint"
)

// fails wants a command to fail with status and, as the last of what it said,
// one line that begins and goes on as told.
func fails(t *testing.T, r result, status int, begins string, more ...string) {
	t.Helper()
	if r.status != status || r.out != "" {
		t.Errorf("status %d, stdout %q; want %d and nothing", r.status, r.out, status)
	}
	lines := strings.Split(strings.TrimSpace(r.err), "\n")
	last := lines[len(lines)-1]
	if !strings.HasPrefix(last, "error: "+begins) {
		t.Errorf("got  %q\nwant %q", last, "error: "+begins)
	}
	for _, want := range more {
		if !strings.Contains(last, want) {
			t.Errorf("%q lacks %q", last, want)
		}
	}
	for _, l := range lines[:len(lines)-1] {
		if strings.HasPrefix(l, "error") || strings.Contains(l, "goroutine ") {
			t.Errorf("a second error: %q", l)
		}
	}
}

func TestBadTexts(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "empty.txt", "")
	write(t, "zero.bin", strings.Repeat("abc\x00\x01\x02def", 50))
	write(t, "one.txt", "one line and no more")
	write(t, "letter.txt", "x")
	write(t, "song.txt", smallText())
	write(t, "little.txt", "short\n")
	write(t, "short.txt", smallText()[:600])
	var words strings.Builder
	for i := range 20000 {
		fmt.Fprintf(&words, "word%d\n", i)
	}
	write(t, "words.txt", words.String())
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	fmt.Fprint(zip, words.String())
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	write(t, "cut.txt.gz", packed.String()[:packed.Len()/2])
	if err := os.Mkdir("nothing", 0o755); err != nil {
		t.Fatal(err)
	}
	before := tree(t, ".")
	for _, test := range []struct {
		name, args, begins, says string
	}{
		{"missing", "train missing.txt", "missing.txt: no such file or folder", ""},
		{"empty", "train empty.txt", "empty.txt is empty", "give a file with text"},
		{"empty standard input", "train -", "standard input is empty", ""},
		{"folder without text", "train nothing", "nothing: no text files", ""},
		{"binary", "train zero.bin", "zero.bin is binary (a NUL at byte 3)", "byte tokenizer"},
		{"one line", "train one.txt --steps 5", "the validation part is", "give more text"},
		{"cut gzip", "train cut.txt.gz --steps 5", "cut.txt.gz is cut or damaged", "copy it again"},
		{"one of two missing", "train song.txt missing.txt", "missing.txt: no such file or folder", ""},
		{"validation missing", "train song.txt --valid missing.txt", "missing.txt: no such file or folder", ""},
		{"validation shorter than a window", "train song.txt --valid little.txt --steps 5", "the validation part is 6 chars, a window is", "--bptt"},
		{"a letter to validate n-grams on", "train song.txt --valid letter.txt --model ngram", "the validation part has fewer than two chars", "--valid FILE"},
		{"text shorter than a step", "train song.txt --bptt 5000 --batch-size 50 --steps 5", "the training text is", "--batch-size 1"},
		{"text that a random offset makes shorter than a step", "train short.txt --bptt 32 --batch-size 16 --steps 1", "the training text is", "give more text"},
		{"vocabulary too large for memory", "train words.txt --tokenizer word --emsize 1000000 --steps 5", "LSTM ", "this machine has"},
		{"layers too large for memory", "train song.txt --nhid 500000 --steps 5", "LSTM ", "this machine has"},
		{"layers too large for memory, before they are timed", "train song.txt --nhid 500000 --time 5s", "LSTM ", "this machine has"},
		{"one character validates", "train song.txt --valid letter.txt --steps 5", "the validation part has fewer than two chars", "give more text"},
	} {
		t.Run(test.name, func(t *testing.T) {
			fails(t, refrain(t, nil, "", append(strings.Fields(test.args), "-q")...), 1, test.begins, test.says)
			if after := tree(t, "."); after != before {
				t.Errorf("left behind: %s, before: %s", after, before)
			}
		})
	}
	t.Run("labels", func(t *testing.T) { // which may be meant
		write(t, "reviews.tsv", strings.Repeat("good\tI like it\nbad\tI do not\n", 300))
		const what = "reviews.tsv is a file of labels (label TAB text), not of text; take the second column: cut -f2 reviews.tsv"
		r := refrain(t, nil, "", "train", "reviews.tsv", "--steps", "2", "--nhid", "8", "--dry-run")
		if r.status != 0 || !strings.Contains(r.err, "warning: "+what+"; learning all of it\n") {
			t.Errorf("train: %+v", r)
		}
		fails(t, refrain(t, nil, "", "compare", "reviews.tsv", "-q"), 1, what, "")
	})
	t.Run("folder that holds empty and binary files too", func(t *testing.T) {
		remove(t, "cut.txt.gz") // which is an error there too
		r := refrain(t, nil, "", "train", ".", "--steps", "2", "--dry-run", "-q")
		if r.status != 0 {
			t.Errorf("%+v", r)
		}
	})
}

// tree names every file below dir.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		all = append(all, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, " ")
}

// spoil changes one file of song-model; nil removes it.
func spoil(name string, change func(old []byte) []byte) func(t *testing.T) {
	return func(t *testing.T) {
		t.Helper()
		path := filepath.Join("song-model", name)
		old, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if change == nil {
			err = os.Remove(path)
		} else {
			err = os.WriteFile(path, change(old), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func half(old []byte) []byte  { return old[:len(old)/2] }
func none([]byte) []byte      { return nil }
func prose([]byte) []byte     { return []byte("# This is no such file at all, but a text about one.\n") }
func bigHead(b []byte) []byte { return binary.LittleEndian.AppendUint64(nil, 1<<62) }

func replace(old, by string) func([]byte) []byte {
	return func(b []byte) []byte { return bytes.ReplaceAll(b, []byte(old), []byte(by)) }
}

// claim is weights whose header promises far more than the file has.
func claim([]byte) []byte {
	head := `{"encoder.weight":{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,4398046511104]}}`
	return append(binary.LittleEndian.AppendUint64(nil, uint64(len(head))), head...)
}

func TestDamagedModels(t *testing.T) {
	smallModel(t)
	home, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		damage func(*testing.T)
		says   string
	}{
		{"weights cut", spoil("model.safetensors", half), "song-model/model.safetensors is cut at"},
		{"weights empty", spoil("model.safetensors", none), "song-model/model.safetensors has 0 bytes"},
		{"weights a text", spoil("model.safetensors", prose), "song-model/model.safetensors is no safetensors file"},
		{"weights with a hostile header", spoil("model.safetensors", bigHead), "song-model/model.safetensors is no safetensors file"},
		{"weights that promise too much", spoil("model.safetensors", claim), "song-model/model.safetensors is cut at"},
		{"weights renamed", spoil("model.safetensors", replace("encoder.weight", "encoder.height")), "encoder.weight"},
		{"weights missing", spoil("model.safetensors", nil), "song-model has no model.safetensors"},
		{"config empty", spoil("config.json", none), "song-model/config.json is damaged"},
		{"config cut", spoil("config.json", half), "song-model/config.json is damaged"},
		{"config a text", spoil("config.json", prose), "song-model/config.json is damaged"},
		{"config of another width", spoil("config.json", replace(`"nhid": 32`, `"nhid": 33`)), "not of one model"},
		{"config of a size to fill any memory", spoil("config.json", replace(`"nhid": 32`, `"nhid": 1000000`)), "not of one model"},
		{"config of a kind to come", spoil("config.json", replace(`"recurrent"`, `"liquid"`)), "newer Refrain"},
		{"config missing", spoil("config.json", nil), "song-model is no finished model folder"},
		{"tokenizer cut", spoil("tokenizer.json", half), "song-model/tokenizer.json"},
		{"tokenizer a text", spoil("tokenizer.json", prose), "song-model/tokenizer.json"},
		{"tokenizer missing", spoil("tokenizer.json", nil), "song-model needs the tokenizer.json"},
		{"no folder", func(t *testing.T) { remove(t, "song-model") }, "no folder song-model"},
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

// inCopy moves the test into a copy of the folder from.
func inCopy(t *testing.T, from string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

func TestDamagedRuns(t *testing.T) {
	smallModel(t)
	home, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	states := func(name string, change func([]byte) []byte) func(*testing.T) {
		return func(t *testing.T) {
			for _, step := range []string{"57", "60"} {
				spoil("checkpoint-"+step+"/"+name, change)(t)
			}
		}
	}
	for _, test := range []struct {
		name   string
		damage func(*testing.T)
		says   string // "" where it goes on
	}{
		{"plan empty", spoil("plan.json", none), "song-model cannot be gone on with: plan.json: it is empty"},
		{"plan cut", spoil("plan.json", half), "song-model cannot be gone on with: plan.json: it is cut"},
		{"plan a text", spoil("plan.json", prose), "song-model cannot be gone on with: plan.json"},
		{"plan with a setting unknown", spoil("plan.json", replace(`"cell"`, `"cellar"`)), `unknown field "cellar"`},
		{"plan missing", spoil("plan.json", nil), "song-model is no run that can be resumed: plan.json: "},
		{"ids cut", spoil("data.ids", half), "song-model/data.ids: cut"},
		{"ids a text", spoil("data.ids", prose), "song-model/data.ids"},
		{"ids missing", spoil("data.ids", nil), "song-model/data.ids: no such file"},
		{"tokenizer cut", spoil("tokenizer.json", half), "song-model/tokenizer.json"},
		{"history a text", spoil("metrics.jsonl", prose), "metrics.jsonl: line 1 is damaged"},
		{"history missing", spoil("metrics.jsonl", nil), ""},
		{"last state cut", spoil("checkpoint-60/state.safetensors", half), ""},
		{"last state without a manifest", spoil("checkpoint-60/manifest.json", nil), ""},
		{"manifest that points out of the folder", spoil("checkpoint-60/manifest.json", replace("state.json", "../config.json")), ""},
		{"all states cut", states("state.safetensors", half), "song-model has a model, but no whole checkpoint"},
		{"all states empty", states("state.json", none), "song-model has a model, but no whole checkpoint"},
		{"weights cut", spoil("model.safetensors", half), ""}, // the state has them all
	} {
		t.Run(test.name, func(t *testing.T) {
			inCopy(t, home)
			test.damage(t)
			before, _ := os.ReadFile("song-model/model.safetensors")
			r := refrain(t, nil, "", "train", "--resume", "song-model", "--steps", "2", "-q")
			if test.says != "" {
				fails(t, r, 1, "", test.says)
				if after, _ := os.ReadFile("song-model/model.safetensors"); !bytes.Equal(after, before) {
					t.Error("the model was changed")
				}
				return
			}
			if r.status != 0 || r.out != "song-model\n" {
				t.Errorf("%+v", r)
			}
			if e := refrain(t, nil, "", "eval", "song-model", "song.txt"); e.status != 0 {
				t.Errorf("the model cannot be used: %+v", e)
			}
		})
	}
}

func TestTwoRunsOnOneFolder(t *testing.T) {
	smallModel(t)
	lock, err := checkpoint.Lock("song-model")
	if err != nil {
		t.Fatal(err)
	}
	r := refrain(t, nil, "", "train", "--resume", "song-model", "--steps", "2")
	fails(t, r, 1, "song-model is in use by process ", "wait for it to end")
	if err := lock.Unlock(); err != nil {
		t.Fatal(err)
	}
	r = refrain(t, nil, "", "train", "song.txt", "--out", "song-model", "--steps", "2")
	fails(t, r, 1, "song-model exists already; nothing is overwritten", "--resume song-model")
}

func TestReadOnlyFolder(t *testing.T) {
	if os.Geteuid() < 1 {
		t.Skip("the superuser, or a system without such rights, may write anywhere")
	}
	smallModel(t)
	for _, dir := range []string{".", "song-model"} {
		if err := os.Chmod(dir, 0o555); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = os.Chmod(dir, 0o755) }()
	}
	r := refrain(t, nil, "", "train", "song.txt", "--out", "new-model", "--steps", "2")
	fails(t, r, 1, "cannot make the model folder: ", "make its folder writable, or use another")
	r = refrain(t, nil, "", "train", "--resume", "song-model", "--steps", "2")
	fails(t, r, 1, "song-model", "make its folder writable, or use another")
	if r := refrain(t, nil, "", "eval", "song-model", "song.txt"); r.status != 0 {
		t.Errorf("reading needs no right to write: %+v", r)
	}
	if _, err := os.Stat("new-model"); !errors.Is(err, fs.ErrNotExist) {
		t.Error("new-model was left behind")
	}
}

func TestMisspeltValues(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "song.txt", smallText())
	for _, test := range []struct{ args, says string }{
		{"--cell lstn", "--cell lstn: takes rnn, lstm, lstm-nog, gru; did you mean lstm?"},
		{"--cell LSTM", "did you mean lstm?"},
		{"--cell RNN_TANH", "did you mean rnn?"},
		{"--cell SimpleRNN", "did you mean rnn?"},
		{"--cell gur", "did you mean gru?"},
		{"--tokenizer character", "did you mean char?"},
		{"--tokenizer wrod", "did you mean word?"},
		{"--optimizer adm", "did you mean adam?"},
		{"--optimizer AdamW", "did you mean adamw?"},
		{"--schedule onecycle", "did you mean one-cycle?"},
		{"--schedule cosin", "did you mean cosine?"},
		{"--schedule ReduceLROnPlateau", "did you mean plateau?"},
		{"--normalize nfkc", "did you mean NFKC?"},
		{"--precision fp32", "did you mean float32?"},
		{"--precision bf16", "did you mean bfloat16?"},
		{"--init torch", "did you mean pytorch?"},
		{"--init glorot", "did you mean keras?"},
		{"--cell transformer", "--cell transformer: takes rnn, lstm, lstm-nog, gru"},
		{"--dropout 1", "--dropout 1: outside"},
		{"--lr -1", "--lr -1: outside"},
		{"--steps 5 --epochs 2", "--epochs and --steps: give one budget only"},
		{"--words punct", "--words goes with --tokenizer word"},
		{"--nonlinearity relu", "--nonlinearity goes with --cell rnn"},
		{"--gru-reset before", "--gru-reset goes with --cell gru"},
		{"--cell gru --bias one", "--bias one does not go with --gru-reset after"},
		{"--time 1ms", "--time 1ms: a run needs a second at least"},
	} {
		t.Run(test.args, func(t *testing.T) {
			before := tree(t, ".")
			fails(t, refrain(t, nil, "", append([]string{"train", "song.txt"}, strings.Fields(test.args)...)...), 2, "--", test.says)
			if after := tree(t, "."); after != before {
				t.Errorf("left behind: %s, before: %s", after, before)
			}
		})
	}
}
