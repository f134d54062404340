"""Keras' (TensorFlow's) side of the speed comparison; the protocol is torch_worker.py's."""

import gc
import json
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import keras
import numpy as np
import tensorflow as tf

THREADS = int(os.environ.get("PEERS_THREADS", "2"))
RNN = {"rnn": keras.layers.SimpleRNN, "lstm": keras.layers.LSTM, "gru": keras.layers.GRU}


class Network:
    """Embedding, recurrent layers and Dense, with the state as an argument and a result."""

    def __init__(self, work):
        keras.utils.set_random_seed(1)
        self.encoder = keras.layers.Embedding(work["vocab"], work["emsize"])
        self.layers = [RNN[work["cell"]](work["nhid"], return_sequences=True, return_state=True)
                       for _ in range(work["nlayers"])]
        self.decoder = keras.layers.Dense(work["vocab"])

    def __call__(self, ids, state):
        x, new = self.encoder(ids), []
        for layer, s in zip(self.layers, state):
            x, *s = layer(x, initial_state=s)
            new.append(s)
        return self.decoder(x), new

    def weights(self):
        return [w.value for part in (self.encoder, *self.layers, self.decoder) for w in part.trainable_variables]


def zero_state(work, batch):
    parts = 2 if work["cell"] == "lstm" else 1
    return [[tf.zeros([batch, work["nhid"]]) for _ in range(parts)] for _ in range(work["nlayers"])]


class Training:
    def __init__(self, work, mode):
        self.work, self.state = work, zero_state(work, work["batch"])
        self.random = np.random.default_rng(7)
        network = Network(work)
        network(tf.zeros([work["batch"], work["bptt"]], tf.int32), self.state)  # builds the weights
        weights = network.weights()
        if work["optimizer"] == "adam":
            optimizer = keras.optimizers.Adam(float(work["lr"]))
        else:
            optimizer = keras.optimizers.SGD(float(work["lr"]))
        variables = [v for part in (network.encoder, *network.layers, network.decoder) for v in part.trainable_variables]
        optimizer.build(variables)

        @tf.function(jit_compile=mode == "xla")
        def step(inputs, targets, state):
            with tf.GradientTape() as tape:
                logits, state = network(inputs, state)
                loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits))
            grads = tape.gradient(loss, weights)
            grads = [tf.convert_to_tensor(g) for g in grads]
            if work["clip"]:
                grads, _ = tf.clip_by_global_norm(grads, work["clip"])
            optimizer.apply_gradients(zip(grads, variables))
            return loss, state

        self.call = step
        self.steps(2)

    def steps(self, count):
        work, seconds = self.work, []
        for _ in range(count):
            ids = self.random.integers(work["vocab"], size=(work["batch"], work["bptt"] + 1), dtype=np.int32)
            start = time.perf_counter()
            loss, self.state = self.call(tf.constant(ids[:, :-1]), tf.constant(ids[:, 1:]), self.state)
            loss.numpy()
            seconds.append(time.perf_counter() - start)
        return seconds


class Fit:
    """Model.fit on a stateful stack, as Keras' own examples train one; a step's time is that between its callbacks."""

    def __init__(self, work, mode):
        keras.utils.set_random_seed(1)
        self.work, self.random = work, np.random.default_rng(7)
        layers = [keras.Input(batch_shape=(work["batch"], work["bptt"]), dtype="int32"),
                  keras.layers.Embedding(work["vocab"], work["emsize"])]
        layers += [RNN[work["cell"]](work["nhid"], return_sequences=True, stateful=True) for _ in range(work["nlayers"])]
        self.model = keras.Sequential(layers + [keras.layers.Dense(work["vocab"])])
        kind = keras.optimizers.Adam if work["optimizer"] == "adam" else keras.optimizers.SGD
        self.model.compile(optimizer=kind(float(work["lr"]), global_clipnorm=work["clip"] or None),
                           loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        self.steps(2)

    def steps(self, count):
        work, times = self.work, []
        rows = count * work["batch"]
        ids = self.random.integers(work["vocab"], size=(rows, work["bptt"] + 1), dtype=np.int32)
        mark = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: times.append(time.perf_counter()))
        times.append(time.perf_counter())
        self.model.fit(ids[:, :-1], ids[:, 1:], batch_size=work["batch"], shuffle=False, verbose=0, callbacks=[mark])
        return [b - a for a, b in zip(times, times[1:])]


class Generation:
    def __init__(self, work, mode):
        network, self.state = Network(work), zero_state(work, 1)
        network(tf.zeros([1, 1], tf.int32), self.state)

        @tf.function(jit_compile=mode == "xla")
        def step(token, state):
            logits, state = network(tf.reshape(token, [1, 1]), state)
            return tf.argmax(logits[0, 0], output_type=tf.int32), state

        self.call, self.token = step, tf.constant(0)
        self.steps(20)

    def steps(self, count):
        seconds = []
        for _ in range(count):
            start = time.perf_counter()
            self.token, self.state = self.call(self.token, self.state)
            self.token.numpy()
            seconds.append(time.perf_counter() - start)
        return seconds


def main():
    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    replies, sys.stdout = sys.stdout, sys.stderr
    built = {}
    for line in sys.stdin:
        command = json.loads(line)
        try:
            do = command["do"]
            if do == "about":
                reply = {"keras": keras.__version__, "tensorflow": tf.__version__}
            elif do == "modes":
                reply = {"modes": {"train": ["fit", "graph", "xla"], "generate": ["graph", "xla"]}.get(command["kind"], [])}
            elif do == "drop":
                built.clear()
                keras.backend.clear_session()
                gc.collect()
                reply = {}
            else:
                key = json.dumps([do, command["work"], command["mode"]], sort_keys=True)
                if key not in built:
                    kind = Generation if do == "generate" else Fit if command["mode"] == "fit" else Training
                    built[key] = kind(command["work"], command["mode"])
                reply = {"seconds": built[key].steps(command["steps"])}
        except Exception as e:  # a mode that doesn't work on this machine is a row, not the end
            reply = {"error": f"{type(e).__name__}: {e}".splitlines()[0][:200]}
        print(json.dumps(reply), file=replies, flush=True)


if __name__ == "__main__":
    main()
