"""Refrain's losses of single steps beside those of Keras in float32 and in float64."""

import functools
import json
import pathlib

import keras
import numpy as np
from safetensors.numpy import load_file

from article import BATCH, EXACT, THREADS, build, padded, refrain, set_weights

BOUND = 1e-4  # of each step's loss, relative


def steps(args):
    """Refrain and Keras in float32, each beside Keras in float64, whose own rounding is nothing against theirs."""
    runs = Runs(args)

    def losses(kind, form, cell, seeds):
        return np.array([runs.get(f"{kind} {form} {cell} {args.steps} {s}", lambda: KINDS[kind](args, form, cell, s)) for s in seeds])

    seeds = range(1, args.seeds + 1)
    out = ["| form | cell | Refrain to Keras | seed, step | steps beyond 1e-4 | Refrain to float64 | Keras to float64 |", "|---|---|--:|--:|--:|--:|--:|"]
    beyond = []
    for form in args.forms.split(","):
        for cell in args.cells.split(","):
            ours, theirs = losses("refrain", form, cell, seeds), losses("keras", form, cell, seeds)
            peers = apart(ours, theirs)
            seed, step = (int(i) + 1 for i in np.unravel_index(peers.argmax(), peers.shape))
            out.append(f"| {form} | {cell} | {peers.max():.1e} | {seed}, {step} | {(peers > BOUND).sum()} of {peers.size} | ")
            if form not in args.float64.split(",") and peers.max() <= BOUND:
                out[-1] += "| |"
                print(out[-1], flush=True)
                continue
            exact = losses("float64", form, cell, seeds)
            out[-1] += f"{apart(ours, exact).max():.1e} | {apart(theirs, exact).max():.1e} |"
            print(out[-1], flush=True)
            for i in np.flatnonzero((peers > BOUND).any(1)):
                rounded = losses("rounded", form, cell, [int(i) + 1])
                beyond += ["", f"Beyond the bound: {form}, {cell}, seed {i + 1}. There Keras' β₁ and β₂, rounded where it rounds them but in float64, "
                               f"alone move the loss by {apart(rounded, exact[i]).max():.1e}."]
    name = pathlib.Path(args.files[0]).name
    short = 1 - ((1 - float(np.float32(0.999))) / (1 - 0.999)) ** 0.5
    return "Single steps", [
        f"{name}, {args.steps} steps in batches of {BATCH}, seeds 1 to {args.seeds}, each from the same exported initial weights on the same rows: "
        "Refrain's padded behind, Keras' in front and masked. A difference is the largest of a step's loss over all steps and seeds, relative. "
        "Refrain and Keras compute in float32; float64 is Keras in float64 with Adam's β₁ and β₂ in float64. Keras itself rounds them to float32 where "
        f"it corrects the bias, in float64 too, but averages with 1 − 0.999: its steps are up to {short:.1e} too short.", "", *out, *beyond]


def apart(a, b):
    return np.abs(a - b) / b


def refrain_losses(args, form, cell, seed):
    return export(args, form, cell, seed)["losses"]


def export(args, form, cell, seed):
    """Trains with Refrain; leaves its initial weights and its batches in args.work."""
    return refrain(args, "steps", "-cell", cell, "-form", form, "-steps", args.steps, "-seed", seed, "-threads", THREADS,
                   "-maxlen", args.maxlen, args.files[0], args.work)


def keras_losses(args, form, cell, seed, floatx="float32", betas={}):
    """Keras' losses from Refrain's weights on its batches."""
    about = export(args, form, cell, seed)
    keras.backend.clear_session()  # layers keep the type of the first one made since
    keras.config.set_floatx(floatx)
    batches = [json.loads(line) for line in open(args.work / "batches.jsonl")]
    longest = max(b["T"] for b in batches)
    model = build(cell, form, about["vocab"], about["emsize"], longest, betas)
    set_weights(model, cell, load_file(args.work / "weights.safetensors"))
    if any(v.dtype != floatx for v in model.trainable_variables):
        raise SystemExit(f"Keras' weights are not {floatx}")
    losses = []
    for b in batches:
        model.reset_metrics()
        losses.append(float(model.train_on_batch(*padded(b, form, longest))[0]))
    return losses


KINDS = {
    "refrain": refrain_losses,
    "keras": keras_losses,
    "float64": functools.partial(keras_losses, floatx="float64", betas=EXACT),
    "rounded": functools.partial(keras_losses, floatx="float64"),
}


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
