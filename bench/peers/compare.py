"""Measures Refrain and its peers on the same work, in turns, in one run, and writes the tables into bench/RESULTS.md.

Each contender is a process that answers JSON commands (see torch_worker.py). First both programs train from the same
weights on the same windows and their losses are compared. Then, for one piece of work, the contenders take turns, a few
steps each, so that a slow minute of the machine hits all of them. The peer of a row is the fastest of its modes by
median. Last, a process of its own trains a few steps for each program's peak memory. Figures are kept in
results-KERNELS.json beside this file, by the name of Refrain's kernels, so that several runs with --only make one table.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time

import report
from works import CELLS, GENERATED, TRAINED

HERE = pathlib.Path(__file__).resolve().parent

# glibc gives large blocks back to the system at every free; each new one then costs page faults. A user of torch who
# cares sets these, so torch gets them; its memory is measured without.
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(1 << 32), "MALLOC_TRIM_THRESHOLD_": str(1 << 33),
               "MALLOC_TOP_PAD_": str(1 << 28)}


# What keeps every program to AVX2, without and with its products of bytes, on a machine that has more.
AVX2 = {"ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}
ISA = {"avx2": AVX2 | {"REFRAIN_CPU": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"},
       "avxvnni": AVX2 | {"REFRAIN_CPU": "avxvnni", "ONEDNN_MAX_CPU_ISA": "AVX2_VNNI"}}
ISA_NAMES = {"avx2": "AVX2", "avxvnni": "AVX2 and AVX-VNNI"}


class Contender:
    def __init__(self, name, command, env=None):
        self.name = name
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
        return self.ask(do="modes", kind=kind, work=work)["modes"]

    def peak_memory(self):
        """The most bytes that this process ever had in memory."""
        for line in open(f"/proc/{self.process.pid}/status"):
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def contenders(args):
    python = sys.executable
    found = [Contender("refrain", [str(args.refrain)]),
             Contender("torch", [python, str(HERE / "torch_worker.py")], KEEP_MEMORY)]
    if not args.no_keras:
        found.append(Contender("keras", [python, str(HERE / "keras_worker.py")], KEEP_MEMORY))
    return found


def measure(args, everyone, kind, work, steps):
    """Median and least seconds of a step by "contender, mode", and the errors of modes that fail."""
    wanted = args.modes.split(",") if args.modes else None
    seats = [(c, mode) for c in everyone for mode in c.modes(kind, work)
             if not wanted or c.name == "refrain" or mode in wanted]
    seconds, errors = {}, {}
    for turn in range(args.rounds):
        for c, mode in seats:
            who = f"{c.name}, {mode}"
            if who in errors:
                continue
            time.sleep(0.3)  # lets the last one's worker threads fall asleep
            reply = c.ask(do=kind, work=work, mode=mode, steps=steps + 1)
            if "error" in reply:
                errors[who] = reply["error"]
            else:
                seconds.setdefault(who, []).extend(reply["seconds"][1:])  # the first step refills caches
    for c in everyone:
        c.ask(do="drop")
    for who, error in errors.items():
        print(f"  {who}: {error}", file=sys.stderr)
    return {who: (statistics.median(s), min(s)) for who, s in seconds.items()}, errors


def losses(refrain, torch, work, steps):
    """The losses of the first steps, Refrain's and PyTorch's, from the same weights on the same windows."""
    with tempfile.TemporaryDirectory() as folder:
        replies = [c.ask(do="losses", work=work, dir=folder, steps=steps) for c in (refrain, torch)]
    for reply in replies:
        if "error" in reply:
            raise SystemExit(f"bench/peers: {reply['error']}")
    return [reply["losses"] for reply in replies]


def peak_memory(args, work, row):
    """Peak bytes of a process that does nothing but train: Refrain, and PyTorch in its fastest mode, memory as it comes."""
    torch = report.best(row, report.TORCH, False)[0].split(", ")[1]
    found = {}
    for name, mode, command in (("refrain", "float32", [str(args.refrain)]),
                                ("torch", torch, [sys.executable, str(HERE / "torch_worker.py")])):
        c = Contender(name, command)
        c.ask(do="train", work=work, mode=mode, steps=2)
        found[name] = c.peak_memory()
        c.close()
    return found


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


def about(args, everyone):
    """The machine and the versions: figures of another are not of the same table."""
    found = {c.name: c.about for c in everyone}
    versions = [f"Refrain ({found['refrain']['kernels']} kernels, {found['refrain']['go']})", f"PyTorch {found['torch']['torch']}"]
    if "keras" in found:
        versions.append(f"Keras {found['keras']['keras']} on TensorFlow {found['keras']['tensorflow']}")
    machine = f"{cpu_name()} ({features()}), {found['refrain']['threads']} threads of {os.cpu_count()} CPUs"
    return {"machine": machine, "kernels": found["refrain"]["kernels"], "versions": versions, "isa": args.isa}


def run(args, everyone, rows, keep):
    """Measures what was asked for, a row after another; keep is called after each."""
    refrain, torch = everyone[0], everyone[1]
    today = str(datetime.date.today())
    for name, w in TRAINED.items() if "train" in args.kinds.split(",") else ():
        for cell in cells_of(args, name, CELLS[name]):
            work = {**w, "cell": cell}
            row = {"date": today, "losses": losses(refrain, torch, work, args.agree)}
            peaks = [refrain.ask(do="peak")["peak"]]
            row["seconds"], row["errors"] = measure(args, everyone, "train", work, args.steps)
            row["peak"] = max(peaks + [refrain.ask(do="peak")["peak"]])
            row["memory"] = peak_memory(args, work, row)
            rows[f"train|{name}|{cell}"] = row
            keep()
            print(*report.trained(name, cell, w, row), sep="\n", flush=True)
    for kind in report.GENERATION if "generate" in args.kinds.split(",") else ():
        for name, w in GENERATED.items():
            for cell in cells_of(args, name, ["rnn", "lstm", "gru"]):
                work, row = {**w, "cell": cell}, {"date": today}
                row["seconds"], row["errors"] = measure(args, everyone, kind, work, args.tokens)
                rows[f"{kind}|{name}|{cell}"] = row
                keep()
                print(report.generated(name, cell, row), flush=True)


def cells_of(args, name, default):
    """The cells to measure of one work, none if it was not asked for."""
    if args.only not in name:
        return []
    return args.cells.split(",") if args.cells else default


def write(args, data):
    """Makes the sections and the picture of all rows there are, in the order of works.py."""
    rows, cells, kernels = data["rows"], ("rnn", "lstm", "gru"), data["kernels"]
    kept_to, with_keras = data["isa"], any(who.startswith("keras") for r in rows.values() for who in r["seconds"])
    versions = [v for v in data["versions"] if with_keras or not v.startswith("Keras")]
    made = (f"Written by `bench/peers/run{f' --isa {kept_to}' if kept_to else ''}`, "
            f"{min(r['date'] for r in rows.values())} to {max(r['date'] for r in rows.values())}: "
            f"{data['machine']}; {'; '.join(versions)}." + (f" All programs are kept to {ISA_NAMES[kept_to]}." if kept_to else ""))
    listed = [(name, cell, w, rows[f"train|{name}|{cell}"]) for name, w in TRAINED.items() for cell in cells
              if f"train|{name}|{cell}" in rows]
    if listed:
        picture = f"peers-{kernels}.png"
        body = report.training(kernels, made, listed, picture)
        report.replace_section(args.out, f"peers-{kernels}", "\n".join(body))
        report.draw(args.out.parent / picture, f"Training beside PyTorch, {kernels} kernels\n{data['machine']}", listed)
    written = {kind: [(name, cell, rows[f"{kind}|{name}|{cell}"]) for name in GENERATED for cell in cells
                      if f"{kind}|{name}|{cell}" in rows] for kind in report.GENERATION}
    if any(written.values()):
        report.replace_section(args.out, f"peers-generation-{kernels}", "\n".join(report.generation(kernels, made, written)))
    print(f"written to {args.out}", file=sys.stderr)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--refrain", type=pathlib.Path, required=True, help="the built bench/peers/refrain")
    p.add_argument("--out", type=pathlib.Path, default=HERE.parent / "RESULTS.md")
    p.add_argument("--steps", type=int, default=3, help="training steps a turn")
    p.add_argument("--rounds", type=int, default=4, help="turns of each contender")
    p.add_argument("--tokens", type=int, default=200, help="generated tokens a turn")
    p.add_argument("--agree", type=int, default=5, help="steps whose losses are compared")
    p.add_argument("--no-keras", action="store_true")
    p.add_argument("--isa", choices=list(ISA), help="keep every program to these instructions")
    p.add_argument("--only", default="", help="measure only work whose name has this, such as 2x650")
    p.add_argument("--cells", default="", help="rnn, lstm, gru, with commas between; default: all for some works, else lstm")
    p.add_argument("--modes", default="", help="the peers' modes to measure, with commas between; default: all")
    p.add_argument("--write", action="store_true", help="measure nothing: write the tables of what was measured")
    p.add_argument("--kinds", default="train,generate", help="train, generate or both; each has its section")
    args = p.parse_args()
    if args.isa:
        os.environ.update(ISA[args.isa])

    if args.write:
        for kept in sorted(HERE.glob("results-*.json")):
            write(args, json.loads(kept.read_text()))
        return
    everyone = contenders(args)
    now = about(args, everyone)
    kept = HERE / f"results-{now['kernels']}.json"
    data = json.loads(kept.read_text()) if kept.exists() else {"rows": {}}
    if data["rows"] and data["machine"] != now["machine"]:
        data["rows"] = {}
    if data["rows"] and args.no_keras:  # keep the name of what other rows were measured with
        now["versions"] = data["versions"]
    data.update(now)
    run(args, everyone, data["rows"], lambda: kept.write_text(json.dumps(data, indent=1) + "\n"))
    for c in everyone:
        c.close()
    write(args, data)


if __name__ == "__main__":
    main()
