"""Statistics of n-grams in documents: distinct, self-BLEU, repetition, novelty, compression.

An n-gram never crosses the end of its document. Every n-gram is numbered exactly, by hashing (number of its first part,
number of its last part), so that counts are counts of n-grams and not of hash values; the work is linear in the
number of tokens. Tokens are integers or anything hashable.
"""

from __future__ import annotations

import lzma
import math
import zlib
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from remission.errors import DataError
from remission.numerics.arrays import Array, Floats, Integers
from remission.numerics.jit import jit
from remission.numerics.random import mix


@dataclass(frozen=True, eq=False)
class Documents:
    """Tokens of m documents one after the other; document i is ``flat[starts[i] : starts[i + 1]]``."""

    flat: Integers  # (N,)
    starts: Integers  # (m + 1,)

    @property
    def count(self) -> int:
        """How many documents (m)."""
        return self.starts.size - 1

    @property
    def lengths(self) -> Integers:
        """Tokens per document, shape (m,)."""
        return np.diff(self.starts)


Tokens = Sequence[Hashable] | Array
Texts = Documents | Sequence[Tokens] | Array


def encode(tokens: Iterable[Hashable]) -> Integers:
    """Hashable tokens as integers, numbered by first appearance; an integer array is returned as it is.

    >>> encode(["to", "be", "or", "not", "to", "be"])
    array([0, 1, 2, 3, 0, 1])
    """
    if isinstance(tokens, np.ndarray) and tokens.dtype.kind in "iub":
        return np.ascontiguousarray(tokens.reshape(-1), dtype=np.int64)
    if isinstance(tokens, str):
        raise DataError("Tokens are wanted, got a string. Split it first, as in text.split(), or list(text).")
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(token, len(numbers)) for token in tokens], dtype=np.int64)


def documents(texts: Texts) -> Documents:
    """Documents from a list of token lists, or from an integer array of equally long ones (m, length)."""
    if isinstance(texts, Documents):
        return texts
    if isinstance(texts, np.ndarray) and texts.ndim == 2:
        m, length = texts.shape
        return Documents(encode(texts), np.arange(m + 1, dtype=np.int64) * length)
    if any(isinstance(text, str) for text in texts):
        raise DataError("Every document must be a list of tokens, got a string. Split it first, as in text.split().")
    starts = np.concatenate([[0], np.cumsum([len(text) for text in texts], dtype=np.int64)]).astype(np.int64)
    return Documents(encode([token for text in texts for token in text]), starts)


def _either(tokens: Tokens | Documents) -> Documents:
    """A plain list or 1-d array is one document."""
    if isinstance(tokens, Documents):
        return tokens
    if isinstance(tokens, np.ndarray) and tokens.ndim == 2:
        return documents(tokens)
    flat = encode(tokens)
    return Documents(flat, np.array([0, flat.size], dtype=np.int64))


@jit()
def _number(first, second, a, b, base, starts, out):  # type: ignore[no-untyped-def]
    """Number the (a + b)-grams by first appearance from those of a and b tokens; returns how many differ.

    ``out[i]`` is the number of the one that starts at i, or -1 where it would cross the end of the document.
    """
    total = 0
    for d in range(starts.size - 1):
        total += max(0, starts[d + 1] - starts[d] - (a + b) + 1)
    size = 8
    while size < 2 * total:
        size *= 2
    mask = size - 1
    table = np.empty((size, 2), np.int64)
    for row in range(size):
        table[row, 1] = -1
    found = 0
    for d in range(starts.size - 1):
        last = starts[d + 1] - (a + b)
        for i in range(starts[d], starts[d + 1]):
            if i > last:
                out[i] = -1
                continue
            key = first[i] * base + second[i + a] if a > 0 else first[i]
            slot = np.int64(mix(key) >> np.uint64(1)) & mask
            while table[slot, 1] >= 0 and table[slot, 0] != key:
                slot = (slot + 1) & mask
            if table[slot, 1] < 0:
                table[slot, 0] = key
                table[slot, 1] = found
                found += 1
            out[i] = table[slot, 1]
    return found


def _first_order(texts: Documents) -> tuple[Integers, int]:
    out = np.empty(texts.flat.size, np.int64)
    return out, int(_number(texts.flat, texts.flat, 0, 1, 1, texts.starts, out))


def _join(
    texts: Documents, first: tuple[Integers, int], a: int, second: tuple[Integers, int], b: int
) -> tuple[Integers, int]:
    """The (a + b)-grams from the a-grams and b-grams of the same documents."""
    out = np.empty(texts.flat.size, np.int64)
    return out, int(_number(first[0], second[0], a, b, max(second[1], 1), texts.starts, out))


def ngrams(tokens: Tokens | Documents, orders: int) -> list[tuple[Integers, int]]:
    """For n = 1 .. ``orders``: the number of the n-gram at each position (N,), -1 where none fits, and how many differ.

    >>> ngrams(["a", "b", "a", "b"], 2)[1]
    (array([ 0,  1,  0, -1]), 2)
    """
    texts = _either(tokens)
    one = _first_order(texts)
    out = [one]
    for n in range(1, orders):
        out.append(_join(texts, out[-1], n, one, 1))
    return out[:orders]


def _places(texts: Documents, n: int) -> int:
    """How many n-grams there are, repeats included."""
    return int(np.maximum(texts.lengths - n + 1, 0).sum())


def distinct(tokens: Tokens | Documents, orders: int = 4) -> Floats:
    """Distinct-n: different n-grams / all n-grams, for n = 1 .. ``orders`` (Li et al. 2016, arXiv:1510.03055, 4.3).

    NaN where there is no n-gram. Falls with the length of the text: compare equal lengths only.

    >>> distinct(["a", "b", "a", "b"], 2)
    array([0.5       , 0.66666667])
    """
    texts = _either(tokens)
    places = [_places(texts, n) for n in range(1, orders + 1)]
    found = [different for _, different in ngrams(texts, orders)]
    return np.array([f / p if p else math.nan for f, p in zip(found, places, strict=True)])


def ngram_diversity(tokens: Tokens | Documents, orders: int = 4) -> float:
    """Sum of distinct-1 .. distinct-``orders`` (the n-gram diversity score of Shaib et al. 2024, arXiv:2403.00553)."""
    return math.fsum(distinct(tokens, orders))


@jit()
def _top_two(grams, starts, top, second, owner, count):  # type: ignore[no-untyped-def]
    """The two largest counts of every n-gram in any one document, and whose the largest is."""
    for d in range(starts.size - 1):
        for i in range(starts[d], starts[d + 1]):
            if grams[i] >= 0:
                count[grams[i]] += 1
        for i in range(starts[d], starts[d + 1]):
            g = grams[i]
            if g < 0 or count[g] == 0:
                continue
            if count[g] > top[g]:
                second[g] = top[g]
                top[g] = count[g]
                owner[g] = d
            elif count[g] > second[g]:
                second[g] = count[g]
            count[g] = 0


@jit()
def _clipped(grams, starts, top, second, owner, count, out):  # type: ignore[no-untyped-def]
    """Per document: n-grams matched in the best other document for each, clipped."""
    for d in range(starts.size - 1):
        out[d] = 0
        for i in range(starts[d], starts[d + 1]):
            if grams[i] >= 0:
                count[grams[i]] += 1
        for i in range(starts[d], starts[d + 1]):
            g = grams[i]
            if g >= 0 and count[g] > 0:
                out[d] += min(count[g], second[g] if owner[g] == d else top[g])
                count[g] = 0


def _closest_lengths(lengths: Integers) -> Integers:
    """For each document the length of another one nearest to its own, the shorter of two equally near."""
    order = np.sort(lengths)
    left = np.searchsorted(order, lengths, "left")
    right = np.searchsorted(order, lengths, "right")
    far = np.int64(2) ** 62
    below = np.where(left > 0, order[np.maximum(left - 1, 0)], -far)
    above = np.where(right < order.size, order[np.minimum(right, order.size - 1)], far)
    near = np.where(lengths - below <= above - lengths, below, above)
    return np.where(right - left > 1, lengths, near)


def self_bleu(texts: Texts, orders: int = 4, epsilon: float = 0.1) -> Floats:
    """BLEU of every document against all the others, shape (m,); their mean is self-BLEU.

    Zhu et al. 2018 (arXiv:1802.01886); sentence BLEU of Papineni et al. 2002 with clipped counts, uniform weights,
    the closest reference length (the shorter of two) in the brevity penalty, and smoothing method 1 of Chen & Cherry
    2014: an n-gram precision without a match counts ``epsilon`` matches. Equal to nltk's ``sentence_bleu``.
    The largest count of an n-gram in any other document is the largest or second largest of all, which makes
    the work linear in the number of tokens. NaN for a single document, 0 for an empty one.

    >>> bool(np.allclose(self_bleu([["a", "b", "c", "d"]] * 2), 1))
    True
    """
    docs = documents(texts)
    m, lengths = docs.count, docs.lengths
    if m < 2:
        return np.full(m, math.nan)
    total, ones = np.zeros(m), np.zeros(m, np.int64)
    for n, (grams, different) in enumerate(ngrams(docs, orders), start=1):
        top, second, owner, count = (np.zeros(different, np.int64) for _ in range(4))
        matched = np.empty(m, np.int64)
        _top_two(grams, docs.starts, top, second, owner, count)
        _clipped(grams, docs.starts, top, second, owner, count, matched)
        ones = matched if n == 1 else ones
        total += np.log(np.where(matched > 0, matched, epsilon) / np.maximum(lengths - n + 1, 1))
    short = np.minimum(0.0, 1.0 - _closest_lengths(lengths) / np.maximum(lengths, 1))
    return np.where(ones > 0, np.exp(short + total / orders), 0.0)


@jit()
def _spread(grams, starts, seen, holders, own):  # type: ignore[no-untyped-def]
    """Documents that hold each n-gram, and the different n-grams of each document."""
    for d in range(starts.size - 1):
        own[d] = 0
        for i in range(starts[d], starts[d + 1]):
            g = grams[i]
            if g >= 0 and seen[g] != d:
                seen[g] = d
                holders[g] += 1
                own[d] += 1


@jit()
def _shared(grams, starts, seen, holders, out):  # type: ignore[no-untyped-def]
    for d in range(starts.size - 1):
        out[d] = 0
        for i in range(starts[d], starts[d + 1]):
            g = grams[i]
            if g >= 0 and seen[g] != d:
                seen[g] = d
                out[d] += holders[g] - 1


def self_repetition(texts: Texts, n: int = 4) -> float:
    """Mean over documents of ln(1 + occurrences of its n-grams in other documents).

    Salkar et al. 2022 as in Shaib et al. 2024 (arXiv:2403.00553, section 3): a document's different n-grams are each
    counted once per other document that holds them. NaN without documents. Rises in collapse, and with their number.
    """
    docs = documents(texts)
    if docs.count == 0:
        return math.nan
    grams, different = ngrams(docs, n)[-1]
    holders, own, shared = np.zeros(different, np.int64), np.empty(docs.count, np.int64), np.empty(docs.count, np.int64)
    _spread(grams, docs.starts, np.full(different, -1), holders, own)
    _shared(grams, docs.starts, np.full(different, -1), holders, shared)
    return float(np.log1p(shared).mean())


def repeated_share(tokens: Tokens | Documents, n: int = 4) -> float:
    """Share of n-gram places whose n-gram occurs more than once; NaN without n-grams.

    >>> repeated_share(["a", "b", "a", "b"], 2)
    0.6666666666666666
    """
    texts = _either(tokens)
    grams, different = ngrams(texts, n)[-1]
    counts = np.bincount(grams[grams >= 0], minlength=different)
    return float(counts[counts > 1].sum() / counts.sum()) if counts.sum() else math.nan


def longest_repeat(tokens: Tokens | Documents) -> int:
    """Tokens in the longest sequence that occurs at two places (they may overlap); 0 if no token repeats.

    Sequences of doubled length are numbered from pairs until none repeats, then the length is found by bisection.

    >>> longest_repeat("to be or not to be".split())
    2
    """
    texts = _either(tokens)
    powers = [_first_order(texts)]
    if powers[0][1] == _places(texts, 1):
        return 0
    while True:
        half = 1 << (len(powers) - 1)
        doubled = _join(texts, powers[-1], half, powers[-1], half)
        if doubled[1] == _places(texts, 2 * half):
            break
        powers.append(doubled)
    length, current = 1 << (len(powers) - 1), powers[-1]
    for k in range(len(powers) - 2, -1, -1):
        longer = _join(texts, current, length, powers[k], 1 << k)
        if longer[1] < _places(texts, length + (1 << k)):
            length, current = length + (1 << k), longer
    return length


def _together(sample: Texts, real: Texts) -> tuple[Documents, int]:
    """Real documents, then the sample's, in one numbering; and how many tokens are real."""
    if not isinstance(sample, (Documents, np.ndarray)) and not isinstance(real, (Documents, np.ndarray)):
        both = documents([*real, *sample])
        return both, int(both.starts[len(real)])
    if not all(isinstance(texts, (Documents, np.ndarray)) for texts in (sample, real)):
        raise DataError("Give both texts as integer arrays or Documents, or both as lists of token lists.")
    one, other = documents(real), documents(sample)
    starts = np.concatenate([one.starts, other.starts[1:] + one.flat.size])
    return Documents(np.concatenate([one.flat, other.flat]), starts), one.flat.size


def novelty(sample: Texts, real: Texts, n: int = 3) -> tuple[float, float]:
    """(novel, recall): share of the sample's n-gram places never seen in ``real``; share of real n-gram types in it.

    Both must use the same tokens: give integer arrays, or hashable tokens in both. McCoy et al. 2023
    (arXiv:2111.09509, section 3) for novelty. NaN where there is no n-gram.

    >>> novelty([["a", "b", "c"]], [["a", "b", "b"]], 2)
    (0.5, 0.5)
    """
    both, cut = _together(sample, real)
    grams, different = ngrams(both, n)[-1]
    known = np.zeros(different, bool)
    known[grams[:cut][grams[:cut] >= 0]] = True
    produced = np.zeros(different, bool)
    made = grams[cut:][grams[cut:] >= 0]
    produced[made] = True
    novel = float((~known[made]).mean()) if made.size else math.nan
    return novel, float((produced & known).sum() / known.sum()) if known.any() else math.nan


def compression_ratio(text: str | bytes, method: Literal["zlib", "lzma"] = "zlib") -> float:
    """Bytes / compressed bytes: zlib at level 9, or lzma (xz) at preset 6. NaN for no bytes. Rises in collapse.

    Shaib et al. 2024 (arXiv:2403.00553, section 3) in one pass; their package compresses the gzip stream a second time.
    The third digit may depend on the zlib build. Short texts compress badly: compare equal lengths only.

    >>> compression_ratio(b"ab" * 500) > 30
    True
    """
    data = text.encode("utf-8") if isinstance(text, str) else text
    if not data:
        return math.nan
    packed = zlib.compress(data, 9) if method == "zlib" else lzma.compress(data, preset=6)
    return len(data) / len(packed)
