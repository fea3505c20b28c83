"""What human text looks like, as an interpolated n-gram over any vocabulary: counts in sorted arrays, no network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from remission.errors import FitError, SpecError
from remission.numerics.arrays import Array, Floats, Integers


def counted(texts: Sequence[Integers], order: int, size: int) -> dict[str, Array]:
    """How often every n-gram of 1 .. ``order`` tokens occurs inside the texts.

    Args:
        texts: token numbers below ``size``.
        order: n of the longest.
        size: V, the number of types.

    Returns:
        ``codes.k`` ascending int64, the k tokens as digits of a number to the base V, and ``counts.k`` for each.

    Raises:
        FitError: no token at all.
        SpecError: numbers to the base V of that many digits do not fit into 63 bits.
    """
    if size**order >= 2**63:
        raise SpecError(f"{order}-grams of {size} types are too many to be numbered. Lower 'order'.")
    texts = [np.asarray(text, np.int64) for text in texts if len(text)]
    if not texts:
        raise FitError("The reference of a likelihood ratio needs human text, and there is none. Give human examples.")
    out: dict[str, Array] = {}
    for k in range(1, order + 1):
        codes = np.concatenate([_codes(text, k, size)[k - 1 :] for text in texts])
        out[f"codes.{k}"], out[f"counts.{k}"] = np.unique(codes, return_counts=True)
    return out


def log_probabilities(
    table: dict[str, Array], texts: Sequence[Integers], order: int, size: int, smoothing: float
) -> list[Floats]:
    """The natural log-probability of every token of every text, given up to ``order`` - 1 before it.

    p(w | h) = (c(h w) + s p(w | h')) / (sum over v of c(h v) + s) with s = ``smoothing`` and h' = h without its first token,
    down to the uniform 1 / V (MacKay & Bauman Peto, "A hierarchical Dirichlet language model", 1995).
    """
    lengths = np.array([len(text) for text in texts], np.int64)
    if not lengths.sum():
        return [np.empty(0)] * len(texts)
    stream = np.concatenate([np.asarray(text, np.int64) for text in texts])
    before = np.arange(stream.size) - np.repeat(np.cumsum(lengths) - lengths, lengths)  # tokens before it in its text
    p = np.full(stream.size, 1.0 / size)
    for k in range(1, order + 1):
        codes, counts = table[f"codes.{k}"], table[f"counts.{k}"]
        here = before >= k - 1
        mine = _codes(stream, k, size)[here]
        # codes of one context are side by side, so its total is a difference of running sums
        running = np.concatenate([[0], np.cumsum(counts)])
        context = mine // size * size
        total = running[np.searchsorted(codes, context + size)] - running[np.searchsorted(codes, context)]
        p[here] = (_looked_up(codes, counts, mine) + smoothing * p[here]) / (total + smoothing)
    return np.split(np.log(p), np.cumsum(lengths)[:-1])


def _codes(text: Integers, k: int, size: int) -> Integers:
    """At every place the last k tokens as a number; the first k - 1 places mean nothing."""
    code = np.zeros(text.size, np.int64)
    for back in range(k - 1, -1, -1):
        code[back:] += text[: text.size - back] * size**back
    return code


def _looked_up(codes: Integers, counts: Integers, wanted: Integers) -> Integers:
    place = (
        np.minimum(np.searchsorted(codes, wanted), codes.size - 1) if codes.size else np.zeros(wanted.size, np.int64)
    )
    found: Integers = np.where(codes[place] == wanted, counts[place], 0) if codes.size else place
    return found
