"""Writes nn/testdata/torch_*.json: one window of a language model made of
torch.nn.Embedding, RNN, LSTM or GRU, and Linear.

Fields: "cell", "reset", "bias", "relu" choose the cell as package nn names it;
"vocab", "emsize", "hidden", "layers", "tied", "lanes", "steps" are sizes.
"ids" and "targets" are [T,B]; a target of -1 is not counted. "weights" go by
PyTorch's names, tied ones only as encoder.weight. "state" holds h_l0, c_l0, ...
before the window and "final" after it, [B,H] each; "output" [T,B,H] is that of
the last layer, "loss" the mean over the counted targets, and "grads" its
gradients.

usage: torch_layers.py FOLDER
"""

import sys

import torch

import fixture

SEED = 20240517
VOCAB, HIDDEN, LANES, STEPS, LAYERS = 11, 7, 3, 5, 2
CLASSES = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}


class Model(torch.nn.Module):
    """encoder, rnn, proj (only where tied widths differ), decoder."""

    def __init__(self, cell, relu, emsize, tied, layers=LAYERS):
        super().__init__()
        options = {"nonlinearity": "relu" if relu else "tanh"} if cell == "rnn" else {}
        self.encoder = torch.nn.Embedding(VOCAB, emsize)
        self.rnn = CLASSES[cell](emsize, HIDDEN, layers, **options)
        self.proj = None
        width = HIDDEN
        if tied and emsize != HIDDEN:
            self.proj = torch.nn.Linear(HIDDEN, emsize, bias=False)
            width = emsize
        self.decoder = torch.nn.Linear(width, VOCAB)
        if tied:
            self.decoder.weight = self.encoder.weight
        self.double()

    def forward(self, ids, state):
        output, state = self.rnn(self.encoder(ids), state)
        top = output if self.proj is None else self.proj(output)
        return self.decoder(top), output, state


def fill(model, draw):
    """Draws all parameters in their order; tied ones come once."""
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(torch.from_numpy(draw(tuple(p.shape))))


def named(model, value, form):
    return {name: form(value(p).detach().numpy()) for name, p in model.named_parameters()}


def split_state(cell, state, form):
    parts = {"h": state[0], "c": state[1]} if cell == "lstm" else {"h": state}
    return {
        f"{k}_l{layer}": form(part[layer].detach().numpy())
        for k, part in parts.items()
        for layer in range(part.shape[0])
    }


def drawn_state(cell, draw):
    shape = (LAYERS, LANES, HIDDEN)
    h = torch.from_numpy(draw(shape, 0.9))
    return (h, torch.from_numpy(draw(shape, 0.9))) if cell == "lstm" else h


def window(folder, name, cell, relu=False, emsize=6, tied=False):
    draw = fixture.drawer(SEED)
    model = Model(cell, relu, emsize, tied)
    fill(model, draw)
    state = drawn_state(cell, draw)
    ids = draw.ids((STEPS, LANES), VOCAB)
    targets = draw.ids((STEPS, LANES), VOCAB)
    targets[2, 1] = -1
    logits, output, final = model(torch.from_numpy(ids), state)
    loss = torch.nn.functional.cross_entropy(
        logits.reshape(-1, VOCAB), torch.from_numpy(targets).reshape(-1), ignore_index=-1
    )
    loss.backward()
    fields = {
        "cell": cell, "reset": "after" if cell == "gru" else "", "bias": "two", "relu": relu,
        "vocab": VOCAB, "emsize": emsize, "hidden": HIDDEN, "layers": LAYERS, "tied": tied,
        "lanes": LANES, "steps": STEPS,
        "ids": ids.ravel().tolist(), "targets": targets.ravel().tolist(),
        "weights": named(model, lambda p: p, fixture.exact),
        "state": split_state(cell, state, fixture.exact),
        "output": fixture.result(output.detach().numpy()),
        "final": split_state(cell, final, fixture.result),
        "loss": loss.item(),
        "grads": named(model, lambda p: p.grad, fixture.result),
    }
    fixture.write(f"{folder}/torch_{name}.json", "torch_layers.py", {"torch": torch.__version__}, SEED, fields)


def main(folder):
    torch.set_num_threads(1)
    window(folder, "rnn_tanh", "rnn")
    window(folder, "rnn_relu", "rnn", relu=True)
    window(folder, "lstm", "lstm")
    window(folder, "gru", "gru")
    window(folder, "rnn_tied", "rnn", emsize=7, tied=True)
    window(folder, "lstm_tied", "lstm", emsize=7, tied=True)
    window(folder, "gru_tied", "gru", emsize=7, tied=True)
    window(folder, "lstm_tied_proj", "lstm", emsize=6, tied=True)


if __name__ == "__main__":
    main(sys.argv[1])
