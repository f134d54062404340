"""Writes lm/testdata/train_ffn.json and train_transformer.json: ten optimizer
steps of a language model that is not recurrent, as torch_training.py makes them
of one that is, with the same fields and besides

  kind        "ffn" | "transformer"
  order       of ffn: a token is predicted from the order - 1 before it
  heads, context, feedforward   of transformer
  grads       gradients of the first step, before clipping
  final_state part_0, part_1, ... [B,width] after the tenth window: of ffn the last
              order - 2 vectors, oldest first; of transformer for each layer the
              keys [heads,D,context] and values [heads,context,D] of the last
              tokens, number n in place n mod context, and context + n mod context

The transformer is a torch.nn.TransformerEncoder. Its attention is written out,
with keys and values of earlier windows, and compared with the module's own where
there are none.

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


def slopes(heads):
    return torch.tensor([2.0 ** (-8 * (h + 1) / heads) for h in range(heads)], dtype=torch.float64)


def bias(heads, context, queries, keys):
    """[heads,queries,keys], the last query and the last key being one token: -slope * age, -inf where not seen."""
    age = torch.arange(queries).unsqueeze(1) + keys - queries - torch.arange(keys)
    seen = (age >= 0) & (age < context)
    return (-slopes(heads).view(-1, 1, 1) * age).masked_fill(~seen, -torch.inf)


class Transformer(torch.nn.Module):
    """Normalised first, positions by ALiBi, over the last tokens: encoder, transformer, decoder."""

    def __init__(self, width, heads, feedforward, layers, context):
        super().__init__()
        self.heads, self.context = heads, context
        self.encoder = torch.nn.Embedding(VOCAB, width)
        layer = torch.nn.TransformerEncoderLayer(width, heads, feedforward, dropout=0.0, norm_first=True)
        self.transformer = torch.nn.TransformerEncoder(layer, layers, torch.nn.LayerNorm(width), enable_nested_tensor=False)
        self.decoder = torch.nn.Linear(width, VOCAB)
        self.double()
        self.seen = 0

    def start(self):
        empty = torch.zeros(0, LANES, self.encoder.embedding_dim, dtype=torch.float64)
        return [empty] * (2 * len(self.transformer.layers))

    def attention(self, a, x, old_k, old_v):
        q, k, v = torch.nn.functional.linear(x, a.in_proj_weight, a.in_proj_bias).chunk(3, dim=-1)
        k, v = torch.cat([old_k, k]), torch.cat([old_v, v])
        split = lambda t: t.unflatten(-1, (self.heads, -1)).permute(1, 2, 0, 3)  # [B,heads,T,D]
        scores = split(q) @ split(k).transpose(-1, -2) / (x.shape[-1] // self.heads) ** 0.5
        p = torch.softmax(scores + bias(self.heads, self.context, len(x), len(k)), dim=-1)
        return a.out_proj((p @ split(v)).permute(2, 0, 1, 3).flatten(-2)), k[-self.context :], v[-self.context :]

    def forward(self, ids, state):
        x, after = self.encoder(ids), []
        for i, layer in enumerate(self.transformer.layers):
            y, k, v = self.attention(layer.self_attn, layer.norm1(x), state[2 * i], state[2 * i + 1])
            after += [k, v]
            x = x + y
            x = x + layer.linear2(torch.relu(layer.linear1(layer.norm2(x))))
        x = self.transformer.norm(x)
        if len(state[0]) == 0:
            mask = bias(self.heads, self.context, len(ids), len(ids)).repeat(LANES, 1, 1)
            assert torch.allclose(x, self.transformer(self.encoder(ids), mask), rtol=1e-12, atol=1e-12)
        self.seen += len(ids)
        return self.decoder(x), after

    def parts(self, state):
        places = (torch.arange(self.context) + self.seen) % self.context
        out = []
        for i, part in enumerate(state):
            ring = torch.empty_like(part)
            ring[places] = part
            ring = ring.unflatten(-1, (self.heads, -1))  # [context,B,heads,D]
            out.append(ring.permute(1, 2, 3, 0) if i % 2 == 0 else ring.permute(1, 2, 0, 3))
            if i % 2 == 1:
                out.append(torch.full((LANES, 1), self.context + self.seen % self.context, dtype=torch.float64))
        return [p.reshape(LANES, -1) for p in out]


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
    train(
        folder, "transformer", Transformer(10, 2, 7, 2, context=7), clip=0.1, lr=0.01,
        emsize=10, hidden=10, layers=2, heads=2, context=7, feedforward=7,
    )


if __name__ == "__main__":
    main(sys.argv[1])
