"""Writes nn/testdata/keras_*.json: one window of a language model made of
Keras' Embedding, SimpleRNN, LSTM or GRU, and Dense, for what PyTorch lacks: the
GRU whose reset gate acts before the recurrent product, and one bias vector.

The fields are those of torch_layers.py; weights and gradients are brought to
PyTorch's layout: kernels transposed, GRU gates from Keras' z,r,h to r,z,n, the
bias as bias_ih, while bias_hh is zero and has no gradient.

usage: keras_layers.py FOLDER
"""

import os
import sys

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import keras
import numpy as np
import tensorflow as tf

import fixture

SEED = 20240518
VOCAB, EMSIZE, HIDDEN, LANES, STEPS, LAYERS = 11, 6, 7, 3, 5, 2
GATES = {"rnn": 1, "lstm": 4, "gru": 3}


def make_cell(cell, relu):
    options = {"return_sequences": True, "return_state": True, "dtype": "float64"}
    if cell == "rnn":
        return keras.layers.SimpleRNN(HIDDEN, activation="relu" if relu else "tanh", **options)
    if cell == "lstm":
        return keras.layers.LSTM(HIDDEN, **options)
    return keras.layers.GRU(HIDDEN, reset_after=False, **options)


def to_torch(cell, a):
    """Keras' [in, G*H] or [G*H] to PyTorch's [G*H, in] or [G*H]."""
    parts = np.split(np.asarray(a), GATES[cell], axis=-1)
    if cell == "gru":
        parts = [parts[1], parts[0], parts[2]]
    return np.concatenate([p.T for p in parts], axis=0)


def torch_names(cell, layers, dense, table, of):
    """All weights under PyTorch's names; of maps a Keras variable to an array."""
    out = {"encoder.weight": of(table)}
    for i, layer in enumerate(layers):
        kernel, recurrent, bias = layer.trainable_variables
        out[f"rnn.weight_ih_l{i}"] = to_torch(cell, of(kernel))
        out[f"rnn.weight_hh_l{i}"] = to_torch(cell, of(recurrent))
        out[f"rnn.bias_ih_l{i}"] = to_torch(cell, of(bias))
    kernel, bias = dense.trainable_variables
    out["decoder.weight"] = np.asarray(of(kernel)).T
    out["decoder.bias"] = of(bias)
    return out


def run(ids, states, embedding, layers, dense):
    """Keras is batch-major; results are turned to time-major."""
    x, final = embedding(tf.constant(ids.T)), []
    for layer, state in zip(layers, states):
        x, *last = layer(x, initial_state=[tf.constant(s) for s in state])
        final.append(last)
    return tf.transpose(dense(x), (1, 0, 2)), tf.transpose(x, (1, 0, 2)), final


def mean_loss(logits, targets):
    flat = targets.ravel()
    each = tf.nn.sparse_softmax_cross_entropy_with_logits(
        labels=np.maximum(flat, 0), logits=tf.reshape(logits, (-1, VOCAB))
    )
    return tf.reduce_sum(each * (flat >= 0)) / float((flat >= 0).sum())


def dense_gradient(g):
    return tf.convert_to_tensor(g).numpy()


def window(folder, name, cell, relu=False):
    draw = fixture.drawer(SEED)
    embedding = keras.layers.Embedding(VOCAB, EMSIZE, dtype="float64")
    layers = [make_cell(cell, relu) for _ in range(LAYERS)]
    dense = keras.layers.Dense(VOCAB, dtype="float64")
    parts = 2 if cell == "lstm" else 1
    states = [[draw((LANES, HIDDEN), 0.9) for _ in range(parts)] for _ in layers]
    ids, targets = draw.ids((STEPS, LANES), VOCAB), draw.ids((STEPS, LANES), VOCAB)
    targets[2, 1] = -1
    run(ids, states, embedding, layers, dense)  # creates the variables
    variables = [v for part in [embedding, *layers, dense] for v in part.trainable_variables]
    for v in variables:
        v.assign(draw(tuple(v.shape)))
    with tf.GradientTape() as tape:
        logits, output, final = run(ids, states, embedding, layers, dense)
        loss = mean_loss(logits, targets)
    grads = tape.gradient(loss, [v.value for v in variables])
    grad_of = {v.path: dense_gradient(g) for v, g in zip(variables, grads)}

    table = embedding.trainable_variables[0]
    keys = "hc"[:parts]
    fields = {
        "cell": cell, "reset": "before" if cell == "gru" else "", "bias": "one", "relu": relu,
        "vocab": VOCAB, "emsize": EMSIZE, "hidden": HIDDEN, "layers": LAYERS, "tied": False,
        "lanes": LANES, "steps": STEPS,
        "ids": ids.ravel().tolist(), "targets": targets.ravel().tolist(),
        "weights": {k: fixture.exact(a) for k, a in torch_names(cell, layers, dense, table, lambda v: v.numpy()).items()},
        "state": {f"{k}_l{i}": fixture.exact(a) for i, s in enumerate(states) for k, a in zip(keys, s)},
        "output": fixture.result(output.numpy()),
        "final": {f"{k}_l{i}": fixture.result(a.numpy()) for i, s in enumerate(final) for k, a in zip(keys, s)},
        "loss": float(loss),
        "grads": {k: fixture.result(a) for k, a in torch_names(cell, layers, dense, table, lambda v: grad_of[v.path]).items()},
    }
    versions = {"keras": keras.__version__, "tensorflow": tf.__version__}
    fixture.write(f"{folder}/keras_{name}.json", "keras_layers.py", versions, SEED, fields)


def main(folder):
    window(folder, "rnn_tanh", "rnn")
    window(folder, "rnn_relu", "rnn", relu=True)
    window(folder, "lstm", "lstm")
    window(folder, "gru_before", "gru")


if __name__ == "__main__":
    main(sys.argv[1])
