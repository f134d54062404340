package cli_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/refrain-lm/refrain/internal/cli"
)

// result is what one command line left.
type result struct {
	status   int
	out, err string
}

// keyboard is standard input that is a terminal on which nobody types.
type keyboard struct{ io.Reader }

func (keyboard) Size() (int, int) { return 80, 24 }

// screen is an output that is a terminal.
type screen struct {
	bytes.Buffer
	columns int
}

func (s *screen) Size() (int, int) { return s.columns, 24 }

// refrain runs one command line in the test's own folder.
func refrain(t *testing.T, env []string, stdin string, args ...string) result {
	t.Helper()
	var out, err bytes.Buffer
	status := cli.Main(append([]string{"refrain"}, args...), strings.NewReader(stdin), &out, &err, env)
	return result{status, out.String(), err.String()}
}

func TestWrongUsage(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "book.txt", "hello\n")
	write(t, "bad.yaml", "lr: 0.1\nlearning_rate: 3\n")
	write(t, "list.yaml", "- lr\n")
	write(t, "twice.yaml", "lr: 1\nlr: 2\n")
	for _, test := range []struct {
		name, args, env, want string
	}{
		{"misspelt flag", "train --drpout 0.5", "", "error: no flag --drpout; did you mean --dropout?"},
		{"transposed letters", "train --bacth-size 5", "", "error: no flag --bacth-size; did you mean --batch-size?"},
		{"keras name", "train --learning-rate 1", "", "error: no flag --learning-rate; did you mean --lr?"},
		{"char-rnn name", "train --rnn_size 128", "", "error: no flag --rnn_size; did you mean --nhid?"},
		{"torch name", "train --hidden-size 128", "", "error: no flag --hidden-size; did you mean --nhid?"},
		{"cell as model", "train --model LSTM", "", "error: --model LSTM; did you mean --cell lstm?"},
		{"attention", "train --n_head 2", "", "error: no flag --n_head; did you mean --heads?"},
		{"share to validate", "train --val_frac 0.1", "", "error: no flag --val_frac; the last 10 % of a text validates, or --valid FILE"},
		{"model as flag", "generate --checkpoint cv/lm.t7", "", "error: no flag --checkpoint; the model folder is an argument: refrain generate DIR"},
		{"file as model", "generate book.txt", "", "error: book.txt is a file, not a model folder; train makes one: refrain train book.txt"},
		{"layers", "train --num_layers 2", "", "error: no flag --num_layers; did you mean --nlayers?"},
		{"embedding", "train --embedding-dim 2", "", "error: no flag --embedding-dim; did you mean --emsize?"},
		{"sequence", "train --seq_length 2", "", "error: no flag --seq_length; did you mean --bptt?"},
		{"one dash", "train -nhid 128", "", "error: no flag -nhid; did you mean --nhid?"},
		{"one dash that begins like help", "train -hidden_size=3", "", "error: no flag -hidden_size; did you mean --nhid?"},
		{"one dash that begins like verbose", "train -valid x", "", "error: no flag -valid; did you mean --valid?"},
		{"no GPU", "train --gpu 1", "", "error: no flag --gpu; there is no GPU to choose; leave it out"},
		{"another verb's flag", "train --temperature 1", "", "error: no flag --temperature; it belongs to refrain generate"},
		{"nothing like it", "train --zzqqxx 1", "", "error: no flag --zzqqxx; see refrain train --help"},
		{"flag without value", "train --lr", "", "error: --lr needs a value"},
		{"number expected", "train --nhid many", "", `error: --nhid "many": not a whole number`},
		{"time expected", "train --time 10", "", `error: --time "10": not a time such as 90s, 10m or 2h`},
		{"number expected elsewhere", "generate m --top-k x", "", "error: --top-k x: not a whole number"},
		{"range", "generate m --top-p 2", "", "error: --top-p 2 is not from 0 to 1"},
		{"tokens", "generate m --max-tokens 0", "", "error: --max-tokens 0: 1 or more, or -1 for no end"},
		{"two prompts", "generate m --prompt a --prompt-file b", "", "error: --prompt and --prompt-file: give one"},
		{"two models", "generate m n", "", "error: one model at a time: leave out n; text to continue goes to --prompt"},
		{"rank and tokens", "score m --rank --tokens", "", "error: --rank orders whole lines; leave out --tokens, --alert and --carry"},
		{"alert", "score m --alert -1", "", "error: --alert -1: bits a byte above 0, such as 6"},
		{"resume and text", "train --resume m book.txt", "", "error: --resume goes on with the text it began with; leave out book.txt, or train anew without --resume"},
		{"resume and out", "train --resume m --out n", "", "error: --resume goes on in m; leave out --out"},
		{"resume of a file", "train --resume book.txt", "", "error: book.txt is a file; --resume takes the folder that train made"},
		{"one cell of a comparison", "compare book.txt --cell lstm", "", "error: no flag --cell; did you mean --models?"},
		{"pairs as a matrix", "tokenize --keras book.txt --pairs --matrix count", "", "error: --matrix is a row a document; leave out --pairs, --maxlen and --pad"},
		{"unknown verb", "evla", "", "error: no command evla; did you mean refrain eval?"},
		{"unknown verb with flags", "trian book.txt --time 1s", "", "error: no command trian; did you mean refrain train?"},
		{"unknown verb's help", "trian --help", "", "error: no command trian; did you mean refrain train?"},
		{"peer's verb", "sample m", "", "error: no command sample; did you mean refrain generate?"},
		{"file as verb", "book.txt", "", "error: no command book.txt; did you mean refrain train book.txt?"},
		{"nothing like a verb", "xyzzy", "", "error: no command xyzzy; refrain lists them"},
		{"bench of a file", "bench book.txt", "", "error: bench trains on random data; leave out book.txt"},
		{"bench threads", "bench --threads -1", "", "error: --threads -1: wants 0 or more"},
		{"bench shape", "bench --shape 2x64", "", "error: --shape 2x64: want all or, with commas between, 1x128, 2x200, 2x650, 2x512, 1x127, 3x1150"},
		{"bench cell", "bench --cell rnn,lstmm", "", "error: --cell lstmm: want rnn, lstm, lstm-nog or gru, with commas between"},
		{"colour", "doctor --color blue", "", "error: --color blue: takes auto, always or never"},
		{"environment", "train", "REFRAIN_LR=fast", `error: REFRAIN_LR=fast: --lr "fast": not a number`},
		{"config key", "train --config bad.yaml", "", "error: --config bad.yaml: line 2: no setting learning-rate; did you mean lr?"},
		{"config shape", "train --config list.yaml", "", `error: --config list.yaml: not a list of "name: value" lines`},
		{"config twice", "train --config twice.yaml", "", "error: --config twice.yaml: line 2: lr stands there twice"},
		{"recipe", "train book.txt --recipe zaremba", "", "error: no recipe"},
		{"cell", "train book.txt --cell ltsm", "", "error: --cell ltsm: takes rnn, lstm, lstm-nog, gru"},
		{"two budgets", "train book.txt --steps 3 --time 3s", "", "error: --time and --steps: give one budget only"},
		{"completion", "completion bsh", "", "error: no completion for bsh; did you mean bash?"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var env []string
			if test.env != "" {
				env = []string{test.env}
			}
			r := refrain(t, env, "", strings.Fields(test.args)...)
			if r.status != 2 || r.out != "" {
				t.Errorf("status %d, stdout %q; want 2 and nothing", r.status, r.out)
			}
			lines := strings.Split(strings.TrimSpace(r.err), "\n")
			if last := lines[len(lines)-1]; !strings.HasPrefix(last, test.want) {
				t.Errorf("got  %q\nwant %q", last, test.want)
			}
		})
	}
}

// fullDisk takes nothing.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

func TestResultThatCannotBeWritten(t *testing.T) {
	for _, args := range []string{"--version", "train --help", "doctor"} {
		var err bytes.Buffer
		status := cli.Main(append([]string{"refrain"}, strings.Fields(args)...), nil, fullDisk{}, &err, nil)
		if status != 1 || !strings.Contains(err.String(), "error: disk full: ") {
			t.Errorf("%s: status %d, standard error %q", args, status, err.String())
		}
	}
}

func TestFailures(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "empty.txt", "")
	write(t, "zero.bin", "abc\x00\x01\x02def")
	write(t, "short.txt", "one line")
	if err := os.Mkdir("taken", 0o755); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, args, want string }{
		{"no model", "eval nothing book.txt", "error: no folder nothing"},
		{"no model to generate", "generate nothing", "error: no folder nothing"},
		{"folder without model", "generate taken", "error: taken is no finished model folder"},
		{"missing text", "train nothing.txt", "error: nothing.txt: no such file or folder"},
		{"empty text", "train empty.txt", "error: empty.txt"},
		{"binary text", "train zero.bin", "error: zero.bin"},
		{"one-line text", "train short.txt --steps 5", "error: "},
		{"folder taken", "train short.txt --out taken", "error: taken exists already"},
		{"resume nothing", "train --resume nothing", "error: "},
		{"missing config", "train --config nothing.yaml", "error: --config: nothing.yaml: no such file or folder"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := refrain(t, nil, "", strings.Fields(test.args)...)
			if r.status != 1 || r.out != "" {
				t.Errorf("status %d, stdout %q; want 1 and nothing", r.status, r.out)
			}
			lines := strings.Split(strings.TrimSpace(r.err), "\n")
			if last := lines[len(lines)-1]; !strings.HasPrefix(last, test.want) {
				t.Errorf("got  %q\nwant %q", last, test.want)
			}
		})
	}
}

func TestBareVerbsExplainThemselves(t *testing.T) {
	for _, verb := range []string{"eval", "generate", "score", "inspect", "tokenize", "completion"} {
		t.Run(verb, func(t *testing.T) {
			r := refrain(t, nil, "", verb)
			if r.status != 2 || r.out != "" || !strings.Contains(r.err, "refrain "+verb+" ") || strings.Contains(r.err, "error:") {
				t.Errorf("status %d, stdout %q, stderr %q", r.status, r.out, r.err)
			}
		})
	}
}

func TestNoFileAndKeyboard(t *testing.T) {
	for _, args := range []string{"eval m", "score m"} {
		var out, err bytes.Buffer
		status := cli.Main(append([]string{"refrain"}, strings.Fields(args)...), keyboard{strings.NewReader("")}, &out, &err, nil)
		if status != 2 || !strings.Contains(err.String(), "refrain "+args[:4]) {
			t.Errorf("%s: status %d, stderr %q", args, status, err.String())
		}
	}
}

func TestPages(t *testing.T) {
	front := refrain(t, nil, "").out
	for _, want := range []string{"  refrain train book.txt           learn a text (no file: Go's own sources)\n",
		"  refrain score book-model x.txt   find what surprises it\n", "Also: eval compare inspect tokenize quantize doctor bench completion. Help:\nrefrain VERB --help\n"} {
		if !strings.Contains(front, want) {
			t.Errorf("front page %q lacks %q", front, want)
		}
	}
	for _, verb := range []string{"train", "eval", "generate", "score", "compare", "inspect", "tokenize", "quantize", "doctor", "bench", "completion"} {
		for _, args := range [][]string{{verb, "--help"}, {"help", verb}, {verb, "-h", "--color", "never"}, {verb, "--help", "--all"}} {
			r := refrain(t, nil, "", args...)
			if r.status != 0 || r.err != "" || !strings.Contains(r.out, "  refrain "+verb) {
				t.Errorf("%v: status %d, stderr %q, stdout %q", args, r.status, r.err, r.out)
			}
			if strings.Contains(r.out, "[[") || strings.Contains(r.out, "[]") {
				t.Errorf("%v: an empty default in %q", args, r.out)
			}
			for _, line := range strings.Split(r.out, "\n") {
				if len(line) > 80 && !strings.HasPrefix(line, "  refrain") {
					t.Errorf("%v: line of %d columns: %q", args, len(line), line)
				}
			}
		}
	}
	brief, all := refrain(t, nil, "", "train", "--help").out, refrain(t, nil, "", "train", "--help", "--all").out
	if !strings.Contains(brief, "First     --time D       ") || strings.Contains(brief, "learning rate") {
		t.Errorf("brief help is %q", brief)
	}
	for _, want := range []string{"learning rate", "--gru-reset", "--config FILE", "[last 10 %]", "Learning  --lr"} {
		if !strings.Contains(all, want) {
			t.Errorf("help --all lacks %q", want)
		}
	}
}

func TestVersionAndCompletion(t *testing.T) {
	for _, args := range []string{"--version", "version"} {
		if r := refrain(t, nil, "", args); r.status != 0 || !strings.HasPrefix(r.out, "refrain ") || r.err != "" {
			t.Errorf("%s: %+v", args, r)
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if r := refrain(t, nil, "", "completion", shell); r.status != 0 || !strings.Contains(r.out, "refrain") {
			t.Errorf("completion %s: status %d", shell, r.status)
		}
	}
}

func TestManPages(t *testing.T) {
	dir := t.TempDir()
	if r := refrain(t, nil, "", "man", dir); r.status != 0 || r.out+r.err != "" {
		t.Fatalf("%+v", r)
	}
	for _, name := range []string{"refrain.1", "refrain-train.1", "refrain-score.1", "refrain-doctor.1"} {
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if text := string(raw); !strings.HasPrefix(text, ".TH ") || !strings.Contains(text, `1 "" "Refrain"`) {
			t.Errorf("%s begins %.60q: no undated title", name, text)
		}
	}
	raw, _ := os.ReadFile(filepath.Join(dir, "refrain-train.1"))
	if !strings.Contains(string(raw), `\-\-weight\-decay N`) {
		t.Error("refrain-train.1 lacks a flag")
	}
}

func TestDoctorNamesNobody(t *testing.T) {
	r := refrain(t, []string{"USER=xanthippe", "HOME=/home/xanthippe"}, "", "doctor")
	if r.status != 0 || !strings.Contains(r.out, "agree with plain Go") {
		t.Fatalf("%+v", r)
	}
	host, _ := os.Hostname()
	wd, _ := os.Getwd()
	for _, secret := range []string{"xanthippe", host, wd} {
		if secret != "" && strings.Contains(r.out+r.err, secret) {
			t.Errorf("%q appears in %q", secret, r.out)
		}
	}
	for _, line := range strings.Split(strings.TrimSpace(refrain(t, nil, "", "doctor", "--json").out), "\n") {
		if !strings.HasPrefix(line, `{"level":"`) {
			t.Errorf("json line %q", line)
		}
	}
}

func TestMisspeltVariableWarns(t *testing.T) {
	r := refrain(t, []string{"REFRAIN_LEARNING_RATE=1", "REFRAIN_CPU=", "REFRAIN_TEMPERATURE=1"}, "", "doctor")
	if !strings.Contains(r.err, "warning: REFRAIN_LEARNING_RATE is no setting") || strings.Contains(r.err, "TEMPERATURE") {
		t.Errorf("stderr %q", r.err)
	}
}

func TestErrorsWrapOnTerminalsOnly(t *testing.T) {
	args := []string{"refrain", "train", "--resume", "m", "a-file-with-a-rather-long-name.txt"}
	tty := &screen{columns: 50}
	if status := cli.Main(args, strings.NewReader(""), io.Discard, tty, []string{"NO_COLOR=1"}); status != 2 {
		t.Errorf("status %d", status)
	}
	lines := strings.Split(strings.TrimSpace(tty.String()), "\n")
	for _, l := range lines {
		if len(l) > 49 || strings.Contains(l, "\x1b") {
			t.Errorf("line %q on a terminal of 50 columns", l)
		}
	}
	if len(lines) < 2 || !strings.HasPrefix(lines[1], "  ") {
		t.Errorf("%q is not wrapped with an indent", lines)
	}
	var log bytes.Buffer
	cli.Main(args, strings.NewReader(""), io.Discard, &log, nil)
	if n := strings.Count(log.String(), "\n"); n != 1 {
		t.Errorf("%d lines in a log: %q", n, log.String())
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
