"""Tables and a picture of what compare.py measured."""

import re

from works import operations, parameters

PLAIN = {"eager-bf16", "compile-bf16", "bfloat16"}  # modes whose products are not float32


def best(row, programs, half):
    """The fastest (who, median, minimum) of some programs, by median: in float32 or with products of bfloat16."""
    found = [(who, *m) for who, m in row["seconds"].items()
             if who.split(", ")[0] in programs and (who.split(", ")[-1] in PLAIN) == half and ", read-" not in who]
    return min(found, key=lambda f: f[1], default=None)


TORCH, KERAS = {"torch"}, {"keras"}
TRAIN_HEAD = ("| work | cell | operands | Refrain | of peak | PyTorch | its mode | ratio | of best steps | Keras | ratio |\n"
              "|---|---|---|--:|--:|--:|---|--:|--:|--:|--:|")


def trained(name, cell, w, row):
    """The lines of one work: float32, and bfloat16 where both have it. A speed is tokens a second."""
    lines, tokens = [], w["batch"] * w["bptt"]
    for half in (False, True):
        ours, torch, keras = best(row, {"refrain"}, half), best(row, TORCH, half), best(row, KERAS, half)
        if not ours or not torch:
            continue
        speed = tokens / ours[1]
        cells = [name, cell, "bfloat16" if half else "float32", f"{speed:,.0f}",
                 f"{100 * speed * operations(w, cell) / row['peak']:.0f} %", f"{tokens / torch[1]:,.0f}",
                 torch[0].replace("torch, ", ""), f"{torch[1] / ours[1]:.2f}", f"{torch[2] / ours[2]:.2f}"]
        cells += [f"{tokens / keras[1]:,.0f} ({keras[0].split(', ')[1]})", f"{keras[1] / ours[1]:.2f}"] if keras else ["", ""]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


GENERATION = {"generate": "Float32", "generate int8": "Weights and inputs in int8 (PyTorch: quantize_dynamic)"}
GENERATE_HEAD = ("| work | cell | Refrain | best | PyTorch | best | its mode | ratio | of best | Keras | ratio | reading | best | of it | of best |\n"
                 "|---|---|--:|--:|--:|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|")


def generated(name, cell, row):
    """One line of a table: milliseconds a token."""
    ms = lambda s: f"{s * 1e3:.3f}"
    ours, torch, keras = best(row, {"refrain"}, False), best(row, TORCH, False), best(row, KERAS, False)
    cells = [f"{name}, {ours[0].split(', ')[1]}", cell, ms(ours[1]), ms(ours[2]), ms(torch[1]), ms(torch[2]), torch[0].replace("torch, ", ""),
             f"{torch[1] / ours[1]:.2f}", f"{torch[2] / ours[2]:.2f}"]
    cells += [f"{ms(keras[1])} ({keras[0].split(', ')[1]})", f"{keras[1] / ours[1]:.2f}"] if keras else ["", ""]
    median, least = row["seconds"][f"refrain, read-{ours[0][-1]}"]
    cells += [ms(median), ms(least), f"{ours[1] / median:.2f}", f"{ours[2] / least:.2f}"]
    return "| " + " | ".join(cells) + " |"


def generation(isa, made, written):
    """The section on writing a token at a time, with weights in float32 and in int8."""
    body = [f"## A token at a time against peers: {isa} kernels", "", made, "",
            "Milliseconds a token of one greedy stream, smaller is better: medians, and the best token beside them; the contenders "
            "in turns in one run. Each side is the fastest by median of its ways: Refrain on 1 and 2 threads, PyTorch eager, "
            "TorchScript, explicit cells and torch.compile, each on 1 and 2 threads. Every token reads all weights but the "
            "embedding's: reading is a contender that reads as many bytes on as many threads and does nothing else, and "
            "the last columns are Refrain's multiples of its times."]
    for kind, rows in written.items():
        if rows:
            body += ["", f"{GENERATION[kind]}:", "", GENERATE_HEAD, *(generated(name, cell, row) for name, cell, row in rows)]
    return body


MEMORY_HEAD = "| work | cell | parameters | Refrain | PyTorch | ratio |\n|---|---|--:|--:|--:|--:|"


def memory(name, cell, w, row):
    ours, torch = row["memory"]["refrain"], row["memory"]["torch"]
    return (f"| {name} | {cell} | {parameters(w, cell) / 1e6:.1f} M | {ours / 1e6:,.0f} MB | {torch / 1e6:,.0f} MB | "
            f"{ours / torch:.2f} |")


AGREE_HEAD = "| work | cell | steps | Refrain | PyTorch | largest difference of a step |\n|---|---|--:|--:|--:|--:|"


def agreement(name, cell, row):
    ours, torch = row["losses"]
    worst = max(abs(a - b) for a, b in zip(ours, torch))
    return f"| {name} | {cell} | {len(ours)} | {ours[-1]:.6f} | {torch[-1]:.6f} | {worst:.1e} |"


def modes(name, cell, w, row):
    """Every mode of every program: tokens a second, by median and of the best step."""
    tokens = w["batch"] * w["bptt"]
    parts = [f"{who} {tokens / m:,.0f} ({tokens / b:,.0f})" for who, (m, b) in
             sorted(row["seconds"].items(), key=lambda item: item[1][0])]
    failed = [f"{who} failed: {error}" for who, error in row["errors"].items()]
    return f"- {name}, {cell}: " + "; ".join(parts + failed)


def training(isa, made, listed, picture):
    """The section on training, of rows (name, cell, work, row)."""
    return [
        f"## Speed against peers: {isa} kernels", "", made, "",
        "Agreement: from Refrain's exported weights, on the same windows, without dropout, in float32; the loss of the last "
        "of some steps in nats a token.", "", AGREE_HEAD,
        *(agreement(name, cell, row) for name, cell, w, row in listed), "",
        "Training, tokens a second by the median step (larger is better). Random ids, the contenders in turns in one run. The "
        "share of the peak is of the float32 multiply-adds of all threads, measured beside each row, at six operations a "
        "weight and token. PyTorch is the fastest of its modes by median, listed below; a ratio above 1 means that Refrain is "
        "faster. Lines with bfloat16 compare Refrain's `--precision bfloat16` with autocast.", "", TRAIN_HEAD,
        *(line for name, cell, w, row in listed for line in trained(name, cell, w, row)), "",
        f"![ratios]({picture})", "",
        "Peak memory of a process that trains a few steps in float32, PyTorch with plain malloc:", "", MEMORY_HEAD,
        *(memory(name, cell, w, row) for name, cell, w, row in listed), "",
        "Every mode, tokens a second by the median step (and of the best step). PyTorch has fused optimizers and memory kept "
        "by malloc:", "", *(modes(name, cell, w, row) for name, cell, w, row in listed)]


def ratio(row, half):
    """PyTorch's fastest median over Refrain's, None where one of them has none."""
    ours, torch = best(row, {"refrain"}, half), best(row, TORCH, half)
    return torch[1] / ours[1] if ours and torch else None


def draw(path, title, listed):
    """Horizontal bars of the ratios."""
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(9, 1.2 + 0.42 * len(listed)))
    for offset, half, label, color in ((-0.2, False, "float32", "#2f6f8f"), (0.2, True, "bfloat16", "#d98c3f")):
        shown = [(i + offset, ratio(row, half)) for i, (_, _, _, row) in enumerate(listed) if ratio(row, half)]
        if shown:
            drawn = axes.barh([s[0] for s in shown], [s[1] for s in shown], 0.38, label=label, color=color)
            axes.bar_label(drawn, fmt="%.2f", padding=3, fontsize=8)
    axes.axvline(1, color="#555555", linewidth=1)
    axes.set_yticks(range(len(listed)), [f"{cell} {name}" for name, cell, _, _ in listed], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("tokens a second, as a multiple of PyTorch's fastest mode")
    axes.set_title(title, fontsize=9)
    axes.legend(fontsize=8, loc="lower right")
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, dpi=110, metadata={"Software": None})


def replace_section(path, name, body):
    """Puts body between the two marks of its name, or at the end of the file."""
    text = path.read_text() if path.exists() else "# Results\n\nTables that commands under `bench/` wrote.\n"
    section = f"<!-- {name} -->\n{body}\n<!-- end of {name} -->"
    pattern = re.compile(rf"<!-- {name} -->.*<!-- end of {name} -->", re.S)
    text = pattern.sub(lambda _: section, text) if pattern.search(text) else text.rstrip() + "\n\n" + section + "\n"
    path.write_text(text)
