"""PyTorch's side of the speed comparison: one JSON command a line on stdin, one JSON reply a line on stdout.

{"do": "train", "work": {...}, "mode": "eager", "steps": 6}    -> {"seconds": [one a step]}
{"do": "generate", "work": {...}, "mode": "cells", "steps": 200} -> {"seconds": [one a token]}
{"do": "about"} -> versions;   {"do": "modes", "kind": "train", "work": {...}} -> the modes this worker knows
{"do": "losses", "work": {...}, "dir": "...", "steps": 5} -> {"losses": [...]} from the weights and windows in dir
{"do": "drop"} forgets every model built so far.

A work is {"cell", "vocab", "emsize", "nhid", "nlayers", "batch", "bptt", "optimizer", "lr", "clip"}.
"""

import contextlib
import gc
import json
import os
import sys
import time

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F

THREADS = int(os.environ.get("PEERS_THREADS", "2"))
RNN = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


class LanguageModel(nn.Module):
    def __init__(self, work):
        super().__init__()
        self.encoder = nn.Embedding(work["vocab"], work["emsize"])
        self.rnn = RNN[work["cell"]](work["emsize"], work["nhid"], work["nlayers"])
        self.decoder = nn.Linear(work["nhid"], work["vocab"])


# TorchScript wants the state's type spelled out, so there is one class for a single tensor and one for LSTM's pair.
class Single(LanguageModel):
    def forward(self, ids: torch.Tensor, state: torch.Tensor):
        y, state = self.rnn(self.encoder(ids), state)
        return self.decoder(y), state


class Pair(LanguageModel):
    def forward(self, ids: torch.Tensor, state: tuple[torch.Tensor, torch.Tensor]):
        y, state = self.rnn(self.encoder(ids), state)
        return self.decoder(y), state


def build(work):
    torch.manual_seed(1)
    return (Pair if work["cell"] == "lstm" else Single)(work)


def zero_state(work, batch):
    h = torch.zeros(work["nlayers"], batch, work["nhid"])
    return (h, h.clone()) if work["cell"] == "lstm" else h


def detach(state):
    return tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()


class Training:
    """One training run of one mode: eager, eager without oneDNN, torch.compile, TorchScript; bf16 is autocast."""

    def __init__(self, work, mode, warm_up=True):
        self.work, self.mode = work, mode
        self.model = build(work)
        self.call = self.model
        if mode.startswith("compile"):
            self.call = torch.compile(self.model)
        elif mode.startswith("script"):
            self.call = torch.jit.script(self.model)
        # fused=True is the fastest of torch's implementations of a step on a CPU.
        if work["optimizer"] == "adam":
            self.optimizer = torch.optim.Adam(self.model.parameters(), lr=work["lr"], fused=True)
        else:
            self.optimizer = torch.optim.SGD(self.model.parameters(), lr=work["lr"], fused=True)
        self.state = zero_state(work, work["batch"])
        self.generator = torch.Generator().manual_seed(7)
        if warm_up:  # compilation, allocator, oneDNN's primitive cache
            self.steps(2)

    def flags(self):
        if self.mode == "eager-no-onednn":
            return torch.backends.mkldnn.flags(enabled=False)
        if self.mode.endswith("-bf16"):
            return torch.autocast("cpu", torch.bfloat16)
        return contextlib.nullcontext()

    def steps(self, count):
        work, seconds = self.work, []
        for _ in range(count):
            ids = torch.randint(work["vocab"], (work["bptt"] + 1, work["batch"]), generator=self.generator)
            start = time.perf_counter()
            self.step(ids[:-1], ids[1:])
            seconds.append(time.perf_counter() - start)
        return seconds

    def step(self, inputs, targets):
        self.optimizer.zero_grad(set_to_none=True)
        with self.flags():
            logits, state = self.call(inputs, detach(self.state))
            loss = F.cross_entropy(logits.view(-1, self.work["vocab"]), targets.reshape(-1))
        loss.backward()
        if self.work["clip"]:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.work["clip"])
        self.optimizer.step()
        self.state = state
        return loss.item()


class CellStack(nn.Module):
    """One token through explicit cells: less bookkeeping than nn.LSTM at T = B = 1, and torch.compile takes it whole."""

    def __init__(self, model, work):
        super().__init__()
        self.encoder, self.decoder = model.encoder, model.decoder
        cell = {"rnn": nn.RNNCell, "lstm": nn.LSTMCell, "gru": nn.GRUCell}[work["cell"]]
        self.cells = nn.ModuleList()
        for layer in range(work["nlayers"]):
            c = cell(work["emsize"] if layer == 0 else work["nhid"], work["nhid"])
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                getattr(c, name).data.copy_(getattr(model.rnn, f"{name}_l{layer}").data)
            self.cells.append(c)

    def forward(self, token, state):
        x, new = self.encoder(token), []
        for cell, s in zip(self.cells, state):
            s = cell(x, s)
            new.append(s)
            x = s[0] if isinstance(s, tuple) else s
        return self.decoder(x).argmax(-1), new


class Scripted(nn.Module):
    """nn.LSTM and its like under TorchScript, frozen: state carried, the likeliest id taken."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, token, state):
        logits, state = self.inner(token.view(1, 1), state)
        return logits.view(-1).argmax(-1).view(1), state


def dynamic(model):
    """The model with torch's dynamic int8 quantization: weights in int8, inputs quantized as they come."""
    return torch.ao.quantization.quantize_dynamic(
        model, {nn.LSTM, nn.GRU, nn.LSTMCell, nn.GRUCell, nn.RNNCell, nn.Linear}, dtype=torch.qint8)


class Generation:
    """Greedy single-stream generation; a mode is an implementation and a thread count, as in cells-2. Those with int8
    in front are quantized."""

    def __init__(self, work, mode):
        self.mode, self.threads = mode.split("-")[0], int(mode.split("-")[1])
        int8 = self.mode.startswith("int8")
        self.mode = self.mode.removeprefix("int8")
        model = build(work).eval()
        if self.mode in ("cells", "compile"):
            self.call = CellStack(model, work).eval()
            if int8:
                self.call = dynamic(self.call)
            one = lambda: torch.zeros(1, work["nhid"])
            self.state = [(one(), one()) if work["cell"] == "lstm" else one() for _ in range(work["nlayers"])]
            if self.mode == "compile":
                self.call = torch.compile(self.call)
        else:
            self.state = zero_state(work, 1)
            if int8:
                model = dynamic(model)
            if self.mode == "script":
                model = torch.jit.freeze(torch.jit.script(model))
            self.call = Scripted(model)
        self.token = torch.zeros(1, dtype=torch.long)
        self.steps(20)

    def steps(self, count):
        seconds = []
        torch.set_num_threads(self.threads)
        try:
            with torch.inference_mode():
                for _ in range(count):
                    start = time.perf_counter()
                    self.token, self.state = self.call(self.token, self.state)
                    self.token.item()
                    seconds.append(time.perf_counter() - start)
        finally:
            torch.set_num_threads(THREADS)
        return seconds


def losses(work, folder, steps):
    """The losses of steps on the windows that Refrain trained on, from its weights."""
    training = Training(work, "eager", warm_up=False)
    training.model.load_state_dict(load_file(os.path.join(folder, "weights.safetensors")))
    ids = torch.from_numpy(np.fromfile(os.path.join(folder, "windows.i32"), np.int32).astype(np.int64))
    windows = ids.view(steps, 2, work["bptt"], work["batch"])
    return [training.step(w[0], w[1]) for w in windows]


# Autocast is slower than no autocast where the processor has no products of bfloat16.
BF16 = torch.backends.cpu.get_cpu_capability().startswith(("AVX512", "AMX")) and "avx512_bf16" in open("/proc/cpuinfo").read()
MODES = {
    "train": ["eager", "eager-no-onednn", "compile", "script"] + (["eager-bf16", "compile-bf16"] if BF16 else []),
    "generate": [f"{mode}-{n}" for mode in ("eager", "script", "cells", "compile") for n in (1, 2)],
    "generate int8": [f"int8{mode}-{n}" for mode in ("eager", "script", "cells") for n in (1, 2)],
}


def main():
    torch.set_num_threads(THREADS)
    replies, sys.stdout = sys.stdout, sys.stderr  # whatever a library prints must not mix with the replies
    built = {}
    for line in sys.stdin:
        command = json.loads(line)
        try:
            do = command["do"]
            if do == "about":
                reply = {"torch": torch.__version__, "threads": torch.get_num_threads(),
                         "onednn": torch.backends.mkldnn.is_available(), "mkl": torch.backends.mkl.is_available()}
            elif do == "losses":
                reply = {"losses": losses(command["work"], command["dir"], command["steps"])}
            elif do == "modes":
                reply = {"modes": MODES[command["kind"]]}
            elif do == "drop":
                built.clear()
                torch._dynamo.reset()
                gc.collect()
                reply = {}
            else:
                key = json.dumps([do, command["work"], command["mode"]], sort_keys=True)
                if key not in built:
                    built[key] = (Training if do == "train" else Generation)(command["work"], command["mode"])
                reply = {"seconds": built[key].steps(command["steps"])}
        except Exception as e:  # a mode that doesn't work on this machine is a row, not the end
            reply = {"error": f"{type(e).__name__}: {e}".splitlines()[0][:200]}
        print(json.dumps(reply), file=replies, flush=True)


if __name__ == "__main__":
    main()
