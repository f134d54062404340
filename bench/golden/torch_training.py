"""Writes lm/testdata/train_*.json: ten optimizer steps of a whole language
model (torch.nn.Embedding; RNN, LSTM or GRU of two layers; Linear), from a zero
state that is carried from window to window (its values, not its gradients),
with clipping by the global norm.

Fields, beside those of every fixture ("made_by", "versions", "seed"):

  cell, reset, bias, relu    as package nn names them
  vocab, emsize, hidden, layers, tied, lanes, steps
  optimizer   {"name": "sgd" | "adam" | "adamw" | "asgd", "lr", "weight_decay",
              "betas", "eps" (adam, adamw), "lambd", "alpha", "t0" (asgd)}
              in PyTorch's meaning; weight_decay is an L2 term of the gradient
              except for adamw
  clip        the largest global norm: gradients are multiplied by
              clip / (norm + 1e-6), PyTorch's formula, in every step
  ids         [10,T,B] inputs of the ten windows
  targets     [10,T,B]; one in each window is -1 and not counted
  weights     before the first step, by PyTorch's names (encoder.weight,
              rnn.weight_ih_l0, ..., decoder.weight, decoder.bias); a tied
              weight only as encoder.weight
  losses      [10] mean cross-entropy over the counted targets, before each step
  norms       [10] global gradient norm before clipping
  final       weights after the tenth step
  averages    asgd only: the averaged weights after the tenth step
  final_state h_l0, c_l0, ... [B,H] after the tenth window

usage: torch_training.py FOLDER
"""

import sys

import torch

import fixture
from torch_layers import HIDDEN, LANES, LAYERS, STEPS, VOCAB, Model, fill, named, split_state

SEED = 20240519
WINDOWS = 10
CLASSES = {"sgd": torch.optim.SGD, "asgd": torch.optim.ASGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


def zero_state(cell):
    h = torch.zeros(LAYERS, LANES, HIDDEN, dtype=torch.float64)
    return (h, h.clone()) if cell == "lstm" else h


def detach(state):
    return tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()


def train(folder, name, cell, clip, emsize=6, tied=False, **options):
    draw = fixture.drawer(SEED)
    model = Model(cell, False, emsize, tied)
    fill(model, draw)
    before = named(model, lambda p: p, fixture.exact)
    ids = draw.ids((WINDOWS, STEPS, LANES), VOCAB)
    targets = draw.ids((WINDOWS, STEPS, LANES), VOCAB)
    targets[:, 1, 2] = -1
    optimizer = CLASSES[name](model.parameters(), foreach=False, **options)
    state, losses, norms = zero_state(cell), [], []
    for window in range(WINDOWS):
        optimizer.zero_grad()
        logits, _, state = model(torch.from_numpy(ids[window]), detach(state))
        loss = torch.nn.functional.cross_entropy(
            logits.reshape(-1, VOCAB), torch.from_numpy(targets[window]).reshape(-1), ignore_index=-1
        )
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), clip).item()
        assert norm > clip, f"{name}: step {window} is not clipped ({norm})"
        optimizer.step()
        losses.append(loss.item())
        norms.append(norm)
    fields = {
        "cell": cell, "reset": "after" if cell == "gru" else "", "bias": "two", "relu": False,
        "vocab": VOCAB, "emsize": emsize, "hidden": HIDDEN, "layers": LAYERS, "tied": tied,
        "lanes": LANES, "steps": STEPS,
        "optimizer": {"name": name, **options}, "clip": clip,
        "ids": ids.ravel().tolist(), "targets": targets.ravel().tolist(),
        "weights": before, "losses": losses, "norms": norms,
        "final": named(model, lambda p: p, fixture.result),
        "final_state": split_state(cell, state, fixture.result),
    }
    if name == "asgd":
        fields["averages"] = named(model, lambda p: optimizer.state[p]["ax"], fixture.result)
    fixture.write(f"{folder}/train_{name}.json", "torch_training.py", {"torch": torch.__version__}, SEED, fields)


def main(folder):
    torch.set_num_threads(1)
    train(folder, "sgd", "lstm", clip=0.1, lr=2.0, weight_decay=1e-3)
    train(folder, "adam", "gru", clip=0.1, emsize=7, tied=True, lr=0.01, weight_decay=1e-3, betas=[0.9, 0.999], eps=1e-8)
    train(folder, "adamw", "rnn", clip=0.1, lr=0.01, weight_decay=0.05, betas=[0.9, 0.99], eps=1e-6)
    train(folder, "asgd", "lstm", clip=0.1, emsize=6, tied=True, lr=2.0, weight_decay=1e-3, lambd=0.0, alpha=0.75, t0=0.0)


if __name__ == "__main__":
    main(sys.argv[1])
