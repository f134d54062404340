package cli_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// smallText is a text with structure enough to learn in a second.
func smallText() string {
	var b strings.Builder
	for i := range 700 {
		fmt.Fprintf(&b, "line %d of the song goes round and round again\n", i%7)
	}
	return b.String()
}

var trainOnce sync.Once
var trained struct {
	dir string
	r   result
}

// smallModel trains once for all tests, in a folder of its own, and moves the
// test into a copy of it.
func smallModel(t *testing.T) result {
	t.Helper()
	trainOnce.Do(func() {
		dir, err := os.MkdirTemp("", "refrain-cli-test-")
		if err != nil {
			t.Fatal(err)
		}
		trained.dir = dir
		t.Chdir(dir)
		write(t, "song.txt", smallText())
		trained.r = refrain(t, nil, "", "train", "song.txt", "--steps", "60", "--nhid", "32", "--batch-size", "8", "--bptt", "40", "--valid-every", "20", "--seed", "3")
	})
	if trained.r.status != 0 {
		t.Fatalf("train: %+v", trained.r)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(trained.dir)); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	return trained.r
}

func TestMain(m *testing.M) {
	status := m.Run()
	if trained.dir != "" {
		_ = os.RemoveAll(trained.dir)
	}
	os.Exit(status)
}

func TestTrainTells(t *testing.T) {
	r := smallModel(t)
	if r.out != "song-model\n" {
		t.Errorf("stdout %q is not the folder alone", r.out)
	}
	if strings.ContainsAny(r.err, "\r\x1b") {
		t.Errorf("stderr in a pipe has terminal controls: %q", r.err)
	}
	for _, want := range []string{
		"text   song.txt: 32,200 characters, ", "plan   LSTM ", " parameters, batch 8x40; 60 steps", "needs  ", " disk (song-model)",
		" step=20 left=", " bits/char ", "Done in ", " (best, step ", "Next\n  refrain generate song-model",
		"\n  refrain score song-model song.txt\n", "\n  refrain train --resume song-model --time 10m\n",
	} {
		if !strings.Contains(r.err, want) {
			t.Errorf("stderr lacks %q:\n%s", want, r.err)
		}
	}
	if n := strings.Count(r.err, "\n\n  | "); n != 2 {
		t.Errorf("%d samples, want 3 with an empty line between them:\n%s", n+1, r.err)
	}
	if strings.Contains(r.err, "speed") {
		t.Error("a run by steps measured its speed")
	}
}

func TestTrainSaysThatItStoppedEarly(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "song.txt", smallText())
	args := "train song.txt --steps 500 --nhid 8 --batch-size 8 --bptt 40 --valid-every 5 --patience 1 --lr 1e-12"
	r := refrain(t, nil, "", strings.Fields(args)...)
	if want := " of 500: no better validation in 1 (--patience)\n"; r.status != 0 || !strings.Contains(r.err, "\nstopped early at step ") || !strings.Contains(r.err, want) {
		t.Errorf("status %d, stderr lacks %q:\n%s", r.status, want, r.err)
	}
}

// A timed run whose number of steps came down on a slow machine ends where its
// record says: it did not stop early.
func TestTrainEndsWhereItsRecordSays(t *testing.T) {
	smallModel(t)
	plan, err := os.ReadFile("song-model/plan.json")
	if err != nil {
		t.Fatal(err)
	}
	shorter := strings.Replace(string(plan), `"replans": null`, `"replans": [{"step": 20, "steps": 40}]`, 1)
	if shorter == string(plan) {
		t.Fatalf("no place for a replan in %s", plan)
	}
	write(t, "song-model/plan.json", shorter)
	again, err := filepath.Glob("song-model/checkpoint-*")
	if err != nil || len(again) == 0 {
		t.Fatal("no checkpoints", err)
	}
	for _, path := range append(again, "song-model/README.md", "song-model/model.safetensors") {
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
	}
	r := refrain(t, nil, "", "train", "--resume", "song-model")
	if r.status != 0 || !strings.Contains(r.err, "step=40 ") || strings.Contains(r.err, "step=60 ") || strings.Contains(r.err, "stopped early") {
		t.Errorf("status %d:\n%s", r.status, r.err)
	}
}

func TestTrainAgain(t *testing.T) {
	smallModel(t)
	first, err := os.ReadFile("song-model/model.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	env := []string{"REFRAIN_NHID=32", "REFRAIN_SEED=99"}
	write(t, "run.yaml", "steps: 60\nbatch_size: 8\nbptt: 40\nnhid: 64\nvalid-every: 20\ntemperature: 0.5\n")
	r := refrain(t, env, "", "train", "song.txt", "-q", "--config", "run.yaml", "--seed", "3")
	if r.status != 0 || r.out != "song-model-2\n" || r.err != "" {
		t.Fatalf("%+v", r)
	}
	second, err := os.ReadFile("song-model-2/model.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	if string(first) != string(second) {
		t.Error("flags, environment and config file gave another model than flags alone")
	}
}

func TestDryRunNamesSources(t *testing.T) {
	smallModel(t)
	write(t, "run.yaml", "steps: 60\nbptt: 40\n")
	before := folders(t)
	r := refrain(t, []string{"REFRAIN_NHID=32"}, "", "train", "song.txt", "--dry-run", "--config", "run.yaml", "--batch-size", "8")
	if r.status != 0 || !slices.Equal(folders(t), before) {
		t.Fatalf("%+v, left %v", r, folders(t))
	}
	values := map[string][]string{}
	for _, line := range strings.Split(r.out, "\n") {
		if f := strings.Fields(line); len(f) == 3 {
			values[f[0]] = f[1:]
		}
	}
	for name, want := range map[string][]string{
		"nhid": {"32", "env"}, "bptt": {"40", "config"}, "batch-size": {"8", "flag"}, "tokenizer": {"char", "default"}, "emsize": {"32", "plan"}, "steps": {"60", "config"},
	} {
		if !slices.Equal(values[name], want) {
			t.Errorf("%s: %v, want %v", name, values[name], want)
		}
	}
	var plan map[string]any
	j := refrain(t, nil, "", "train", "song.txt", "--dry-run", "--json", "--steps", "5")
	if err := json.Unmarshal([]byte(lastLine(j.out)), &plan); err != nil || plan["settings"] == nil {
		t.Errorf("--dry-run --json: %v, %q", err, j.out)
	}
}

func folders(t *testing.T) []string {
	names, err := filepath.Glob("*")
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(names, func(n string) bool { return n == "run.yaml" })
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return lines[len(lines)-1]
}

// keysOf are the names in a JSON object.
func keysOf(t *testing.T, line string) map[string]any {
	t.Helper()
	var object map[string]any
	if err := json.Unmarshal([]byte(line), &object); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	return object
}

func TestTrainJSON(t *testing.T) {
	smallModel(t)
	r := refrain(t, nil, "", "train", "song.txt", "--steps", "10", "--nhid", "8", "--batch-size", "4", "--bptt", "20", "--json", "-q", "--out", "j")
	if r.status != 0 || r.err != "" {
		t.Fatalf("%+v", r)
	}
	kinds := map[string]int{}
	for _, line := range strings.Split(strings.TrimSpace(r.out), "\n") {
		kinds[keysOf(t, line)["kind"].(string)]++
	}
	if kinds["plan"] != 1 || kinds["valid"] == 0 || kinds["save"] == 0 {
		t.Errorf("events %v", kinds)
	}
	last := keysOf(t, lastLine(r.out))
	for _, key := range []string{"model", "best", "best_step", "steps", "loss", "perplexity", "bits_per_byte"} {
		if last[key] == nil {
			t.Errorf("the last object has no %s: %v", key, last)
		}
	}
	if last["model"] != "j" {
		t.Errorf("model %v", last["model"])
	}
}

func TestResume(t *testing.T) {
	smallModel(t)
	before, _ := os.ReadFile("song-model/model.safetensors")
	r := refrain(t, nil, "", "train", "--resume", "song-model")
	after, _ := os.ReadFile("song-model/model.safetensors")
	if r.status != 0 || r.out != "song-model\n" || !strings.Contains(r.err, "song-model is finished; nothing was changed") || string(before) != string(after) {
		t.Errorf("finished run: %+v", r)
	}
	r = refrain(t, nil, "", "train", "--resume", "song-model", "--steps", "20")
	if r.status != 0 || !strings.Contains(r.err, "resumed at step 60 of 80; a new phase of the run begins\n") {
		t.Errorf("20 steps more: %+v", r)
	}
	r = refrain(t, nil, "", "train", "--resume", "song-model", "--tokenizer", "word")
	if r.status != 1 || !strings.HasPrefix(r.err, "error: song-model has tokenizer char, not word; drop --tokenizer, or train anew with --out other") {
		t.Errorf("other tokenizer: %+v", r)
	}
}

func TestEval(t *testing.T) {
	smallModel(t)
	r := refrain(t, nil, "", "eval", "song-model", "song.txt")
	lines := strings.Split(r.out, "\n")
	if r.status != 0 || r.err != "" || len(lines) != 5 || !strings.HasPrefix(lines[0], "loss        ") || !strings.HasSuffix(lines[0], " nats/char  32199 predictions") ||
		!strings.HasSuffix(lines[1], "per char") || !strings.HasSuffix(lines[2], "32200 bytes; compare models by this one") ||
		!strings.HasPrefix(lines[3], "accuracy    ") || !strings.HasSuffix(lines[3], " %  of predictions were the most probable char") {
		t.Errorf("%+v", r)
	}
	one := keysOf(t, refrain(t, nil, "", "eval", "song-model", "song.txt", "--json", "--threads", "1").out)
	two := keysOf(t, refrain(t, nil, smallText(), "eval", "song-model", "-", "--json", "--threads", "2").out)
	for _, key := range []string{"loss", "perplexity", "bits_per_byte", "accuracy", "tokens", "bytes"} {
		if one[key] == nil || one[key] != two[key] {
			t.Errorf("%s: %v from a file, %v from standard input", key, one[key], two[key])
		}
	}
	both := keysOf(t, refrain(t, nil, "", "eval", "song-model", "song.txt", "song.txt", "--json").out)
	if both["tokens"].(float64) != 64399 {
		t.Errorf("two files: %v predictions", both["tokens"])
	}
	lineWise := keysOf(t, refrain(t, nil, "", "eval", "song-model", "song.txt", "--per-line", "--json").out)
	if lineWise["tokens"].(float64) != 32200 {
		t.Errorf("per line: %v tokens", lineWise["tokens"])
	}
}

func TestScore(t *testing.T) {
	smallModel(t)
	text := "line 3 of the song goes round and round again\nqqq\x1b[31mXX 春\n\n"
	r := refrain(t, nil, text, "score", "song-model")
	lines := strings.Split(strings.TrimSuffix(r.out, "\n"), "\n")
	if r.status != 0 || len(lines) != 3 || !strings.HasSuffix(lines[0], "\tline 3 of the song goes round and round again") || !strings.HasSuffix(lines[1], "\tqqq\x1b[31mXX 春") {
		t.Fatalf("%+v", r)
	}
	var known, odd float64
	fmt.Sscan(lines[0], &known)
	fmt.Sscan(lines[1], &odd)
	if !(known < odd) {
		t.Errorf("a line of the text costs %v bits a byte, an odd one %v", known, odd)
	}
	j := strings.Split(strings.TrimSpace(refrain(t, nil, text, "score", "song-model", "-", "--json").out), "\n")
	if len(j) != 3 {
		t.Fatalf("%d JSON lines", len(j))
	}
	for _, key := range []string{"line", "logprob", "perplexity", "bits_per_byte", "tokens", "bytes"} {
		if keysOf(t, j[1])[key] == nil {
			t.Errorf("%s lacks %s", j[1], key)
		}
	}
	tokens := strings.Split(strings.TrimSpace(refrain(t, nil, "ab\n", "score", "song-model", "--tokens").out), "\n")
	if len(tokens) != 3 || !strings.HasPrefix(tokens[0], "1\ta\t") || !strings.HasPrefix(tokens[2], "1\t\\n\t") {
		t.Errorf("tokens %q", tokens)
	}
	alert := refrain(t, nil, text, "score", "song-model", "-", "--alert", fmt.Sprint((known+odd)/2))
	if got := strings.Count(alert.out, "\n"); alert.status != 0 || got < 1 || got > 2 || !strings.Contains(alert.err, "bits/byte up (") {
		t.Errorf("alert: %+v", alert)
	}
}

func TestScoreRanks(t *testing.T) {
	smallModel(t)
	lists := "xqzt\nline 3 of the song\n\nround and round again\nround dnuor again and\n"
	r := refrain(t, nil, lists, "score", "song-model", "--rank")
	lines := strings.Split(r.out, "\n")
	if r.status != 0 || len(lines) != 6 || lines[2] != "" || !strings.HasPrefix(lines[3], "1\t-") || !strings.HasSuffix(lines[3], "\tround and round again") || !strings.HasPrefix(lines[4], "2\t") {
		t.Errorf("%+v", r)
	}
	j := keysOf(t, lastLine(refrain(t, nil, lists, "score", "song-model", "--rank", "--json").out))
	if j["list"] != 2.0 || j["rank"] != 2.0 || j["text"] != "round dnuor again and" {
		t.Errorf("last object %v", j)
	}
}

func TestScoreLongLinesInParts(t *testing.T) {
	if testing.Short() {
		t.Skip("scores a megabyte")
	}
	smallModel(t)
	r := refrain(t, nil, strings.Repeat("é", 1<<19)+"ab\nc\n", "score", "song-model", "--json")
	lines := strings.Split(strings.TrimSpace(r.out), "\n")
	if r.status != 0 || len(lines) != 3 {
		t.Fatalf("status %d, %d lines", r.status, len(lines))
	}
	var bytes float64
	for i, want := range []struct{ line, part any }{{1.0, 1.0}, {1.0, 2.0}, {2.0, nil}} {
		o := keysOf(t, lines[i])
		bytes += o["bytes"].(float64)
		if o["line"] != want.line || o["part"] != want.part {
			t.Errorf("object %d: line %v part %v, want %v", i, o["line"], o["part"], want)
		}
	}
	if bytes != 1<<20+5 {
		t.Errorf("%v bytes in all", bytes)
	}
}

func TestGenerate(t *testing.T) {
	smallModel(t)
	first := refrain(t, nil, "", "generate", "song-model", "--prompt", "line ", "--max-tokens", "60", "--seed", "5")
	if first.status != 0 || first.err != "" || !strings.HasPrefix(first.out, "line ") {
		t.Fatalf("%+v", first)
	}
	write(t, "p.txt", "line ")
	for name, args := range map[string][]string{"standard input": {"--prompt", "-"}, "file": {"--prompt-file", "p.txt"}} {
		args = append([]string{"generate", "song-model", "--max-tokens", "60", "--seed", "5"}, args...)
		if again := refrain(t, nil, "line ", args...); again.out != first.out {
			t.Errorf("prompt from %s: %q, from a flag %q", name, again.out, first.out)
		}
	}
	if other := refrain(t, nil, "", "generate", "song-model", "--prompt", "line ", "--max-tokens", "60", "--seed", "6"); other.out == first.out {
		t.Error("another seed wrote the same")
	}
	j := keysOf(t, refrain(t, nil, "", "generate", "song-model", "--prompt", "line ", "--max-tokens", "60", "--seed", "5", "--json").out)
	if j["prompt"].(string)+j["text"].(string) != first.out || j["tokens"] != 60.0 || j["reason"] != "length" {
		t.Errorf("JSON %v, text %q", j, first.out)
	}
	env := refrain(t, []string{"REFRAIN_MAX_TOKENS=3", "REFRAIN_TEMPERATURE=0"}, "", "generate", "song-model", "--json")
	if keysOf(t, env.out)["tokens"] != 3.0 {
		t.Errorf("REFRAIN_MAX_TOKENS=3: %s", env.out)
	}
}

func TestInteractive(t *testing.T) {
	smallModel(t)
	talk := func(lines string) result {
		return refrain(t, nil, lines, "generate", "song-model", "-i", "--max-tokens", "20")
	}
	twice := talk("line 3\nline 4\n")
	reset := talk("line 3\n/reset\nline 3\n")
	short := talk("/max 5\n/temp 0\nline 3\n/help\n/bogus\n/max 0\n")
	a, b, _ := strings.Cut(reset.out, "\n")
	if twice.status != 0 || reset.status != 0 || len(a) == 0 || len(b) == 0 {
		t.Fatalf("%+v %+v", twice, reset)
	}
	if n := len(reset.out) / 2; reset.out[:n] != reset.out[n:] {
		t.Errorf("after /reset the same line is continued otherwise: %q", reset.out)
	}
	if len(short.out) > 6 || !strings.Contains(short.err, "max is 5 now.") || !strings.Contains(short.err, "no command /bogus") || !strings.Contains(short.err, "/max 0: 1 or more") {
		t.Errorf("%+v", short)
	}
}

func TestInspect(t *testing.T) {
	smallModel(t)
	r := refrain(t, nil, "", "inspect", "song-model")
	for _, want := range []string{"LSTM ", " parameters, ", "song.txt (sha256 ", ", 60 steps, ", "seed 3", " |*", "valid, bits/char; best ", "encoder.weight", "more: --tensors)"} {
		if !strings.Contains(r.out, want) {
			t.Errorf("inspect lacks %q:\n%s", want, r.out)
		}
	}
	if all := refrain(t, nil, "", "inspect", "song-model", "--tensors", "--history"); !strings.Contains(all.out, "rnn.weight_hh_l0") || !strings.Contains(all.out, "best") {
		t.Errorf("--tensors --history: %s", all.out)
	}
	j := keysOf(t, refrain(t, nil, "", "inspect", "song-model", "--json").out)
	for _, key := range []string{"config", "params", "bytes", "state_bytes", "best", "tensors", "plan"} {
		if j[key] == nil {
			t.Errorf("JSON lacks %s", key)
		}
	}
	if err := os.Remove("song-model/plan.json"); err != nil {
		t.Fatal(err)
	}
	if bare := refrain(t, nil, "", "inspect", "song-model"); bare.status != 0 || !strings.Contains(bare.out, "no plan.json") {
		t.Errorf("a folder without its plan: %+v", bare)
	}
}

func TestTokenize(t *testing.T) {
	smallModel(t)
	if r := refrain(t, nil, "ab\n春\n", "tokenize", "song-model", "--ids"); r.out != "97 98 10\n230 152 165 10\n" {
		t.Errorf("%+v", r)
	}
	if r := refrain(t, nil, "a\n", "tokenize", "song-model"); r.out != "97\ta\n10\t\\n\n" {
		t.Errorf("%+v", r)
	}
	if r := refrain(t, nil, "", "tokenize", "song-model", "--info", "--json"); keysOf(t, r.out)["kind"] != "char" {
		t.Errorf("%+v", r)
	}
}

// Whatever is typed at a trained model, it answers.
func TestAnythingGoes(t *testing.T) {
	smallModel(t)
	for _, text := range []string{"", "\n", "你好", "مرحبا", "👩‍🚀🏳️‍🌈", "\xff\xfe\x80", "a\x00b", "a\r\nb\r\n", "\ufeffx", strings.Repeat("\u0301", 300)} {
		for _, args := range [][]string{{"score", "song-model", "--tokens"}, {"score", "song-model", "--json"}, {"generate", "song-model", "--prompt", "-", "--max-tokens", "5"}} {
			if r := refrain(t, nil, text, args...); r.status != 0 {
				t.Errorf("%v on %q: %+v", args, text, r)
			}
		}
	}
}

func TestWordModel(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "song.txt", smallText())
	r := refrain(t, nil, "", "train", "song.txt", "--steps", "30", "--nhid", "16", "--batch-size", "4", "--bptt", "20", "--tokenizer", "word")
	if r.status != 0 || !strings.Contains(r.err, " words, ") || !strings.Contains(r.err, "valid perplexity ") || strings.Contains(r.err, "bits/word") {
		t.Fatalf("%+v", r)
	}
	s := refrain(t, nil, "line 3 of unheard words\n", "score", "song-model")
	if s.status != 0 || !strings.HasPrefix(s.out, "~") || !strings.Contains(s.err, "~ marks lines") {
		t.Errorf("%+v", s)
	}
	if e := refrain(t, nil, "line 3 of unheard words\n", "eval", "song-model", "--json"); keysOf(t, e.out)["bits_per_byte"] != nil {
		t.Errorf("%+v", e)
	}
}
