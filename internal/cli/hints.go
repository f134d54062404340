package cli

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/refrain-lm/refrain/internal/typo"
)

// peerNames maps what other programs call a flag (char-rnn, torch-rnn, PyTorch's
// examples, AWD-LSTM, fairseq, Keras, transformers, llama.cpp) to our name.
var peerNames = map[string]string{
	"learning-rate": "lr", "learningrate": "lr", "base-lr": "lr", "max-lr": "lr", "lr-max": "lr",
	"rnn-size": "nhid", "hidden-size": "nhid", "hidden": "nhid", "hidden-dim": "nhid", "hid": "nhid", "n-hid": "nhid",
	"num-units": "nhid", "units": "nhid", "n-hidden": "nhid", "nhidden": "nhid", "hidden-units": "nhid", "num-hidden": "nhid",
	"num-layers": "nlayers", "layers": "nlayers", "n-layers": "nlayers", "n-layer": "nlayers", "num-rnn-layers": "nlayers", "depth": "nlayers",
	"embedding-dim": "emsize", "embedding-size": "emsize", "embed-dim": "emsize", "embed-size": "emsize", "emb-size": "emsize",
	"emb-dim": "emsize", "emb-sz": "emsize", "wordvec-size": "emsize", "n-embd": "emsize", "ninp": "emsize", "decoder-embed-dim": "emsize", "input-encoding-size": "emsize",
	"seq-length": "bptt", "seq-len": "bptt", "sequence-length": "bptt", "seqlen": "bptt", "block-size": "bptt", "num-steps": "bptt",
	"n-steps": "bptt", "window": "bptt", "unroll": "bptt", "tokens-per-sample": "bptt", "ctx": "bptt", "ctx-size": "bptt", "maxlen": "bptt",
	"batchsize": "batch-size", "batch": "batch-size", "bsz": "batch-size", "mini-batch": "batch-size", "minibatch-size": "batch-size", "b": "batch-size", "bs": "batch-size",
	"max-epochs": "epochs", "max-epoch": "epochs", "num-epochs": "epochs", "nepochs": "epochs", "n-epochs": "epochs", "max-max-epoch": "epochs",
	"max-iters": "steps", "num-iters": "steps", "iterations": "steps", "iters": "steps", "max-steps": "steps", "max-update": "steps", "updates": "steps", "num-train-steps": "steps",
	"grad-clip": "clip", "max-grad-norm": "clip", "clip-norm": "clip", "clipnorm": "clip", "gradient-clip": "clip", "clip-grad": "clip", "clip-gradient": "clip", "grad-clip-norm": "clip",
	"clipvalue": "clip-value", "drop": "dropout", "dropout-rate": "dropout", "drop-rate": "dropout", "keep-prob": "dropout",
	"dropouti": "dropout-input", "dropouth": "dropout-layer", "dropouto": "dropout-output", "wdrop": "dropout-weight", "weight-drop": "dropout-weight", "recurrent-dropout": "dropout-weight",
	"wd": "weight-decay", "wdecay": "weight-decay", "l2": "weight-decay", "decay": "weight-decay",
	"optim": "optimizer", "optimiser": "optimizer", "lr-scheduler": "schedule", "scheduler": "schedule", "lr-schedule": "schedule", "decay-lr": "schedule", "when": "schedule",
	"learning-rate-decay": "lr-decay", "lr-shrink": "lr-decay", "learning-rate-decay-after": "lr-hold", "decay-rate": "lr-decay",
	"warmup-steps": "warmup", "warmup-updates": "warmup", "warmup-ratio": "warmup", "warmup-iters": "warmup", "pct-start": "warmup",
	"tie-weights": "tied", "tied-weights": "tied", "tie-embeddings": "tied", "layer-norm": "norm", "layernorm": "norm", "batch-norm": "norm", "batchnorm": "norm", "normalization": "norm", "skip-connections": "residual", "residuals": "residual", "share-decoder-input-output-embed": "tied",
	"rnn-type": "cell", "cell-type": "cell", "rnn": "cell", "lstm": "cell", "gru": "cell", "arch": "model", "model-type": "cell", "type": "cell",
	"activation": "nonlinearity", "initializer": "init", "kernel-initializer": "init", "recurrent-initializer": "init",
	"reset-after": "gru-reset", "use-bias": "bias", "moms": "beta1", "beta": "beta1", "init-scale": "init-range", "initrange": "init-range", "unit-forget-bias": "forget-bias",
	"output": "out", "save": "out", "save-dir": "out", "out-dir": "out", "output-dir": "out", "checkpoint-dir": "out", "o": "out", "name": "out", "savefile": "out", "checkpoint-name": "out",
	"init-from": "resume", "continue": "resume", "load": "resume", "checkpoint": "resume", "restore": "resume", "restore-file": "resume", "resume-from": "resume", "resume-from-checkpoint": "resume",
	"val": "valid", "dev": "valid", "validation": "valid", "validate": "valid", "validation-file": "valid", "eval-file": "valid", "val-file": "valid",
	"save-interval": "save-every", "save-steps": "save-every", "checkpoint-every": "save-every", "save-freq": "save-every",
	"eval-every": "valid-every", "eval-interval": "valid-every", "eval-val-every": "valid-every", "validate-interval": "valid-every", "eval-steps": "valid-every",
	"n-gram": "order", "ngram": "order", "ngram-order": "order", "n-order": "order",
	"nhead": "heads", "n-head": "heads", "num-heads": "heads", "num-attention-heads": "heads", "decoder-attention-heads": "heads", "mem-len": "context",
	"d-model": "nhid", "ffn-dim": "dim-feedforward", "d-ff": "dim-feedforward", "n-inner": "dim-feedforward", "intermediate-size": "dim-feedforward", "decoder-ffn-embed-dim": "dim-feedforward",
	"early-stopping": "patience", "early-stop": "patience", "num-threads": "threads", "nthreads": "threads", "jobs": "threads", "workers": "threads", "num-workers": "threads", "t": "threads",
	"dtype": "precision", "fp16": "precision", "bf16": "precision", "amp": "precision", "preset": "recipe", "budget": "time", "duration": "time", "max-time": "time", "timeout": "time",
	"tokeniser": "tokenizer", "level": "tokenizer", "vocab": "vocab-size", "vocabulary-size": "vocab-size", "max-vocab": "vocab-size",
	"max-features": "vocab-size", "oov-token": "oov", "padding": "pad", "truncating": "truncate",
	"min-freq": "min-count", "min-frequency": "min-count", "lowercase": "lower", "lower-case": "lower", "normalise": "normalize", "nonorm": "normalize",
	"random-seed": "seed", "manual-seed": "seed", "rng-seed": "seed", "averaging": "average", "ema": "average", "asgd": "average",
	"temp": "temperature", "max-new-tokens": "max-tokens", "n-predict": "max-tokens", "n": "max-tokens", "length": "max-tokens", "num-tokens": "max-tokens",
	"max-length": "max-tokens", "words-to-generate": "max-tokens", "num-samples": "max-tokens", "words": "max-tokens", "diversity": "temperature", "topk": "top-k", "topp": "top-p", "nucleus": "top-p", "minp": "min-p",
	"primetext": "prompt", "prime": "prompt", "prefix": "prompt", "start": "prompt", "start-text": "prompt", "p": "prompt", "prompt-text": "prompt",
	"repeat-penalty": "repetition-penalty", "stop-string": "stop", "stop-sequence": "stop", "reverse-prompt": "stop", "i": "interactive",
	"threshold": "alert", "nbest": "rank", "rescore": "rank", "sentence": "per-line", "per-sentence": "per-line", "plan": "dry-run", "quiet-mode": "quiet",
	"lambda": "mix-weight", "interpolation-weight": "mix-weight", "mix-lambda": "mix-weight", "interpolate": "mix", "lm": "arpa",
	"no-color": "color", "no-colour": "color", "colour": "color", "silent": "quiet",
}

// otherNames maps a flag of one verb to what another calls the same.
var otherNames = map[string]string{"vocab-size": "num-words", "num-words": "vocab-size", "cell": "models", "model": "models"}

const lastTenth = "the last 10 % of a text validates, or --valid FILE"

// noCounterpart answers flags of peers that mean nothing here.
var noCounterpart = map[string]string{
	"cuda": "there is no GPU to choose; leave it out", "gpu": "there is no GPU to choose; leave it out",
	"gpuid": "there is no GPU to choose; leave it out", "gpu-id": "there is no GPU to choose; leave it out",
	"device": "it runs on the CPU; leave it out", "no-cuda": "it runs on the CPU; leave it out",
	"data": "files are arguments: refrain train FILE", "data-dir": "folders are arguments: refrain train DIR",
	"input": "files are arguments", "file": "files are arguments", "input-file": "files are arguments",
	"train-data": "files are arguments: refrain train FILE", "dataset": "files are arguments: refrain train FILE", "input-json": "files are arguments: refrain train FILE",
	"opencl": "it runs on the CPU; leave it out", "backend": "it runs on the CPU; leave it out", "compile": "it runs on the CPU; leave it out",
	"val-frac": lastTenth, "train-frac": lastTenth, "validation-split": lastTenth, "test-frac": lastTenth,
	"print-every": "the screen follows by itself; -v shows more", "log-interval": "the screen follows by itself; -v shows more",
	"wandb-log": "metrics.jsonl in the model folder has every figure, --json prints them",
	"eval-only": "refrain eval DIR FILE measures a model", "eval-iters": "validation takes its whole part, or what the time allows",
	"always-save-checkpoint":      "a good state is always on disk; see --save-every",
	"gradient-accumulation-steps": "take a larger --batch-size", "min-lr": "schedules end near zero; see --schedule and --cooldown",
	"lr-decay-iters": "schedules end with the run; see --schedule and --cooldown", "nonmono": "see --patience and --average",
	"alpha":    "there is no activation regularization; a learning rate is --lr",
	"momentum": "no optimizer here has it; take --optimizer adam", "nesterov": "no optimizer here has it; take --optimizer adam",
	"amsgrad":  "no optimizer here has it; take --optimizer adam",
	"stateful": "the state goes on from window to window; see --state-reset", "shuffle": "the order of a text stays; leave it out",
	"return-sequences": "every token is predicted; leave it out", "dropoute": "whole words are not dropped; see --dropout-input",
	"sample": "--temperature 0 takes the likeliest instead of drawing", "outf": "the text goes to standard output: add > FILE",
	"text": "files are arguments", "corpus": "files are arguments: refrain train FILE", "f": "files are arguments",
}

// dashes is pflag's normalisation: "_" is read as "-".
func dashes(_ *pflag.FlagSet, name string) pflag.NormalizedName {
	return pflag.NormalizedName(strings.ReplaceAll(name, "_", "-"))
}

// flagHint advises on a flag that cmd does not have.
func flagHint(cmd *cobra.Command, name string) string {
	name = strings.ToLower(strings.ReplaceAll(strings.TrimLeft(name, "-"), "_", "-"))
	has := func(n string) bool { return cmd.Flags().Lookup(n) != nil }
	if has(name) {
		return "did you mean --" + name + "?"
	}
	for _, peer := range []string{peerNames[name], otherNames[name], otherNames[peerNames[name]]} {
		if peer != "" && has(peer) {
			return "did you mean --" + peer + "?"
		}
	}
	if advice := noCounterpart[name]; advice != "" {
		return advice
	}
	if cmd.Name() != "train" && cmd.Flags().Lookup("out") == nil && peerNames[name] == "resume" {
		return "the model folder is an argument: " + cmd.CommandPath() + " DIR"
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	if near := typo.Nearest(name, names); near != "" {
		return "did you mean --" + near + "?"
	}
	for _, other := range cmd.Root().Commands() {
		if !other.Hidden && other.Flags().Lookup(name) != nil {
			return "it belongs to " + other.CommandPath()
		}
	}
	return "see " + cmd.CommandPath() + " --help"
}
