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
COLUMNS = 4  # scores: logistic regression, mean log-ratio of words, of masked words, of letters


def fit(training: Training, bits: int, penalty: float) -> dict[str, Array]:
    """Weights of every bucket: of one logistic regression on all three kinds, and of class log-ratios.

    Args:
        training: the examples.
        bits: logarithm of the number of buckets of each kind.
        penalty: C of the regression, the inverse of its ridge.
    """
    reading = training.reading
    frequent = _frequent(reading)
    counts = {
        "words": word_grams(reading, reading.hashes, WORDS_UP_TO, bits),
        "masked": word_grams(reading, masked(reading, frequent), MASKED_UP_TO, bits),
        "letters": letter_grams(reading, *LETTERS, bits),
    }
    tables = {name: np.zeros((1 << bits, 3), np.float32) for name in counts}
    known = {}
    for name, found in counts.items():
        known[name] = document_frequency(found, bits, training.units) >= LEAST
        tables[name][:, 2] = _log_ratios(found, training, known[name], bits)
    constant = _regression(counts, known, tables, training, penalty)
    return {"frequent": frequent, "constant": np.array([constant]), **tables}


def scores(state: dict[str, Array], reading: Reading) -> Floats:
    """The scorers of each text (m, COLUMNS)."""
    out = np.empty((reading.count, COLUMNS))
    bits = int(state["words"].shape[0]).bit_length() - 1
    part = np.empty((reading.count, 2))
    word_scores(reading.hashes, reading.starts, WORDS_UP_TO, bits, state["words"], part)
    out[:, 0], out[:, 1] = state["constant"][0] + part[:, 0], part[:, 1]
    hidden = masked(reading, state["frequent"])
    word_scores(hidden, reading.starts, MASKED_UP_TO, bits, state["masked"], part)
    out[:, 0] += part[:, 0]
    out[:, 2] = part[:, 1]
    letter_scores(*reading, *LETTERS, bits, state["letters"], part)
    out[:, 0] += part[:, 0]
    out[:, 3] = part[:, 1]
    return out


def _frequent(reading: Reading) -> Words:
    """A table of the words in most texts."""
    spelt = (reading.kind == WORD) & (reading.hashes != 0)
    text = np.repeat(np.arange(reading.count), np.diff(reading.starts))[spelt]
    words, number = np.unique(reading.hashes[spelt], return_inverse=True)
    held = np.bincount(np.unique(number * np.int64(reading.count) + text) // reading.count, minlength=words.size)
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

    blocks, scales = [], {}
    for name, found in counts.items():
        scale = np.zeros(tables[name].shape[0])
        if name == "letters":
            tables[name][:, 1] = known[name]
        held = document_frequency(found, int(known[name].size).bit_length() - 1, np.arange(training.synthetic.size))
        scale[known[name]] = np.log((1 + training.synthetic.size) / (1 + held[known[name]])) + 1.0
        if name != "letters":
            tables[name][:, 1] = scale
        scales[name] = scale
        blocks.append(_rows(found, known[name], scale, name == "letters"))
    model = LogisticRegression(C=penalty, solver="liblinear", tol=1e-3)
    model.fit(hstack(blocks, format="csr"), training.synthetic, sample_weight=training.weight)
    slopes, at = model.coef_[0], 0
    for name in counts:
        size = int(known[name].sum())
        block = 1.0 / (np.sqrt(3.0) * (LETTER_SCALE if name == "letters" else 1.0))
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
    values /= np.sqrt(3.0) * norm[rows]
    place = np.cumsum(known) - 1
    starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=size))])
    return csr_matrix((values, place[columns], starts), shape=(size, int(known.sum())))
