"""Measures Refrain and its peers on the same work, in turns, in one run, and writes the tables into bench/RESULTS.md.

Each contender is a process that answers JSON commands (see torch_worker.py). For one piece of work the contenders
take turns, a few steps each, so that a slow minute of the machine hits all of them. The peer of a row is the fastest
of its modes by median.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
WORKS = {
    "1x128 (128), 10,000 words, 64x35, Adam": dict(
        vocab=10000, emsize=128, nhid=128, nlayers=1, batch=64, bptt=35, optimizer="adam", lr=1e-3, clip=0),
    "2x650 (650), 10,000 words, 20x35, SGD, clip 5": dict(
        vocab=10000, emsize=650, nhid=650, nlayers=2, batch=20, bptt=35, optimizer="sgd", lr=1.0, clip=5),
    "2x512 (128), 96 characters, 64x128, Adam": dict(
        vocab=96, emsize=128, nhid=512, nlayers=2, batch=64, bptt=128, optimizer="adam", lr=1e-3, clip=0),
}
GENERATED = {  # generation uses the networks of two of the works
    "2x650 (650), 10,000 words": "2x650 (650), 10,000 words, 20x35, SGD, clip 5",
    "2x512 (128), 96 characters": "2x512 (128), 96 characters, 64x128, Adam",
}
CELLS = ["rnn", "lstm", "gru"]

# glibc gives large blocks back to the system at every free; each new one then costs page faults. A user of torch who
# cares sets these, so torch gets them, and once more without, as it comes.
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(1 << 32), "MALLOC_TRIM_THRESHOLD_": str(1 << 33),
               "MALLOC_TOP_PAD_": str(1 << 28)}


class Contender:
    def __init__(self, name, command, env=None, only=None):
        self.name, self.only = name, only
        self.log = open(os.environ.get("PEERS_LOG", os.devnull), "a")
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log,
                                        text=True, env={**os.environ, **(env or {})})
        self.about = self.ask(do="about")

    def ask(self, **command):
        try:
            self.process.stdin.write(json.dumps(command) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise SystemExit(f"bench/peers: {self.name} ended with {self.process.wait()} at {command}; "
                             "set PEERS_LOG to a file to see its messages")
        return json.loads(line)

    def modes(self, kind, work):
        modes = self.ask(do="modes", kind=kind, work=work)["modes"]
        return [m for m in modes if self.only is None or m in self.only]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def contenders(args):
    python = sys.executable
    found = [Contender("refrain", [str(args.refrain)]),
             Contender("torch", [python, str(HERE / "torch_worker.py")], KEEP_MEMORY),
             Contender("torch, plain malloc", [python, str(HERE / "torch_worker.py")], only=["eager", "script"])]
    if not args.no_keras:
        found.append(Contender("keras", [python, str(HERE / "keras_worker.py")], KEEP_MEMORY))
    return found


def measure(everyone, kind, work, steps, rounds):
    """Seconds of every step, by (contender, mode); modes that fail map to their error."""
    seats = [(c, mode) for c in everyone for mode in c.modes(kind, work)]
    seconds, errors = {}, {}
    for turn in range(rounds):
        for c, mode in seats:
            if (c.name, mode) in errors:
                continue
            time.sleep(0.3)  # lets the last one's worker threads fall asleep
            reply = c.ask(do=kind, work=work, mode=mode, steps=steps + 1)
            if "error" in reply:
                errors[c.name, mode] = reply["error"]
            else:
                seconds.setdefault((c.name, mode), []).extend(reply["seconds"][1:])  # the first step refills caches
    for c in everyone:
        c.ask(do="drop")
    for (name, mode), error in errors.items():
        print(f"  {name}, {mode}: {error}", file=sys.stderr)
    return seconds


def row(label, cell, seconds, unit):
    """One line of a table; unit turns the seconds of a step into the figure shown."""
    summary = {who: (statistics.median(s), min(s)) for who, s in seconds.items()}
    refrain = min((who for who in summary if who[0] == "refrain"), key=lambda who: summary[who][0])
    ours = summary[refrain]
    peers = {who: m for who, m in summary.items() if who[0] != "refrain"}
    if not peers:
        raise SystemExit("bench/peers: no peer works on this machine")
    torch = {who: m for who, m in peers.items() if who[0].startswith("torch")}
    best = min(torch or peers, key=lambda who: peers[who][0])
    cells = [f"{label}, {refrain[1]}", cell, unit(ours[0]), unit(ours[1]), unit(peers[best][0]), unit(peers[best][1]), ", ".join(best),
             f"{peers[best][0] / ours[0]:.2f}", f"{peers[best][1] / ours[1]:.2f}"]
    keras = {who: m for who, m in peers.items() if who[0] == "keras"}
    if keras:
        other = min(keras, key=lambda who: keras[who][0])
        cells += [f"{unit(keras[other][0])} ({other[1]})", f"{keras[other][0] / ours[0]:.2f}"]
    else:
        cells += ["", ""]
    return "| " + " | ".join(cells) + " |"


HEAD = ("| work | cell | Refrain | best step | PyTorch | best step | its mode | ratio | of best steps | Keras | ratio |\n"
        "|---|---|--:|--:|--:|--:|---|--:|--:|--:|--:|")


def cpu_name():
    try:
        for line in open("/proc/cpuinfo"):
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def features():
    try:
        flags = next(line for line in open("/proc/cpuinfo") if line.startswith("flags")).split()
    except (OSError, StopIteration):
        return ""
    return ", ".join(f for f in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if f in flags)


def replace_section(path, name, body):
    """Puts body between the two marks of its name, or at the end of the file."""
    text = path.read_text() if path.exists() else "# Results\n\nTables that commands under `bench/` wrote.\n"
    section = f"<!-- {name} -->\n{body}\n<!-- end of {name} -->"
    pattern = re.compile(rf"<!-- {name} -->.*<!-- end of {name} -->", re.S)
    text = pattern.sub(lambda _: section, text) if pattern.search(text) else text.rstrip() + "\n\n" + section + "\n"
    path.write_text(text)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--refrain", type=pathlib.Path, required=True, help="the built bench/peers/refrain")
    p.add_argument("--out", type=pathlib.Path, default=HERE.parent / "RESULTS.md")
    p.add_argument("--steps", type=int, default=3, help="training steps a turn")
    p.add_argument("--rounds", type=int, default=4, help="turns of each contender")
    p.add_argument("--tokens", type=int, default=200, help="generated tokens a turn")
    p.add_argument("--no-keras", action="store_true")
    p.add_argument("--only", default="", help="measure only work whose name has this, such as 2x650")
    p.add_argument("--cells", default=",".join(CELLS))
    p.add_argument("--kinds", default="train,generate", help="train, generate or both; each has its section")
    args = p.parse_args()

    everyone = contenders(args)
    about = {c.name: c.about for c in everyone}
    versions = [f"Refrain ({about['refrain']['kernels']} kernels, {about['refrain']['go']})",
                f"PyTorch {about['torch']['torch']}"]
    if "keras" in about:
        versions.append(f"Keras {about['keras']['keras']} on TensorFlow {about['keras']['tensorflow']}")
    made = (f"Written by `bench/peers/run` on {datetime.date.today()}: {cpu_name()} ({features()}), "
            f"{about['refrain']['threads']} threads of {os.cpu_count()} CPUs; {'; '.join(versions)}.")
    if "train" in args.kinds.split(","):
        replace_section(args.out, "peers", "\n".join(training(everyone, args, made)))
    if "generate" in args.kinds.split(","):
        replace_section(args.out, "peers-generation", "\n".join(generation(everyone, args, made)))
    print(f"written to {args.out}", file=sys.stderr)
    for c in everyone:
        c.close()


def training(everyone, args, made):
    """The section on training."""
    rows = []
    for name, work in WORKS.items():
        if args.only not in name:
            continue
        for cell in args.cells.split(","):
            tokens = work["batch"] * work["bptt"]
            seconds = measure(everyone, "train", {**work, "cell": cell}, args.steps, args.rounds)
            rows.append(row(name, cell, seconds, lambda s: f"{tokens / s:,.0f}"))
            print(rows[-1], flush=True)
    return [
        "## Speed against peers", "", made, "",
        f"Random ids, float32, the contenders in turns in one run, {args.rounds} turns of {args.steps} steps; "
        "medians, and the best step beside them. PyTorch is the fastest by median of: eager with and without oneDNN, "
        "torch.compile, TorchScript (fused optimizers, memory kept by malloc), eager and TorchScript with plain malloc. "
        "A ratio above 1 means that Refrain is faster.", "",
        "Training, tokens a second (larger is better):", "", HEAD, *rows]


def generation(everyone, args, made):
    """The section on writing a token at a time, with weights in float32 and in int8."""
    refrain = next(c for c in everyone if c.name == "refrain")
    tables = []
    for kind, what in (("generate", "Float32"), ("generate int8", "Weights and inputs in int8 (PyTorch: quantize_dynamic)")):
        rows = []
        for name, source in GENERATED.items():
            if args.only not in name:
                continue
            for cell in args.cells.split(","):
                work = {**WORKS[source], "cell": cell}
                seconds = measure(everyone, kind, work, args.tokens, args.rounds)
                limits = [refrain.ask(do="read", kind=kind, work=work, mode=f"-{n}")["seconds"][0] for n in (1, 2)]
                rows.append(row(name, cell, seconds, lambda s: f"{s * 1e3:.3f}")
                            + " " + " / ".join(f"{s * 1e3:.3f}" for s in limits) + " |")
                print(rows[-1], flush=True)
        head = HEAD.replace("\n", " reading the weights, 1 / 2 threads |\n") + "--:|"
        tables += ["", f"{what}:", "", head, *rows]
    return [
        "## A token at a time against peers", "", made, "",
        "Milliseconds a token of one greedy stream, smaller is better: medians, and the best token beside them; the "
        f"contenders in turns in one run, {args.rounds} turns of {args.tokens} tokens. Each side is the fastest by median of its ways: Refrain on 1 "
        "and 2 threads, PyTorch eager, TorchScript, explicit cells and torch.compile, each on 1 and 2 threads. Every token reads all weights "
        "but the embedding's; the last column is the time in which this machine reads as many bytes and does nothing "
        "else, measured in the same run.", *tables]


if __name__ == "__main__":
    main()
