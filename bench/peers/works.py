"""The pieces of work that bench/peers measures: models, batches and optimizers, by name."""


def work(emsize, nhid, nlayers, batch, bptt, optimizer, vocab=10000, clip=0):
    return dict(vocab=vocab, emsize=emsize, nhid=nhid, nlayers=nlayers, batch=batch, bptt=bptt, optimizer=optimizer,
                lr=1e-3 if optimizer == "adam" else 1.0, clip=clip)


TRAINED = {
    "1x128 (128), 10,000 words, 64x35, Adam": work(128, 128, 1, 64, 35, "adam"),
    "1x127 (127), 10,000 words, 64x35, Adam": work(127, 127, 1, 64, 35, "adam"),
    "2x200 (200), 10,000 words, 20x35, SGD, clip 5": work(200, 200, 2, 20, 35, "sgd", clip=5),
    "2x650 (650), 10,000 words, 20x35, SGD, clip 5": work(650, 650, 2, 20, 35, "sgd", clip=5),
    "2x650 (650), 10,000 words, 64x35, SGD, clip 5": work(650, 650, 2, 64, 35, "sgd", clip=5),
    "3x1150 (400), 10,000 words, 20x70, SGD, clip 5": work(400, 1150, 3, 20, 70, "sgd", clip=5),
    "3x1150 (400), 10,000 words, 64x70, SGD, clip 5": work(400, 1150, 3, 64, 70, "sgd", clip=5),
    "2x512 (128), 96 characters, 64x128, Adam": work(128, 512, 2, 64, 128, "adam", vocab=96),
}
GENERATED = {  # generation uses the networks of two of the works
    "2x650 (650), 10,000 words": TRAINED["2x650 (650), 10,000 words, 20x35, SGD, clip 5"],
    "2x512 (128), 96 characters": TRAINED["2x512 (128), 96 characters, 64x128, Adam"],
}
CELLS = {  # to train by default; the larger works take long
    name: ["rnn", "lstm", "gru"] if name.startswith(("1x128", "2x650 (650), 10,000 words, 20", "2x512")) else ["lstm"]
    for name in TRAINED
}
GATES = {"rnn": 1, "lstm": 4, "gru": 3}


def operations(w, cell):
    """Of a token in training: six for every weight that takes part in a product, two forward and four back."""
    weights, width = w["nhid"] * w["vocab"], w["emsize"]
    for _ in range(w["nlayers"]):
        weights += GATES[cell] * w["nhid"] * (width + w["nhid"])
        width = w["nhid"]
    return 6 * weights


def parameters(w, cell):
    """All of the model: products, embeddings, biases."""
    biases = w["nlayers"] * 2 * GATES[cell] * w["nhid"] + w["vocab"]
    return operations(w, cell) // 6 + w["vocab"] * w["emsize"] + biases
