"""Writes lm/testdata/train_keras_*.json: ten optimizer steps of a whole
language model made of Keras' Embedding, two SimpleRNN or GRU layers (the reset
before the product, one bias vector) and Dense, by Keras' Adam, from a zero state
that is carried from window to window, with clipping by the global norm.

The fields are those of torch_training.py; bias_hh is zero and stays so. The
optimizer's "keras_eps" says where epsilon stands.

usage: keras_training.py FOLDER
"""

import sys

from keras_layers import (
    EMSIZE, HIDDEN, LANES, LAYERS, STEPS, VOCAB, dense_gradient, keras, make_cell, mean_loss, np, run, tf, torch_names,
)

import fixture

SEED = 20240521
WINDOWS = 10
OPTIONS = {"lr": 0.01, "betas": [0.9, 0.99], "eps": 1e-5}


def with_other_bias(weights):
    """weights and a bias_hh of zeros beside every bias_ih."""
    zeros = {k.replace("bias_ih", "bias_hh"): np.zeros(np.shape(a)) for k, a in weights.items() if "bias_ih" in k}
    return {**weights, **zeros}


def train(folder, name, cell, clip):
    draw = fixture.drawer(SEED)
    embedding = keras.layers.Embedding(VOCAB, EMSIZE, dtype="float64")
    layers = [make_cell(cell, False) for _ in range(LAYERS)]
    dense = keras.layers.Dense(VOCAB, dtype="float64")
    ids, targets = draw.ids((WINDOWS, STEPS, LANES), VOCAB), draw.ids((WINDOWS, STEPS, LANES), VOCAB)
    targets[:, 1, 2] = -1
    states = [[np.zeros((LANES, HIDDEN))] for _ in layers]
    run(ids[0], states, embedding, layers, dense)  # creates the variables
    variables = [v for part in [embedding, *layers, dense] for v in part.trainable_variables]
    for v in variables:
        v.assign(draw(tuple(v.shape)))

    def weights(of):
        named = torch_names(cell, layers, dense, embedding.trainable_variables[0], lambda v: v.numpy())
        return {k: of(a) for k, a in with_other_bias(named).items()}

    before = weights(fixture.exact)
    optimizer = keras.optimizers.Adam(OPTIONS["lr"], *OPTIONS["betas"], epsilon=OPTIONS["eps"])
    losses, norms = [], []
    for window in range(WINDOWS):
        with tf.GradientTape() as tape:
            logits, _, states = run(ids[window], states, embedding, layers, dense)
            loss = mean_loss(logits, targets[window])
        grads = [dense_gradient(g) for g in tape.gradient(loss, [v.value for v in variables])]
        norm = float(np.sqrt(sum((g**2).sum() for g in grads)))
        assert norm > clip, f"{name}: step {window} is not clipped ({norm})"
        optimizer.apply([tf.constant(g * (clip / (norm + 1e-6))) for g in grads], variables)
        states = [[s.numpy() for s in state] for state in states]
        losses.append(float(loss))
        norms.append(norm)
    fields = {
        "cell": cell, "reset": "before" if cell == "gru" else "", "bias": "one", "relu": False,
        "vocab": VOCAB, "emsize": EMSIZE, "hidden": HIDDEN, "layers": LAYERS, "tied": False,
        "lanes": LANES, "steps": STEPS,
        "optimizer": {"name": "adam", "keras_eps": True, **OPTIONS}, "clip": clip,
        "ids": ids.ravel().tolist(), "targets": targets.ravel().tolist(),
        "weights": before, "losses": losses, "norms": norms,
        "final": weights(fixture.result),
        "final_state": {f"h_l{i}": fixture.result(s[0]) for i, s in enumerate(states)},
    }
    versions = {"keras": keras.__version__, "tensorflow": tf.__version__}
    fixture.write(f"{folder}/train_keras_{name}.json", "keras_training.py", versions, SEED, fields)


def main(folder):
    keras.backend.set_floatx("float64")  # Adam's moments too
    train(folder, "rnn", "rnn", clip=0.1)
    train(folder, "gru_before", "gru", clip=0.1)


if __name__ == "__main__":
    main(sys.argv[1])
