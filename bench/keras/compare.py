"""Compares Refrain's article experiment with Keras; bench/keras/run says how."""

import argparse
import datetime
import json
import pathlib
import re
import statistics
import sys
import time

from article import BATCH, CELLS, EMSIZE, FORMS, SPLIT, THREADS, UNITS, build, lines, mean_loss, padded, refrain, rows, set_weights, split
from steps import steps

import keras
import numpy as np
import tensorflow as tf
from keras.src.legacy.preprocessing.text import Tokenizer, tokenizer_from_json
from safetensors.numpy import load_file

HERE = pathlib.Path(__file__).resolve().parent


# The four comparisons; each returns a table.

def tokens(args):
    out = ["| file | documents | words | vocabulary | ids that differ | Refrain s | Keras s |", "|---|--:|--:|--:|--:|--:|--:|"]
    for path in args.files:
        about = refrain(args, "tokens", path, args.work)
        docs = lines(path)
        began = time.perf_counter()
        t = Tokenizer()
        t.fit_on_texts(docs)
        want = t.texts_to_sequences(docs)
        seconds = time.perf_counter() - began
        got = json.loads((args.work / "sequences.json").read_text())
        if len(got) != len(want):
            raise SystemExit(f"{path}: {len(got)} documents, Keras has {len(want)}")
        differ = sum(a != b for a, b in zip(got, want))
        raw = (args.work / "tokenizer.json").read_text()
        ours = tokenizer_from_json(raw)
        same = (ours.word_index == t.word_index and ours.index_word == t.index_word and ours.word_counts == t.word_counts
                and ours.word_docs == t.word_docs and ours.index_docs == t.index_docs and ours.document_count == t.document_count
                and list(ours.word_counts) == list(t.word_counts) and ours.texts_to_sequences(docs) == want)
        if not same:
            raise SystemExit(f"{path}: Keras reads another tokenizer from Refrain's JSON")
        name = pathlib.Path(path).name
        out.append(f"| {name} | {len(docs):,} | {sum(map(len, want)):,} | {len(t.word_index):,} | {differ} | "
                   f"{about['seconds']:.2f} | {seconds:.2f} |")
        print(out[-1], flush=True)
    return "Keras' Tokenizer", ["Every line a document; Keras also reads Refrain's JSON of the tokenizer, and it is the same.", "", *out]


def seeds(args):
    path = args.work / "corpus.txt"
    text = pathlib.Path(args.files[0]).read_bytes()[:200_000]
    path.write_bytes(text[:text.rindex(b"\n") + 1])
    docs = lines(path)
    t = Tokenizer()
    t.fit_on_texts(docs)
    sequences = t.texts_to_sequences(docs)
    runs = json.loads(args.runs.read_text()) if args.runs and args.runs.exists() else {}
    done = 0
    out = ["| form | cell | epochs | Refrain, mean of seeds | s | Keras from the same weights, same order: difference | 90 % interval | "
           "Keras on its own: mean | s | difference | 90 % interval |", "|---|---|--:|--:|--:|--:|---|--:|--:|--:|---|"]
    for form in args.forms.split(","):
        x, y, vx, vy = split(*rows(sequences, form, args.maxlen or None))
        epochs = args.epochs if form == "every" else args.last_epochs
        for cell in args.cells.split(","):
            for seed in range(1, args.seeds + 1):
                key = f"{form} {cell} {epochs} {seed}"
                wanted = {"refrain", "same"} | ({"own"} if form in args.own.split(",") else set())
                missing = wanted - runs.setdefault(key, {}).keys()
                if not missing:
                    continue
                if args.most is not None and (done := done + 1) > args.most:
                    raise SystemExit("stopped after --most runs; the same command goes on")
                if missing & {"refrain", "same"}:
                    steps = epochs * -(-len(x) // BATCH)
                    got = refrain(args, "steps", "-cell", cell, "-form", form, "-steps", steps, "-seed", seed,
                                  "-maxlen", args.maxlen, "-threads", THREADS, path, args.work)
                    runs[key]["refrain"] = got["val_loss"]
                if "same" in missing:
                    model = build(cell, form, got["vocab"], got["emsize"], x.shape[1])
                    set_weights(model, cell, load_file(args.work / "weights.safetensors"))
                    for line in open(args.work / "batches.jsonl"):
                        model.train_on_batch(*padded(json.loads(line), form, x.shape[1]))
                    runs[key]["same"] = mean_loss(model, vx, vy, form)
                if "own" in missing:
                    keras.utils.set_random_seed(1000 + seed)
                    model = build(cell, form, len(t.word_index) + 1, EMSIZE, x.shape[1])
                    model.fit(x, y, batch_size=BATCH, epochs=epochs, shuffle=True, verbose=0)
                    runs[key]["own"] = mean_loss(model, vx, vy, form)
                keras.backend.clear_session()
                print(f"  {key}: {runs[key]}", file=sys.stderr, flush=True)
                if args.runs:
                    args.runs.write_text(json.dumps(runs))
            of = [runs[f"{form} {cell} {epochs} {seed}"] for seed in range(1, args.seeds + 1)]
            out.append(seeds_row(form, cell, epochs, of))
            print(out[-1], flush=True)
    name = pathlib.Path(args.files[0]).name
    return "Validation loss", [
        f"The first {path.stat().st_size:,} bytes of {name}, each line a document, last {SPLIT:.0%} of the rows validate; seeds 1 to {args.seeds}, "
        "nats a word after the last epoch, Refrain less Keras. Keras runs from Refrain's initial weights on the same batches in the same order "
        "(interval of the paired differences), and with its own initial weights and order (Welch's interval).", "", *out]


def seeds_row(form, cell, epochs, runs):
    ours, same = [r["refrain"] for r in runs], [r["same"] for r in runs]
    paired = [a - b for a, b in zip(ours, same)]
    mean, half = statistics.mean(paired), T95[len(paired) - 2] * statistics.stdev(paired) / len(paired) ** 0.5
    row = (f"| {form} | {cell} | {epochs} | {statistics.mean(ours):.4f} | {statistics.stdev(ours):.4f} | {mean:+.5f} | "
           f"{mean - half:+.5f} to {mean + half:+.5f} |")
    if not all("own" in r for r in runs):
        return row + " | | | |"
    own = [r["own"] for r in runs]
    difference, half = welch(ours, own)
    return row + (f" {statistics.mean(own):.4f} | {statistics.stdev(own):.4f} | {difference:+.4f} | "
                  f"{difference - half:+.4f} to {difference + half:+.4f} |")


# Student's t, 95th percentile, by degrees of freedom (Abramowitz and Stegun, table 26.10).
T95 = [6.314, 2.920, 2.353, 2.132, 2.015, 1.943, 1.895, 1.860, 1.833, 1.812, 1.796, 1.782, 1.771, 1.761, 1.753, 1.746, 1.740, 1.734, 1.729, 1.725]


def welch(a, b):
    va, vb = statistics.variance(a) / len(a), statistics.variance(b) / len(b)
    freedom = (va + vb) ** 2 / (va ** 2 / (len(a) - 1) + vb ** 2 / (len(b) - 1))
    return statistics.mean(a) - statistics.mean(b), T95[min(len(T95), max(1, int(freedom))) - 1] * (va + vb) ** 0.5


def speed(args):
    docs = lines(args.files[0])
    t = Tokenizer()
    t.fit_on_texts(docs)
    x, y = rows(t.texts_to_sequences(docs), "every", None)
    x, y, _, _ = split(x, y)
    batches = -(-len(x) // BATCH)
    order = np.random.default_rng(1).permutation(len(x))[:BATCH * (args.steps + 3)].reshape(-1, BATCH)
    out = ["| cell | Refrain, s an epoch | Keras, padded as the article does | Keras, each batch as long as its longest row | ratio | of the latter |",
           "|---|--:|--:|--:|--:|--:|"]
    for cell in args.cells.split(","):
        ours = refrain(args, "steps", "-cell", cell, "-steps", args.steps + 3, "-threads", THREADS, args.files[0], args.work)["seconds"][3:]
        whole = keras_seconds(cell, len(t.word_index) + 1, [(x[i], y[i]) for i in order])
        cut = keras_seconds(cell, len(t.word_index) + 1, [shortened(x[i], y[i]) for i in order])
        a, b, c = (statistics.mean(s) * batches for s in (ours, whole, cut))
        out.append(f"| {cell} | {a:.1f} | {b:.1f} | {c:.1f} | {b / a:.1f} | {c / a:.1f} |")
        print(out[-1], flush=True)
    name = pathlib.Path(args.files[0]).name
    return "Time of an epoch", [
        f"{name}: {len(x):,} rows of up to {x.shape[1]} words, vocabulary {len(t.word_index):,}; every position, {UNITS} units, batch {BATCH}, "
        f"{THREADS} threads; {batches} batches an epoch at the mean time of {args.steps} random ones, after 3 to warm up, one after another in one run. "
        "The third column pads to multiples of 8, so that Keras compiles few shapes.", "", *out]


def shortened(x, y):
    n = int((x > 0).sum(1).max())
    n = min(x.shape[1], -(-n // 8) * 8)
    return x[:, -n:], y[:, -n:]


def keras_seconds(cell, vocab, batches):
    model = build(cell, "every", vocab, EMSIZE, None)
    seconds = []
    for shape in {x.shape for x, _ in batches}:
        x, y = next(b for b in batches if b[0].shape == shape)
        model.train_on_batch(x, y)  # compiles
    for x, y in batches:
        began = time.perf_counter()
        model.train_on_batch(x, y)
        seconds.append(time.perf_counter() - began)
    keras.backend.clear_session()
    return seconds[3:]


def cpu_name():
    try:
        return next(line for line in open("/proc/cpuinfo") if line.startswith("model name")).split(":", 1)[1].strip()
    except (OSError, StopIteration):
        return "unknown CPU"


def replace_section(path, name, body):
    """Puts body between the two marks of its name, or at the end of the file."""
    text = path.read_text() if path.exists() else "# Results\n\nTables that commands under `bench/` wrote.\n"
    section = f"<!-- {name} -->\n{body}\n<!-- end of {name} -->"
    pattern = re.compile(rf"<!-- {name} -->.*<!-- end of {name} -->", re.S)
    text = pattern.sub(lambda _: section, text) if pattern.search(text) else text.rstrip() + "\n\n" + section + "\n"
    path.write_text(text)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--refrain", required=True, help="the built bench/keras/refrain")
    p.add_argument("--work", type=pathlib.Path, required=True, help="folder for what the two exchange")
    p.add_argument("--out", type=pathlib.Path, default=HERE.parent / "RESULTS.md")
    p.add_argument("--steps", type=int, default=0, help="default: 200, of speed 20")
    p.add_argument("--seeds", type=int, default=5, help="how many, from 1 on: of steps and seeds")
    p.add_argument("--epochs", type=int, default=5, help="of seeds, every position")
    p.add_argument("--last-epochs", type=int, default=1, help="of seeds, last position, whose epoch has as many steps as there are words")
    p.add_argument("--maxlen", type=int, default=0, help="longest input (0: no bound)")
    p.add_argument("--own", default="every", help="forms that seeds trains with Keras' own weights and order too")
    p.add_argument("--runs", type=pathlib.Path, help="file that keeps the results of steps and seeds, to go on from")
    p.add_argument("--most", type=int, help="stop steps and seeds after so many runs")
    p.add_argument("--cells", default=",".join(CELLS))
    p.add_argument("--forms", default=",".join(FORMS))
    p.add_argument("what", choices=["tokens", "steps", "seeds", "speed"])
    p.add_argument("files", nargs="+")
    args = p.parse_args()
    if args.what == "seeds" and args.seeds < 2:
        p.error("seeds: an interval needs --seeds 2 or more")
    args.steps = args.steps or (20 if args.what == "speed" else 200)
    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    tf.config.threading.set_inter_op_parallelism_threads(1)

    title, table = globals()[args.what](args)
    about = refrain(args, "about")
    head = (f"## {title}, beside Keras\n\nWritten by `bench/keras/run {args.what}` on {datetime.date.today()}: {cpu_name()}; Refrain "
            f"({about['kernels']} kernels, {about['go']}), Keras {keras.__version__} on TensorFlow {tf.__version__}.\n\n")
    replace_section(args.out, f"keras-{args.what}", head + "\n".join(table))
    print(f"written to {args.out}", file=sys.stderr)


if __name__ == "__main__":
    main()
