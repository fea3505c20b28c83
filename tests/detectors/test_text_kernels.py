"""Compiled counting and scoring against plain Python."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from remission.detectors._reading import read_all
from remission.numerics import likelihood
from remission.numerics.hashing import (
    document_frequency,
    letter_grams,
    letter_scores,
    masked,
    word_grams,
    word_scores,
)
from remission.numerics.style import names
from remission.numerics.vocabulary import table

TEXTS = ["the cat sat on the mat the cat sat", "a dog, a cat; the the the", "", "Lorem ipsum 12 and 34 and 56!"]
BITS = 20


def tokens(text: str) -> list[str]:
    reading = read_all([text])
    chars = "".join(chr(char & 0x1FFFFF) for char in reading.chars)
    return [chars[low:high] for low, high in zip(reading.ends[:-1], reading.ends[1:], strict=True)]


def grams(words: list[str], longest: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(words[i : i + n]) for n in range(1, longest + 1) for i in range(len(words) - n + 1))


def row(counts, number: int) -> np.ndarray:
    return np.sort(counts.values[counts.starts[number] : counts.starts[number + 1]])


@pytest.mark.parametrize("longest", [1, 2, 3])
def test_word_grams_are_counts_of_ngrams(longest: int) -> None:
    reading = read_all(TEXTS)
    counts = word_grams(reading, reading.hashes, longest, BITS)
    for number, text in enumerate(TEXTS):
        assert row(counts, number).tolist() == sorted(grams(tokens(text), longest).values())
    one, other = (read_all([text]) for text in ("cat sat", "sat cat"))
    pairs = [set(word_grams(part, part.hashes, 2, BITS).columns.tolist()) for part in (one, other)]
    assert len(pairs[0] & pairs[1]) == 2  # the words, not the pair: order counts


def test_letter_grams_are_counted_in_distinct_words() -> None:
    reading = read_all(TEXTS)
    counts = letter_grams(reading, 3, 5, BITS)
    for number, text in enumerate(TEXTS):
        wanted: Counter[str] = Counter()
        for word in {f" {word} " for word in tokens(text) if word.isalpha()}:
            wanted.update(word[i : i + n] for n in (3, 4, 5) for i in range(len(word) - n + 1))
        assert row(counts, number).tolist() == sorted(wanted.values())


def test_masking_keeps_endings() -> None:
    reading = read_all(["the walking talking cat's the"])
    out = masked(reading, table(read_all(["the"]).hashes))
    assert out[0] == out[4] == reading.hashes[0]
    assert out[1] == out[2] != reading.hashes[1]
    assert out[3] != out[1]


def test_word_scores_are_the_dot_product() -> None:
    reading = read_all(TEXTS)
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(1 << BITS, 3)).astype(np.float32)
    weights[:, 1] = np.where(rng.random(1 << BITS) < 0.7, 1 + rng.random(1 << BITS), 0)
    out = np.empty((len(TEXTS), 2))
    word_scores(reading.hashes, reading.starts, 2, BITS, weights, out)
    counts = word_grams(reading, reading.hashes, 2, BITS)
    for number in range(len(TEXTS)):
        part = slice(counts.starts[number], counts.starts[number + 1])
        at = counts.columns[part]
        known = weights[at, 1] > 0
        times = (1 + np.log(counts.values[part].astype(float)))[known]
        norm = math.sqrt(((weights[at[known], 1] * times) ** 2).sum())
        dot = (weights[at[known], 0] * times).sum() / norm if known.any() else 0.0
        assert out[number, 0] == pytest.approx(dot, rel=1e-5)
        assert out[number, 1] == pytest.approx(weights[at[known], 2].sum() / (known.sum() + 1), rel=1e-5)


def test_letter_scores_are_the_dot_product_and_ignore_neighbours() -> None:
    rng = np.random.default_rng(1)
    weights = rng.normal(size=(1 << BITS, 3)).astype(np.float32)
    weights[:, 1] = rng.random(1 << BITS) < 0.7
    weights *= weights[:, 1:2]
    reading = read_all(TEXTS)
    out = np.empty((len(TEXTS), 2))
    letter_scores(*reading, 3, 5, BITS, weights, out)
    counts = letter_grams(reading, 3, 5, BITS)
    for number, text in enumerate(TEXTS):
        part = slice(counts.starts[number], counts.starts[number + 1])
        sums = counts.values[part].astype(float) @ weights[counts.columns[part]]
        assert out[number] == pytest.approx([sums[0] / math.sqrt(sums[1] + 1), sums[2] / (sums[1] + 1)], rel=1e-5)
        alone = np.empty((1, 2))
        letter_scores(*read_all([text]), 3, 5, BITS, weights, alone)
        assert alone[0].tolist() == out[number].tolist()


def test_document_frequency_counts_units() -> None:
    reading = read_all(["one two", "one", "one three", "two"])
    counts = word_grams(reading, reading.hashes, 1, BITS)
    held = document_frequency(counts, BITS, np.array([0, 0, 1, 2]))
    assert sorted(held[held > 0].tolist()) == [1, 2, 2]


class Smoothed:
    """Witten-Bell with shared numbers of successors, from the formula, over token lists."""

    def __init__(self, texts: list[list[str]], classes: list[int], order: int, strength: float) -> None:
        self.order, self.strength = order, strength
        self.count: Counter[tuple[int, tuple[str, ...]]] = Counter()
        self.after: Counter[tuple[int, tuple[str, ...]]] = Counter()
        follow: dict[tuple[str, ...], set[str]] = {}
        for words, kind in zip(texts, classes, strict=True):
            for i, word in enumerate(words):
                for n in range(1, min(order, i + 1) + 1):
                    context = tuple(words[i - n + 1 : i])
                    self.count[kind, (*context, word)] += 1
                    self.after[kind, context] += 1
                    follow.setdefault(context, set()).add(word)
        self.types = {context: len(words) for context, words in follow.items()}

    def p(self, kind: int, word: str, context: tuple[str, ...]) -> float:
        back = self.strength * self.types.get(context, 0)
        shorter = self.p(kind, word, context[1:]) if context else 1 / self.types[()]
        if back == 0:
            return shorter
        return (self.count[kind, (*context, word)] + back * shorter) / (self.after[kind, context] + back)

    def ratio(self, words: list[str]) -> tuple[float, int]:
        total, known = 0.0, 0
        for i, word in enumerate(words):
            if any(self.count[kind, (word,)] for kind in (0, 1)):
                context = tuple(words[max(0, i - self.order + 1) : i])
                total += math.log(self.p(1, word, context) / self.p(0, word, context))
                known += 1
        return (total / known if known else 0.0), known


@pytest.mark.parametrize("order", [1, 2, 3])
def test_likelihood_ratio_is_the_formula(order: int) -> None:
    human, machine = ["the cat sat on the mat", "the cat ran off"], ["the dog sat on a mat", "a dog ran on and on"]
    texts, classes = [*human, *machine], [0, 0, 1, 1]
    oracle = Smoothed([tokens(text) for text in texts], classes, order, 1.5)
    pair = likelihood.fit(read_all(texts), np.array(classes), np.ones(4), np.arange(4), order, 1)
    judged = ["the cat sat on a dog", "a dog sat", "unknown words only", "off the mat and on the unknown cat", ""]
    out = np.empty((len(judged), 2))
    reading = read_all(judged)
    likelihood.ratios(reading.hashes, reading.starts, order, 1.5, *pair, out)
    for number, text in enumerate(judged):
        assert out[number] == pytest.approx(oracle.ratio(tokens(text)), rel=1e-5, abs=1e-7)
    total = sum(oracle.p(1, word, ("on", "the")[: order - 1]) for word in {w for t in texts for w in tokens(t)})
    assert total == pytest.approx(1.0)  # the oracle is a law
    assert out[0, 0] != pytest.approx(oracle.ratio(tokens(judged[1]))[0], abs=1e-3)


def test_rare_ngrams_are_left_out_of_the_ratio() -> None:
    reading = read_all(["rare here", "here again", "again here"])
    classes, weight = np.array([0, 1, 1]), np.ones(3)
    full = likelihood.fit(reading, classes, weight, np.arange(3), 2, 1)
    cut = likelihood.fit(reading, classes, weight, np.arange(3), 2, 2)
    one_unit = likelihood.fit(reading, classes, weight, np.zeros(3), 2, 2)
    assert [(pair.keys > 0).sum() for pair in (full, cut, one_unit)] == [7, 3, 1]


def test_measures_of_style() -> None:
    from remission.detectors import _style

    values = _style.measured(read_all(["The cat sat. The big cat ran, quickly!", "", "One word"]))
    known = dict(zip(names(values.shape[1] - len(names(0))), values[0], strict=True))
    assert known["."] == pytest.approx(math.sqrt(1 / 8))
    assert known[","] == pytest.approx(math.sqrt(1 / 8))
    assert known["-ly"] == pytest.approx(math.sqrt(1 / 8))
    assert known["word-0"] == pytest.approx(math.sqrt(2 / 8))  # "the"
    assert known["word-length"] == pytest.approx((3 * 7 + 7) / 8)
    assert known["sentence-length"] == pytest.approx((math.log(4) + math.log(6)) / 2)
    assert known["sentence-length-change"] == pytest.approx(math.log(6) - math.log(4))
    assert np.isfinite(values).all()
    repeated = _style.measured(
        read_all(["word " * 80, " ".join(f"w{chr(97 + i % 26)}{chr(97 + i // 26)}" for i in range(80))])
    )
    different = names(values.shape[1] - len(names(0))).index("different-words")
    assert repeated[:, different].tolist() == [1 / 40, 1.0]
