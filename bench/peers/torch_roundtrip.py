"""Proves that weights go from Refrain to PyTorch and back, with real PyTorch.

For every model that torch's own modules make, with 1 and 2 layers, tied and untied:
  out   `refrain train` makes a model; a module of torch's own Embedding, RNN/LSTM/GRU, ModuleList of Linear or
        TransformerEncoder, and Linear takes its model.safetensors with load_state_dict(strict=True) and must give the
        loss of `refrain eval` on a text (one stream, zero state, state carried) within 1e-5.
  in    the same module with new weights is written by safetensors' save_file into a copy of the model folder;
        `refrain eval` must give the module's loss within 1e-5.
"""

import argparse
import itertools
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F

TOLERANCE = 1e-5
NO_COUNTERPART = ("--cell lstm-nog, --cell gru --gru-reset before, and cells with --norm layer or recurrent-batch; "
                  "an n-gram model is no neural network")
MODELS = {
    "rnn": ["--cell", "rnn"],
    # The state of a ReLU cell has no bound; torch's smaller initial weights keep every short run finite.
    "rnn relu": ["--cell", "rnn", "--nonlinearity", "relu", "--init", "pytorch"],
    "lstm": ["--cell", "lstm"],
    "gru": ["--cell", "gru", "--gru-reset", "after"],
    "ffn": ["--model", "ffn", "--order", "4"],
    "transformer": ["--model", "transformer", "--heads", "2", "--context", "12"],
}


class LanguageModel(nn.Module):
    """An embedding, what a kind of model has between, and an output layer."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.encoder = nn.Embedding(config["vocab"], config["emsize"])
        self.build(config)
        width = config["nhid"]
        if config["tied"] and config["emsize"] != config["nhid"]:
            self.proj = nn.Linear(config["nhid"], config["emsize"], bias=False)
            width = config["emsize"]
        self.decoder = nn.Linear(width, config["vocab"])
        if config["tied"]:
            self.decoder.weight = self.encoder.weight

    def loss(self, ids, window=64):
        """Nats a token over one stream from a zero state; the first token is given and not counted."""
        total, state = 0.0, None
        with torch.no_grad():
            for at in range(0, len(ids) - 1, window):
                part = ids[at:at + window + 1]
                y, state = self.between(self.encoder(part[:-1]), state)
                if hasattr(self, "proj"):
                    y = self.proj(y)
                total += F.cross_entropy(self.decoder(y).double(), part[1:], reduction="sum").item()
        return total / (len(ids) - 1)


class Recurrent(LanguageModel):
    def build(self, config):
        cell = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[config["cell"]]
        extra = {"nonlinearity": config["nonlinearity"]} if config["cell"] == "rnn" else {}
        self.rnn = cell(config["emsize"], config["nhid"], config["nlayers"], **extra)

    def between(self, x, state):
        y, state = self.rnn(x.unsqueeze(1), state)
        return y.squeeze(1), state


class FFN(LanguageModel):
    def build(self, config):
        sizes = [(config["order"] - 1) * config["emsize"]] + [config["nhid"]] * config["nlayers"]
        self.hidden = nn.ModuleList(nn.Linear(i, o) for i, o in zip(sizes, sizes[1:]))

    def between(self, x, state):
        """The state is the last order - 2 vectors, zeros in front of the text."""
        n = self.config["order"] - 1
        seen = torch.cat([torch.zeros(n - 1, x.shape[1]) if state is None else state, x])
        y = torch.cat([seen[i:i + len(x)] for i in range(n)], dim=-1)
        for layer in self.hidden:
            y = torch.tanh(layer(y))
        return y, seen[len(x):]


class Transformer(LanguageModel):
    def build(self, config):
        layer = nn.TransformerEncoderLayer(config["nhid"], config["heads"], config["dim_feedforward"], norm_first=True)
        self.transformer = nn.TransformerEncoder(layer, config["nlayers"], nn.LayerNorm(config["nhid"]),
                                                 enable_nested_tensor=False)

    def between(self, x, state):
        """The state is all vectors that later ones can depend on: each layer sees context - 1 back."""
        seen = x if state is None else torch.cat([state, x])
        y = self.transformer(seen.unsqueeze(1), self.mask(len(seen))).squeeze(1)
        return y[-len(x):], seen[-self.config["nlayers"] * (self.config["context"] - 1):]

    def mask(self, t):
        """ALiBi, [heads,T,T]."""
        heads = self.config["heads"]
        age = torch.arange(t).unsqueeze(1) - torch.arange(t)
        slopes = torch.tensor([2 ** (-8 * (h + 1) / heads) for h in range(heads)])
        return (-slopes.view(-1, 1, 1) * age).masked_fill((age < 0) | (age >= self.config["context"]), -torch.inf)


KINDS = {"recurrent": Recurrent, "ffn": FFN, "transformer": Transformer}


def call(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stderr}")
    return done.stdout


def refrain_loss(refrain, folder, text):
    return json.loads(call(refrain, "eval", folder, text, "--json"))["loss"]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--refrain", required=True, help="the built refrain command")
    p.add_argument("--text", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parents[2] / "LICENSE")
    args = p.parse_args()
    ids = torch.tensor(list(args.text.read_bytes()))  # of the byte tokenizer, ids are bytes
    worst, failed = 0.0, 0
    print("| model | layers | weights | refrain | torch, strict load | difference | torch's own | refrain reads | difference |")
    print("|---|--:|---|--:|--:|--:|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as temp:
        cases = itertools.product(MODELS, (1, 2), ("untied", "tied", "tied, projection"))
        for number, (name, layers, weights) in enumerate(cases):
            if name == "transformer" and weights == "tied, projection":
                continue  # it has one width
            folder = pathlib.Path(temp) / f"model-{number}"
            width = "24" if weights == "tied" or name == "transformer" else "16"
            flags = [*MODELS[name], "--nlayers", str(layers), "--nhid", "24", "--emsize", width, "--tokenizer", "byte",
                     "--steps", "60", "--bptt", "16", "--batch-size", "8", "--lr", "0.003", "--seed", str(number + 1)]
            if weights != "untied":
                flags.append("--tied")
            call(args.refrain, "train", args.text, "--out", folder, *flags)
            config = json.loads((folder / "config.json").read_text())
            ours = refrain_loss(args.refrain, folder, args.text)
            model = KINDS[config["kind"]](config).eval()
            model.load_state_dict(load_file(folder / "model.safetensors"), strict=True)
            theirs = model.loss(ids)

            torch.manual_seed(number)
            fresh = KINDS[config["kind"]](config).eval()
            shutil.copytree(folder, back := folder.with_name(f"back-{number}"))
            # save_file wants no shared memory; Refrain wants tied weights under both names, as state_dict has them.
            save_file({k: v.clone() for k, v in fresh.state_dict().items()}, back / "model.safetensors")
            written, read = fresh.loss(ids), refrain_loss(args.refrain, back, args.text)

            row = [abs(ours - theirs), abs(written - read)]
            worst, failed = max(worst, *row), failed + any(not d <= TOLERANCE for d in row)
            print(f"| {name} | {layers} | {weights} | {ours:.6f} | {theirs:.6f} | {row[0]:.1e} "
                  f"| {written:.6f} | {read:.6f} | {row[1]:.1e} |", flush=True)
    print(f"\nPyTorch {torch.__version__}; largest difference {worst:.1e} nats a token, at most {TOLERANCE:.0e} allowed")
    print(f"No counterpart in torch: {NO_COUNTERPART}.")
    if failed:
        sys.exit(f"torch_roundtrip: {failed} rows differ by more than {TOLERANCE:.0e}")


if __name__ == "__main__":
    main()
