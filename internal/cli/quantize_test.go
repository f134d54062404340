package cli_test

import (
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/refrain-lm/refrain/checkpoint"
)

func TestQuantize(t *testing.T) {
	smallModel(t)
	for _, to := range []string{"int8", "bfloat16"} {
		folder := "song-model-" + to
		r := refrain(t, nil, "", "quantize", "song-model", "--to", to)
		if r.status != 0 || r.out != folder+"\n" {
			t.Fatalf("%s: %+v, want the folder alone on stdout", to, r)
		}
		for _, want := range []string{"weights     " + to + ", ", "; float32 had ", " nats/char, was ", "perplexity  "} {
			if !strings.Contains(r.err, want) {
				t.Errorf("%s: stderr lacks %q:\n%s", to, want, r.err)
			}
		}
		if text := refrain(t, nil, "", "generate", folder, "--max-tokens", "20"); text.status != 0 || len(text.out) < 10 {
			t.Errorf("generate: %+v", text)
		}
		if scored := refrain(t, nil, "line 3 of the song\n", "score", folder, "--alert", "6"); scored.status != 0 {
			t.Errorf("score: %+v", scored)
		}
		if shown := refrain(t, nil, "", "inspect", folder); !strings.Contains(shown.out, "weights "+to) {
			t.Errorf("inspect: %+v", shown)
		}
		ratio := perplexityOf(t, folder) / perplexityOf(t, "song-model")
		if ratio == 1 || math.Abs(ratio-1) > 0.005 {
			t.Errorf("%s: %v of the original's perplexity, want within 0.5 percent and not the same", to, ratio)
		}
		fails(t, refrain(t, nil, "", "train", "--resume", folder), 1, folder+" is quantized, for use alone")
		fails(t, refrain(t, nil, "", "quantize", folder), 1, "the model's weights are "+to+" already")
	}
	size := func(dir string) float64 {
		info, err := os.Stat(dir + "/model.safetensors")
		if err != nil {
			t.Fatal(err)
		}
		return float64(info.Size())
	}
	if float, byte := size("song-model"), size("song-model-int8"); byte > 0.35*float {
		t.Errorf("int8 weights have %v bytes, float32 ones %v", byte, float)
	}
	if _, err := checkpoint.ReadSafetensorsFile("song-model-int8/model.safetensors"); err == nil || !strings.Contains(err.Error(), `type "I8"`) {
		t.Errorf("read as float32: %v", err)
	}
}

func perplexityOf(t *testing.T, dir string) float64 {
	t.Helper()
	var res struct {
		Perplexity float64 `json:"perplexity"`
	}
	r := refrain(t, nil, "", "eval", dir, "song.txt", "--json")
	if err := json.Unmarshal([]byte(r.out), &res); err != nil {
		t.Fatalf("%v in %+v", err, r)
	}
	return res.Perplexity
}

// The losses of a file of one's own are those of eval.
func TestQuantizeValid(t *testing.T) {
	smallModel(t)
	r := refrain(t, nil, "", "quantize", "song-model", "--valid", "song.txt", "--out", "small", "--json")
	var out struct {
		Model   string                       `json:"model"`
		Loss    struct{ Perplexity float64 } `json:"loss"`
		LossWas struct{ Perplexity float64 } `json:"loss_was"`
	}
	if err := json.Unmarshal([]byte(r.out), &out); err != nil {
		t.Fatalf("%v in %+v", err, r)
	}
	if got, want := out.Loss.Perplexity, perplexityOf(t, "small"); out.Model != "small" || got != want {
		t.Errorf("%q has perplexity %v, eval says %v", out.Model, got, want)
	}
	if got, want := out.LossWas.Perplexity, perplexityOf(t, "song-model"); got != want {
		t.Errorf("the original has perplexity %v, eval says %v", got, want)
	}
	if err := os.Remove("song-model/data.ids"); err != nil {
		t.Fatal(err)
	}
	if r := refrain(t, nil, "", "quantize", "song-model"); r.status != 0 || !strings.Contains(r.err, "give --valid FILE") {
		t.Errorf("without a validation text: %+v", r)
	}
}

func TestQuantizeBadInput(t *testing.T) {
	smallModel(t)
	fails(t, refrain(t, nil, "", "quantize", "song-model", "--to", "int4"), 2, "--to int4: takes int8 or bfloat16")
	fails(t, refrain(t, nil, "", "quantize", "song-model", "other"), 2, "one model at a time")
	fails(t, refrain(t, nil, "", "quantize", "song-model", "--out", "song-model"), 2, "--out song-model exists already")
	fails(t, refrain(t, nil, "", "quantize", "song-model", "--valid", "-"), 2, "--valid is read once for each model")
	fails(t, refrain(t, nil, "", "quantize", "nothing"), 1, "no folder nothing")
	if r := refrain(t, nil, "", "train", "song.txt", "--model", "ngram", "--out", "counted"); r.status != 0 {
		t.Fatalf("train: %+v", r)
	}
	fails(t, refrain(t, nil, "", "quantize", "counted"), 1, "counted: a model of kind ngram has no matrices")
}
