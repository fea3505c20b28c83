"""Lexical diversity of one text: type-token ratios, MATTR, MSTTR, HD-D and MTLD, in linear or near linear time.

Names and edge cases are those of the package ``lexical-diversity`` (K. Kyle), whose values they reproduce: a ratio
with a zero denominator is 0, and so is MTLD of a text without repeats. Texts are lists of hashable tokens or integer
arrays of any integers.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from remission.numerics.arrays import Integers
from remission.numerics.jit import jit
from remission.numerics.text import Tokens, encode, ngrams


def _numbered(tokens: Tokens) -> tuple[Integers, int]:
    """Tokens as 0 .. types - 1, and the number of types."""
    return ngrams(encode(tokens), 1)[0]


def _size(tokens: Tokens) -> tuple[int, int]:
    flat, types = _numbered(tokens)
    return flat.size, types


def ttr(tokens: Tokens) -> float:
    """Types / tokens, in [0, 1]; 0 for an empty text. Falls in collapse, and with the length.

    >>> ttr("to be or not to be".split())
    0.6666666666666666
    """
    n, types = _size(tokens)
    return types / n if n else 0.0


def root_ttr(tokens: Tokens) -> float:
    """Types / sqrt(tokens) (Guiraud 1954); 0 for an empty text."""
    n, types = _size(tokens)
    return types / math.sqrt(n) if n else 0.0


def log_ttr(tokens: Tokens) -> float:
    """Herdan's log types / log tokens (1960); 0 for one token, NaN for an empty text."""
    n, types = _size(tokens)
    return math.nan if n == 0 else math.log10(types) / math.log10(n) if n > 1 else 0.0


def maas_ttr(tokens: Tokens) -> float:
    """(log10 tokens - log10 types) / (log10 tokens)^2 (Maas 1972): RISES in collapse; 0 for one token, NaN for none."""
    n, types = _size(tokens)
    return math.nan if n == 0 else (math.log10(n) - math.log10(types)) / math.log10(n) ** 2 if n > 1 else 0.0


@jit()
def _windows(flat, types, window, step):  # type: ignore[no-untyped-def]
    """Sum of the types in every full window that starts at a multiple of ``step`` (1 or ``window``), and how many."""
    count = np.zeros(types, np.int64)
    inside, total, windows = 0, 0, 0
    for i in range(flat.size):
        if i >= window:
            old = flat[i - window]
            count[old] -= 1
            if count[old] == 0:
                inside -= 1
        if count[flat[i]] == 0:
            inside += 1
        count[flat[i]] += 1
        if i + 1 >= window and (i + 1 - window) % step == 0:
            total += inside
            windows += 1
    return total, windows


def mattr(tokens: Tokens, window: int = 50) -> float:
    """Mean type-token ratio of all windows of ``window`` tokens (Covington & McFall 2010); TTR of a shorter text."""
    flat, types = _numbered(tokens)
    if flat.size <= window:
        return types / flat.size if flat.size else 0.0
    total, windows = _windows(flat, types, window, 1)
    return total / window / windows


def msttr(tokens: Tokens, window: int = 50) -> float:
    """Mean type-token ratio of consecutive full segments of ``window`` tokens (Johnson 1944); TTR of a shorter text."""
    flat, types = _numbered(tokens)
    if flat.size <= window:
        return types / flat.size if flat.size else 0.0
    total, windows = _windows(flat, types, window, window)
    return total / window / windows


def hdd(tokens: Tokens, sample: int = 42) -> float:
    """Expected type-token ratio of ``sample`` tokens drawn without replacement (HD-D, McCarthy & Jarvis 2007).

    Sum over types of (1 - C(n - f, sample) / C(n, sample)) / sample for frequency f; 0 for fewer tokens than that.
    """
    flat, _ = _numbered(tokens)
    n = flat.size
    if n < sample:
        return 0.0
    frequency, types = np.unique(np.bincount(flat), return_counts=True)
    drawn = np.arange(sample)
    missing = np.prod(np.maximum(n - frequency[:, None] - drawn, 0) / (n - drawn), axis=1)
    return math.fsum(types * (1.0 - missing)) / sample


@jit()
def _factors(flat, types, up, down, least):  # type: ignore[no-untyped-def]
    """(full factors, types in the rest, tokens in the rest) of one pass of MTLD; the threshold is up / down."""
    stamp = np.full(types, -1, np.int64)
    start, inside, factors = 0, 0, 0
    for i in range(flat.size - 1):
        if stamp[flat[i]] < start:
            inside += 1
        stamp[flat[i]] = i
        length = i + 1 - start
        if length >= least and down * inside < up * length:
            factors += 1
            inside = 0
            start = i + 1
    if stamp[flat[flat.size - 1]] < start:
        inside += 1
    return factors, inside, flat.size - start


@jit()
def _first_below(flat, types, starts, up, down, least):  # type: ignore[no-untyped-def]
    """(sum of lengths, number) of the first factors that begin at each of the first ``starts`` tokens.

    With T types in x .. y, y ends the factor from x when h(y) = down T - up (y + 1) < -up x. Moving x on by one
    lowers T by 1 for all y before the next occurrence of token x: a point update of the differences of h. A tree
    over the differences, holding sums and least prefix sums, finds the first such y in logarithmic time.
    """
    n = flat.size
    leaves = 1
    while leaves < n:
        leaves *= 2
    total = np.zeros(2 * leaves, np.int64)
    low = np.zeros(2 * leaves, np.int64)
    last = np.full(types, -1, np.int64)
    following = np.full(n, n, np.int64)
    for y in range(n):
        new = last[flat[y]] < 0
        if not new:
            following[last[flat[y]]] = y
        last[flat[y]] = y
        total[leaves + y] = (down if new else 0) - up
        low[leaves + y] = total[leaves + y]
    for node in range(leaves - 1, 0, -1):
        total[node] = total[2 * node] + total[2 * node + 1]
        low[node] = min(low[2 * node], total[2 * node] + low[2 * node + 1])
    lengths = found = 0
    gone = 0  # added to every h: -down for each start that was passed
    for x in range(starts):
        first, bound = x + max(least, 1) - 1, -up * x - gone
        if first < n:
            y = _search(total, low, leaves, n, first, bound)
            if y < n:
                lengths += y + 1 - x
                found += 1
        gone -= down
        if following[x] < n:
            node = leaves + following[x]
            total[node] += down
            low[node] += down
            node //= 2
            while node > 0:
                total[node] = total[2 * node] + total[2 * node + 1]
                low[node] = min(low[2 * node], total[2 * node] + low[2 * node + 1])
                node //= 2
    return lengths, found


@jit()
def _search(total, low, leaves, n, first, bound):  # type: ignore[no-untyped-def]
    """The first leaf y >= ``first`` whose prefix sum is below ``bound``, or n."""
    node, before = 1, 0
    skip, width = first, leaves
    path = np.empty(64, np.int64)
    sums = np.empty(64, np.int64)
    depth = 0
    while width > 1:
        width //= 2
        if skip < width:
            path[depth] = 2 * node + 1
            sums[depth] = before + total[2 * node]
            depth += 1
            node = 2 * node
        else:
            before += total[2 * node]
            skip -= width
            node = 2 * node + 1
    if before + low[node] >= bound:
        while depth > 0:
            depth -= 1
            node, before = path[depth], sums[depth]
            if before + low[node] < bound:
                break
        else:
            return n
    while node < leaves:
        if before + low[2 * node] < bound:
            node = 2 * node
        else:
            before += total[2 * node]
            node = 2 * node + 1
    return min(node - leaves, n)


def _ratio(threshold: float) -> tuple[int, int]:
    """The threshold as it is written, as an exact fraction: comparing integers equals comparing rounded quotients."""
    exact = Fraction(repr(float(threshold)))
    return exact.numerator, exact.denominator


def mtld(tokens: Tokens, threshold: float = 0.72, least: int = 10) -> float:
    """Mean length of the stretches that keep a type-token ratio of ``threshold`` (McCarthy & Jarvis 2010), in tokens.

    A factor ends where the ratio falls below the threshold with at least ``least`` tokens; the rest counts for
    (1 - ratio) / (1 - threshold) of one, and the last token always belongs to the rest; forward and backward passes
    are averaged. 0 when nothing repeats or the text is empty. Falls in collapse. Linear time.

    >>> mtld(["a", "b"] * 20 + ["a"])
    10.25
    """
    flat, types = _numbered(tokens)
    if flat.size == 0:
        return 0.0
    passes = []
    for text in (flat, np.ascontiguousarray(flat[::-1])):
        factors, inside, rest = _factors(text, types, *_ratio(threshold), least)
        parts = factors + (1 - inside / rest) / (1 - threshold)
        passes.append(flat.size / parts if parts else 0.0)
    return (passes[0] + passes[1]) / 2


def mtld_ma_wrap(tokens: Tokens, threshold: float = 0.72, least: int = 10) -> float:
    """Moving-average MTLD: the mean factor length over all starts, the text continued by itself. O(n log n).

    0 when no factor ends within the text written twice.
    """
    flat, types = _numbered(tokens)
    if flat.size == 0:
        return 0.0
    lengths, found = _first_below(np.concatenate([flat, flat]), types, flat.size, *_ratio(threshold), least)
    return lengths / found if found else 0.0


def mtld_ma_bid(tokens: Tokens, threshold: float = 0.72, least: int = 10) -> float:
    """Moving-average MTLD forward and backward, factors that do not end left out (Kyle et al. 2021). O(n log n)."""
    flat, types = _numbered(tokens)
    if flat.size == 0:
        return 0.0
    passes = []
    for text in (flat, np.ascontiguousarray(flat[::-1])):
        lengths, found = _first_below(text, types, flat.size, *_ratio(threshold), least)
        passes.append(lengths / found if found else 0.0)
    return (passes[0] + passes[1]) / 2
