"""The article's experiment in Keras, from Refrain's weights and batches where wanted."""

import json
import os
import subprocess

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np
import tensorflow as tf

THREADS = int(os.environ.get("KERAS_THREADS", "2"))
CELLS, FORMS = ["rnn", "lstm", "gru"], ["every", "last"]
LAYERS = {"rnn": keras.layers.SimpleRNN, "lstm": keras.layers.LSTM, "gru": keras.layers.GRU}
GATES = {"rnn": 1, "lstm": 4, "gru": 3}
UNITS, BATCH, EMSIZE, SPLIT = 128, 64, 100, 0.2


def refrain(args, *command):
    out = subprocess.run([args.refrain, *map(str, command)], check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(out)


def lines(path):
    with open(path, encoding="utf-8") as f:
        return [line.rstrip("\n") for line in f]


class Adam(keras.optimizers.Adam):
    """Adam as Keras' equations have it. On TensorFlow the gradient of an embedding comes as slices, one for each
    occurrence of a word, and Keras 3.15 adds up the squares of the slices, where its other backends (and Adam) square
    their sum: rows of words that occur twice in a batch move further than the learning rate allows."""

    def apply(self, grads, trainable_variables=None):
        return super().apply([tf.convert_to_tensor(g) for g in grads], trainable_variables)


# The model: the article's, with an Embedding that masks padding.

def build(cell, form, vocab, emsize, steps):
    every = form == "every"
    model = keras.Sequential([
        keras.Input((steps,), dtype="int32"),
        keras.layers.Embedding(vocab, emsize, mask_zero=True),
        LAYERS[cell](UNITS, return_sequences=every),
        keras.layers.Dense(vocab),
    ])
    model.compile(Adam(0.001), keras.losses.SparseCategoricalCrossentropy(from_logits=True),
                  metrics=["accuracy"])
    return model


def set_weights(model, cell, w):
    """PyTorch's names and layout to Keras': kernels transposed, the GRU's gates from r,z,n to z,r,h."""
    def gates(a):
        parts = np.split(a, GATES[cell], axis=0)
        if cell == "gru":
            parts = [parts[1], parts[0], parts[2]]
        return np.concatenate(parts, axis=0).T

    table, rnn, dense = model.layers
    bias = gates(w["rnn.bias_ih_l0"])
    if cell == "gru":
        bias = np.stack([bias, gates(w["rnn.bias_hh_l0"])])
    table.set_weights([w["encoder.weight"]])
    rnn.set_weights([gates(w["rnn.weight_ih_l0"]), gates(w["rnn.weight_hh_l0"]), bias])
    dense.set_weights([w["decoder.weight"].T, w["decoder.bias"]])


def rows(sequences, form, maxlen):
    """What the article makes of documents: X padded in front, y likewise or one word a row."""
    if form == "every":
        pairs = [(s[:-1], s[1:]) for s in sequences if len(s) > 1]
        x, y = [p[0] for p in pairs], [p[1] for p in pairs]
        return keras.utils.pad_sequences(x, maxlen), keras.utils.pad_sequences(y, maxlen)
    x = [s[:i] for s in sequences for i in range(1, len(s))]
    y = [s[i] for s in sequences for i in range(1, len(s))]
    return keras.utils.pad_sequences(x, maxlen), np.array(y, np.int32)


def split(x, y):
    at = int(np.floor(len(x) * (1 - SPLIT)))
    return x[:at], y[:at], x[at:], y[at:]


def mean_loss(model, x, y, form):
    """Nats a word over all words, exactly; Keras' own figure for a masked model is a mean of batches' means."""
    @tf.function
    def losses(x, y):
        each = tf.nn.sparse_softmax_cross_entropy_with_logits(y, model(x))
        mask = tf.cast(y > 0, tf.float32) if form == "every" else tf.ones_like(each)
        return tf.reduce_sum(each * mask), tf.reduce_sum(mask)
    total = count = 0.0
    for i in range(0, len(x), 256):
        a, b = losses(tf.constant(x[i:i + 256]), tf.constant(y[i:i + 256]))
        total, count = total + float(a), count + float(b)
    return total / count


def padded(batch, form, longest):
    """A batch [T,B], padded behind, as Keras takes it: [B,T], padded in front; empty rows left out."""
    x, y = (np.array(batch[k], np.int32).reshape(batch["T"], batch["B"]).T for k in ("Inputs", "Targets"))
    inputs, targets = [], []
    for row, want in zip(x, y):
        known = np.flatnonzero(want >= 0)
        if len(known):
            n = known[-1] + 1
            inputs.append(row[:n])
            targets.append(want[:n] if form == "every" else want[n - 1])
    x = keras.utils.pad_sequences(inputs, longest)
    return x, keras.utils.pad_sequences(targets, longest) if form == "every" else np.array(targets, np.int32)
