"""KenLM scores an ARPA file that Refrain wrote, Refrain scores its own model.

    pip install kenlm
    refrain inspect MODEL --arpa lm.arpa
    python bench/kenlm/agree.py lm.arpa MODEL valid.txt
"""
import json
import math
import subprocess
import sys

import kenlm

arpa, folder, path = sys.argv[1:]
model = kenlm.Model(arpa)
scored = subprocess.run(["refrain", "score", folder, path, "--json"], check=True, capture_output=True, text=True)
total, words, worst = 0.0, 0, 0.0
with open(path) as lines:
    for line, ours in zip(lines, map(json.loads, scored.stdout.splitlines()), strict=True):
        log10 = model.score(line.strip(), bos=True, eos=True)
        worst = max(worst, abs(log10 - ours["logprob"] / math.log(10)))
        total += log10
        words += len(line.split()) + 1
print(f"order {model.order}, perplexity by KenLM {10 ** (-total / words):.4f}, largest difference of a sentence {worst:.1e} log10")
