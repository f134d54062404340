"""Writes golden.json: ten steps of the optimizers, and rates of the schedules,
by PyTorch 2.15.0 and Keras 3.15.1 (on PyTorch), float32 on the CPU.

    python golden.py > golden.json
"""
import json
import os

os.environ["KERAS_BACKEND"] = "torch"
import keras
import numpy as np
import torch

STEPS, CLIP = 10, 0.8
rng = np.random.default_rng(1)
SHAPES = {"a": (3, 5), "b": (7,)}
start = {n: rng.normal(size=s).astype(np.float32) for n, s in SHAPES.items()}
# Scales over five decades, so that epsilon and clipping matter in some steps and not in others.
grads = [{n: (rng.normal(size=s) * 10.0 ** rng.uniform(-5, 0)).astype(np.float32) for n, s in SHAPES.items()}
         for _ in range(STEPS)]


def flat(d):
    return [float(x) for n in SHAPES for x in np.asarray(d[n]).ravel()]


def run_torch(make, clip=False, average=False):
    ps = {n: torch.nn.Parameter(torch.tensor(v)) for n, v in start.items()}
    opt = make(list(ps.values()))
    out, norms = [], []
    for g in grads:
        for n, p in ps.items():
            p.grad = torch.tensor(g[n])
        if clip:
            norms.append(float(torch.nn.utils.clip_grad_norm_(list(ps.values()), CLIP)))
        opt.step()
        out.append(flat({n: p.detach().numpy() for n, p in ps.items()}))
    res = {"values": out}
    if clip:
        res["clip"], res["norms"] = CLIP, norms
    if average:
        res["average"] = flat({n: opt.state[p]["ax"].numpy() for n, p in ps.items()})
    return res


def run_keras(opt):
    ps = {n: keras.Variable(v) for n, v in start.items()}
    out = []
    for g in grads:
        opt.apply([keras.ops.convert_to_tensor(g[n]) for n in SHAPES], list(ps.values()))
        out.append(flat({n: keras.ops.convert_to_numpy(p) for n, p in ps.items()}))
    return {"values": out}


def case(name, config, lr, result):
    return {"name": name, "config": config, "lr": lr, **result}


O, K = torch.optim, keras.optimizers
cases = [
    case("sgd", {"name": "sgd"}, 0.5, run_torch(lambda p: O.SGD(p, lr=0.5))),
    case("sgd decay clipped", {"name": "sgd", "weight_decay": 0.01}, 0.5,
         run_torch(lambda p: O.SGD(p, lr=0.5, weight_decay=0.01), clip=True)),
    case("asgd from the start", {"name": "asgd", "weight_decay": 0.01}, 0.5,
         run_torch(lambda p: O.ASGD(p, lr=0.5, lambd=0, t0=0, weight_decay=0.01), average=True)),
    case("asgd from step 4", {"name": "asgd", "average_from": 4}, 0.5,
         run_torch(lambda p: O.ASGD(p, lr=0.5, lambd=0, t0=4), average=True)),
    case("asgd not yet", {"name": "asgd", "average_from": 100}, 0.5,
         run_torch(lambda p: O.ASGD(p, lr=0.5, lambd=0, t0=100), average=True)),
    case("adam", {"name": "adam"}, 0.01, run_torch(lambda p: O.Adam(p, lr=0.01))),
    case("adam decay clipped", {"name": "adam", "weight_decay": 0.1, "beta1": 0.8, "beta2": 0.99, "eps": 1e-5}, 0.01,
         run_torch(lambda p: O.Adam(p, lr=0.01, betas=(0.8, 0.99), eps=1e-5, weight_decay=0.1), clip=True)),
    case("adamw clipped", {"name": "adamw", "weight_decay": 0.1}, 0.01,
         run_torch(lambda p: O.AdamW(p, lr=0.01, weight_decay=0.1), clip=True)),
    case("adamw large epsilon", {"name": "adamw", "weight_decay": 1, "eps": 1e-3}, 0.01,
         run_torch(lambda p: O.AdamW(p, lr=0.01, weight_decay=1.0, eps=1e-3))),
    case("keras adam", {"name": "adam", "keras": True}, 0.01, run_keras(K.Adam(learning_rate=0.01))),
    case("keras adam large epsilon", {"name": "adam", "keras": True, "eps": 1e-3}, 0.01,
         run_keras(K.Adam(learning_rate=0.01, epsilon=1e-3))),
    case("keras adamw", {"name": "adamw", "keras": True, "weight_decay": 0.1}, 0.01,
         run_keras(K.AdamW(learning_rate=0.01, weight_decay=0.1))),
]


def rates(make, total):
    opt = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.3)
    s = make(opt)
    out = []
    for _ in range(total):
        out.append(opt.param_groups[0]["lr"])
        opt.step()
        s.step() if len(out) < total else None
    return out


L = torch.optim.lr_scheduler
schedules = [
    {"name": "cosine", "schedule": {"name": "cosine", "lr": 0.3}, "rates": rates(lambda o: L.CosineAnnealingLR(o, 17), 17)},
    {"name": "cosine with a floor", "schedule": {"name": "cosine", "lr": 0.3, "final": 0.1},
     "rates": rates(lambda o: L.CosineAnnealingLR(o, 17, eta_min=0.03), 17)},
    {"name": "one-cycle", "schedule": {"name": "one-cycle", "lr": 0.3},
     "rates": rates(lambda o: L.OneCycleLR(o, 0.3, total_steps=23), 23)},
    {"name": "one-cycle early", "schedule": {"name": "one-cycle", "lr": 0.3, "warm_up": 0.1},
     "rates": rates(lambda o: L.OneCycleLR(o, 0.3, total_steps=40, pct_start=0.1), 40)},
]
print(json.dumps({
    "made_by": f"golden.py, PyTorch {torch.__version__}, Keras {keras.__version__}",
    "lengths": [int(np.prod(s)) for s in SHAPES.values()],
    "start": flat(start), "grads": [flat(g) for g in grads],
    "cases": cases, "schedules": schedules,
}))
