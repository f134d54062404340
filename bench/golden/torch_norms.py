"""Writes nn/testdata/norm_*.json: one window of a language model with
normalisation or residual connections.

Torch has no such recurrent cells, so they are written here from their
equations, one step at a time, on torch.nn.functional.layer_norm and batch_norm
and torch.nn.BatchNorm1d, and differentiated by autograd. The fields are those
of torch_layers.py; "norm" and "residual" are as package lm names them. "weights"
also hold running statistics before the window where there are any, "running"
those after it: of a recurrent batch norm one row for each step, taken over.

usage: torch_norms.py FOLDER
"""

import sys

import torch
from torch.nn import functional

import fixture

SEED = 20240523
VOCAB, EMSIZE, HIDDEN, LANES, STEPS, LAYERS = 11, 6, 7, 4, 5, 2
GATES = {"rnn": 1, "lstm": 4, "gru": 3}
SPANS = {"rnn": [1], "lstm": [4], "gru": [2, 1]}


def spans(cell, v, gain):
    """Layer norm of each span of gates, without shift."""
    sizes = [n * HIDDEN for n in SPANS[cell]]
    parts = zip(v.split(sizes, -1), gain.split(sizes))
    return torch.cat([functional.layer_norm(p, p.shape[-1:], g) for p, g in parts], -1)


class Cell(torch.nn.Module):
    """One recurrent layer; step takes and returns a tuple of states."""

    def __init__(self, cell, norm, layer, width):
        super().__init__()
        self.cell, self.norm = cell, norm
        n = GATES[cell] * HIDDEN
        shapes = {"weight_ih": (n, width), "weight_hh": (n, HIDDEN), "bias_ih": (n,), "bias_hh": (n,)}
        self.moments = {}
        if norm in ("layer", "recurrent-batch"):
            shapes |= {"norm_ih": (n,), "norm_hh": (n,)}
            if cell == "lstm":
                shapes |= {"norm_c": (HIDDEN,), "norm_c_bias": (HIDDEN,)}
        self.suffix = f"_l{layer}"
        for name, shape in shapes.items():
            self.register_parameter(name + self.suffix, torch.nn.Parameter(torch.zeros(shape)))

    def p(self, name):
        return getattr(self, name + self.suffix)

    def batch(self, name, v, shift=None):
        """Batch norm of one step, whose moments are kept."""
        mean, var = torch.zeros(v.shape[-1]).double(), torch.zeros(v.shape[-1]).double()
        y = functional.batch_norm(v, mean, var, self.p(name), shift, training=True, momentum=1)
        for what, value in (("mean", mean), ("var", var)):
            self.moments.setdefault(f"{name}_{what}{self.suffix}", []).append(value)
        return y

    def sides(self, x, h):
        a, u = x @ self.p("weight_ih").T, h @ self.p("weight_hh").T
        if self.norm == "layer":
            a, u = spans(self.cell, a, self.p("norm_ih")), spans(self.cell, u, self.p("norm_hh"))
        elif self.norm == "recurrent-batch":
            a, u = self.batch("norm_ih", a), self.batch("norm_hh", u)
        return a + self.p("bias_ih"), u + self.p("bias_hh")

    def step(self, x, state):
        a, u = self.sides(x, state[0])
        if self.cell == "rnn":
            return (torch.tanh(a + u),)
        if self.cell == "gru":
            (ar, az, an), (ur, uz, un) = a.chunk(3, -1), u.chunk(3, -1)
            r, z = torch.sigmoid(ar + ur), torch.sigmoid(az + uz)
            return ((1 - z) * torch.tanh(an + r * un) + z * state[0],)
        i, f, g, o = (a + u).chunk(4, -1)
        c = torch.sigmoid(f) * state[1] + torch.sigmoid(i) * torch.tanh(g)
        squashed = c
        if self.norm == "layer":
            squashed = functional.layer_norm(c, c.shape[-1:], self.p("norm_c"), self.p("norm_c_bias"))
        elif self.norm == "recurrent-batch":
            squashed = self.batch("norm_c", c, self.p("norm_c_bias"))
        return torch.sigmoid(o) * torch.tanh(squashed), c


class Model(torch.nn.Module):
    def __init__(self, cell, norm, residual):
        super().__init__()
        self.encoder = torch.nn.Embedding(VOCAB, EMSIZE)
        widths = [EMSIZE] + [HIDDEN] * (LAYERS - 1)
        self.cells = torch.nn.ModuleList([Cell(cell, norm, i, w) for i, w in enumerate(widths)])
        self.norms = torch.nn.ModuleList([torch.nn.BatchNorm1d(HIDDEN) for _ in widths] if norm == "batch" else [])
        self.decoder = torch.nn.Linear(HIDDEN, VOCAB)
        self.residual = residual
        self.double()

    def forward(self, ids, states):
        x, final = self.encoder(ids), []
        for i, cell in enumerate(self.cells):
            state, out = states[i], []
            for t in range(len(ids)):
                state = cell.step(x[t], state)
                out.append(state[0])
            y = torch.stack(out)
            if self.norms:
                y = self.norms[i](y.reshape(-1, HIDDEN)).reshape(y.shape)
            x = x + y if self.residual and i > 0 else y
            final.append(state)
        return self.decoder(x), x, final


def public(name):
    """cells.0.weight_ih_l0 is rnn.weight_ih_l0, norms.0.weight is norm_l0.weight."""
    kind, _, rest = name.partition(".")
    if kind == "cells":
        return "rnn." + rest.partition(".")[2]
    if kind == "norms":
        layer, _, what = rest.partition(".")
        return f"norm_l{layer}.{what}"
    return name


def running(model):
    return {public(k): v.clone() for k, v in model.named_buffers() if not k.endswith("num_batches_tracked")}


def by_position(model):
    return {"rnn." + k: torch.stack(v) for cell in model.cells for k, v in cell.moments.items()}


def named_state(states, form):
    return {f"{k}_l{i}": form(v.detach().numpy()) for i, s in enumerate(states) for k, v in zip("hc", s)}


def window(folder, name, cell, norm="", residual=False):
    draw = fixture.drawer(SEED)
    model = Model(cell, norm, residual)
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(torch.from_numpy(draw(tuple(p.shape))))
    parts = 2 if cell == "lstm" else 1
    states = [tuple(torch.from_numpy(draw((LANES, HIDDEN), 0.9)) for _ in range(parts)) for _ in range(LAYERS)]
    ids, targets = draw.ids((STEPS, LANES), VOCAB), draw.ids((STEPS, LANES), VOCAB)
    targets[2, 1] = -1
    before = running(model)
    logits, output, final = model(torch.from_numpy(ids), states)
    loss = functional.cross_entropy(
        logits.reshape(-1, VOCAB), torch.from_numpy(targets).reshape(-1), ignore_index=-1
    )
    loss.backward()
    weights = {public(k): p for k, p in model.named_parameters()}
    fields = {
        "cell": cell, "norm": norm, "residual": residual, "reset": "after" if cell == "gru" else "", "bias": "two",
        "relu": False, "vocab": VOCAB, "emsize": EMSIZE, "hidden": HIDDEN, "layers": LAYERS, "tied": False,
        "lanes": LANES, "steps": STEPS,
        "ids": ids.ravel().tolist(), "targets": targets.ravel().tolist(),
        "weights": {k: fixture.exact(v.detach().numpy()) for k, v in {**weights, **before}.items()},
        "state": named_state(states, fixture.exact),
        "output": fixture.result(output.detach().numpy()),
        "final": named_state(final, fixture.result),
        "loss": loss.item(),
        "grads": {k: fixture.result(p.grad.numpy()) for k, p in weights.items()},
        "running": {k: fixture.result(v.numpy()) for k, v in {**running(model), **by_position(model)}.items()},
    }
    if norm == "recurrent-batch":
        fields["final"] |= {f"n_l{i}": fixture.exact([STEPS] * LANES) for i in range(LAYERS)}
    fixture.write(f"{folder}/norm_{name}.json", "torch_norms.py", {"torch": torch.__version__}, SEED, fields)


def main(folder):
    torch.set_num_threads(1)
    for cell in GATES:
        window(folder, f"layer_{cell}", cell, norm="layer")
    window(folder, "batch_rnn", "rnn", norm="batch")
    window(folder, "batch_lstm_residual", "lstm", norm="batch", residual=True)
    for cell in GATES:
        window(folder, f"recurrent_batch_{cell}", cell, norm="recurrent-batch")


if __name__ == "__main__":
    main(sys.argv[1])
