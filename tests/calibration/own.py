"""Small detectors and texts for the tests of calibration."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from remission.documents import Documents
from remission.interfaces import Detector

SIZE = 1 << 14


class Bayes(Detector):
    """Naive Bayes on hashed lower-case words: the mean log-ratio of a text."""

    def fit(self, examples: Documents, seed: int = 0) -> dict[str, Any]:
        counts = np.full((2, SIZE), 0.5)
        for item, synthetic in zip(examples.items, examples.synthetic, strict=True):
            np.add.at(counts[int(synthetic)], _hashed(item), 1)
        return {"weight": np.log(counts[1] / counts[1].sum()) - np.log(counts[0] / counts[0].sum())}

    def score(self, state: dict[str, Any], items: Sequence[Any]) -> Any:
        return np.array([state["weight"][_hashed(item)].mean() if item.split() else np.nan for item in items])


class Told(Detector):
    """The score is the number in the text after "score="; NaN where there is none. Nothing is learned."""

    learns = False

    def score(self, state: dict[str, Any], items: Sequence[Any]) -> Any:
        return np.array([float(item.split("score=")[1].split()[0]) if "score=" in item else np.nan for item in items])


class Lost(Detector):
    """Every score is NaN."""

    learns = False

    def score(self, state: dict[str, Any], items: Sequence[Any]) -> Any:
        return np.full(len(items), np.nan)


def _hashed(item: str) -> Any:
    return np.array([zlib.crc32(word.encode("utf-8", "surrogatepass")) % SIZE for word in item.lower().split()])


_PLAIN = """the of and to in a is that for it as was with be by on not he his but at are this have from or had an they which
you were her she all would there their we him been has when who will more no if out so said what up its about into than them
can only other new some could time these two may then do first any my now such like our over man me even most made after
also did many before must through years where much your way well down should because each just those people"""
_MARKED = "fox oak ivy gem ox elk yak ash kiln"  # as short as the others, or the audit would find them
PLAIN, MARKED = _PLAIN.split(), _MARKED.split()


def texts(n: int, seed: int, marked: float = 0.0, words: int = 60) -> list[str]:
    """English-looking texts of about that many words, of which a share is marked."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(n):
        size = int(rng.integers(words // 2 + 5, 2 * words))
        plain, other = (rng.zipf(1.3, size) - 1) % len(PLAIN), rng.integers(0, len(MARKED), size)
        chosen = [
            MARKED[k] if mark else PLAIN[j]
            for j, k, mark in zip(plain.tolist(), other.tolist(), (rng.random(size) < marked).tolist(), strict=True)
        ]
        found.append(" ".join(chosen).capitalize() + ".")
    return found


def told(scores: Any, seed: int = 0) -> Documents:
    """Texts that carry their score for ``Told``."""
    base = texts(len(scores), seed)
    return Documents(
        [f"{text[:-1]} score={score!r} ." for text, score in zip(base, np.asarray(scores).tolist(), strict=True)]
    )
