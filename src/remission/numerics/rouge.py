"""ROUGE-L between documents: how alike the texts of a corpus are."""

from __future__ import annotations

import math

import numpy as np

from remission.numerics.jit import jit
from remission.numerics.text import Texts, documents


@jit()
def _common(flat, starts, a, b, row):  # type: ignore[no-untyped-def]
    """Tokens in the longest common subsequence of documents a and b."""
    width = starts[b + 1] - starts[b]
    for j in range(width + 1):
        row[j] = 0
    for i in range(starts[a], starts[a + 1]):
        corner = 0
        for j in range(width):
            above = row[j + 1]
            row[j + 1] = corner + 1 if flat[i] == flat[starts[b] + j] else max(above, row[j])
            corner = above
    return row[width]


@jit()
def _alike(flat, starts):  # type: ignore[no-untyped-def]
    """Sum over pairs of 2 LCS / (length + length); two empty documents count 0."""
    longest = 0
    for d in range(starts.size - 1):
        longest = max(longest, starts[d + 1] - starts[d])
    row = np.empty(longest + 1, np.int64)
    total = 0.0
    for a in range(starts.size - 1):
        for b in range(a):
            size = starts[a + 1] - starts[a] + starts[b + 1] - starts[b]
            if size > 0:
                total += 2.0 * _common(flat, starts, a, b, row) / size
    return total


def homogenization(texts: Texts) -> float:
    """Mean ROUGE-L F-measure over all pairs of documents, in [0, 1]; rises in collapse, though weakly.

    Padmakumar & He 2023 (arXiv:2309.05196); F = 2 LCS / (length + length) with LCS the longest common subsequence in
    tokens (Lin 2004). Quadratic in the number of documents. NaN for fewer than two. The package ``rouge-score`` splits
    text at everything but lower-case letters and digits; do the same before to compare.

    >>> homogenization([["a", "b", "c"], ["a", "x", "c"]])
    0.6666666666666666
    """
    docs = documents(texts)
    pairs = docs.count * (docs.count - 1) / 2
    return float(_alike(docs.flat, docs.starts)) / pairs if pairs else math.nan
