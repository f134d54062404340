"""Writes keras.json: what Keras' own Tokenizer makes of small texts, by Keras 3.15.1. Its counts and indices are in
its JSON, where the order of word_docs is that of Python's hashes.

    PYTHONHASHSEED=0 python golden.py > keras.json
"""

import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
from keras.src.legacy.preprocessing.text import Tokenizer

TEXTS = {
    "english": ["The cat sat on the mat.", "The dog, the log & the bog!", "Dogs and cats\tliving together\n", "", "don't stop: it's 3.14"],
    "unicode": ["ΟΔΟΣ ΣΑΣ Σ ΑΣ. ΑΣ' ΑΣ\u00adB ὈΔΥΣΣΕΎΣ", "İSTANBUL Iğdır ĞÜŞ", "ÀÉÎ ß ẞ ǅ Ⅷ Ⓐ", "\u00a0nbsp\u2003em\u3000ideographic",
                "白日依山盡，黃河入海流。", "床前明月光 疑是地上霜", "🙂🙂 👨‍👩‍👧 naïve 🙂", "a\rb\vc  d   e", "x" * 20],
    "ties": ["b a c", "c b a d", "d e"],
    "own oov": ["<unk> a <unk> b b b", "a <unk>"],
}
CASES = [
    dict(), dict(num_words=4), dict(oov_token="<unk>"), dict(num_words=4, oov_token="<unk>"), dict(char_level=True),
    dict(char_level=True, oov_token="?", num_words=6), dict(lower=False), dict(filters=""), dict(split="a"), dict(split="the", filters="!"),
    dict(filters="<>", oov_token="<unk>"), dict(filters="", oov_token="<unk>"),
]
OTHER = ["The bird sat on a cat", "ΣΟΦΟΣ 白日", "b b e zebra <unk>", ""]


def case(name, args, tokens=False):
    texts, other = TEXTS[name], OTHER
    if tokens:
        texts, other = [t.split() for t in texts], [t.split() for t in other]
    t = Tokenizer(**args)
    t.fit_on_texts(texts)
    sequences = t.texts_to_sequences(texts + other)
    return dict(
        name=name, args=args, tokens=tokens, sequences=sequences, back=t.sequences_to_texts(sequences + [[1, 2, 99]]),
        matrix={m: [[row_number(v) for v in row] for row in t.texts_to_matrix(other[:2], m).tolist()] for m in ("binary", "count", "freq", "tfidf")},
        json=t.to_json())


def row_number(v):
    return int(v) if v == int(v) else v


def main():
    cases = [case(name, args) for name in TEXTS for args in CASES]
    cases += [case(name, args, tokens=True) for name in TEXTS for args in (dict(), dict(lower=False, num_words=3, oov_token="<unk>"))]
    out = dict(keras=keras.__version__, python=sys.version.split()[0], texts=TEXTS, other=OTHER, cases=cases)
    print(json.dumps(out, separators=(",", ":"), ensure_ascii=False))


if __name__ == "__main__":
    main()
