"""What the golden fixtures have in common.

A fixture is one JSON object. "made_by", "versions" and "seed" say where it is
from; an array is {"shape": [...], "data": [...]}, row-major, each on one line.
Weights, states and inputs are exact float32; results are float64 with nine
digits.
"""

import json
import platform

import numpy as np


def drawer(seed):
    """Returns draw(shape, r): uniform in [-r, r), exact in float32."""
    rng = np.random.default_rng(seed)

    def draw(shape, r=0.6):
        return rng.uniform(-r, r, size=shape).astype(np.float32).astype(np.float64)

    draw.ids = lambda shape, vocab: rng.integers(0, vocab, size=shape)
    return draw


def exact(a):
    """An array whose elements are float32 values, as their shortest decimals."""
    a = np.asarray(a)
    assert (a.astype(np.float32) == a).all(), "not a float32 value"
    return _array(a, lambda v: str(np.float32(v)))


def result(a):
    """An array of results."""
    return _array(np.asarray(a), lambda v: f"{v:.9g}")


def _array(a, text):
    return _Raw(json.dumps(list(a.shape)), ",".join(_number(text(v)) for v in a.ravel().tolist()))


def _number(text):
    return str(int(float(text))) if float(text) == int(float(text)) else text


class _Raw(dict):
    def __init__(self, shape, data):
        super().__init__()
        self.text = '{"shape": %s, "data": [%s]}' % (shape, data)


def write(path, script, versions, seed, fields):
    versions = {"python": platform.python_version(), "numpy": np.__version__, **versions}
    head = {"made_by": f"bench/golden/{script}", "versions": versions, "seed": seed}
    lines = []
    for key, value in {**head, **fields}.items():
        if isinstance(value, dict) and value and all(isinstance(v, _Raw) for v in value.values()):
            inner = ",\n".join(f"  {json.dumps(k)}: {v.text}" for k, v in value.items())
            lines.append(f" {json.dumps(key)}: {{\n{inner}\n }}")
        elif isinstance(value, _Raw):
            lines.append(f" {json.dumps(key)}: {value.text}")
        else:
            lines.append(f" {json.dumps(key)}: {json.dumps(value)}")
    with open(path, "w", encoding="utf-8") as out:
        out.write("{\n" + ",\n".join(lines) + "\n}\n")
