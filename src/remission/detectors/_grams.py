"""Hashed n-grams as linear scorers: fitted with scikit-learn, scored by compiled kernels."""

from __future__ import annotations

from typing import Any

import numpy as np

from remission.detectors._training import Training
from remission.numerics.arrays import Array, Floats, Words
from remission.numerics.hashing import (
    Counts,
    document_frequency,
    letter_grams,
    letter_scores,
    masked,
    word_grams,
    word_scores,
)
from remission.numerics.reading import WORD, Reading
from remission.numerics.vocabulary import table

FREQUENT = 300  # words that a masked text keeps
WORDS_UP_TO, MASKED_UP_TO, LETTERS = 2, 3, (3, 5)
LEAST = 2  # units that hold an n-gram
PRIOR = 4.0  # documents of either class that an n-gram is thought to have been in
LETTER_SCALE = 6.0  # brings a row of letters near length 1, as rows of words are


def fit(training: Training, bits: int, penalty: float, mask: bool = False) -> dict[str, Array]:
    """Weights of every bucket: of one logistic regression on all kinds, and of class log-ratios.

    Args:
        training: the examples.
        bits: logarithm of the number of buckets of each kind.
        penalty: C of the regression, the inverse of its ridge.
        mask: count n-grams of masked words besides those of words and letters.
    """
    reading = training.reading
    state: dict[str, Array] = {}
    counts = {
        "words": word_grams(reading, reading.hashes, WORDS_UP_TO, bits),
        "letters": letter_grams(reading, *LETTERS, bits),
    }
    if mask:
        state["frequent"] = _frequent(reading)
        counts["masked"] = word_grams(reading, masked(reading, state["frequent"]), MASKED_UP_TO, bits)
    tables = {name: np.zeros((1 << bits, 3), np.float32) for name in counts}
    known = {}
    for name, found in counts.items():
        known[name] = document_frequency(found, bits, training.units) >= LEAST
        tables[name][:, 2] = _log_ratios(found, training, known[name], bits)
    constant = _regression(counts, known, tables, training, penalty)
    return state | {"constant": np.array([constant]), **tables}


def scores(state: dict[str, Array], reading: Reading) -> Floats:
    """The regression, and the mean log-ratio of each kind (words, letters, masked), of every text (m, 1 + kinds)."""
    parts = [np.empty((reading.texts, 2)) for _ in range(3 if "masked" in state else 2)]
    bits = int(state["words"].shape[0]).bit_length() - 1
    word_scores(reading.hashes, reading.starts, WORDS_UP_TO, bits, state["words"], parts[0])
    letter_scores(*reading, *LETTERS, bits, state["letters"], parts[1])
    if "masked" in state:
        hidden = masked(reading, state["frequent"])
        word_scores(hidden, reading.starts, MASKED_UP_TO, bits, state["masked"], parts[2])
    regression = state["constant"][0] + sum(part[:, 0] for part in parts)
    return np.column_stack([regression, *(part[:, 1] for part in parts)])


def _frequent(reading: Reading) -> Words:
    """A table of the words in most texts."""
    spelt = (reading.kind == WORD) & (reading.hashes != 0)
    text = np.repeat(np.arange(reading.texts), np.diff(reading.starts))[spelt]
    words, number = np.unique(reading.hashes[spelt], return_inverse=True)
    held = np.bincount(np.unique(number * np.int64(reading.texts) + text) // reading.texts, minlength=words.size)
    return table(words[np.argsort(-held, kind="stable")[:FREQUENT]])


def _log_ratios(counts: Counts, training: Training, known: Array, bits: int) -> Floats:
    """The log-ratio of document frequencies synthetic : human of each bucket, the mean over domains.

    Naive Bayes on presence; the mean over domains keeps what holds in all of them and halves what holds in one.
    """
    rows = np.repeat(np.arange(counts.starts.size - 1), np.diff(counts.starts))
    domains = training.whole_domains
    groups = [training.domain == number for number in domains] or [np.ones(training.domain.size, bool)]
    total = np.zeros(1 << bits)
    for group in groups:
        share = []
        for flags in (training.synthetic, ~training.synthetic):
            weight = np.where(group & flags, training.weight, 0.0)
            held = np.bincount(counts.columns, weight[rows], minlength=1 << bits)
            share.append(held / max(weight.sum(), 1e-12))
        few = min((group & training.synthetic).sum(), (group & ~training.synthetic).sum())
        total += np.log((share[0] + PRIOR / max(few, 1)) / (share[1] + PRIOR / max(few, 1)))
    return np.where(known, total / len(groups), 0.0)


def _regression(
    counts: dict[str, Counts], known: dict[str, Array], tables: dict[str, Array], training: Training, penalty: float
) -> float:
    """Fill the weights of all tables; the constant of the regression."""
    from scipy.sparse import hstack
    from sklearn.linear_model import LogisticRegression

    blocks, scales, share = [], {}, 1.0 / np.sqrt(len(counts))
    for name, found in counts.items():
        scale = np.zeros(tables[name].shape[0])
        if name == "letters":
            tables[name][:, 1] = known[name]
        held = document_frequency(found, int(known[name].size).bit_length() - 1, np.arange(training.synthetic.size))
        scale[known[name]] = np.log((1 + training.synthetic.size) / (1 + held[known[name]])) + 1.0
        if name != "letters":
            tables[name][:, 1] = scale
        scales[name] = scale
        blocks.append(share * _rows(found, known[name], scale, name == "letters"))
    model = LogisticRegression(C=penalty, solver="liblinear", dual=True, tol=1e-2, random_state=0)
    model.fit(hstack(blocks, format="csr"), training.synthetic, sample_weight=training.weight)
    slopes, at = model.coef_[0], 0
    for name in counts:
        size = int(known[name].sum())
        block = share / (LETTER_SCALE if name == "letters" else 1.0)
        tables[name][known[name], 0] = slopes[at : at + size] * scales[name][known[name]] * block
        at += size
    return float(model.intercept_[0])


def _rows(counts: Counts, known: Array, scale: Floats, letters: bool) -> Any:
    """The rows of one kind as the kernels of scoring see them, without unknown buckets."""
    from scipy.sparse import csr_matrix

    keep = known[counts.columns]
    rows = np.repeat(np.arange(counts.starts.size - 1), np.diff(counts.starts))[keep]
    columns, values = counts.columns[keep], counts.values[keep].astype(np.float64)
    size = counts.starts.size - 1
    if letters:
        norm = np.sqrt(np.bincount(rows, values, minlength=size) + 1.0) * LETTER_SCALE
        values *= scale[columns]
    else:
        values = (1.0 + np.log(values)) * scale[columns]
        norm = np.sqrt(np.bincount(rows, values**2, minlength=size))
    values /= norm[rows]
    place = np.cumsum(known) - 1
    starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=size))])
    return csr_matrix((values, place[columns], starts), shape=(size, int(known.sum())))
