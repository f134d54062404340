"""Refrain's losses of single steps beside those of Keras."""

import json
import pathlib

import keras
import numpy as np
from safetensors.numpy import load_file

from article import BATCH, THREADS, build, padded, refrain, set_weights

BOUND = 1e-4  # of each step's loss, relative


def steps(args):
    """Refrain and Keras from the same weights on the same batches."""
    runs, seeds = Runs(args), range(1, args.seeds + 1)

    def losses(kind, form, cell):
        return np.array([runs.get(f"{kind} {form} {cell} {args.steps} {s}", lambda: KINDS[kind](args, form, cell, s)) for s in seeds])

    out = ["| form | cell | largest difference | seed, step | steps beyond 1e-4 |", "|---|---|--:|--:|--:|"]
    for form in args.forms.split(","):
        for cell in args.cells.split(","):
            ours, theirs = losses("refrain", form, cell), losses("keras", form, cell)
            apart = np.abs(ours - theirs) / theirs
            seed, step = (int(i) + 1 for i in np.unravel_index(apart.argmax(), apart.shape))
            out.append(f"| {form} | {cell} | {apart.max():.1e} | {seed}, {step} | {(apart > BOUND).sum()} of {apart.size} |")
            print(out[-1], flush=True)
    name = pathlib.Path(args.files[0]).name
    return "Single steps", [
        f"{name}, {args.steps} steps in batches of {BATCH}, seeds 1 to {args.seeds}, each from the same exported initial weights on the same rows: "
        "Refrain's padded behind, Keras' in front and masked. A difference is that of a step's loss, relative; the largest of all steps and seeds.", "", *out]


def refrain_losses(args, form, cell, seed):
    return export(args, form, cell, seed)["losses"]


def export(args, form, cell, seed):
    """Trains with Refrain; leaves its initial weights and its batches in args.work."""
    return refrain(args, "steps", "-cell", cell, "-form", form, "-steps", args.steps, "-seed", seed, "-threads", THREADS,
                   "-maxlen", args.maxlen, args.files[0], args.work)


def keras_losses(args, form, cell, seed):
    """Keras' losses from Refrain's weights on its batches."""
    about = export(args, form, cell, seed)
    keras.backend.clear_session()
    batches = [json.loads(line) for line in open(args.work / "batches.jsonl")]
    longest = max(b["T"] for b in batches)
    model = build(cell, form, about["vocab"], about["emsize"], longest)
    set_weights(model, cell, load_file(args.work / "weights.safetensors"))
    losses = []
    for b in batches:
        model.reset_metrics()
        losses.append(float(model.train_on_batch(*padded(b, form, longest))[0]))
    return losses


KINDS = {"refrain": refrain_losses, "keras": keras_losses}


class Runs:
    """Results by name, kept in the file --runs, so that the same command goes on after --most of them."""

    def __init__(self, args):
        self.path, self.left = args.runs, args.most
        self.of = json.loads(self.path.read_text()) if self.path and self.path.exists() else {}

    def get(self, key, run):
        if key not in self.of:
            if self.left == 0:
                raise SystemExit("stopped after --most runs; the same command goes on")
            self.left = self.left and self.left - 1
            self.of[key] = run()
            if self.path:
                self.path.write_text(json.dumps(self.of))
        return self.of[key]
