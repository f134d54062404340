"""Writes lm/testdata/train_ffn.json: ten optimizer steps of a language model
that is not recurrent, as torch_training.py makes them of one that is, with the
same fields and besides

  kind        "ffn"
  order       of ffn: a token is predicted from the order - 1 before it
  grads       gradients of the first step, before clipping
  final_state part_0, part_1, ... [B,width] after the tenth window: of ffn the last
              order - 2 vectors, oldest first

usage: torch_kinds.py FOLDER
"""

import sys

import torch

import fixture
from torch_layers import fill, named

SEED = 20240523
WINDOWS, VOCAB, LANES, STEPS = 10, 11, 3, 5


class FFN(torch.nn.Module):
    """Bengio et al. 2003, without direct connections: encoder, hidden, decoder."""

    def __init__(self, emsize, width, layers, order):
        super().__init__()
        self.order = order
        self.encoder = torch.nn.Embedding(VOCAB, emsize)
        sizes = [(order - 1) * emsize] + [width] * layers
        self.hidden = torch.nn.ModuleList(torch.nn.Linear(i, o) for i, o in zip(sizes, sizes[1:]))
        self.decoder = torch.nn.Linear(width, VOCAB)
        self.double()

    def start(self):
        return [torch.zeros(self.order - 2, LANES, self.encoder.embedding_dim, dtype=torch.float64)]

    def forward(self, ids, state):
        seen = torch.cat([state[0], self.encoder(ids)])
        x = torch.cat([seen[i : i + len(ids)] for i in range(self.order - 1)], dim=-1)
        for layer in self.hidden:
            x = torch.tanh(layer(x))
        return self.decoder(x), [seen[len(ids) :]]

    def parts(self, state):
        return [state[0].transpose(0, 1).reshape(LANES, -1)]


def train(folder, kind, model, clip, lr, **fields):
    draw = fixture.drawer(SEED)
    fill(model, draw)
    before = named(model, lambda p: p, fixture.exact)
    ids = draw.ids((WINDOWS, STEPS, LANES), VOCAB)
    targets = draw.ids((WINDOWS, STEPS, LANES), VOCAB)
    targets[:, 1, 2] = -1
    options = {"lr": lr, "weight_decay": 1e-3, "betas": [0.9, 0.99], "eps": 1e-8}
    optimizer = torch.optim.Adam(model.parameters(), foreach=False, **options)
    state, losses, norms, grads = model.start(), [], [], None
    for window in range(WINDOWS):
        optimizer.zero_grad()
        logits, state = model(torch.from_numpy(ids[window]), state)
        state = [part.detach() for part in state]
        loss = torch.nn.functional.cross_entropy(
            logits.reshape(-1, VOCAB), torch.from_numpy(targets[window]).reshape(-1), ignore_index=-1
        )
        loss.backward()
        grads = grads or named(model, lambda p: p.grad, fixture.result)
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), clip).item()
        assert norm > clip, f"{kind}: step {window} is not clipped ({norm})"
        optimizer.step()
        losses.append(loss.item())
        norms.append(norm)
    parts = {f"part_{i}": fixture.result(p.detach().numpy()) for i, p in enumerate(model.parts(state))}
    fields = {
        "kind": kind, "vocab": VOCAB, **fields, "tied": False, "lanes": LANES, "steps": STEPS,
        "optimizer": {"name": "adam", **options}, "clip": clip,
        "ids": ids.ravel().tolist(), "targets": targets.ravel().tolist(),
        "weights": before, "losses": losses, "norms": norms, "grads": grads,
        "final": named(model, lambda p: p, fixture.result), "final_state": parts,
    }
    fixture.write(f"{folder}/train_{kind}.json", "torch_kinds.py", {"torch": torch.__version__}, SEED, fields)


def main(folder):
    torch.set_num_threads(1)
    train(folder, "ffn", FFN(6, 7, 2, order=4), clip=0.1, lr=0.01, emsize=6, hidden=7, layers=2, order=4)


if __name__ == "__main__":
    main(sys.argv[1])
